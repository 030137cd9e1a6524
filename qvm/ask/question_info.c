/* `qvm info TRACE`: what a trace file holds, without playing it. */
#include <inttypes.h>
#include <string.h>

#include "emu/journal_records.h"
#include "emu/text.h"
#include "emu/json.h"
#include "qvm/ask/question.h"
#include "qvm/ask/questions.h"
#include "qvm/ask/observed.h"

struct info {
    const struct player *p;
    const char *path;
    struct bytes *out;
};

/* Text --------------------------------------------------------------------------------------------
 */

static void put_lines(struct bytes *out, const char *text)
{
    for (size_t size; *text; text += size + (text[size] == '\n')) {
        size = strcspn(text, "\n");
        text_put(out, "    ");
        text_put_printable(out, text, size);
        text_put(out, "\n");
    }
}

static void put_configs(const struct info *i)
{
    const struct trace *t = &i->p->trace;
    if (t->board) {
        text_put(i->out, "board %s\n", t->board->name);
        put_lines(i->out, t->board->text);
    } else {
        text_put(i->out, "board: the default one\n");
    }
    for (size_t k = 0; k < t->config_count; k++) {
        text_put(i->out, "vm %s\n", t->configs[k].name);
        put_lines(i->out, t->configs[k].text);
    }
    for (size_t k = 0; k < t->machine_count; k++)
        text_put(i->out, "%s%s %s\n",
                 strcmp(t->machine[k].name, "imported-from") == 0 ? "" : "recorded with ",
                 t->machine[k].name, t->machine[k].text);
}

/* For what the contents are that the machine asked for: places in the stream of pulls. What was
 * pulled as a file and as a range is a file. */
static struct digest_index names_of(const struct journal *j)
{
    static const unsigned kinds[] = {PULL_FILE, PULL_RANGE};
    struct digest_index names = {0};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct reader pulls = reader_of(j->pulls.data, j->pulls.size);
        struct pull_record r;
        for (size_t at = 0; journal_next_pull(&pulls, &r); at = pulls.at)
            if (r.kind == kinds[k] && !r.absent &&
                digest_index_find(&names, r.digest) == DIGEST_NOWHERE)
                digest_index_add(&names, r.digest, at);
    }
    return names;
}

/* False: nobody asked for it. */
static bool find_name(const struct journal *j, const struct digest_index *names, struct digest d,
                      struct pull_record *r)
{
    struct reader pulls = reader_of(j->pulls.data, j->pulls.size);
    size_t place = digest_index_find(names, d);
    if (place == DIGEST_NOWHERE)
        return false;
    pulls.at = place;
    return journal_next_pull(&pulls, r);
}

/* The journal has those that are embedded, or were found where the configuration says. */
static bool is_here(const struct journal *j, struct digest d)
{
    return digest_index_find(&j->by_digest, d) != DIGEST_NOWHERE;
}

static void put_image(const struct info *i, const struct trace_image *image,
                      const struct pull_record *r)
{
    char hex[DIGEST_TEXT];
    digest_text(image->image.digest, hex);
    text_put(i->out, "image %s, %" PRIu64 " %s, %s: ", hex, image->size,
             text_plural(image->size, "byte", "bytes"),
             is_here(&i->p->journal, image->image.digest) ? "here" : "not here");
    text_put_printable(i->out, r->key, r->key_size);
    text_put(i->out, "\n");
}

static void put_images(const struct info *i)
{
    const struct trace *t = &i->p->trace;
    struct digest_index names = names_of(&i->p->journal);
    uint64_t ranges = 0, bytes = 0;
    for (size_t k = 0; k < t->image_count; k++) {
        struct pull_record r = {.key = "nobody asked for it", .key_size = 19};
        find_name(&i->p->journal, &names, t->images[k].image.digest, &r);
        if (r.kind == PULL_RANGE) {
            ranges++;
            bytes += t->images[k].size;
        } else {
            put_image(i, &t->images[k], &r);
        }
    }
    if (ranges)
        text_put(i->out, "contents of ranges of files: %" PRIu64 ", %" PRIu64 " %s\n", ranges,
                 bytes, text_plural(bytes, "byte", "bytes"));
    digest_index_free(&names);
}

/* Of ranges, of which there may be a hundred thousand, those that were not given. */
static bool put_range(const struct info *i, const struct pull_record *r)
{
    if (!r->absent)
        return true;
    text_put(i->out, "pulled %" PRIu64 " %s at %" PRIu64 " of file '", r->length,
             text_plural(r->length, "byte", "bytes"), r->offset);
    text_put_printable(i->out, r->key, r->key_size);
    text_put(i->out, "': it %s\n", range_answer_text(journal_range_answer_of(r)));
    return false;
}

