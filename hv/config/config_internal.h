/* Shared by the parts of the parsers of VM configurations and of boards. An option is a row of a
 * table: a name, its class (reference: contexts), its number of arguments and a handler. */
#ifndef HV_CONFIG_CONFIG_INTERNAL_H
#define HV_CONFIG_CONFIG_INTERNAL_H

#include "emu/array.h"
#include "emu/text.h"
#include "hv/config/board_config.h"
#include "hv/config/config.h"
#include "hv/config/config_errors.h"
#include "hv/config/config_numbers.h"
#include "hv/config/config_strings.h"
#include "hv/config/config_words.h"
#include "vdev/pic.h"

enum context {
    CONTEXT_NONE,
    CONTEXT_CPU,
    CONTEXT_VDEV,
    CONTEXT_PASS,
    CONTEXT_RESERVE,
    CONTEXT_INJECT,
    CONTEXT_SKIPPED, /* a vdev whose type was refused: its options are read and forgotten */
    CONTEXT_DEVICE,  /* of a board, as is the next */
    CONTEXT_SMMU,
};

enum option_class {
    OPTION_OPENS,   /* begins a context */
    OPTION_APPLIES, /* belongs to the current context */
    OPTION_NEITHER,
};

/* An address whose text was wrong: later checks leave it alone. */
#define ADDRESS_BAD UINT64_MAX

/* A passed interrupt whose host vector was not written: parser_finish adds the PIC's hostvector,
 * which may be given later. */
#define VECTOR_OF_LINE UINT32_MAX

#define CONFIG_PRIORITY_DEFAULT 10 /* that of a qvm which nobody gave another */

/* The guest-physical space: 48 bits. */
#define GUEST_SPACE ((uint64_t)1 << 48)

struct parser {
    struct words words;
    const struct language *language;
    struct vm_config *config;   /* the result, of a VM */
    struct board_config *board; /* or of a board */
    struct config_errors *errors;
    enum context context;
    struct place opened; /* the option that opened it */
    bool started;        /* an option has been read */
    bool said_memory;    /* a `ram` or `rom`, right or wrong, or a `pass` of memory */
    bool said_too_many_cpus;
    bool said_x86; /* that it is for x86 guests */
    unsigned pass_statements;
    /* A blob-type word that waits for its `load` or `pass`; text NULL if none does. */
    struct word blob_word;
    enum blob_type blob;
    enum blob_type pass_blob;    /* of the current `pass` */
    const struct vdev_type *pic; /* the interrupt controller: */
    const char *pic_name;
    struct place pic_place; /* of its `vdev`; file NULL before it */
};

struct config_option {
    const char *name;
    enum option_class class;
    enum context context; /* of OPTION_APPLIES: where; of OPTION_OPENS: what it begins */
    unsigned arguments;   /* 0 to 2 */
    void (*handle)(struct parser *p, const struct word *option, const struct word *arguments);
    const char *form;    /* of the arguments, for people */
    const char *summary; /* one line; "" for rows that only skip */
};

/* Class and context of a row. */
#define OPENS(context)   OPTION_OPENS, context
#define APPLIES(context) OPTION_APPLIES, context
#define NEITHER          OPTION_NEITHER, CONTEXT_NONE

/* What the driver reads: rows, and what is none. */
struct language {
    const struct config_option *options; /* ends with a NULL name */
    /* Before the arguments of an option are read; NULL: nothing is to be done. */
    void (*before)(struct parser *p, const struct config_option *option);
    /* A word that no row has: takes it, and its argument, if it is an option all the same. */
    bool (*other_option)(struct parser *p, const struct word *word);
    bool (*is_other_somewhere)(const char *name); /* or would be in some context */
    void (*nearest_other)(const struct parser *p, struct nearest *nearest);
    void (*finish)(struct parser *p); /* behind the last word: what only the whole can tell */
};

/* config_language.c: the rows of a VM's configuration. */
extern const struct config_option config_options[];
/* config_parse.c: reads every word, calls the handlers of the language's options, and finishes.
 * False, with all mistakes in the error. */
bool parser_run(struct parser *p, struct error *e);
/* The same of what is an argument of `outer`: mistakes are among its own. */
void parser_run_within(struct parser *p, const struct parser *outer);
bool parser_error(struct parser *p, const struct word *word, const char *format, ...)
    TEXT_PRINTF(3, 4);
/* What this version has not and x86 guests have: of a configuration for those the sentence that
 * says so is enough. */
