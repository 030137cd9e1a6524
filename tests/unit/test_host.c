/* What the host does for the program: files that are read by ranges and may change meanwhile, and
 * the one place where everything is waited for. */
#define _DEFAULT_SOURCE
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qvm/files.h"
#include "qvm/host/host.h"

/* Files -------------------------------------------------------------------------------------------
 */

static char folder[] = "/tmp/qvm-host-XXXXXX", path[64], other[64];

static void write_file(const char *name, const char *text, int age_s)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct timespec times[2] = {{.tv_sec = 1000000000 - age_s}, {.tv_sec = 1000000000 - age_s}};
    ck_assert(fd >= 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(futimens(fd, times), 0);
    close(fd);
}

static void touch(void)
{
    write_file(path, "01234567", 0);
}

static void cut(void)
{
    ck_assert_int_eq(truncate(path, 5), 0);
}

static void extend(void)
{
    write_file(path, "0123456789", 100);
}

static void vanish(void)
{
    ck_assert_int_eq(unlink(path), 0);
}

static void replace(void)
{
    write_file(other, "01234567", 100);
    ck_assert_int_eq(rename(other, path), 0);
}

static void nothing(void)
{
}

START_TEST(the_host_sees_what_became_of_a_file)
{
    static const struct {
        void (*happens)(void);
        enum range_answer answer;
    } cases[] = {{nothing, RANGE_GIVEN},  {touch, RANGE_CHANGED},   {cut, RANGE_SHORTER},
                 {extend, RANGE_CHANGED}, {vanish, RANGE_VANISHED}, {replace, RANGE_VANISHED}};
    ck_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/disk", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct open_files files = {0};
        struct error e = {0};
        struct bytes out = {0};
        uint64_t size, again;
        write_file(path, "01234567", 100);
        ck_assert_msg(files_open(&files, path, &size, &e), "%s", e.text);
        ck_assert_uint_eq(size, 8);
        ck_assert_int_eq(files_read(&files, path, 2, 3, &out), RANGE_GIVEN);
        cases[i].happens();
        ck_assert(files_open(&files, path, &again, &e)); /* it is open, whatever became of it */
        ck_assert_uint_eq(again, 8);
        ck_assert_int_eq(files_read(&files, path, 1, 2, &out), cases[i].answer);
        ck_assert_uint_eq(out.size, i ? 3 : 5);
        ck_assert_mem_eq(out.data, "23412", out.size);
        ck_assert_int_eq(files_read(&files, "never opened", 1, 2, &out), RANGE_UNREADABLE);
        files_close(&files);
        bytes_free(&out);
        unlink(path);
    }
    rmdir(folder);
}
END_TEST

START_TEST(only_regular_files_are_opened)
{
    struct open_files files = {0};
    struct error e = {0};
    uint64_t size;
    ck_assert(!files_open(&files, "/dev/null", &size, &e));
    ck_assert_str_eq(e.text, "'/dev/null' is no regular file");
    e = (struct error){0};
    ck_assert(!files_open(&files, "/", &size, &e));
    ck_assert_str_eq(e.text, "'/' is no regular file");
    e = (struct error){0};
    ck_assert(!files_open(&files, "/does/not/exist", &size, &e));
    ck_assert(strstr(e.text, "cannot open '/does/not/exist'"));
    ck_assert_uint_eq(files.count, 0);
}
END_TEST

/* Waiting -----------------------------------------------------------------------------------------
 */

#define SHORT_NS ((uint64_t)20000000)
#define LONG_NS  ((uint64_t)30000000000)

struct fifo {
    struct host_input *in;
    int writer;
};

static struct fifo open_fifo(const char *name)
{
    struct fifo f;
    struct error e = {0};
    ck_assert_int_eq(mkfifo(name, 0600), 0);
    f.in = host_input_open(name, &e);
    ck_assert_msg(f.in, "%s", e.text);
    f.writer = open(name, O_WRONLY);
    ck_assert(f.writer >= 0);
    return f;
}

static void say(struct fifo *f)
{
    ck_assert_int_eq(write(f->writer, "x", 1), 1);
}

static void check_reads(struct fifo *f, size_t bytes, bool ends)
{
    char data[8];
    bool ended = false;
    ck_assert_uint_eq(host_input_read(f->in, data, sizeof data, &ended), bytes);
    ck_assert_int_eq(ended, ends);
}

/* The one that has something ends the wait, whichever it is; so does one that has ended. */
START_TEST(any_source_ends_a_wait)
{
    struct fifo f[3];
    struct host_source sources[3];
    ck_assert(mkdtemp(folder));
    for (unsigned i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%u", folder, i);
        f[i] = open_fifo(path);
        sources[i] = host_input_source(f[i].in);
        unlink(path);
    }
    rmdir(folder);
    ck_assert(!host_wait(sources, 3, 0));
    uint64_t from = host_monotonic_ns();
    ck_assert(!host_wait(sources, 3, SHORT_NS));
    ck_assert_uint_ge(host_monotonic_ns() - from, SHORT_NS / 2);
    for (unsigned i = 0; i < 3; i++) {
        say(&f[i]);
        ck_assert(host_wait(sources, 3, LONG_NS));
        ck_assert(host_wait(sources, 3, 0)); /* until it is read */
        check_reads(&f[i], 1, false);
        ck_assert(!host_wait(sources, 3, 0));
    }
    close(f[1].writer);
    ck_assert(host_wait(sources, 3, UINT64_MAX));
    check_reads(&f[1], 0, true);
    for (unsigned i = 0; i < 3; i++)
        host_input_close(f[i].in);
}
END_TEST

/* Also one that arrived between the last look at signals and the wait. */
START_TEST(a_signal_ends_a_wait)
{
    struct fifo f;
    ck_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/fifo", folder);
    f = open_fifo(path);
    struct host_source source = host_input_source(f.in);
    host_catch_signals();
    ck_assert_int_eq(host_take_signal(), HOST_SIGNAL_NONE);
    raise(SIGUSR1);
    ck_assert(!host_wait(&source, 1, 0)); /* which is no wait, and takes nothing away */
    uint64_t from = host_monotonic_ns();
    ck_assert(!host_wait(&source, 1, LONG_NS));
    ck_assert_uint_lt(host_monotonic_ns() - from, LONG_NS / 2);
    ck_assert_int_eq(host_take_signal(), HOST_SIGNAL_STATUS);
    say(&f);
    ck_assert(host_wait(&source, 1, LONG_NS)); /* the signal is over */
    host_input_close(f.in);
    close(f.writer);
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(without_sources_a_wait_is_a_sleep)
{
    uint64_t from = host_monotonic_ns();
    ck_assert(!host_wait(NULL, 0, 500000));
    uint64_t took = host_monotonic_ns() - from;
    ck_assert_uint_ge(took, 500000);
    ck_assert_uint_lt(took, LONG_NS);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("host");
    tcase_add_test(t, the_host_sees_what_became_of_a_file);
    tcase_add_test(t, only_regular_files_are_opened);
    tcase_add_test(t, any_source_ends_a_wait);
    tcase_add_test(t, a_signal_ends_a_wait);
    tcase_add_test(t, without_sources_a_wait_is_a_sleep);
    Suite *s = suite_create("host");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
