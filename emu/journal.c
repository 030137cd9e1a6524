#include "emu/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/array.h"
#include "emu/check.h"
#include "emu/journal_records.h"
#include "emu/text.h"

/* Pull stream: kind (1), key (string), for a range offset and length (varints), then for contents
 * their SHA-256 (32), else size (varint) and bytes; what was not given has PULL_ABSENT in its kind,
 * and as bytes why: none (there was no such file), enum probe_answer or enum range_answer. The
 * sizes of files are read where they are asked for, and passed over in the row of the others. Push
 * stream: tick since the last push (varint), kind (1), target (varint), size (varint), bytes. */

void journal_live(struct journal *j, enum journal_mode live_or_record, struct journal_host host)
{
    *j = (struct journal){.mode = live_or_record, .host = host};
}

static void read_ahead(struct journal *j)
{
    struct reader *r = &j->push_reader;
    struct push *p = &j->next_push;
    j->next_push_at = r->at;
    j->next_push_base = j->last_push_tick;
    p->tick = j->last_push_tick;
    j->has_next_push = journal_next_push(r, p);
    if (j->has_next_push)
        j->last_push_tick = p->tick;
}

static void index_images(struct journal *j)
{
    digest_index_free(&j->by_digest);
    for (size_t i = 0; i < j->image_count; i++)
        if (digest_index_find(&j->by_digest, j->images[i].digest) == DIGEST_NOWHERE)
            digest_index_add(&j->by_digest, j->images[i].digest, i);
}

void journal_replay(struct journal *j)
{
    j->mode = JOURNAL_REPLAY;
    j->has_strayed = false;
    if (!j->by_digest.used) /* once: a copy of a journal that replays shares it */
        index_images(j);
    j->pull_reader = reader_of(j->pulls.data, j->pulls.size);
    j->push_reader = reader_of(j->pushes.data, j->pushes.size);
    j->last_push_tick = 0;
    read_ahead(j);
}

struct journal_position journal_position(const struct journal *j)
{
    if (j->mode != JOURNAL_REPLAY)
        return (struct journal_position){j->pulls.size, j->pushes.size, j->last_push_tick};
    return (struct journal_position){j->pull_reader.at, j->next_push_at, j->next_push_base};
}

bool journal_seek(struct journal *j, struct journal_position position)
{
    if (j->mode != JOURNAL_REPLAY) {
        j->last_push_tick = position.last_push_tick;
        return true;
    }
    if (j->begins_here) {
        position.pulls = j->pull_reader.at;
        position.pushes = 0;
    }
    j->begins_here = false;
    if (position.pulls > j->pulls.size || position.pushes > j->pushes.size)
        return false;
    j->pull_reader = reader_of(j->pulls.data, j->pulls.size);
    j->push_reader = reader_of(j->pushes.data, j->pushes.size);
    j->pull_reader.at = (size_t)position.pulls;
    j->push_reader.at = (size_t)position.pushes;
    j->last_push_tick = position.last_push_tick;
    read_ahead(j);
    return true;
}

void journal_visit(struct journal *j, struct state *s)
{
    struct journal_position at = journal_position(j);
    at.pulls = state_value(s, "bytes of pulled inputs that were used", at.pulls, 8);
    at.pushes = state_value(s, "bytes of pushed inputs that were used", at.pushes, 8);
    at.last_push_tick = state_value(s, "when the last input was pushed", at.last_push_tick, 8);
    if (state_restores(s) && state_is_good(s) && !journal_seek(j, at))
        state_refuse(s, "how much of the journal was used");
}

void journal_begins_here(struct journal *j)
{
    j->begins_here = true;
}

struct journal_mark journal_mark(const struct journal *j)
{
    return (struct journal_mark){j->pulls.size, j->pushes.size, j->image_count, j->contents_bytes};
}

size_t journal_bytes_since(const struct journal *j, struct journal_mark mark)
{
    return j->pulls.size - mark.pulls + j->pushes.size - mark.pushes +
           (size_t)(j->contents_bytes - mark.contents);
}

/* The wall clock is asked for whenever a machine is assembled, even for a snapshot. */
static size_t end_of_wall_clock(const struct journal *j)
{
    struct reader in = reader_of(j->pulls.data, j->pulls.size);
    struct pull_record r;
    return journal_next_pull(&in, &r) && r.kind == PULL_WALL_CLOCK ? in.at : 0;
}

