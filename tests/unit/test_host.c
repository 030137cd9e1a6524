/* What the host does for the program: files that are read by ranges and may change meanwhile, files
 * that are written and those that a guest names, memory, a debugger's connection, and the one place
 * where everything is waited for. */
#define _DEFAULT_SOURCE
#ifdef _WIN32
#include "test_host_windows.h"
#else
#include "test_host_posix.h"
#endif

#include "qvm/files.h"
#include "qvm/host/host_child.h"
#include "suite.h"

#define SHORT_NS ((uint64_t)20000000)
#define LONG_NS  ((uint64_t)30000000000)

/* Files -------------------------------------------------------------------------------------------
 */

static char folder[200], path[256], other[256];

static void begin(void)
{
    make_folder(folder);
    snprintf(path, sizeof path, "%s/disk", folder);
    snprintf(other, sizeof other, "%s/other", folder);
}

static void touch(void)
{
    write_file(path, "01234567", 0);
}

static void cut(void)
{
    cut_file(path, 5);
}

static void extend(void)
{
    write_file(path, "0123456789", 100);
}

static void vanish(void)
{
    remove_file(path);
}

static void replace(void)
{
    write_file(other, "01234567", 100);
    rename_over(other, path);
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
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct open_files files = {0};
        struct error e = {0};
        struct bytes out = {0};
        uint64_t size, again;
        if (cases[i].answer == RANGE_VANISHED && !deleted_files_are_gone())
            continue;
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
        if (host_exists(path))
            remove_file(path);
    }
    remove_folder(folder);
}
END_TEST

START_TEST(only_regular_files_are_opened)
{
    struct open_files files = {0};
    struct error e = {0};
    uint64_t size;
    ck_assert(!files_open(&files, NO_REGULAR_FILE, &size, &e));
    ck_assert_str_eq(e.text, "'" NO_REGULAR_FILE "' is no regular file");
    e = (struct error){0};
    ck_assert(!files_open(&files, SOME_FOLDER, &size, &e));
    ck_assert_str_eq(e.text, "'" SOME_FOLDER "' is no regular file");
    e = (struct error){0};
    ck_assert(!files_open(&files, "/does/not/exist", &size, &e));
    ck_assert_str_eq(e.text, "cannot open '/does/not/exist': No such file or directory");
    ck_assert_uint_eq(files.count, 0);
}
END_TEST

/* Waiting -----------------------------------------------------------------------------------------
 */

struct pipe {
    struct host_input *in;
    intptr_t writer;
};

static struct pipe open_one(unsigned number)
{
    struct pipe p;
    struct error e = {0};
    name_pipe(folder, number, path);
    p.in = host_input_open(path, &e);
    ck_assert_msg(p.in, "%s", e.text);
    p.writer = open_pipe(path);
    return p;
}

static void check_reads(struct pipe *p, size_t bytes, bool ends)
{
    char data[8];
    bool ended = false;
    ck_assert_uint_eq(host_input_read(p->in, data, sizeof data, &ended), bytes);
    ck_assert_int_eq(ended, ends);
}

/* The one that has something ends the wait, whichever it is; so does one that has ended. */
START_TEST(any_source_ends_a_wait)
{
    struct pipe p[3];
    struct host_source sources[3];
    make_folder(folder);
    for (unsigned i = 0; i < 3; i++) {
        p[i] = open_one(i);
        sources[i] = host_input_source(p[i].in);
    }
    remove_folder(folder);
    ck_assert(!host_wait(sources, 3, 0));
    uint64_t from = host_monotonic_ns();
    ck_assert(!host_wait(sources, 3, SHORT_NS));
    ck_assert_uint_ge(host_monotonic_ns() - from, SHORT_NS / 2);
    for (unsigned i = 0; i < 3; i++) {
        write_pipe(p[i].writer, "x");
        ck_assert(host_wait(sources, 3, LONG_NS));
        ck_assert(host_wait(sources, 3, 0)); /* until it is read */
        check_reads(&p[i], 1, false);
        ck_assert(!host_wait(sources, 3, 0));
    }
    close_pipe(p[1].writer);
    ck_assert(host_wait(sources, 3, UINT64_MAX));
    check_reads(&p[1], 0, true);
    close_pipe(p[0].writer);
    for (unsigned i = 0; i < 3; i++)
        host_input_close(p[i].in); /* the last one while it could still say something */
    close_pipe(p[2].writer);
}
END_TEST

