/* What the tests of the host ask of the system behind its back: on Windows. */
#ifndef TEST_HOST_WINDOWS_H
#define TEST_HOST_WINDOWS_H

#define _WIN32_WINNT 0x0A00
#include <winsock2.h> /* before windows.h */
#include <windows.h>
#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_REGULAR_FILE   "NUL"
#define SOME_FOLDER       "C:/"
#define SIGNAL_THAT_COMES HOST_SIGNAL_BUTTON

/* Another folder, a drive, a stream of a file. */
static const char *const tricky_names[] = {"sub\\a",  "..\\a",        "C:a",
                                           "sub/a:b", "sub/a::$DATA", NULL};

static void make_folder(char *path)
{
    char in[MAX_PATH];
    ck_assert(GetTempPathA(sizeof in, in));
    for (unsigned i = 0;; i++) {
        sprintf(path, "%sqvm-host-%u", in, i);
        if (CreateDirectoryA(path, NULL))
            break;
        ck_assert(GetLastError() == ERROR_ALREADY_EXISTS && i < 1000);
    }
    for (char *c = path; *c; c++)
        *c = *c == '\\' ? '/' : *c;
}

static void make_subfolder(const char *path)
{
    ck_assert(CreateDirectoryA(path, NULL));
}

static void remove_folder(const char *path)
{
    ck_assert(RemoveDirectoryA(path));
}

/* As it is, changed so many seconds before some moment. */
static void write_file(const char *name, const char *text, int age_s)
{
    ULARGE_INTEGER when = {.QuadPart = (ULONGLONG)(12600000000 - age_s) * 10000000};
    FILETIME time = {when.LowPart, when.HighPart};
    DWORD put;
    HANDLE file = CreateFileA(name, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                              CREATE_ALWAYS, 0, NULL);
    ck_assert(file != INVALID_HANDLE_VALUE);
    ck_assert(WriteFile(file, text, (DWORD)strlen(text), &put, NULL));
    ck_assert(SetFileTime(file, NULL, NULL, &time));
    CloseHandle(file);
}

static void cut_file(const char *name, unsigned size)
{
    HANDLE file = CreateFileA(name, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL,
                              OPEN_EXISTING, 0, NULL);
    ck_assert_uint_eq(SetFilePointer(file, (LONG)size, NULL, FILE_BEGIN), size);
    ck_assert(SetEndOfFile(file));
    CloseHandle(file);
}

static void remove_file(const char *name)
{
    ck_assert(DeleteFileA(name));
}

static void rename_over(const char *from, const char *to)
{
    ck_assert(DeleteFileA(to));
    ck_assert(MoveFileA(from, to));
}

/* False: it cannot be made here. */
static bool make_link(const char *name, const char *to)
{
    DWORD kind = SYMBOLIC_LINK_FLAG_ALLOW_UNPRIVILEGED_CREATE;
    if (GetFileAttributesA(to) & FILE_ATTRIBUTE_DIRECTORY)
        kind |= SYMBOLIC_LINK_FLAG_DIRECTORY;
    return CreateSymbolicLinkA(name, to, kind) &&
           GetFileAttributesA(name) != INVALID_FILE_ATTRIBUTES; /* Wine 8 only says so */
}

/* A file "größe" in the folder, as the system's own names have it. */
static bool is_there_as_groesse(const char *in)
{
    wchar_t name[MAX_PATH];
    swprintf(name, MAX_PATH, L"%hs/gr\u00f6\u00dfe", in);
    return GetFileAttributesW(name) != INVALID_FILE_ATTRIBUTES;
}

static void remove_groesse(const char *in)
{
    wchar_t name[MAX_PATH];
    swprintf(name, MAX_PATH, L"%hs/gr\u00f6\u00dfe", in);
    ck_assert(DeleteFileW(name));
}

/* Wine keeps a file, with its name, until nobody has it open any more. */
static bool deleted_files_are_gone(void)
{
    return !GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version");
}

static HANDLE pipes[8];

/* The other end of a pipe that has a name, which is made. */
static void name_pipe(const char *in, unsigned number, char *name)
{
    (void)in;
    sprintf(name, "\\\\.\\pipe\\qvm-host-%lu-%u", GetCurrentProcessId(), number);
    pipes[number] =
        CreateNamedPipeA(name, PIPE_ACCESS_OUTBOUND, PIPE_TYPE_BYTE, 1, 4096, 4096, 0, NULL);
    ck_assert(pipes[number] != INVALID_HANDLE_VALUE);
}

/* Behind the one that reads; what was made for it is removed. */
static intptr_t open_pipe(const char *name)
{
    return (intptr_t)pipes[atoi(strrchr(name, '-') + 1)];
}

static void write_pipe(intptr_t pipe, const char *text)
{
    DWORD put;
    ck_assert(WriteFile((HANDLE)pipe, text, (DWORD)strlen(text), &put, NULL));
}

static void close_pipe(intptr_t pipe)
{
    CloseHandle((HANDLE)pipe);
}

/* To all who have the console: to nobody else, where the output is not there. */
static void send_signal(void)
{
    DWORD mode;
    if (!GetConsoleMode(GetStdHandle(STD_OUTPUT_HANDLE), &mode)) {
        FreeConsole();
        ck_assert(AllocConsole());
    }
    ck_assert(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
    Sleep(200); /* it comes in another thread */
}

static intptr_t connect_to(unsigned port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(connect(s, (struct sockaddr *)&at, sizeof at), 0);
    return (intptr_t)s;
}

static void send_to(intptr_t s, const char *text)
{
    ck_assert_int_eq(send((SOCKET)s, text, (int)strlen(text), 0), (int)strlen(text));
}

static size_t receive_from(intptr_t s, char *to, size_t size)
{
    int got = recv((SOCKET)s, to, (int)size, 0);
    return got > 0 ? (size_t)got : 0;
}

static void disconnect(intptr_t s)
{
    closesocket((SOCKET)s);
}

#endif