static void put_pull(const struct info *i, const struct pull_record *r)
{
    text_put(i->out, "pulled %s '", journal_pull_name(r->kind));
    text_put_printable(i->out, r->key, r->key_size);
    text_put(i->out, "'");
    if (r->absent)
        text_put(i->out, ": there was none\n");
    else if (r->kind == PULL_WALL_CLOCK && r->size == 8)
        text_put(i->out, ": %" PRIu64 " s since 1970\n", load_le(r->data, 8));
    else if (r->kind == PULL_SIZE && r->size == 8)
        text_put(i->out, ": %" PRIu64 " bytes\n", load_le(r->data, 8));
    else if (r->kind == PULL_FILE)
        text_put(i->out, "\n");
    else
        text_put(i->out, ", %zu %s\n", r->size, text_plural(r->size, "byte", "bytes"));
}

static void put_pulls(const struct info *i)
{
    struct reader pulls = reader_of(i->p->journal.pulls.data, i->p->journal.pulls.size);
    struct pull_record r;
    uint64_t ranges = 0, bytes = 0;
    while (journal_next_pull(&pulls, &r)) {
        if (r.kind != PULL_RANGE) {
            put_pull(i, &r);
        } else if (put_range(i, &r)) {
            ranges++;
            bytes += r.length;
        }
    }
    if (ranges)
        text_put(i->out, "pulled ranges of files: %" PRIu64 ", %" PRIu64 " %s\n", ranges, bytes,
                 text_plural(bytes, "byte", "bytes"));
}

static void put_pushes(const struct info *i)
{
    struct reader pushes = reader_of(i->p->journal.pushes.data, i->p->journal.pushes.size);
    struct push p = {.tick = 0};
    while (journal_next_push(&pushes, &p)) {
        text_put(i->out, "pushed at tick %" PRIu64 ": %s", p.tick, journal_push_name(p.kind));
        if (p.kind == PUSH_CONSOLE || p.kind == PUSH_FRAME || p.kind == PUSH_RESIZE)
            text_put(i->out, ", %" PRIu32 " %s for device %u of VM %u", p.size,
                     text_plural(p.size, "byte", "bytes"), p.target & 0xffu, p.target >> 8);
        text_put(i->out, "\n");
    }
}

static void put_states(const struct info *i)
{
    const struct trace *t = &i->p->trace;
    if (t->digest_count)
        text_put(i->out, "digests: %zu, from instruction %" PRIu64 " to %" PRIu64 "\n",
                 t->digest_count, t->digests[0].instructions,
                 t->digests[t->digest_count - 1].instructions);
    if (t->snapshot_count)
        text_put(i->out, "snapshots: %zu, from instruction %" PRIu64 " to %" PRIu64 "%s\n",
                 t->snapshot_count, t->snapshots[0].instructions,
                 t->snapshots[t->snapshot_count - 1].instructions,
                 t->snapshots[0].is_start ? "; the recording begins with the first" : "");
}

static void put_end(const struct info *i)
{
    const struct trace *t = &i->p->trace;
    char state[DIGEST_TEXT], output[DIGEST_TEXT];
    if (!t->has_end) {
        text_put(i->out, "no end: %s\n",
                 i->p->journal.pulls.size       ? "the recorder was killed"
                 : observed_is_in(&i->p->trace) ? "it holds exits that were seen elsewhere"
                                                : "it is a snapshot");
        return;
    }
    digest_text(t->end.state, state);
    digest_text(t->end.output, output);
    text_put(i->out,
             "end at instruction %" PRIu64 ", tick %" PRIu64
             ", exit status %d: %s\n    state %s\n    output %s\n",
             t->end.instructions, t->end.ticks, t->end.exit_status, t->end.sentence, state, output);
}

static void put_text(const struct info *i)
{
    text_put(i->out, "trace %s%s\n", i->path, i->p->trace.truncated ? ", cut off" : "");
    if (i->p->trace.quirks)
        text_put(i->out, "recorded on an older machine, which its replay imitates\n");
    put_configs(i);
    put_images(i);
    put_pulls(i);
    put_pushes(i);
    put_states(i);
    put_end(i);
}

/* JSON --------------------------------------------------------------------------------------------
 */

static void json_digest(struct json *j, const char *key, struct digest d)
{
    char hex[DIGEST_TEXT];
    digest_text(d, hex);
    json_string(j, key, hex);
}