/* Also one that arrived between the last look at signals and the wait. */
START_TEST(a_signal_ends_a_wait)
{
    make_folder(folder);
    struct pipe p = open_one(0);
    struct host_source source = host_input_source(p.in);
    host_catch_signals();
    ck_assert_int_eq(host_take_signal(), HOST_SIGNAL_NONE);
    send_signal();
    ck_assert(!host_wait(&source, 1, 0)); /* which is no wait, and takes nothing away */
    uint64_t from = host_monotonic_ns();
    ck_assert(!host_wait(&source, 1, LONG_NS));
    ck_assert_uint_lt(host_monotonic_ns() - from, LONG_NS / 2);
    ck_assert_int_eq(host_take_signal(), SIGNAL_THAT_COMES);
    write_pipe(p.writer, "x");
    ck_assert(host_wait(&source, 1, LONG_NS)); /* the signal is over */
    host_input_close(p.in);
    close_pipe(p.writer);
    remove_folder(folder);
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

/* Files that are written --------------------------------------------------------------------------
 */

static void check_contents(const char *name, const void *wanted, size_t size)
{
    struct bytes got = {0};
    struct error e = {0};
    ck_assert_msg(host_read_file(name, &got, &e), "%s", e.text);
    ck_assert_uint_eq(got.size, size);
    ck_assert(size == 0 || memcmp(got.data, wanted, size) == 0);
    bytes_free(&got);
}

START_TEST(what_is_written_is_there)
{
    static uint8_t wanted[5003] = {'a', 'X'};
    struct error e = {0};
    wanted[5002] = 'c';
    begin();
    struct host_file *f = host_create(path, &e);
    ck_assert_msg(f, "%s", e.text);
    ck_assert(host_append(f, "ab", 2) && host_append_zeros(f, 5000) && host_append(f, "c", 1));
    ck_assert(host_replace(f, 1, "X", 1) && host_append(f, NULL, 0) && host_close(f));
    check_contents(path, wanted, sizeof wanted);
    f = host_create(path, &e); /* nothing is left of what it was */
    ck_assert(f && host_append_zeros(f, 10) && host_close(f));
    check_contents(path, wanted + 2, 10);
    f = host_open(path, &e); /* all is */
    ck_assert(f && host_append(f, "X", 1) && host_close(f));
    check_contents(path, "X\0\0\0\0\0\0\0\0", 10);
    remove_file(path);
    remove_folder(folder);
}
END_TEST

START_TEST(a_new_file_is_nobody_elses)
{
    struct error e = {0};
    bool taken;
    begin();
    ck_assert(!host_exists(path));
    struct host_file *f = host_create_new(path, &taken, &e);
    ck_assert(f && !taken && host_close(f));
    ck_assert(host_exists(path));
    ck_assert(!host_create_new(path, &taken, &e) && taken);
    snprintf(other, sizeof other, "%s/nowhere/x", folder);
    ck_assert(!host_create_new(other, &taken, &e) && !taken);
    snprintf(other, sizeof other, "%s/./disk", folder);
    ck_assert(host_same_file(path, other));
    snprintf(other, sizeof other, "%s/other", folder);
    ck_assert(!host_same_file(path, other) && host_same_file(other, other));
    remove_file(path);
    remove_folder(folder);
}
END_TEST

START_TEST(names_are_utf_8)
{
    struct error e = {0};
    make_folder(folder);
    snprintf(path, sizeof path, "%s/gr\303\266\303\237e", folder);
    ck_assert_msg(host_write_file(path, "x", 1, &e), "%s", e.text);
    ck_assert(is_there_as_groesse(folder));
    check_contents(path, "x", 1);
    ck_assert(host_exists(path));
    remove_groesse(folder);
    remove_folder(folder);
}
END_TEST

START_TEST(a_view_is_the_file)
{
    struct host_view v;
    struct error e = {0};
    char start[3];
    begin();
    write_file(path, "01234567", 0);
    ck_assert(host_view_open(path, &v, &e));
    ck_assert_uint_eq(v.size, 8);
    ck_assert_mem_eq(v.data, "01234567", 8);
    host_view_close(&v);
    write_file(path, "", 0);
    ck_assert(host_view_open(path, &v, &e));
    ck_assert_uint_eq(v.size, 0);
    host_view_close(&v);
    write_file(path, "01", 0);
    ck_assert_uint_eq(host_read_start(path, start, 3), 2);
    ck_assert_uint_eq(host_read_start(folder, start, 3), 0);
    ck_assert(!host_view_open(folder, &v, &e));
    ck_assert(strstr(e.text, "' is a directory"));
    remove_file(path);
    remove_folder(folder);
}
END_TEST

static const char *this_program;

/* What comes by standard input goes into the file. */
static int copy_input(const char *to)
{
    struct host_source source = host_console_source();
    struct bytes all = {0};
    struct error e = {0};
    char part[100];
    for (bool ended = false; !ended && host_wait(&source, 1, LONG_NS);) {
        size_t got = host_console_read(part, sizeof part, &ended);
        bytes_put(&all, part, got);
    }
    bool ok = host_write_file(to, all.data, all.size, &e);
    bytes_free(&all);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Here it is this program, once more. */
START_TEST(a_command_reads_what_is_written)
{
    char command[600], text[5000];
    struct error e = {0};
    make_folder(folder);
    memset(text, 'a', sizeof text);
    snprintf(path, sizeof path, "%s/gr\303\266\303\237e", folder);
    snprintf(command, sizeof command, "%s %s", this_program, path);
    struct host_file *f = host_pipe(command, &e);
    ck_assert_msg(f, "%s", e.text);
    ck_assert(host_append(f, text, sizeof text - 2) && host_append_zeros(f, 2) && host_close(f));
    memset(text + sizeof text - 2, 0, 2);
    check_contents(path, text, sizeof text);
    remove_groesse(folder);
    remove_folder(folder);
}
END_TEST

/* Files that a guest names ------------------------------------------------------------------------
 */

static enum probe_answer probe(const char *name, const char *wanted)
{
    struct bytes out = {0};
    enum probe_answer answer = host_read_below(folder, name, 8, &out);
    if (answer == PROBE_PRESENT) {
        ck_assert_uint_eq(out.size, strlen(wanted));
        ck_assert(out.size == 0 || memcmp(out.data, wanted, out.size) == 0);
    }
    bytes_free(&out);
    return answer;
}

START_TEST(names_below_stay_below)
{
    struct error e = {0};
    begin();
    snprintf(path, sizeof path, "%s/sub", folder);
    make_subfolder(path);
    ck_assert_int_eq(probe("sub/a", ""), PROBE_ABSENT);
    ck_assert_int_eq(probe("nowhere/a", ""), PROBE_ABSENT);
    ck_assert_int_eq(probe("sub", ""), PROBE_REFUSED);
    ck_assert_msg(host_write_below(folder, "sub/a", "01234567", 8, &e), "%s", e.text);
    ck_assert_int_eq(probe("sub/a", "01234567"), PROBE_PRESENT);
    ck_assert_int_eq(probe("sub/a/b", ""), PROBE_REFUSED);
    ck_assert(host_write_below(folder, "sub/a", "012", 3, &e));
    ck_assert_int_eq(probe("sub/a", "012"), PROBE_PRESENT);
    ck_assert(host_write_below(folder, "sub/a", "012345678", 9, &e));
    ck_assert_int_eq(probe("sub/a", ""), PROBE_TOO_LARGE);
    ck_assert(!host_write_below(folder, "sub", "", 0, &e));
    ck_assert(!host_write_below(folder, "nowhere/a", "", 0, &e));
    for (size_t i = 0; tricky_names[i]; i++) {
        ck_assert_int_eq(probe(tricky_names[i], ""), PROBE_REFUSED);
        ck_assert(!host_write_below(folder, tricky_names[i], "", 0, &e));
    }
    snprintf(path, sizeof path, "%s/sub/a", folder);
    remove_file(path);
    snprintf(path, sizeof path, "%s/sub", folder);
    remove_folder(path);
    remove_folder(folder);
}
END_TEST

/* Neither as the last part of a name nor as another; nor is what it leads to made or emptied. */
START_TEST(links_below_lead_nowhere)
{
    struct error e = {0};
    begin();
    write_file(path, "secret", 0);
    snprintf(other, sizeof other, "%s/sub", folder);
    make_subfolder(other);
    snprintf(other, sizeof other, "%s/sub/file", folder);
    if (make_link(other, path)) {
        ck_assert_int_eq(probe("sub/file", ""), PROBE_REFUSED);
        ck_assert(!host_write_below(folder, "sub/file", "", 0, &e));
        check_contents(path, "secret", 6);
        remove_file(other);
        ck_assert(make_link(other, folder));
        ck_assert_int_eq(probe("sub/file/disk", ""), PROBE_REFUSED);
        ck_assert(!host_write_below(folder, "sub/file/disk", "", 0, &e));
        check_contents(path, "secret", 6);
        remove_file(other);
    }
    snprintf(other, sizeof other, "%s/sub", folder);
    remove_folder(other);
    remove_file(path);
    remove_folder(folder);
}
END_TEST

/* Memory, time, the rest --------------------------------------------------------------------------
 */

/* So much that it is not there before it is touched; the system finds there what a program does. */
START_TEST(memory_is_there_where_it_is_touched)
{
    const size_t size = (size_t)1 << 33, middle = size / 2 + 5;
    struct error e = {0};
    uint8_t *m = host_take_memory(size);
    ck_assert(m && !m[0] && !m[middle] && !m[size - 1]);
    m[middle] = 7;
    m[size - 1] = 8;
    begin();
    ck_assert_msg(host_write_file(path, m + middle - 1, 3, &e), "%s", e.text);
    check_contents(path, "\0\7", 3);
    ck_assert(host_write_file(path, m + size / 4, 5, &e)); /* which nobody has touched */
    check_contents(path, "\0\0\0\0", 5);
    ck_assert(m[middle] == 7 && m[size - 1] == 8 && !m[size - 2]);
    host_give_memory(m, size);
    remove_file(path);
    remove_folder(folder);
}
END_TEST

START_TEST(the_rest_is_as_the_header_says)
{
    uint8_t a[32] = {0}, b[32] = {0};
    char stamp[16];
    const char *temporary = host_temporary_folder();
    ck_assert(host_random(a, sizeof a) && host_random(b, sizeof b));
    ck_assert_mem_ne(a, b, sizeof a);
    host_time_stamp(stamp);
    ck_assert_uint_eq(strlen(stamp), 15);
    ck_assert(stamp[0] == '2' && stamp[8] == '-');
    ck_assert_uint_gt(host_wall_clock_s(), 1700000000);
    ck_assert(host_exists(temporary));
    ck_assert(temporary[strlen(temporary) - 1] != '/' && temporary[strlen(temporary) - 1] != '\\');
    ck_assert(!host_environment("QVM_NO_SUCH_VARIABLE") && host_environment("PATH"));
}
END_TEST

/* A debugger --------------------------------------------------------------------------------------
 */

static void wait_for(const struct host_link *l)
{
    struct host_source source = host_link_source(l);
    ck_assert(host_wait(&source, 1, LONG_NS));
}

static void check_hears(struct host_link *l, const char *text, bool ends)
{
    char got[8];
    bool ended = false;
    wait_for(l);
    ck_assert_uint_eq(host_link_read(l, got, sizeof got, &ended), strlen(text));
    ck_assert_mem_eq(got, text, strlen(text));
    ck_assert_int_eq(ended, ends);
}

START_TEST(a_debugger_comes_and_goes)
{
    struct error e = {0};
    char got[8];
    bool ended = false;
    struct host_link *l = host_link_listen("127.0.0.1", "0", &e);
    ck_assert_msg(l, "%s", e.text);
    struct host_source source = host_link_source(l);
    ck_assert(!host_link_accept(l) && !host_wait(&source, 1, 0));
    for (int i = 0; i < 2; i++) { /* the second time after the first was the wrong one */
        intptr_t client = connect_to(host_link_port(l));
        wait_for(l);
        ck_assert(host_link_accept(l));
        ck_assert_uint_eq(host_link_read(l, got, sizeof got, &ended), 0);
        ck_assert(!ended);
        send_to(client, "abc");
        check_hears(l, "abc", false);
        send_to(client, "d");
        check_hears(l, "d", false);
        host_link_write(l, "xyz", 3);
        ck_assert_uint_eq(receive_from(client, got, 3), 3);
        ck_assert_mem_eq(got, "xyz", 3);
        if (i == 0)
            host_link_hang_up(l);
        else
            host_link_keep(l);
        disconnect(client);
    }
    check_hears(l, "", true);
    host_link_write(l, "xyz", 3); /* nobody reads it: lost */
    host_link_close(l);
}
END_TEST

/* This program again
 * --------------------------------------------------------------------------------
 */

#define SAY "--say"

/* What they are, on lines of both streams; then it waits for the end of its parent, if asked to. */
static int say_arguments(char **arguments)
{
    for (; *arguments; arguments++) {
        host_print(*arguments, strlen(*arguments));
        host_print("\n", 1);
        struct host_source input = host_console_source();
        if (strcmp(*arguments, "wait") == 0)
            host_wait(&input, 1, LONG_NS);
    }
    host_flush();
    fprintf(stderr, "%d\n", host_child_is_alone());
    return 5;
}

static int end_of(struct host_child *c, struct bytes *said)
{
    struct host_source source = host_child_source(c);
    char part[64];
    for (bool ended = false; !ended && host_wait(&source, 1, LONG_NS);) {
        size_t got = host_child_read(c, part, sizeof part, &ended);
        bytes_put(said, part, got);
    }
    return host_child_end(c);
}

START_TEST(a_child_is_this_program)
{
    static char *arguments[] = {SAY, "a \"b\" \\c\\", "", "gr\303\266\303\237e\\\"", "*", NULL};
    static const char said[] = SAY "\na \"b\" \\c\\\n\ngr\303\266\303\237e\\\"\n*\n0\n";
    struct error e = {0};
    struct bytes got = {0};
    struct host_child *c = host_child_start(arguments, &e);
    ck_assert_msg(c, "%s", e.text);
    ck_assert_int_eq(end_of(c, &got), 5);
    ck_assert_uint_eq(got.size, strlen(said));
    ck_assert_mem_eq(got.data, said, got.size);
    bytes_free(&got);
}
END_TEST

START_TEST(a_child_can_be_ended)
{
    static char *arguments[] = {SAY, "wait", NULL};
    struct error e = {0};
    struct bytes got = {0};
    struct host_child *c = host_child_start(arguments, &e), *d = host_child_start(arguments, &e);
    ck_assert_msg(c && d, "%s", e.text);
    host_child_kill(c);
    ck_assert_int_eq(end_of(c, &got), -9);
    ck_assert_int_ne(host_child_end(d), 0); /* as nobody waits for it any more */
    bytes_free(&got);
}
END_TEST

/* Longer than some functions of some hosts have room for. */
START_TEST(names_may_be_long)
{
    static char name[700];
    struct error e = {0};
    ck_assert_msg(host_scratch_make(folder, sizeof folder, &e), "%s", e.text);
    strcpy(name, folder);
    for (int i = 0; i < 4; i++) {
        sprintf(name + strlen(name), "/%0100d", i);
        ck_assert_msg(host_folder_make(name, &e), "%s", e.text);
    }
    strcat(name, "/file");
    ck_assert_msg(host_write_file(name, "x", 1, &e), "%s", e.text);
    check_contents(name, "x", 1);
    ck_assert(host_exists(name));
    host_scratch_remove(folder);
    ck_assert(!host_exists(name) && !host_exists(folder));
}
END_TEST

START_TEST(folders_are_made_read_and_removed)
{
    struct error e = {0};
    struct host_folder f;
    ck_assert_msg(host_scratch_make(folder, sizeof folder, &e), "%s", e.text);
    snprintf(path, sizeof path, "%s/sub", folder);
    ck_assert(host_is_folder(folder) && !host_is_folder(path));
    ck_assert(host_folder_make(path, &e) && host_folder_make(path, &e));
    snprintf(path, sizeof path, "%s/sub/b", folder);
    write_file(path, "x", 0);
    ck_assert(!host_folder_make(path, &e));
    snprintf(path, sizeof path, "%s/gr\303\266\303\237e", folder);
    ck_assert(host_write_file(path, "x", 1, &e));
    ck_assert(host_folder_read(folder, &f, &e));
    ck_assert_uint_eq(f.count, 2);
    ck_assert(strcmp(f.entries[0].name, "gr\303\266\303\237e") == 0 && !f.entries[0].is_folder);
    ck_assert(strcmp(f.entries[1].name, "sub") == 0 && f.entries[1].is_folder);
    host_folder_free(&f);
    snprintf(other, sizeof other, "%s/sub/b", folder);
    ck_assert(host_rename(path, other) && !host_exists(path) && host_exists(other));
    ck_assert(host_remove(other) && !host_remove(other));
    write_file(other, "x", 0);
    host_scratch_remove(folder);
    ck_assert(!host_exists(folder) && !host_folder_read(folder, &f, &e));
    ck_assert(host_cpus() > 0);
}
END_TEST

int main(int argc, char **argv)
{
    host_start(&argc, &argv);
    if (argc > 1 && strcmp(argv[1], SAY) == 0)
        return say_arguments(argv + 1);
    if (argc > 1)
        return copy_input(argv[1]);
    this_program = argv[0];
    TCase *t = tcase_create("host");
    tcase_add_test(t, the_host_sees_what_became_of_a_file);
    tcase_add_test(t, only_regular_files_are_opened);
    tcase_add_test(t, any_source_ends_a_wait);
    tcase_add_test(t, a_signal_ends_a_wait);
    tcase_add_test(t, without_sources_a_wait_is_a_sleep);
    tcase_add_test(t, what_is_written_is_there);
    tcase_add_test(t, a_new_file_is_nobody_elses);
    tcase_add_test(t, names_are_utf_8);
    tcase_add_test(t, a_view_is_the_file);
    tcase_add_test(t, a_command_reads_what_is_written);
    tcase_add_test(t, names_below_stay_below);
    tcase_add_test(t, links_below_lead_nowhere);
    tcase_add_test(t, memory_is_there_where_it_is_touched);
    tcase_add_test(t, the_rest_is_as_the_header_says);
    tcase_add_test(t, a_debugger_comes_and_goes);
    tcase_add_test(t, a_child_is_this_program);
    tcase_add_test(t, a_child_can_be_ended);
    tcase_add_test(t, names_may_be_long);
    tcase_add_test(t, folders_are_made_read_and_removed);
    return suite_main("host", t);
}
