/* Test files, *.qvmtest (docs/testing.md): what runs, what is done to it, and what is expected of
 * it, in words as configurations have them. A file is one test, or holds several, each begun by
 * `test NAME`; what stands before the first of them belongs to all. */
#ifndef QVM_TEST_TEST_FILE_H
#define QVM_TEST_TEST_FILE_H

#include "hv/config/config.h"
#include "qvm/test/pattern.h"

#define TEST_LIMIT_NS 2000000000u /* of a test that names none: 2 s of virtual time */

/* Words of a VM's configuration: a file's, or a range of the test's own text. */
struct test_words {
    const char *file; /* "@FILE"; NULL: */
    size_t from, to;
};

/* One VM: all of them, in this order. */
struct test_vm {
    struct test_words *words;
    size_t word_count;
};

enum test_expectation_kind {
    EXPECT_CONSOLE,    /* the pattern is printed, behind what was expected before, */
    EXPECT_NOT,        /* or never is */
    EXPECT_EXIT,       /* the exit status of a VM, */
    EXPECT_STATUS,     /* and of the run */
    EXPECT_EXITS,      /* how many guest exits of a kind */
    EXPECT_DIGEST,     /* of the machine at the end: it begins so */
    EXPECT_NO_FAULT,   /* no access that nobody answers, nothing undefined, no aborts */
    EXPECT_OUTPUT,     /* all that a VM printed is this file */
    EXPECT_REPEATABLE, /* a second run is the same */
};

enum test_relation {
    RELATION_LESS,
    RELATION_AT_MOST,
    RELATION_EQUAL,
    RELATION_AT_LEAST,
    RELATION_MORE
};

struct test_expectation {
    enum test_expectation_kind kind;
    struct place place;
    const struct pattern *pattern;
    const char *vm;     /* its name; NULL: the only one */
    uint64_t within_ns; /* of virtual time since the start; UINT64_MAX: at any time */
    uint64_t number;
    enum test_relation relation;
    int reason;       /* as vm_arches_exit_name numbers them; -1: all */
    const char *text; /* the digest, or the file's name */
};

/* Something that is typed. */
struct test_input {
    struct place place;
    const char *text;
    size_t size;
    const struct pattern *after; /* that was printed, behind the one before; NULL: at once */
    const char *vm, *to;         /* NULL: the only one; the first device that takes any */
};

/* The test once for each of the values. */
struct test_matrix {
    struct place place;
    const char *name; /* "vcpus", or a variable of `set` */
    const char **values;
    size_t count;
};

enum test_condition { SKIP_NO_ENGINE, SKIP_HOST, SKIP_MISSING, SKIP_ENV, SKIP_NO_ENV };
struct test_skip {
    enum test_condition condition;
    const char *text; /* which host, file or variable */
};

struct test {
    struct place place;
    const char *name; /* NULL: the file has one test only */
    struct test_vm *vms;
    struct test_expectation *expectations;
    struct test_input *inputs;
    struct test_matrix *matrices;
    struct test_skip *skips;
    const char **tags;
    size_t vm_count, expectation_count, input_count, matrix_count, skip_count, tag_count;
    const char *board, *from, *trace;      /* file names; NULL: none */
    struct place runs;                     /* where the last of `vm`, `from` and `trace` is */
    uint64_t limit_ns, limit_instructions; /* since the start; UINT64_MAX and 0: without */
    uint64_t chaos_seeds;                  /* 0: without chaos */
};

struct test_file {
    char *path;
    uint8_t *text;
    size_t size;
    struct config_strings strings; /* all names and texts */
    struct pattern **patterns;
    size_t pattern_count;
    struct test *tests;
    size_t count;
};

/* `text` is copied. False: all mistakes, with places, exit status 65. */
bool test_file_parse(struct test_file *f, const char *path, const void *text, size_t size,
                     const struct config_reader *reader, struct error *e);
void test_file_free(struct test_file *f);

/* A configuration's reader that also reads words of the test: their file is test_words_name. The
 * lines of what it gives are those of the test. */
struct test_words_reader {
    const struct test_file *file;
    struct config_reader others;
};
struct config_reader test_words_reader(struct test_words_reader *r);
/* "@...", both; kept by the file. The second is of a text that is none of the file's, in a line of
 * it. */
const char *test_words_name(struct test_file *f, struct test_words words);
const char *test_text_name(struct test_file *f, unsigned line, const char *text);

#endif
