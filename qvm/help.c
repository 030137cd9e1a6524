#include "qvm/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/text.h"
#include "hv/config/board_config.h"
#include "hv/config/config_help.h"
#include "qvm/config_files.h"
#include "qvm/host/host.h"
#include "qvm/report.h"
#include "qvm/session.h"

static bool is_markdown(char *const *words, int count)
{
    return count == 3 && strcmp(words[0], "vdev") == 0 && strcmp(words[1], "?") == 0 &&
           strcmp(words[2], "--markdown") == 0;
}

bool help_is_asked(char *const *words, int count)
{
    return count > 0 && (strcmp(words[count - 1], "?") == 0 || is_markdown(words, count));
}

/* Prints and frees the text. */
static int print(struct bytes *text)
{
    host_print(text->data, text->size);
    host_flush();
    bytes_free(text);
    return STATUS_OK;
}

int help_answer(char *const *words, int count)
{
    struct bytes text = {0};
    struct error e = {0};
    if (is_markdown(words, count))
        config_help_markdown(&text);
    else if (!config_help((const char *const *)words, (size_t)count - 1, &text, &e))
        return report_error(&e, STATUS_USAGE);
    return print(&text);
}

static int format_board(const char *const *words, size_t count, const struct config_reader *reader)
{
    struct board_config board;
    struct bytes text = {0};
    struct error e = {0};
    if (!board_config_parse(&board, words, count, reader, &e))
        return report_error(&e, STATUS_CONFIGURATION);
    board_config_print(&board, &text);
    board_config_free(&board);
    return print(&text);
}

static int format_vm(const char *const *words, size_t count, const struct config_reader *reader)
{
    struct vm_config config;
    struct bytes text = {0};
    struct error e = {0};
    if (!config_parse(&config, words, count, reader, &e))
        return report_error(&e, STATUS_CONFIGURATION);
    config_print(&config, &text);
    config_free(&config);
    return print(&text);
}

/* A VM on the board of this file. */
static int format_on_board(const char *board_path, const char *const *words, size_t count)
{
    struct config_reader reader = config_files_reader();
    struct board_config board;
    struct error e = {0};
    if (!board_config_parse(&board, &board_path, 1, &reader, &e))
        return report_error(&e, STATUS_CONFIGURATION);
    reader.board = &board;
    int status = format_vm(words, count, &reader);
    board_config_free(&board);
    return status;
}

/* The first word names a file, with or without `@`. */
static char *as_file(const char *word)
{
    size_t size = strlen(word) + 2;
    char *marked = malloc(size);
    CHECK_ROOM(marked);
    snprintf(marked, size, "%s%s", word[0] == '@' ? "" : "@", word);
    return marked;
}

static int format_words(const char *board_path, char *const *words, size_t count)
{
    struct config_reader reader = config_files_reader();
    const char **all = calloc(count, sizeof *all);
    CHECK_ROOM(all);
    for (size_t i = 1; i < count; i++)
        all[i] = words[i];
    char *first = as_file(words[0]), *board = board_path ? as_file(board_path) : NULL;
    all[0] = first;
    int status = text_ends_in(first, ".board") ? format_board(all, count, &reader)
                 : board                       ? format_on_board(board, all, count)
                                               : format_vm(all, count, &reader);
    free(board);
    free(first);
    free(all);
    return status;
}

int help_format(char *const *words, int count)
{
    const char *board_path = NULL;
    if (count > 1 && strcmp(words[0], "--board") == 0) {
        board_path = words[1];
        words += 2;
        count -= 2;
    }
    if (count > 0 && words[0][0] != '-')
        return format_words(board_path, words, (size_t)count);
    fprintf(stderr, "qvm: fmt wants a configuration file (qvm --help)\n");
    return STATUS_USAGE;
}
