#include "hv/config/config_help.h"

#include <stdio.h>
#include <string.h>

#include "hv/config/board_config_internal.h"
#include "hv/config/config_catalogue.h"
#include "hv/config/config_set.h"
#include "emu/text.h"
#include "vdev/pic.h"

/* Options -----------------------------------------------------------------------------------------
 */

static void put_option(struct bytes *out, const char *indent, const struct config_option *o)
{
    char text[80];
    snprintf(text, sizeof text, "%s%s%s%s", indent, o->name, o->form[0] ? " " : "", o->form);
    if (strlen(text) > 34)
        text_put(out, "%s\n%35s%s\n", text, "", o->summary);
    else
        text_put(out, "%-34s %s\n", text, o->summary);
}

/* The options that apply to the context which `opener` opens. */
static void put_context(struct bytes *out, const struct config_option *options,
                        const struct config_option *opener)
{
    for (const struct config_option *o = options; o->name; o++)
        if (opener->class == OPTION_OPENS && o->class == OPTION_APPLIES &&
            o->context == opener->context)
            put_option(out, "  ", o);
}

static void put_all(struct bytes *out, const struct config_option *options)
{
    for (const struct config_option *o = options; o->name; o++) {
        if (o->class == OPTION_APPLIES)
            continue;
        put_option(out, "", o);
        put_context(out, options, o);
    }
}

bool config_is_option(const char *word)
{
    size_t size = strcspn(word, " \t\n");
    for (const struct config_option *o = config_options; o->name; o++)
        if (o->class != OPTION_APPLIES && strlen(o->name) == size && !memcmp(o->name, word, size))
            return true;
    return false;
}

static bool help_option(const char *name, struct bytes *out, struct error *e)
{
    struct nearest nearest = nearest_to(name);
    bool found = false;
    for (const struct config_option *o = config_options; o->name; o++) {
        if (!o->summary[0])
            continue;
        nearest_try(&nearest, o->name);
        if (strcmp(o->name, name) != 0)
            continue;
        found = true;
        put_option(out, "", o);
        put_context(out, config_options, o);
    }
    char suggestion[NEAREST_TEXT];
    return found ||
           error_set(e, "there is no option '%.64s'%s", name, nearest_text(&nearest, suggestion));
}

/* Variables ---------------------------------------------------------------------------------------
 */

static void put_variable(struct bytes *out, const struct variable *v)
{
    text_put(out, "%s (%s, %s)", v->name, variable_type_name(v->type),
             v->is_per_vdev ? "vdev" : "global");
}

static bool help_variable(const char *name, struct bytes *out, struct error *e)
{
    struct nearest nearest = nearest_to(name);
    for (const struct variable *v = config_variables; v->name; v++) {
        nearest_try(&nearest, v->name);
        if (strcmp(v->name, name) != 0)
            continue;
        put_variable(out, v);
        text_put(out, ": %s\n", v->summary);
        return true;
    }
    char suggestion[NEAREST_TEXT];
    return error_set(e, "there is no variable '%.64s'%s", name, nearest_text(&nearest, suggestion));
}

static void help_variables(struct bytes *out)
{
    for (const struct variable *v = config_variables; v->name; v++) {
        put_variable(out, v);
        text_put(out, "\n");
    }
    text_put(out, "A question mark behind a variable, `qvm set NAME ?`, says what it does.\n");
}

/* Virtual devices ---------------------------------------------------------------------------------
 */

static bool is_available(const char *name)
{
    return vdev_type_find(name) != NULL;
}

static void help_vdevs(struct bytes *out)
{
    for (size_t i = 0; vdev_types[i]; i++)
        text_put(out, "%-16s %s\n", vdev_types[i]->name, vdev_types[i]->summary);
    text_put(out, "not available in this version:");
    for (const struct known_vdev *k = known_vdevs; k->name; k++)
        if (!is_available(k->name))
            text_put(out, " %s%s", k->name, k->is_x86 ? " (x86)" : "");
    text_put(out, "\n");
}

static const char *effect(const struct vdev_option_type *o)
{
    return o->no_effect ? "none here" : "yes";
}

static void put_type_option(struct bytes *out, const struct vdev_option_type *o)
{
    text_put(out, "%-14s %-20s %-14s %-10s %-9s %s\n", o->name, o->form ? o->form : "-",
             o->initial ? o->initial : "-", o->repeatable ? "yes" : "no", effect(o), o->summary);
}

static void put_location(struct bytes *out, const struct vdev_type *type, const char *quote)
{
    if (type->default_loc)
        text_put(out, "%s0x%llx%s", quote, (unsigned long long)type->default_loc, quote);
    else
        text_put(out, type->is_placed ? "some place" : "mandatory");
}

static const char *line_of(const struct vdev_type *type, const char *none)
{
    return !type->needs_intr ? none : type->is_placed ? "some line" : "mandatory";
}

/* What an interrupt controller has for devices. */
static void put_lines(struct bytes *out, const struct vdev_type *type, const char *quote)
{
    text_put(out, "lines of devices: %sintr %s:%u%s to %s%u%s", quote, type->name,
             type->pic->first_shared, quote, quote, type->pic->last_line, quote);
}

