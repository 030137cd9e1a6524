#include "hv/config/config_errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "emu/text.h"
#include "hv/config/config_strings.h"

#define WORD_MAX 32 /* longer words are not worth a suggestion */

bool errors_add(struct config_errors *errors, struct place place, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size >= (int)sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    text_make_printable(
        strings_format(&errors->lines, "[%.200s:%u] %s", place.file, place.line, text));
    return false;
}

void errors_keep(struct config_errors *errors, const struct error *e)
{
    text_make_printable(strings_format(&errors->lines, "%s", e->text));
}

void errors_report(const struct config_errors *errors, struct error *e)
{
    char text[sizeof e->text] = "";
    const size_t tail = sizeof "\n... and 4294967295 more";
    size_t used = 0, i = 0;
    for (; i < errors->lines.count; i++) {
        size_t size = strlen(errors->lines.items[i]) + (i > 0);
        size_t kept_free = i + 1 < errors->lines.count ? tail : 1;
        if (used + size + kept_free > sizeof text)
            break;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? "\n" : "",
                                 errors->lines.items[i]);
    }
    if (i < errors->lines.count)
        snprintf(text + used, sizeof text - used, "\n... and %zu more", errors->lines.count - i);
    error_set(e, "%s", text);
    error_exit_status(e, EXIT_CONFIGURATION);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Number of inserted, deleted, replaced or swapped neighbouring characters. */
static size_t edit_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t row[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_size; i++)
        for (size_t j = 0; j <= b_size; j++) {
            if (i == 0 || j == 0) {
                row[i][j] = i + j;
                continue;
            }
            size_t replaced = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            row[i][j] = least(replaced, least(row[i - 1][j], row[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[i][j] = least(row[i][j], row[i - 2][j - 2] + 1);
        }
    return row[a_size][b_size];
}

struct nearest nearest_to(const char *word)
{
    /* Up to a third of the letters may be wrong, and at least one. */
    size_t size = strlen(word), allowed = size / 3 > 1 ? size / 3 : 1;
    return (struct nearest){.word = word, .distance = least(allowed, 3) + 1};
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    size_t size = strlen(nearest->word), candidate_size = strlen(candidate);
    if (size < 2 || size > WORD_MAX || candidate_size > WORD_MAX)
        return;
    size_t distance = edit_distance(nearest->word, size, candidate, candidate_size);
    if (distance < nearest->distance) {
        nearest->distance = distance;
        nearest->best = candidate;
    }
}

const char *nearest_text(const struct nearest *nearest, char text[NEAREST_TEXT])
{
    text[0] = '\0';
    if (nearest->best)
        snprintf(text, NEAREST_TEXT, " (did you mean '%s'?)", nearest->best);
    return text;
}