/* What a recording needs that begins at `from`: what assembly asks for, and what comes then. */
static struct bytes pulls_from(const struct journal *j, size_t from)
{
    size_t head = end_of_wall_clock(j);
    struct bytes pulls = {0};
    struct reader in = reader_of(j->pulls.data, j->pulls.size);
    struct pull_record r;
    from = from > head ? from : head;
    bytes_put(&pulls, j->pulls.data, head);
    for (size_t at = 0; at < from && journal_next_pull(&in, &r); at = in.at)
        if (r.kind == PULL_SIZE)
            bytes_put(&pulls, j->pulls.data + at, in.at - at);
    bytes_put(&pulls, j->pulls.data + from, j->pulls.size - from);
    return pulls;
}

/* Of the contents that the stream names. */
static struct digest_index names_in(const struct bytes *pulls)
{
    struct digest_index names = {0};
    struct reader in = reader_of(pulls->data, pulls->size);
    struct pull_record r;
    while (journal_next_pull(&in, &r))
        if (journal_pull_has_digest(&r) && digest_index_find(&names, r.digest) == DIGEST_NOWHERE)
            digest_index_add(&names, r.digest, 0);
    return names;
}

void journal_drop(struct journal *j, struct journal_mark before)
{
    struct bytes pulls = pulls_from(j, before.pulls);
    struct digest_index names = names_in(&pulls);
    size_t kept = 0;
    bytes_free(&j->pulls);
    j->pulls = pulls;
    if (before.pushes)
        memmove(j->pushes.data, j->pushes.data + before.pushes, j->pushes.size - before.pushes);
    j->pushes.size -= before.pushes;
    for (size_t i = 0; i < j->image_count; i++) {
        bool named = digest_index_find(&names, j->images[i].digest) != DIGEST_NOWHERE;
        if (i < before.images && !named)
            bytes_free(&j->images[i].contents);
        else
            j->images[kept++] = j->images[i];
    }
    j->image_count = kept;
    index_images(j);
    digest_index_free(&names);
}

void journal_rest(const struct journal *j, struct journal *rest)
{
    struct journal_position at = journal_position(j);
    *rest = (struct journal){.last_push_tick = at.last_push_tick};
    rest->pulls = pulls_from(j, (size_t)at.pulls);
    bytes_put(&rest->pushes, j->pushes.data + at.pushes, j->pushes.size - (size_t)at.pushes);
    struct digest_index names = names_in(&rest->pulls);
    for (size_t i = 0; i < j->image_count; i++)
        if (digest_index_find(&names, j->images[i].digest) != DIGEST_NOWHERE)
            journal_add_image(rest, j->images[i].digest, j->images[i].contents.data,
                              j->images[i].contents.size);
    digest_index_free(&names);
}

void journal_free(struct journal *j)
{
    bytes_free(&j->pulls);
    bytes_free(&j->pushes);
    for (size_t i = 0; i < j->image_count; i++)
        bytes_free(&j->images[i].contents);
    free(j->images);
    digest_index_free(&j->by_digest);
    bytes_free(&j->lent);
    *j = (struct journal){0};
}

static const struct journal_image *find_image(const struct journal *j, struct digest digest)
{
    size_t place = digest_index_find(&j->by_digest, digest);
    return place == DIGEST_NOWHERE ? NULL : &j->images[place];
}

static struct journal_image *new_image(struct journal *j, struct digest digest)
{
    j->images = array_grow(j->images, j->image_count, sizeof *j->images);
    j->images[j->image_count] = (struct journal_image){.digest = digest};
    digest_index_add(&j->by_digest, digest, j->image_count);
    return &j->images[j->image_count++];
}

void journal_add_image(struct journal *j, struct digest digest, const void *data, size_t size)
{
    if (find_image(j, digest))
        return;
    bytes_put(&new_image(j, digest)->contents, data, size);
    j->contents_bytes += size;
}

static void add_range(struct journal *j, struct digest digest, const void *data, size_t size)
{
    if (find_image(j, digest))
        return;
    journal_add_image(j, digest, data, size);
    j->images[j->image_count - 1].is_range = true;
}

