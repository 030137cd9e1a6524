/* Fuzzes test files: what is refused says why; what is accepted looks for its patterns in what may
 * be any console's bytes, and gives its words as a configuration reads them. */
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "qvm/test/test_file.h"
#include "tests/fuzz/fuzz.h"

static const char *env(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "HOME") == 0 ? "/home of a user" : NULL;
}

static void search(const struct pattern *p, const uint8_t *data, size_t size)
{
    struct pattern_search s;
    pattern_search_begin(&s, p);
    for (size_t i = 0; i < size; i++)
        pattern_search_byte(&s, data[i]);
    pattern_search_end(&s);
    pattern_search_free(&s);
}

static void read_words(struct test_file *f, struct test_words words)
{
    struct test_words_reader own = {.file = f};
    struct config_reader reader = test_words_reader(&own);
    struct error e = {0};
    size_t size = 0;
    if (words.file)
        return;
    uint8_t *text = reader.read_file(reader.context, test_words_name(f, words) + 1, &size, &e);
    CHECK(text && size == f->size);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct test_file f;
    struct error e = {0};
    const struct config_reader reader = {.env = env};
    if (size > 4096)
        return 0;
    if (!test_file_parse(&f, "folder/a.qvmtest", data, size, &reader, &e)) {
        CHECK(e.exit_status == 65 && e.text[0] == '[');
        return 0;
    }
    CHECK(f.count > 0);
    for (size_t i = 0; i < f.pattern_count && i < 4; i++)
        search(f.patterns[i], data, size);
    for (size_t i = 0; i < f.count; i++)
        for (size_t k = 0; k < f.tests[i].vm_count; k++)
            for (size_t w = 0; w < f.tests[i].vms[k].word_count; w++)
                read_words(&f, f.tests[i].vms[k].words[w]);
    test_file_free(&f);
    return 0;
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    static const char *const seeds[] = {
        "vm { ram 0,1M }\nexpect console /^a+(b|c)*[^d-f\\d]{2,3}$/i within 2s of x\n",
        "limit 5s\nvm a.qvmconf set cpu-model max\ntest a matrix vcpus 1,2 chaos seeds 3\n"
        "test b send \"x\\x41\\n\" after /a\\/b/ expect exits mmio < 3 skip if missing f tags "
        "a,b\n",
        "board b vm cpu\nwith { load $env{HOME}/x \"a\nb\" } # comment\nexpect digest 01234567\n",
        "from f expect output g expect status 3 expect exit 4 expect no-fault expect repeatable",
        "trace t limit 100 instructions skip if host linux",
    };
    if (number >= sizeof seeds / sizeof seeds[0])
        return false;
    bytes_put(out, seeds[number], strlen(seeds[number]));
    return true;
}
