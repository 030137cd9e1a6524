/* logger, unsupported, dryrun, dump, safety. */
#include "hv/config/config_internal.h"

#include <stdlib.h>

#include "emu/text.h"

/* The index of the piece in a NULL-terminated list, or an error that suggests the nearest. */
static bool choose(struct parser *p, const struct word *word, struct piece piece, const char *what,
                   const char *const *names, unsigned *index)
{
    if (word->bad)
        return false;
    for (*index = 0; names[*index]; ++*index)
        if (config_parse_piece_is(piece, names[*index]))
            return true;
    const char *text = parser_keep(p, piece);
    struct nearest nearest = nearest_to(text);
    for (unsigned i = 0; names[i]; i++)
        nearest_try(&nearest, names[i]);
    char suggestion[NEAREST_TEXT], all[160] = " (";
    nearest_text(&nearest, suggestion);
    for (unsigned i = 0; names[i]; i++)
        text_add(all, sizeof all, "%s%s", i == 0 ? "" : names[i + 1] ? ", " : " or ", names[i]);
    text_add(all, sizeof all, ")");
    return parser_error(p, word, "unknown %s '%.64s'%s", what, text,
                        suggestion[0] ? suggestion : all);
}

static bool severities(struct parser *p, const struct word *word, bool is_vdev, unsigned *set)
{
    static const char *const names[] = {"fatal", "internal", "error",   "warn",
                                        "info",  "debug",    "verbose", NULL};
    enum { WARN = 3 };
    struct piece rest = config_parse_word_piece(word);
    bool ok = !word->bad;
    while (rest.text) {
        unsigned i = WARN;
        struct piece piece = piece_next(&rest, ',');
        bool is_known = config_parse_piece_is(piece, "warning");
        if (!is_known)
            is_known = choose(p, word, piece, "severity", names, &i);
        else if (!is_vdev)
            is_known = parser_error(p, word, "unknown severity 'warning' (did you mean 'warn'?)");
        if (is_known)
            *set |= 1u << i;
        ok &= is_known;
    }
    return ok;
}

bool parser_logger(struct parser *p, const struct word *arguments, bool is_vdev,
                   struct logger_config *logger)
{
    static const char *const names[] = {"stdout", "stderr", "slog", "none", NULL};
    unsigned i;
    *logger = (struct logger_config){0};
    bool ok = severities(p, &arguments[0], is_vdev, &logger->severities);
    if (!choose(p, &arguments[1], config_parse_word_piece(&arguments[1]), "log destination", names,
                &i))
        return false;
    logger->destination = i;
    return ok;
}

HANDLER(config_word_logger)
{
    (void)option;
    struct logger_config logger;
    if (!parser_logger(p, arguments, false, &logger))
        return;
    struct vm_config *c = p->config;
    c->loggers = array_grow(c->loggers, c->logger_count, sizeof logger);
    c->loggers[c->logger_count++] = logger;
}

HANDLER(config_word_unsupported)
{
    static const char *const types[] = {"instruction", "reference", "register", NULL};
    static const char *const actions[] = {"abort", "fail", "ignore", NULL};
    (void)option;
    struct vm_config *c = p->config;
    enum unsupported_action *const policies[] = {
        &c->unsupported_instruction, &c->unsupported_reference, &c->unsupported_register};
    unsigned type, action;
    bool ok =
        choose(p, &arguments[0], config_parse_word_piece(&arguments[0]), "case", types, &type);
    if (choose(p, &arguments[1], config_parse_word_piece(&arguments[1]), "action", actions,
               &action) &&
        ok)
        *policies[type] = (enum unsupported_action)action;
}

HANDLER(config_word_dryrun)
{
    (void)option;
    (void)arguments;
    p->config->dryrun = true;
}

HANDLER(config_word_debug)
{
    (void)arguments;
    parser_accept(p, option, "debug");
}

HANDLER(config_word_dump)
{
    (void)option;
    if (!arguments->bad && !arguments->text[0])
        parser_error(p, arguments, "'dump' needs a directory or a command");
    p->config->dump = parser_keep(p, config_parse_word_piece(arguments));
}

HANDLER(config_word_safety)
{
    static const char *const names[] = {"none", "warn", "required", NULL};
    unsigned i;
    if (choose(p, arguments, config_parse_word_piece(arguments), "safety level", names, &i))
        parser_accept(p, option, "safety %s", names[i]);
}