void journal_release_ranges(struct journal *j)
{
    for (; j->ranges_released < j->image_count; j->ranges_released++)
        if (j->images[j->ranges_released].is_range)
            bytes_free(&j->images[j->ranges_released].contents);
}

static struct digest record_file(struct journal *j, const char *key, const uint8_t *data,
                                 size_t size)
{
    struct digest digest = sha256_of(data, size);
    bytes_put_int(&j->pulls, PULL_FILE, 1);
    bytes_put_string(&j->pulls, key);
    bytes_put(&j->pulls, digest.b, sizeof digest.b);
    return digest;
}

static void record_pull(struct journal *j, enum pull_kind kind, const char *key,
                        const uint8_t *data, size_t size)
{
    if (kind == PULL_FILE) {
        journal_add_image(j, record_file(j, key, data, size), data, size);
    } else {
        bytes_put_int(&j->pulls, kind, 1);
        bytes_put_string(&j->pulls, key);
        bytes_put_varint(&j->pulls, size);
        bytes_put(&j->pulls, data, size);
    }
}

static void record_absent(struct journal *j, const char *key, enum probe_answer why)
{
    bytes_put_int(&j->pulls, PULL_FILE | PULL_ABSENT, 1);
    bytes_put_string(&j->pulls, key);
    bytes_put_varint(&j->pulls, why != PROBE_ABSENT);
    if (why != PROBE_ABSENT)
        bytes_put_int(&j->pulls, why, 1);
}

static void pass_sizes(struct reader *pulls)
{
    struct pull_record r;
    for (struct reader in = *pulls; journal_next_pull(&in, &r) && r.kind == PULL_SIZE;)
        *pulls = in;
}

/* `absent` is NULL when the input must be there. */
static bool replay_key(struct journal *j, enum pull_kind kind, const char *key, bool *absent,
                       struct error *e)
{
    struct reader *r = &j->pull_reader;
    pass_sizes(r);
    uint64_t recorded_kind = reader_int(r, 1), key_size = reader_varint(r);
    const uint8_t *recorded_key = reader_bytes(r, (size_t)key_size);
    j->has_strayed |= !recorded_key;
    if (!recorded_key)
        return error_set(e, "the machine asks for input '%s' that the trace does not hold", key);
    uint64_t flag = absent ? recorded_kind & PULL_ABSENT : 0;
    if (absent)
        *absent = flag != 0;
    if (recorded_kind == ((uint64_t)kind | flag) && key_size == strlen(key) &&
        memcmp(recorded_key, key, (size_t)key_size) == 0)
        return true;
    j->has_strayed = true;
    char other[201];
    snprintf(other, sizeof other, "%.*s", (int)(key_size < 200 ? key_size : 200),
             (const char *)recorded_key);
    text_make_printable(other);
    return error_set(e, "the machine asks for input '%s' where the trace holds '%s'", key, other);
}

static const struct bytes *contents_of(const struct journal *j, struct digest digest,
                                       const char *key, struct error *e)
{
    const struct journal_image *image = find_image(j, digest);
    if (image)
        return &image->contents;
    error_set(e, "the trace does not hold the file '%s', nor is it here with the same contents",
              key);
    return NULL;
}

/* Behind its key. */
static const struct bytes *replay_file(struct journal *j, const char *key, struct error *e)
{
    const uint8_t *stored = reader_bytes(&j->pull_reader, sizeof(struct digest));
    struct digest digest;
    if (!stored) {
        error_set(e, "the trace ends inside the record of file '%s'", key);
        return NULL;
    }
    memcpy(digest.b, stored, sizeof digest.b);
    return contents_of(j, digest, key, e);
}

static bool replay_contents(struct journal *j, const char *key, struct bytes *out, struct error *e)
{
    const struct bytes *file = replay_file(j, key, e);
    if (file)
        bytes_put(out, file->data, file->size);
    return file;
}

/* Behind its key. */
static const uint8_t *replay_bytes(struct journal *j, const char *key, size_t *size,
                                   struct error *e)
{
    *size = (size_t)reader_varint(&j->pull_reader);
    const uint8_t *data = reader_bytes(&j->pull_reader, *size);
    if (!data)
        error_set(e, "the trace ends inside the input '%s'", key);
    return data;
}

