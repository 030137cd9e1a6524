/* The formats of exit streams, and what they have in common. */
#include <inttypes.h>
#include <string.h>

#include "hv/foreign/import.h"
#include "hv/foreign/import_scan.h"

#define LINES_LOOKED_AT 200 /* for the format of a text */

static bool recognise_ftrace(const char *line, size_t size)
{
    for (size_t i = 0; vm_arches[i]; i++)
        if (vm_arches[i]->observed && import_ftrace_recognise(vm_arches[i]->observed, line, size))
            return true;
    return import_ftrace_recognise(NULL, line, size);
}

static const struct import_format formats[] = {
    {"traceprinter", import_traceprinter_recognise, import_traceprinter},
    {"ftrace", recognise_ftrace, import_ftrace},
};
#define FORMATS (sizeof formats / sizeof formats[0])

const struct import_format *import_format(unsigned number)
{
    return number < FORMATS ? &formats[number] : NULL;
}

static const struct import_format *look(const char *text, size_t size)
{
    struct scan rest = scan_of(text, size), line;
    for (unsigned i = 0; i < LINES_LOOKED_AT && scan_line(&rest, &line); i++)
        for (size_t k = 0; k < FORMATS; k++)
            if (formats[k].recognise(line.at, scan_left(&line)))
                return &formats[k];
    return NULL;
}

const struct import_format *import_choose(const char *name, const char *text, size_t size,
                                          struct error *e)
{
    for (size_t k = 0; name && k < FORMATS; k++)
        if (strcmp(formats[k].name, name) == 0)
            return &formats[k];
    const struct import_format *format = name ? NULL : look(text, size);
    if (name)
        error_set(e, "--format wants traceprinter, ftrace or core, not '%s'", name);
    else if (!format)
        error_set(e,
                  "its first %u lines are neither of traceprinter nor of ftrace, and it is no ELF "
                  "core: --format says what it is",
                  LINES_LOOKED_AT);
    return format;
}

bool import_text(const struct import_format *format, struct import *i, const char *text,
                 size_t size, struct error *e)
{
    if (!format->parse(i, text, size, e))
        return false;
    if (i->stream.count)
        return true;
    if (i->first_skipped)
        return error_at(e, i->file, (unsigned)i->first_skipped,
                        "no guest exit of format %s in %" PRIu64
                        " lines; this is the first line that says nothing about any",
                        format->name, i->lines);
    return error_set(e, "'%s' holds no guest exits", i->file);
}
