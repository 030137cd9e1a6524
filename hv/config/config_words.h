/* The lexer: files and command-line words become one stream of words, read once from start to end.
 *
 * Words are separated by blanks and line ends; `#` starts a comment that runs to the end of the
 * line; double quotes group (also in the middle of a word, also over several lines, and then `\`
 * before a line end is deleted together with it). Substituted everywhere, without splitting words:
 *   $env{NAME}                  value of an environment variable
 *   $asinfo_start{NAME}         where the board's region of this name is, in hexadecimal
 *   $asinfo_length{NAME}        and how long it is
 *   $char{HH}                   the character with this hexadecimal code; ours, for what quotes
 *                               cannot hold
 *
 * `@FILE` on the command line inserts the words of the file. Any other command-line word that
 * stands where an option is expected is read like a line of a file, so it may hold several words;
 * where an argument is expected it is taken as it is, blanks, quotes and all, because the shell has
 * already removed its quotes. */
#ifndef HV_CONFIG_CONFIG_WORDS_H
#define HV_CONFIG_CONFIG_WORDS_H

#include "emu/bytes.h"
#include "hv/config/config.h"
#include "hv/config/config_errors.h"

struct word {
    const char *text;   /* lives as long as the string list */
    struct place place; /* file name and line, or "cmdline" and the number of the word */
    bool bad;           /* its mistake has been reported */
};

struct words {
    const char *const *arguments; /* of the command line, borrowed like all else here */
    size_t count, next;
    struct place within; /* whose argument they are; file NULL: the command line's own */
    const struct config_reader *reader;
    struct config_strings *strings;
    struct config_errors *errors;
    bool as_is; /* nothing is substituted */
    /* What is being read now: a file, or a command-line word like a line of one. */
    const uint8_t *text; /* NULL: nothing */
    size_t size, at;
    struct place place;
    uint8_t *file; /* owned: the contents, NULL if not a file */
    struct bytes word;
};

/* The next word that names an option, wherever it stands. False: there are no more words. */
bool words_option(struct words *w, struct word *word);
/* The argument that follows the last word. False, and nothing is consumed, if there is none in the
 * same file. */
bool words_argument(struct words *w, struct word *word);
/* The next word, if a `/` begins it: the text to the `/` that ends it on the same line, as it is
 * but that `\\/` is a `/` of it; and what stands right behind that. False, and nothing is consumed:
 * there is no such word. */
bool words_slashed(struct words *w, struct word *word, struct word *flags);
/* Where the next word of a file begins, to return there before another file is read. */
struct words_position {
    size_t at;
    struct place place;
};
static inline struct words_position words_position(const struct words *w)
{
    return (struct words_position){w->at, w->place};
}
static inline void words_return(struct words *w, struct words_position position)
{
    w->at = position.at;
    w->place = position.place;
}
void words_free(struct words *w);
/* A path without its folders. */
const char *words_leaf_name(const char *path);

#endif
