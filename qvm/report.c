#include "qvm/report.h"

#include <stdio.h>
#include <string.h>

#include "qvm/host/host.h"

int report_error(const struct error *e, int otherwise)
{
    host_flush();
    for (const char *line = e->text; *line;) {
        size_t length = strcspn(line, "\n");
        fprintf(stderr, "%s%.*s\n", *line == '[' ? "" : "qvm: ", (int)length, line);
        line += length + (line[length] == '\n');
    }
    return e->exit_status ? e->exit_status : otherwise;
}