static void help_type(const struct vdev_type *type, struct bytes *out)
{
    const struct vdev_option_type *o = type->options;
    text_put(out, "vdev %s: %s\nloc: ", type->name, type->summary);
    put_location(out, type, "");
    text_put(out, "; intr: %s\n", line_of(type, "not needed"));
    if (type->pic) {
        put_lines(out, type, "");
        text_put(out, "\n");
    }
    if (o && o->name)
        text_put(out, "%-14s %-20s %-14s %-10s %-9s %s\n", "option", "argument", "default",
                 "repeatable", "effect", "meaning");
    for (; o && o->name; o++)
        put_type_option(out, o);
}

static bool help_vdev(const char *name, struct bytes *out, struct error *e)
{
    const struct vdev_type *type = vdev_type_find(name);
    if (type) {
        help_type(type, out);
        return true;
    }
    const struct known_vdev *known = known_vdev_find(name);
    if (known)
        return error_set(e, "vdev type '%s' is not available in this version%s", name,
                         known->is_x86 ? " (x86 guests only)" : "");
    struct nearest nearest = nearest_to(name);
    for (size_t i = 0; vdev_types[i]; i++)
        nearest_try(&nearest, vdev_types[i]->name);
    char suggestion[NEAREST_TEXT];
    return error_set(e, "there is no vdev type '%.64s'%s", name,
                     nearest_text(&nearest, suggestion));
}

bool config_help(const char *const *words, size_t count, struct bytes *out, struct error *e)
{
    const char *topic = count ? words[0] : "", *detail = count > 1 ? words[1] : NULL;
    const bool is_set = strcmp(topic, "set") == 0, is_vdev = strcmp(topic, "vdev") == 0;
    if (count > 2 || (detail && !is_set && !is_vdev))
        return error_set(e, "'?' explains an option, 'set VARIABLE' or 'vdev TYPE'");
    if (detail)
        return is_set ? help_variable(detail, out, e) : help_vdev(detail, out, e);
    if (count == 0)
        put_all(out, config_options);
    else if (is_set)
        help_variables(out);
    else if (is_vdev)
        help_vdevs(out);
    else if (strcmp(topic, "board") == 0)
        put_all(out, board_options);
    else
        return help_option(topic, out, e);
    return true;
}

/* The same as Markdown ----------------------------------------------------------------------------
 */

/* A cell of a table: `|` would end it. */
static void put_cell(struct bytes *out, const char *text, bool is_code)
{
    const char *quote = is_code ? "`" : "";
    text_put(out, " %s", quote);
    for (; *text; text++)
        text_put(out, "%s%c", *text == '|' ? "\\" : "", *text);
    text_put(out, "%s |", quote);
}

static void put_type_table(struct bytes *out)
{
    text_put(out, "| type | what it is | `loc` | `intr` |\n|---|---|---|---|\n");
    for (size_t i = 0; vdev_types[i]; i++) {
        const struct vdev_type *type = vdev_types[i];
        text_put(out, "| [`%s`](#%s) |", type->name, type->name);
        put_cell(out, type->summary, false);
        text_put(out, " ");
        put_location(out, type, "`");
        text_put(out, " | %s |\n", line_of(type, "-"));
    }
}

static void put_type_section(struct bytes *out, const struct vdev_type *type)
{
    const struct vdev_option_type *o = type->options;
    text_put(out, "\n## %s\n\n%s", type->name, type->summary);
    if (type->pic) {
        text_put(out, "; ");
        put_lines(out, type, "`");
    }
    text_put(out, ".\n\n");
    if (!o || !o->name) {
        text_put(out, "No options of its own.\n");
        return;
    }
    text_put(out,
             "| option | argument | default | repeatable | meaning |\n|---|---|---|---|---|\n");
    for (; o->name; o++) {
        text_put(out, "|");
        put_cell(out, o->name, true);
        put_cell(out, o->form ? o->form : "-", o->form != NULL);
        put_cell(out, o->initial ? o->initial : "-", false);
        put_cell(out, o->repeatable ? "yes" : "no", false);
        text_put(out, "%s", o->no_effect ? " accepted without effect:" : "");
        put_cell(out, o->summary, false);
        text_put(out, "\n");
    }
}

void config_help_markdown(struct bytes *out)
{
    text_put(out, "# Virtual devices\n\n"
                  "<!-- Made by `qvm vdev ? --markdown` from the tables in vdev/; "
                  "tests/language.sh compares. -->\n\n"
                  "`vdev TYPE` in [a configuration](configuration.md) makes a device of one of "
                  "these types. All of\nthem know the options `loc`, `intr`, `name` and `log` "
                  "described there; those of a type follow\nbelow. Of an option that is not "
                  "repeatable the last occurrence counts.\n\n");
    put_type_table(out);
    text_put(out, "\nTypes that exist elsewhere and not in this version:");
    const char *separator = " ";
    for (const struct known_vdev *k = known_vdevs; k->name; k++)
        if (!is_available(k->name)) {
            text_put(out, "%s`%s`%s", separator, k->name, k->is_x86 ? " (x86)" : "");
            separator = ", ";
        }
    text_put(out, ".\n");
    for (size_t i = 0; vdev_types[i]; i++)
        put_type_section(out, vdev_types[i]);
}
