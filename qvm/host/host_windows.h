/* What the files of the host functions on Windows share. */
#ifndef QVM_HOST_HOST_WINDOWS_H
#define QVM_HOST_HOST_WINDOWS_H

#include <winsock2.h> /* before windows.h, which would bring its predecessor */
#include <windows.h>

#include "qvm/host/host.h"

/* Text: from UTF-8 and to it; owned by the caller. */
wchar_t *windows_wide(const char *text);
char *windows_narrow(const wchar_t *text);
/* The same of the name of a file, which may be long. */
wchar_t *windows_path(const char *path);
/* Why the last call to the system failed; borrowed, until it is asked again. */
const char *windows_reason(void);

/* A file or device, which others may use as well; INVALID_HANDLE_VALUE: windows_reason says why. */
HANDLE windows_open(const char *path, DWORD access, DWORD disposition, DWORD flags);
/* Standard input, output or error. */
HANDLE windows_standard(int fd);
/* So much of it is read or written in one call, which counts in 32 bits. */
DWORD windows_part(uint64_t size);
/* Once: 0 at the end, -1 on an error. */
int64_t windows_read(HANDLE file, void *to, size_t size);
bool windows_write(HANDLE file, const void *data, size_t size);

/* Before something is waited for, or comes. */
void windows_make_wakeable(void);
/* What is read without waiting; owns the handle. */
struct feed;
struct feed *feed_new(HANDLE from);
struct host_source feed_source(const struct feed *r);
/* As host_input_read. */
size_t feed_read(struct feed *r, void *to, size_t size, bool *ended);
void feed_free(struct feed *r);

#endif
