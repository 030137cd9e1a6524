/* Fuzzes the configuration language. An input is up to three files, with a form feed between them,
 * that are read in order. What is accepted must print a canonical form that parses again and prints
 * the same; what is not must say why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "hv/config/config.h"
#include "tests/fuzz/fuzz.h"

struct files {
    const uint8_t *data;
    size_t size;
};

static uint8_t *read_file(void *context, const char *path, size_t *size, struct error *e)
{
    const struct files *files = context;
    const uint8_t *from = files->data, *end = files->data + files->size;
    for (char name = '0'; name <= '2'; name++) {
        const uint8_t *stop = from < end ? memchr(from, '\f', (size_t)(end - from)) : NULL;
        if (!stop)
            stop = end;
        if (path[0] == name && !path[1]) {
            *size = (size_t)(stop - from);
            uint8_t *copy = malloc(*size + !*size); /* as large as it says, for the sanitizer */
            CHECK(copy);
            memcpy(copy, from, *size);
            return copy;
        }
        if (stop == end)
            break;
        from = stop + 1;
    }
    error_set(e, "no such file");
    return NULL;
}

static const char *env(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "HOME") == 0 ? "/home of a user" : NULL;
}

static bool parse(struct vm_config *config, const uint8_t *data, size_t size, struct error *e)
{
    static const char *const words[] = {"@0", "@1", "@2"};
    struct files files = {data, size};
    size_t count = 1;
    for (size_t i = 0; i < size && count < 3; i++)
        count += data[i] == '\f';
    return config_parse(
        config, words, count,
        &(struct config_reader){.read_file = read_file, .env = env, .context = &files}, e);
}

static struct bytes printed(struct vm_config *config)
{
    struct bytes text = {0};
    config_print(config, &text);
    config_free(config);
    return text;
}

static void check_again(bool good, const struct bytes *text, const struct error *e)
{
    if (good)
        return;
    fprintf(stderr, "refused: %s\nThe canonical form:\n%.*s\n", e->text, (int)text->size,
            (const char *)text->data);
    CHECK(good);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vm_config config;
    struct error e = {0};
    static const uint8_t nothing[1];
    if (!parse(&config, size ? data : nothing, size, &e)) {
        CHECK(e.text[0] && e.exit_status == 65);
        return 0;
    }
    struct bytes first = printed(&config);
    bool good = parse(&config, first.data, first.size, &e);
    check_again(good, &first, &e);
    struct bytes second = printed(&config);
    CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
    bytes_free(&first);
    bytes_free(&second);
    return 0;
}

bool fuzz_seed(unsigned number, struct bytes *out)
{
    static const char *const seeds[] = {
        "system hello\nram 0x40000000,128M\ncpu\nvdev gic gicd 0x08000000 gicr 0x080a0000\n"
        "vdev pl011 loc 0x09000000 intr gic:33 hostdev -\nload build/hello.elf\n",
        "# all kinds\nrom 0,0x200000 ram 2G,1m cpu sched 10r cpu runmask 0,1 cluster c\n"
        "vdev gic version 2 gicd 0x08000000 gicc 0x08010000\nvdev pl031 loc 0x09010000 intr gic:34 "
        "name clock\n"
        "initrd load 0x80000000,\"a b.cpio\"\ncmdline \"console=ttyAMA0 $env{HOME}\"\n"
        "logger error,warn stderr\nunsupported instruction abort\n",
        "system x cpu\fram 1m,4K pass loc 0x10000000,0x1000,rwn intr gic:40\n"
        "reserve loc mem:0x50000000,4K\fset cpu-model a53 set clock-rate 1000 dryrun dump file\n",
        "",
    };
    if (number >= sizeof seeds / sizeof seeds[0])
        return false;
    bytes_put(out, seeds[number], strlen(seeds[number]));
    return true;
}