static void json_texts(struct json *j, const char *key, const struct trace_text *t, size_t count)
{
    json_open(j, key, '[');
    for (size_t i = 0; i < count; i++) {
        json_open(j, NULL, '{');
        json_string(j, "name", t[i].name);
        json_string(j, "text", t[i].text);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_images(struct json *j, const struct info *i)
{
    struct digest_index names = names_of(&i->p->journal);
    json_open(j, "images", '[');
    for (size_t k = 0; k < i->p->trace.image_count; k++) {
        const struct trace_image *image = &i->p->trace.images[k];
        struct pull_record r = {.key = "", .key_size = 0};
        find_name(&i->p->journal, &names, image->image.digest, &r);
        json_open(j, NULL, '{');
        json_digest(j, "sha256", image->image.digest);
        json_number(j, "size", image->size);
        json_bool(j, "here", is_here(&i->p->journal, image->image.digest));
        json_bytes(j, "path", r.key, r.key_size);
        json_close(j, '}');
    }
    json_close(j, ']');
    digest_index_free(&names);
}

static void json_pulls(struct json *j, const struct info *i)
{
    struct reader pulls = reader_of(i->p->journal.pulls.data, i->p->journal.pulls.size);
    struct pull_record r;
    json_open(j, "pulled", '[');
    while (journal_next_pull(&pulls, &r)) {
        json_open(j, NULL, '{');
        json_string(j, "kind", journal_pull_name(r.kind));
        json_bytes(j, "key", r.key, r.key_size);
        json_bool(j, "absent", r.absent);
        if (r.kind == PULL_RANGE) {
            json_number(j, "offset", r.offset);
            json_number(j, "length", r.length);
        }
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_pushes(struct json *j, const struct info *i)
{
    struct reader pushes = reader_of(i->p->journal.pushes.data, i->p->journal.pushes.size);
    struct push p = {.tick = 0};
    json_open(j, "pushed", '[');
    while (journal_next_push(&pushes, &p)) {
        json_open(j, NULL, '{');
        json_number(j, "tick", p.tick);
        json_string(j, "kind", journal_push_name(p.kind));
        json_number(j, "vm", p.target >> 8);
        json_number(j, "device", p.target & 0xffu);
        json_bytes(j, "data", p.data, p.size);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_states(struct json *j, const struct trace *t)
{
    json_open(j, "digests", '[');
    for (size_t i = 0; i < t->digest_count; i++) {
        json_open(j, NULL, '{');
        json_number(j, "instruction", t->digests[i].instructions);
        json_digest(j, "state", t->digests[i].state);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_open(j, "snapshots", '[');
    for (size_t i = 0; i < t->snapshot_count; i++)
        json_number(j, NULL, t->snapshots[i].instructions);
    json_close(j, ']');
}

static void json_end(struct json *j, const struct trace *t)
{
    if (!t->has_end) {
        json_string(j, "end", NULL);
        return;
    }
    json_open(j, "end", '{');
    json_number(j, "instruction", t->end.instructions);
    json_number(j, "tick", t->end.ticks);
    json_number(j, "status", (uint64_t)t->end.exit_status);
    json_string(j, "sentence", t->end.sentence);
    json_digest(j, "state", t->end.state);
    json_digest(j, "output", t->end.output);
    json_close(j, '}');
}

static void put_json(const struct info *i)
{
    const struct trace *t = &i->p->trace;
    struct json j = {.out = i->out};
    json_open(&j, NULL, '{');
    json_bool(&j, "truncated", t->truncated);
    json_texts(&j, "board", t->board, t->board_count);
    json_texts(&j, "vms", t->configs, t->config_count);
    json_texts(&j, "machine", t->machine, t->machine_count);
    json_images(&j, i);
    json_pulls(&j, i);
    json_pushes(&j, i);
    json_states(&j, t);
    json_end(&j, t);
    json_close(&j, '}');
    text_put(i->out, "\n");
}

bool question_info(char *const *words, int count, struct error *e)
{
    bool json = false;
    const struct question_option options[] = {{.name = "--json", .flag = &json}, {0}};
    const char *path;
    struct player p;
    struct bytes out = {0};
    if (!question_words(words, count, options, &path, 1, "qvm info TRACE [--json]", e) ||
        !question_open(&p, path, e))
        return false;
    struct info i = {.p = &p, .path = path, .out = &out};
    if (json)
        put_json(&i);
    else
        put_text(&i);
    bool ok = question_answer(&out, NULL, e);
    bytes_free(&out);
    player_close(&p);
    return ok;
}