static bool replay_pull(struct journal *j, enum pull_kind kind, const char *key, size_t asked,
                        struct bytes *out, struct error *e)
{
    size_t size;
    if (!replay_key(j, kind, key, NULL, e))
        return false;
    if (kind == PULL_FILE)
        return replay_contents(j, key, out, e);
    const uint8_t *data = replay_bytes(j, key, &size, e);
    if (data && asked && size != asked)
        return error_set(e,
                         "the machine asks for %zu bytes of input '%s' where the trace holds %zu",
                         asked, key, size);
    if (data)
        bytes_put(out, data, size);
    return data;
}

static bool replay_probe(struct journal *j, const char *key, struct bytes *out,
                         enum probe_answer *answer, struct error *e)
{
    size_t size;
    bool absent;
    *answer = PROBE_PRESENT;
    if (!replay_key(j, PULL_FILE, key, &absent, e))
        return false;
    if (!absent)
        return replay_contents(j, key, out, e);
    const uint8_t *why = replay_bytes(j, key, &size, e);
    *answer = !why || !size             ? PROBE_ABSENT
              : *why == PROBE_TOO_LARGE ? PROBE_TOO_LARGE
                                        : PROBE_REFUSED;
    return why;
}

bool journal_pull(struct journal *j, enum pull_kind kind, const char *key, size_t size,
                  struct bytes *out, struct error *e)
{
    if (j->mode == JOURNAL_REPLAY)
        return replay_pull(j, kind, key, size, out, e);
    size_t before = out->size;
    if (!j->host.pull(j->host.context, kind, key, size, out, e))
        return false;
    if (j->mode == JOURNAL_RECORD)
        record_pull(j, kind, key, out->size > before ? out->data + before : NULL,
                    out->size - before);
    return true;
}

const struct bytes *journal_pull_file(struct journal *j, const char *path, struct error *e)
{
    if (j->mode == JOURNAL_REPLAY)
        return replay_key(j, PULL_FILE, path, NULL, e) ? replay_file(j, path, e) : NULL;
    CHECK(!j->lent.data);
    if (!j->host.pull(j->host.context, PULL_FILE, path, 0, &j->lent, e)) {
        journal_give_back(j);
        return NULL;
    }
    if (j->mode != JOURNAL_RECORD)
        return &j->lent;
    struct digest digest = record_file(j, path, j->lent.data, j->lent.size);
    const struct journal_image *known = find_image(j, digest);
    if (known) {
        journal_give_back(j);
        return &known->contents;
    }
    struct journal_image *image = new_image(j, digest);
    image->contents = j->lent;
    j->lent = (struct bytes){0};
    return &image->contents;
}

void journal_give_back(struct journal *j)
{
    bytes_free(&j->lent);
}

static void probe_host(struct journal *j, const char *folder, const char *name, const char *key,
                       size_t limit, struct bytes *out, enum probe_answer *answer)
{
    size_t before = out->size;
    *answer =
        j->host.probe ? j->host.probe(j->host.context, folder, name, limit, out) : PROBE_ABSENT;
    if (*answer != PROBE_PRESENT)
        out->size = before;
    if (j->mode != JOURNAL_RECORD)
        return;
    if (*answer == PROBE_PRESENT)
        record_pull(j, PULL_FILE, key, out->size > before ? out->data + before : NULL,
                    out->size - before);
    else
        record_absent(j, key, *answer);
}

bool journal_probe(struct journal *j, const char *folder, const char *name, size_t limit,
                   struct bytes *out, enum probe_answer *answer, struct error *e)
{
    struct bytes path = {0};
    bytes_put(&path, folder, strlen(folder));
    bytes_put(&path, "/", 1);
    bytes_put(&path, name, strlen(name) + 1);
    const char *key = (const char *)path.data;
    bool ok = true;
    if (j->mode == JOURNAL_REPLAY)
        ok = replay_probe(j, key, out, answer, e);
    else
        probe_host(j, folder, name, key, limit, out, answer);
    bytes_free(&path);
    return ok;
}

/* Ranges ------------------------------------------------------------------------------------------
 */

