#include "qvm/test/test_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/text.h"
#include "hv/board.h"
#include "hv/config/config_numbers.h"
#include "qvm/config_files.h"
#include "qvm/host/host_child.h"
#include "qvm/report.h"
#include "qvm/test/test_instance.h"

#define DEPTH_MAX 32 /* folders in folders */

static bool read_test(struct test_file *f, const char *path, struct error *e)
{
    const struct config_reader reader = config_files_reader();
    struct bytes text = {0};
    bool ok = host_read_file(path, &text, e) &&
              test_file_parse(f, path, text.data, text.size, &reader, e);
    bytes_free(&text);
    return ok;
}

bool test_plan_read(struct test_file *f, const char *path, struct error *e)
{
    return text_ends_in(path, ".qvmtest")  ? read_test(f, path, e)
           : text_ends_in(path, ".qtrace") ? test_file_of_trace(f, path, e)
                                           : test_file_of_image(f, path, e);
}

static bool has_tag(const struct test *t, struct piece tag)
{
    for (size_t i = 0; i < t->tag_count; i++)
        if (strlen(t->tags[i]) == tag.size && memcmp(t->tags[i], tag.text, tag.size) == 0)
            return true;
    return false;
}

/* "a,!b": one of those without a mark, if there are any, and none of those with one. */
static bool is_wanted(const struct test *t, const char *tags)
{
    if (!tags)
        return true;
    struct piece rest = {tags, strlen(tags)};
    bool wants = false, has = false;
    while (rest.text) {
        struct piece tag = piece_next(&rest, ',');
        bool without = tag.size && *tag.text == '!';
        tag.text += without;
        tag.size -= without;
        if (without && has_tag(t, tag))
            return false;
        wants |= !without;
        has |= !without && has_tag(t, tag);
    }
    return has || !wants;
}

static void plan_test(struct test_plan *p, size_t number, size_t t, const char *only)
{
    const struct test_file *f = &p->files[number];
    const struct test *test = &f->tests[t];
    for (size_t i = 0; i < test_instances(test); i++) {
        struct test_case c = {.path = f->path};
        test_instance_name(test, i, c.name, sizeof c.name);
        bool is_meant =
            !only || strcmp(only, c.name) == 0 || (test->name && strcmp(only, test->name) == 0);
        if (!is_meant)
            continue;
        p->tests = array_grow(p->tests, p->count, sizeof *p->tests);
        p->cases = array_grow(p->cases, p->count, sizeof *p->cases);
        p->tests[p->count] = (struct planned_test){number, t, i};
        p->cases[p->count++] = c;
    }
}

/* Those from `at` on. What is wrong with several ways to run a test is told once. */
static int check_planned(struct test_plan *p, size_t at)
{
    struct error last = {0};
    int status = STATUS_OK;
    for (; at < p->count; at++) {
        const struct planned_test *t = &p->tests[at];
        struct test_file *f = &p->files[t->file];
        struct error e = {0};
        if (test_instance_check(f, &f->tests[t->test], t->instance, &e))
            continue;
        status = e.exit_status;
        if (strcmp(e.text, last.text) != 0)
            report_error(&e, STATUS_CONFIGURATION);
        last = e;
    }
    return status;
}

/* `only`: the test of that name, or one way to run it; NULL: all. */
static int add_file(struct test_plan *p, const char *path, const char *only, const char *tags)
{
    struct error e = {0};
    struct test_file f;
    if (!test_plan_read(&f, path, &e))
        return report_error(&e, STATUS_USAGE);
    p->files = array_grow(p->files, p->file_count, sizeof *p->files);
    p->files[p->file_count] = f;
    size_t number = p->file_count++, before = p->count;
    for (size_t t = 0; t < p->files[number].count; t++)
        if (is_wanted(&p->files[number].tests[t], tags))
            plan_test(p, number, t, only);
    int status = check_planned(p, before);
    if (status || !only || p->count > before)
        return status;
    error_set(&e, "there is no test '%s' in '%s' (qvm test --list %s)", only, path, path);
    return report_error(&e, STATUS_USAGE);
}

static int refuse_deep(const char *path)
{
    struct error e = {0};
    error_set(&e, "'%.200s...' is too deep in its folders to be looked for: name it", path);
    return report_error(&e, STATUS_USAGE);
}

/* Everything is looked at, also behind a mistake. */
static int add_folder(struct test_plan *p, const char *path, const char *tags, unsigned depth)
{
    struct host_folder folder;
    struct error e = {0};
    int status = STATUS_OK;
    if (!host_folder_read(path, &folder, &e))
        return report_error(&e, STATUS_USAGE);
    bool is_here = strcmp(path, ".") == 0;
    for (size_t i = 0; i < folder.count; i++) {
        const struct host_entry *entry = &folder.entries[i];
        char inside[1024];
        int one = STATUS_OK;
        int length = snprintf(inside, sizeof inside, "%s%s%s", is_here ? "" : path,
                              is_here ? "" : "/", entry->name);
        bool is_left_out = entry->name[0] == '.' || strcmp(entry->name, TEST_FAILURES) == 0;
        bool is_test =
            text_ends_in(entry->name, ".qvmtest") || text_ends_in(entry->name, ".qtrace");
        bool is_deep = length >= (int)sizeof inside || depth == DEPTH_MAX;
        if (entry->is_folder && !is_left_out)
            one = is_deep ? refuse_deep(inside) : add_folder(p, inside, tags, depth + 1);
        else if (!entry->is_folder && !entry->is_special && is_test)
            one = is_deep ? refuse_deep(inside) : add_file(p, inside, NULL, tags);
        status = status ? status : one;
    }
    host_folder_free(&folder);
    return status;
}

int test_plan_add(struct test_plan *p, const char *path, const char *tags)
{
    static const char suffix[] = ".qvmtest:";
    char file[1024];
    const char *colon = strstr(path, suffix);
    if (host_is_folder(path))
        return add_folder(p, path, tags, 0);
    if (!colon || host_exists(path))
        return add_file(p, path, NULL, tags);
    size_t size = (size_t)(colon - path) + sizeof suffix - 2;
    snprintf(file, sizeof file, "%.*s", (int)size, path);
    return add_file(p, file, path + size + 1, tags);
}

void test_plan_free(struct test_plan *p)
{
    for (size_t i = 0; i < p->file_count; i++)
        test_file_free(&p->files[i]);
    for (size_t i = 0; i < p->count; i++)
        free(p->cases[i].others);
    free(p->files);
    free(p->tests);
    free(p->cases);
    *p = (struct test_plan){0};
}
