#include "qvm/ask/question.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/config/config_ranges.h"
#include "hv/images/symbols.h"
#include "qvm/host/host.h"

bool question_number(const char *text, uint64_t *value, const char *what, struct error *e)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    if (*text >= '0' && *text <= '9' && *end == 0 && errno == 0)
        return true;
    return error_set(e, "%s wants a number, not '%s'", what, text);
}

/* Is it within what the VMs have in the guest-physical address space? */
static bool is_somewhere(const struct question_names *names, uint64_t address)
{
    bool found = false;
    for (size_t i = 0; i < names->count && !found; i++) {
        size_t count;
        struct config_range *ranges = config_ranges(&names->configs[i], &count);
        for (size_t k = 0; k < count; k++)
            found |= address - ranges[k].start < ranges[k].size;
        free(ranges);
    }
    return found;
}

/* Numbers are as in C, where people copy addresses without their 0x. */
static void hint_at_hexadecimal(const struct question_names *names, const char *text,
                                uint64_t address)
{
    char *end;
    uint64_t other = strtoull(text, &end, 16);
    if (*end || strspn(text, "0") || is_somewhere(names, address) || !is_somewhere(names, other))
        return;
    fprintf(stderr, "qvm: %s is decimal, and nothing is there; 0x%s is in the guest's memory map\n",
            text, text);
}

bool question_address(const struct question_names *names, const char *text, uint64_t *address,
                      uint64_t *size, const char *what, struct error *e)
{
    struct symbol_place found;
    char name[128];
    size_t length = strcspn(text, "+");
    uint64_t offset = 0;
    if (*text >= '0' && *text <= '9') {
        if (!question_number(text, address, what, e))
            return false;
        hint_at_hexadecimal(names, text, *address);
        return true;
    }
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    if (!symbols_find(names->journal, names->configs, names->count, name, &found))
        return error_set(e, "%s wants a number or a symbol of a loaded ELF file, not '%s'", what,
                         text);
    if (text[length] && !question_number(text + length + 1, &offset, what, e))
        return false;
    *address = found.address + offset;
    if (!text[length] && found.size)
        *size = found.size < 8 ? found.size : 8;
    return true;
}

static const struct question_option *find(const struct question_option *options, const char *name)
{
    for (; options->name; options++)
        if (strcmp(options->name, name) == 0)
            return options;
    return NULL;
}

/* Takes the option at words[*i], and its argument. */
static bool take(const struct question_option *option, char *const *words, int count, int *i,
                 struct error *e)
{
    if (option->flag) {
        *option->flag = true;
        return true;
    }
    if (++*i >= count)
        return error_set(e, "%s wants an argument", option->name);
    if (option->number)
        return question_number(words[*i], option->number, option->name, e);
    *option->text = words[*i];
    return true;
}

bool question_words(char *const *words, int count, const struct question_option *options,
                    const char **others, size_t wanted, const char *usage, struct error *e)
{
    size_t found = 0;
    for (int i = 0; i < count; i++) {
        const struct question_option *option = find(options, words[i]);
        if (option) {
            if (!take(option, words, count, &i, e))
                return false;
        } else if (words[i][0] == '-') {
            return error_set(e, "unknown option '%s': %s", words[i], usage);
        } else if (found == wanted) {
            return error_set(e, "'%s' is one word too many: %s", words[i], usage);
        } else {
            others[found++] = words[i];
        }
    }
    return found == wanted || error_set(e, "%s", usage);
}

bool question_open(struct player *p, const char *path, struct error *e)
{
    const struct board_options options = {BOARD_NO_LIMITS};
    if (!player_open(p, path, &options, e))
        return false;
    p->options.digest_every = 0; /* whoever asks takes them where they are needed */
    return true;
}

bool question_play_to(struct player *p, uint64_t instructions, const struct board_sinks *sinks,
                      struct error *e)
{
    if (!player_start(p, instructions, sinks, e))
        return false;
    uint64_t begin = p->board->vtime.instructions;
    if (begin > instructions)
        return error_set(e, "the recording begins at instruction %" PRIu64, begin);
    if (!board_run_to(p->board, instructions) || p->board->vtime.instructions == instructions)
        return true;
    return error_set(e, "the recording ends at instruction %" PRIu64, p->board->vtime.instructions);
}

static bool error_names(const struct board *b, const char *name, struct error *e)
{
    char names[512] = "";
    for (size_t i = 0; i < b->vm_count; i++) {
        size_t size = strlen(names);
        snprintf(names + size, sizeof names - size, "%s%s", i ? ", " : "", b->vms[i]->name);
    }
    if (name)
        return error_set(e, "there is no VM '%s' (%s)", name, names);
    return error_set(e, "--vm NAME says which VM: %s", names);
}

struct vm *question_vm(const struct board *b, const char *name, struct error *e)
{
    if (!name && b->vm_count == 1)
        return b->vms[0];
    for (size_t i = 0; name && i < b->vm_count; i++)
        if (strcmp(b->vms[i]->name, name) == 0)
            return b->vms[i];
    error_names(b, name, e);
    return NULL;
}

bool question_answer(const struct bytes *text, const char *path, struct error *e)
{
    if (path)
        return host_write_file(path, text->data, text->size, e);
    host_print(text->data, text->size);
    host_flush();
    return true;
}