static bool find_size(const struct journal *j, const char *path, uint64_t *size)
{
    struct reader in = reader_of(j->pulls.data, j->pulls.size);
    struct pull_record r;
    while (journal_next_pull(&in, &r)) {
        if (r.kind != PULL_SIZE || r.key_size != strlen(path) ||
            memcmp(r.key, path, r.key_size) != 0)
            continue;
        *size = load_le(r.data, 8);
        return true;
    }
    return false;
}

bool journal_open(struct journal *j, const char *path, uint64_t *size, struct error *e)
{
    struct bytes answer = {0};
    if (find_size(j, path, size))
        return true;
    if (j->mode == JOURNAL_REPLAY)
        return error_set(e, "the machine opens the file '%s', which the trace does not hold", path);
    bool ok = j->host.pull(j->host.context, PULL_SIZE, path, 8, &answer, e);
    *size = answer.size == 8 ? load_le(answer.data, 8) : 0;
    if (ok && j->mode == JOURNAL_RECORD)
        record_pull(j, PULL_SIZE, path, answer.data, answer.size);
    bytes_free(&answer);
    return ok;
}

static void record_range(struct journal *j, const char *path, uint64_t offset, size_t size,
                         const uint8_t *data, enum range_answer answer)
{
    bytes_put_int(&j->pulls, PULL_RANGE | (answer == RANGE_GIVEN ? 0 : PULL_ABSENT), 1);
    bytes_put_string(&j->pulls, path);
    bytes_put_varint(&j->pulls, offset);
    bytes_put_varint(&j->pulls, size);
    if (answer == RANGE_GIVEN) {
        struct digest digest = sha256_of(data, size);
        bytes_put(&j->pulls, digest.b, sizeof digest.b);
        if (!j->leaves_ranges)
            add_range(j, digest, data, size);
    } else {
        bytes_put_varint(&j->pulls, 1);
        bytes_put_int(&j->pulls, answer, 1);
    }
}

void journal_leave_ranges(struct journal *j)
{
    j->leaves_ranges = true;
}

static bool fetch(struct journal *j, const struct pull_record *r, journal_read_fn *read,
                  void *context)
{
    struct bytes path = {0}, now = {0};
    bytes_put(&path, r->key, r->key_size);
    bytes_put_int(&path, 0, 1);
    bool ok =
        read(context, (const char *)path.data, r->offset, (size_t)r->length, &now) == RANGE_GIVEN;
    struct digest digest = sha256_of(now.data, ok ? now.size : 0);
    ok = ok && memcmp(digest.b, r->digest.b, sizeof digest.b) == 0;
    if (ok)
        add_range(j, digest, now.data, now.size);
    bytes_free(&now);
    bytes_free(&path);
    return ok;
}

/* In how many places the same contents are looked for. */
#define FETCH_PLACES_MAX 4

struct failures {
    struct digest_index by_digest;
    unsigned *counts;
    size_t count;
};

static unsigned *failures_of(struct failures *f, struct digest digest)
{
    size_t place = digest_index_find(&f->by_digest, digest);
    if (place != DIGEST_NOWHERE)
        return &f->counts[place];
    f->counts = array_grow(f->counts, f->count, sizeof *f->counts);
    f->counts[f->count] = 0;
    digest_index_add(&f->by_digest, digest, f->count);
    return &f->counts[f->count++];
}

size_t journal_fetch_ranges(struct journal *j, journal_read_fn *read, void *context)
{
    struct reader pulls = reader_of(j->pulls.data, j->pulls.size);
    struct pull_record r;
    struct failures failures = {0};
    size_t missing = 0;
    while (journal_next_pull(&pulls, &r)) {
        if (r.kind != PULL_RANGE || r.absent || find_image(j, r.digest))
            continue;
        unsigned *failed = failures_of(&failures, r.digest);
        if (*failed == FETCH_PLACES_MAX || !fetch(j, &r, read, context)) {
            *failed += *failed < FETCH_PLACES_MAX;
            missing++;
        }
    }
    digest_index_free(&failures.by_digest);
    free(failures.counts);
    return missing;
}