void parser_lacks(struct parser *p, struct place place, const char *format, ...) TEXT_PRINTF(3, 4);
/* One number, or an error at the word. Silent if the word is bad already. */
bool parser_number(struct parser *p, const struct word *word, struct piece text,
                   enum number_kind kind, uint64_t *value);
/* A number from `least` to `most`; `what` it is, for the error. */
bool parser_number_in(struct parser *p, const struct word *word, const char *what,
                      struct piece text, uint64_t least, uint64_t most, uint64_t *value);
struct piece config_parse_word_piece(const struct word *word);
bool config_parse_piece_is(struct piece piece, const char *text);
/* The value is a multiple of the page size, or an error at the word. */
bool parser_aligned(struct parser *p, const struct word *word, const char *what, uint64_t value);
/* A kept copy. */
char *parser_keep(struct parser *p, struct piece piece);
/* Notes something that is understood and has no effect. */
void parser_accept(struct parser *p, const struct word *word, const char *format, ...)
    TEXT_PRINTF(3, 4);
/* Notes something that became other than it was written. */
void parser_note(struct parser *p, const struct word *word, const char *format, ...)
    TEXT_PRINTF(3, 4);
/* Takes `mem:`, `io:` or `pci:` off the front. */
enum location_space { SPACE_MEMORY, SPACE_IO, SPACE_PCI };
enum location_space config_parse_location_space(struct piece *text);
/* PIC:LINE, of a controller that is known here. */
bool parser_intr(struct parser *p, const struct word *word, struct piece text, char **pic,
                 unsigned *line);
/* `severities destination`, of `logger` and of a vdev's `log`. */
bool parser_logger(struct parser *p, const struct word *arguments, bool is_vdev,
                   struct logger_config *logger);

/* config_hints.c: " (write `sched 21`)", or "" if nothing is known about such a word. */
#define HINT_TEXT 128
const char *config_hint(const struct parser *p, const char *word, char text[HINT_TEXT]);

/* config_vdev.c */
/* The type that the argument of `vdev` names, in any of its spellings; NULL and an error if there
 * is none, or if it is bad. */
const struct vdev_type *parser_type(struct parser *p, const struct word *word);
/* The word as a type-specific option of the current vdev or device, with its argument: false if it
 * is none. */
bool vdev_type_option(struct parser *p, const struct word *option);
/* Is there a type that has it? */
bool vdev_some_type_option(const char *name);
void vdev_nearest_option(const struct parser *p, struct nearest *nearest);
void parser_add_pic(struct parser *p);
/* Who translates whose DMA. */
void parser_check_streams(struct parser *p);

/* config_finish.c: defaults, what only the whole can tell, overlaps. */
void parser_finish(struct parser *p);

/* config_places.c: places and interrupt lines for devices that ask for some. */
void parser_give_places(struct parser *p);

/* config_inject.c: what only the whole can tell of faults. */
void parser_check_injects(struct parser *p);

/* Handlers, one group a file. */
#define HANDLER(name)                                                                              \
    void name(struct parser *p, const struct word *option, const struct word *arguments)
HANDLER(config_word_ram); /* config_memory.c */
HANDLER(config_word_rom);
HANDLER(config_word_blob);
HANDLER(config_word_load);
HANDLER(config_word_cmdline);
HANDLER(config_word_reserve);
HANDLER(config_word_reserve_loc);
HANDLER(config_word_reserve_intr);
HANDLER(config_word_cpu); /* config_cpu.c */
HANDLER(config_word_sched);
HANDLER(config_word_sched_suffix);
HANDLER(config_word_runmask);
HANDLER(config_word_cluster);
HANDLER(config_word_partition);
HANDLER(config_word_vdev); /* config_vdev.c */
HANDLER(config_word_vdev_loc);
HANDLER(config_word_vdev_intr);
HANDLER(config_word_vdev_name);
HANDLER(config_word_vdev_log);
HANDLER(config_word_vdev_stream);
HANDLER(config_word_hostvector);
HANDLER(config_word_skipped);
HANDLER(config_word_pass); /* config_pass.c */
HANDLER(config_word_pass_loc);
HANDLER(config_word_pass_intr);
HANDLER(config_word_inject); /* config_inject.c */
HANDLER(config_word_inject_at);
HANDLER(config_word_set);    /* config_set.c */
HANDLER(config_word_logger); /* config_policy.c */
HANDLER(config_word_unsupported);
HANDLER(config_word_dryrun);
HANDLER(config_word_debug);
HANDLER(config_word_dump);
HANDLER(config_word_safety);

#endif
