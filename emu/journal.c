#include "emu/journal.h"

#include <stdlib.h>
#include <string.h>

#include "emu/check.h"
#include "emu/journal_records.h"

/* Pull stream: kind (1), key (string), then for a file its SHA-256 (32), else size (varint) and
 * bytes; a file that was not given has PULL_ABSENT in its kind, and as bytes why: none (there was
 * no such file) or enum probe_answer. Push stream: tick since
 * the last push (varint), kind (1), target (varint), size (varint), bytes. */

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

void journal_replay(struct journal *j)
{
    j->mode = JOURNAL_REPLAY;
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

void journal_begins_here(struct journal *j)
{
    j->begins_here = true;
}

struct journal_mark journal_mark(const struct journal *j)
{
    return (struct journal_mark){j->pulls.size, j->pushes.size, j->image_count};
}

size_t journal_bytes_since(const struct journal *j, struct journal_mark mark)
{
    size_t bytes = j->pulls.size - mark.pulls + j->pushes.size - mark.pushes;
    for (size_t i = mark.images; i < j->image_count; i++)
        bytes += j->images[i].contents.size;
    return bytes;
}

static void cut(struct bytes *b, size_t from, size_t to)
{
    memmove(b->data + from, b->data + to, b->size - to);
    b->size -= to - from;
}

/* The wall clock is asked for whenever a machine is assembled, even for a snapshot. */
static size_t end_of_wall_clock(const struct journal *j)
{
    struct reader in = reader_of(j->pulls.data, j->pulls.size);
    struct pull_record r;
    return journal_next_pull(&in, &r) && r.kind == PULL_WALL_CLOCK ? in.at : 0;
}

static bool is_named(const struct journal *j, struct digest digest)
{
    struct reader in = reader_of(j->pulls.data, j->pulls.size);
    struct pull_record r;
    while (journal_next_pull(&in, &r))
        if (r.kind == PULL_FILE && !r.absent && memcmp(r.digest.b, digest.b, sizeof digest.b) == 0)
            return true;
    return false;
}

void journal_drop(struct journal *j, struct journal_mark before)
{
    size_t kept = 0;
    size_t head = end_of_wall_clock(j);
    if (before.pulls > head)
        cut(&j->pulls, head, before.pulls);
    if (before.pushes)
        cut(&j->pushes, 0, before.pushes);
    for (size_t i = 0; i < j->image_count; i++) {
        if (i < before.images && !is_named(j, j->images[i].digest))
            bytes_free(&j->images[i].contents);
        else
            j->images[kept++] = j->images[i];
    }
    j->image_count = kept;
}

void journal_rest(const struct journal *j, struct journal *rest)
{
    struct journal_position at = journal_position(j);
    size_t head = end_of_wall_clock(j);
    size_t from = at.pulls > head ? (size_t)at.pulls : head;
    *rest = (struct journal){.last_push_tick = at.last_push_tick};
    bytes_put(&rest->pulls, j->pulls.data, head);
    bytes_put(&rest->pulls, j->pulls.data + from, j->pulls.size - from);
    bytes_put(&rest->pushes, j->pushes.data + at.pushes, j->pushes.size - (size_t)at.pushes);
    for (size_t i = 0; i < j->image_count; i++)
        if (is_named(rest, j->images[i].digest))
            journal_add_image(rest, j->images[i].digest, j->images[i].contents.data,
                              j->images[i].contents.size);
}

void journal_free(struct journal *j)
{
    bytes_free(&j->pulls);
    bytes_free(&j->pushes);
    for (size_t i = 0; i < j->image_count; i++)
        bytes_free(&j->images[i].contents);
    free(j->images);
    bytes_free(&j->lent);
    *j = (struct journal){0};
}

static const struct journal_image *find_image(const struct journal *j, struct digest digest)
{
    for (size_t i = 0; i < j->image_count; i++)
        if (memcmp(j->images[i].digest.b, digest.b, sizeof digest.b) == 0)
            return &j->images[i];
    return NULL;
}

static struct journal_image *new_image(struct journal *j, struct digest digest)
{
    struct journal_image *images = realloc(j->images, (j->image_count + 1) * sizeof *images);
    CHECK_ROOM(images);
    j->images = images;
    images[j->image_count] = (struct journal_image){.digest = digest};
    return &images[j->image_count++];
}

void journal_add_image(struct journal *j, struct digest digest, const void *data, size_t size)
{
    if (!find_image(j, digest))
        bytes_put(&new_image(j, digest)->contents, data, size);
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

/* `absent` is NULL when the input must be there. */
static bool replay_key(struct journal *j, enum pull_kind kind, const char *key, bool *absent,
                       struct error *e)
{
    struct reader *r = &j->pull_reader;
    uint64_t recorded_kind = reader_int(r, 1), key_size = reader_varint(r);
    const uint8_t *recorded_key = reader_bytes(r, (size_t)key_size);
    if (!recorded_key)
        return error_set(e, "the machine asks for input '%s' that the trace does not hold", key);
    uint64_t flag = absent ? recorded_kind & PULL_ABSENT : 0;
    if (absent)
        *absent = flag != 0;
    if (recorded_kind != ((uint64_t)kind | flag) || key_size != strlen(key) ||
        memcmp(recorded_key, key, (size_t)key_size) != 0)
        return error_set(e, "the machine asks for input '%s' where the trace holds '%.*s'", key,
                         (int)(key_size < 200 ? key_size : 200), (const char *)recorded_key);
    return true;
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
    const struct journal_image *image = find_image(j, digest);
    if (image)
        return &image->contents;
    error_set(e, "the trace does not hold the file '%s', nor is it here with the same contents",
              key);
    return NULL;
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

static bool replay_pull(struct journal *j, enum pull_kind kind, const char *key, struct bytes *out,
                        struct error *e)
{
    size_t size;
    if (!replay_key(j, kind, key, NULL, e))
        return false;
    if (kind == PULL_FILE)
        return replay_contents(j, key, out, e);
    const uint8_t *data = replay_bytes(j, key, &size, e);
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
        return replay_pull(j, kind, key, out, e);
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

void journal_pass(struct journal *j, enum pull_kind kind, const char *key)
{
    struct pull_record next;
    struct reader r = j->pull_reader;
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
    CHECK(push_size_is_good(p->kind, p->size));
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
    return j->mode == JOURNAL_REPLAY && j->has_next_push ? j->next_push.tick : EVENT_NEVER;
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

bool journal_can_wait(const struct journal *j)
{
    return j->mode != JOURNAL_REPLAY;
}