static bool replay_range(struct journal *j, const char *path, uint64_t offset, size_t size,
                         struct bytes *out, enum range_answer *answer, struct error *e)
{
    bool absent;
    struct pull_record r = {0};
    pass_sizes(&j->pull_reader);
    struct reader ahead = j->pull_reader;
    if (!replay_key(j, PULL_RANGE, path, &absent, e))
        return false;
    if (!journal_next_pull(&ahead, &r))
        return error_set(e, "the trace ends inside the input '%s'", path);
    j->pull_reader = ahead;
    if (r.offset != offset || r.length != size)
        return error_set(e,
                         "the machine asks for %zu bytes at %" PRIu64
                         " of file '%s' where the trace holds %" PRIu64 " at %" PRIu64,
                         size, offset, path, r.length, r.offset);
    *answer = absent ? journal_range_answer_of(&r) : RANGE_GIVEN;
    if (absent)
        return true;
    const struct bytes *contents = contents_of(j, r.digest, path, e);
    if (contents && contents->size != size)
        return error_set(e, "the trace is damaged: %zu bytes of file '%s' are %zu", size, path,
                         contents->size);
    if (contents)
        bytes_put(out, contents->data, size);
    return contents;
}

bool journal_pull_range(struct journal *j, const char *path, uint64_t offset, size_t size,
                        struct bytes *out, enum range_answer *answer, struct error *e)
{
    CHECK(size && size <= PULL_RANGE_MAX && offset <= INT64_MAX);
    if (j->mode == JOURNAL_REPLAY)
        return replay_range(j, path, offset, size, out, answer, e);
    size_t before = out->size;
    *answer = j->host.read(j->host.context, path, offset, size, out);
    CHECK(*answer != RANGE_GIVEN || out->size - before == size);
    if (*answer != RANGE_GIVEN)
        out->size = before;
    if (j->mode == JOURNAL_RECORD)
        record_range(j, path, offset, size, out->data + before, *answer);
    return true;
}

const char *range_answer_text(enum range_answer answer)
{
    static const char *const texts[RANGE_ANSWERS] = {
        [RANGE_GIVEN] = "is as it was",
        [RANGE_VANISHED] = "has vanished since it was opened",
        [RANGE_SHORTER] = "is shorter than when it was opened",
        [RANGE_CHANGED] = "has changed since it was opened",
        [RANGE_UNREADABLE] = "cannot be read by the host",
    };
    return texts[answer];
}

void journal_pass(struct journal *j, enum pull_kind kind, const char *key)
{
    struct pull_record next;
    struct reader r = j->pull_reader;
    pass_sizes(&r);
    if (journal_next_pull(&r, &next) && next.kind == kind && next.key_size == strlen(key) &&
        memcmp(next.key, key, next.key_size) == 0)
        j->pull_reader = r;
}

static void record_push(struct journal *j, const struct push *p)
{
    journal_put_push(&j->pushes, j->last_push_tick, p);
    j->last_push_tick = p->tick;
}

bool journal_push(struct journal *j, uint64_t now, struct push *p)
{
    if (j->mode == JOURNAL_REPLAY) {
        if (!j->has_next_push || j->next_push.tick > now)
            return false;
        *p = j->next_push;
        read_ahead(j);
        return true;
    }
    if (j->polled_tick == now + 1)
        return false;
    *p = (struct push){0};
    if (!j->host.poll(j->host.context, p)) {
        j->polled_tick = now + 1;
        return false;
    }
    CHECK(journal_push_is_good(p->kind, p->size));
    p->tick = now;
    if (j->mode == JOURNAL_RECORD)
        record_push(j, p);
    return true;
}

void journal_ask_again(struct journal *j)
{
    j->polled_tick = 0;
}

uint64_t journal_next_tick(const struct journal *j)
{
    if (j->mode != JOURNAL_REPLAY)
        return j->host.next ? j->host.next(j->host.context) : EVENT_NEVER;
    return j->has_next_push ? j->next_push.tick : EVENT_NEVER;
}

uint64_t journal_last_tick(const struct journal *j)
{
    struct journal_position at = journal_position(j);
    struct reader r = reader_of(j->pushes.data, j->pushes.size);
    struct push p = {.tick = at.last_push_tick};
    r.at = (size_t)at.pushes;
    while (journal_next_push(&r, &p))
        continue;
    return p.tick;
}

bool journal_has_strayed(const struct journal *j)
{
    return j->has_strayed;
}

bool journal_can_wait(const struct journal *j)
{
    return j->mode != JOURNAL_REPLAY;
}
