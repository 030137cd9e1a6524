/* What the tests of the host ask of the system behind its back: on Linux, macOS and the BSDs. */
#ifndef TEST_HOST_POSIX_H
#define TEST_HOST_POSIX_H

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_REGULAR_FILE   "/dev/null"
#define SOME_FOLDER       "/"
#define SIGNAL_THAT_COMES HOST_SIGNAL_STATUS

/* Names that are not what they look like: here are none. */
static const char *const tricky_names[] = {NULL};

static void make_folder(char *path)
{
    strcpy(path, "/tmp/qvm-host-XXXXXX");
    ck_assert(mkdtemp(path));
}

static void make_subfolder(const char *path)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void remove_folder(const char *path)
{
    ck_assert_int_eq(rmdir(path), 0);
}

/* As it is, changed so many seconds before some moment. */
static void write_file(const char *name, const char *text, int age_s)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct timespec times[2] = {{.tv_sec = 1000000000 - age_s}, {.tv_sec = 1000000000 - age_s}};
    ck_assert(fd >= 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(futimens(fd, times), 0);
    close(fd);
}

static void cut_file(const char *name, unsigned size)
{
    ck_assert_int_eq(truncate(name, size), 0);
}

static void remove_file(const char *name)
{
    ck_assert_int_eq(unlink(name), 0);
}

static void rename_over(const char *from, const char *to)
{
    ck_assert_int_eq(rename(from, to), 0);
}

static bool deleted_files_are_gone(void)
{
    return true;
}

/* False: it cannot be made here. */
static bool make_link(const char *name, const char *to)
{
    return symlink(to, name) == 0;
}

/* A file "größe" in the folder, as the system's own names have it. */
static bool is_there_as_groesse(const char *in)
{
    char name[256];
    snprintf(name, sizeof name, "%s/gr\303\266\303\237e", in);
    return access(name, F_OK) == 0;
}

static void remove_groesse(const char *in)
{
    char name[256];
    snprintf(name, sizeof name, "%s/gr\303\266\303\237e", in);
    remove_file(name);
}

/* The other end of a pipe that has a name, which is made. */
static void name_pipe(const char *in, unsigned number, char *name)
{
    sprintf(name, "%s/%u", in, number);
    ck_assert_int_eq(mkfifo(name, 0600), 0);
}

/* Behind the one that reads; what was made for it is removed. */
static intptr_t open_pipe(const char *name)
{
    int fd = open(name, O_WRONLY);
    ck_assert(fd >= 0);
    unlink(name);
    return fd;
}

static void write_pipe(intptr_t pipe, const char *text)
{
    ck_assert_int_eq(write((int)pipe, text, strlen(text)), (ssize_t)strlen(text));
}

static void close_pipe(intptr_t pipe)
{
    close((int)pipe);
}

static void send_signal(void)
{
    raise(SIGUSR1);
}

static intptr_t connect_to(unsigned port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void send_to(intptr_t s, const char *text)
{
    ck_assert_int_eq(send((int)s, text, strlen(text), 0), (ssize_t)strlen(text));
}

static size_t receive_from(intptr_t s, char *to, size_t size)
{
    ssize_t got = recv((int)s, to, size, 0);
    return got > 0 ? (size_t)got : 0;
}

static void disconnect(intptr_t s)
{
    close((int)s);
}

#endif
