/* One way to run a test: with one value of each of its matrices. */
#ifndef QVM_TEST_TEST_INSTANCE_H
#define QVM_TEST_TEST_INSTANCE_H

#include "qvm/test/test_file.h"
#include "qvm/test/test_result.h"

/* How many there are of a test. */
size_t test_instances(const struct test *t);
/* "boots[cpu-model=max,vcpus=2]", without the file's name; empty: the only one of the only test. */
void test_instance_name(const struct test *t, size_t instance, char *name, size_t size);

/* Does it say what can run at all? False: all mistakes of its configurations. */
bool test_instance_check(struct test_file *f, const struct test *t, size_t instance,
                         struct error *e);

struct test_run_options {
    const char *failures; /* the folder where traces of failures go; it is there */
    bool rebaseline;
    bool (*is_wanted)(void); /* as of struct test_watch */
};
/* Runs it, here and now. */
void test_instance_run(struct test_file *f, const struct test *t, size_t instance,
                       const struct test_run_options *options, struct test_result *r);

/* A test file for a bare image, as if somebody had written it: it runs on the machine that its
 * architecture names for that (struct vm_arch). False, with the error. */
bool test_file_of_image(struct test_file *f, const char *path, struct error *e);
/* The same for a recording, which has to agree. */
bool test_file_of_trace(struct test_file *f, const char *path, struct error *e);

#endif
