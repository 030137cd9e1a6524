/* A transaction: configuration and translation from the caches, or from the tables and kept; what
 * is refused is recorded, stalled or both (IHI 0070, 3.3, 3.12, chapter 15). */
#include "vdev/smmu/smmu_internal.h"

/* What a transaction goes by. */
struct way {
    enum smmu_decision decision;
    bool has_ste, has_cd;
    struct smmu_ste ste;
    struct smmu_cd cd;
};

static const struct smmu_cd *cd_of(const struct way *w)
{
    return w->has_cd ? &w->cd : NULL;
}

/* The SMMU's own accesses -------------------------------------------------------------------------
 */

static bool space_read(void *context, uint64_t at, void *to, size_t size)
{
    struct smmu *s = context;
    struct dma_fault fault;
    return dma_read(&s->v.dma, (iova_t){at}, to, size, &fault);
}

static bool space_write(void *context, uint64_t at, const void *from, size_t size)
{
    struct smmu *s = context;
    struct dma_fault fault;
    return dma_write(&s->v.dma, (iova_t){at}, from, size, &fault);
}

static struct smmu_space space_of(struct smmu *s)
{
    return (struct smmu_space){space_read, space_write, s};
}

/* Configuration -----------------------------------------------------------------------------------
 */

static bool find_ste(struct smmu *s, const struct smmu_request *r, struct way *w,
                     struct smmu_event *event)
{
    const struct smmu_ste *cached = smmu_cache_ste(s, r->stream);
    const struct smmu_stream_table table = {s->strtab_base, s->strtab_base_cfg};
    const struct smmu_space space = space_of(s);
    w->has_ste = true;
    if (cached) {
        w->ste = *cached;
        return true;
    }
    w->has_ste = smmu_find_ste(&s->features, &table, &space, r, &w->ste, event);
    if (w->has_ste)
        smmu_cache_keep_ste(s, r->stream, &w->ste);
    return w->has_ste;
}

static bool find_cd(struct smmu *s, const struct smmu_request *r, uint32_t index, struct way *w,
                    struct smmu_event *event)
{
    const struct smmu_cd *cached = smmu_cache_cd(s, r->stream, index);
    const struct smmu_space space = space_of(s);
    w->has_cd = true;
    if (cached) {
        w->cd = *cached;
        return true;
    }
    w->has_cd = smmu_find_cd(&s->features, &space, &w->ste, index, r, NULL, &w->cd, event);
    if (w->has_cd)
        smmu_cache_keep_cd(s, r->stream, index, &w->cd);
    return w->has_cd;
}

static bool find_way(struct smmu *s, const struct smmu_request *r, struct way *w,
                     struct smmu_event *event)
{
    uint32_t index;
    *w = (struct way){.decision = SMMU_REFUSES};
    if (!find_ste(s, r, w, event))
        return false;
    w->decision = smmu_decide(&s->features, &w->ste, r, &index, event);
    return w->decision != SMMU_TRANSLATES || find_cd(s, r, index, w, event);
}

/* Translation -------------------------------------------------------------------------------------
 */

static bool needs_walk(const struct smmu_page *page, const struct smmu_request *r)
{
    return r->kind == ACCESS_WRITE && (page->clean1 || page->clean2);
}

/* From the TLB, or by a walk whose result it keeps. */
static bool find_page(struct smmu *s, const struct smmu_request *r, const struct way *w,
                      struct smmu_page *page, struct smmu_event *event)
{
    const struct smmu_cd *cd = cd_of(w);
    const struct smmu_tag tag = smmu_tag_of(&s->features, &w->ste, cd);
    const struct smmu_space space = space_of(s);
    uint64_t input = smmu_input_page(cd, r->address);
    if (smmu_cache_find(s, tag, input, page) && !needs_walk(page, r))
        return smmu_permits(&w->ste, cd, page, r, event);
    if (!smmu_walk(&s->features, &space, &w->ste, cd, r, NULL, page, event))
        return false;
    smmu_cache_keep(s, tag, input, page);
    return true;
}

/* 3.4: SMMUEN is 0, or the STE says that nobody translates. */
static bool is_beyond(uint64_t address)
{
    return address >> SMMU_ADDRESS_BITS;
}

static bool bypass(const struct smmu_request *r, uint64_t *at, struct smmu_event *event)
{
    *at = r->address;
    if (!is_beyond(r->address))
        return true;
    *event = (struct smmu_event){.type = F_ADDR_SIZE,
                                 .stream = r->stream,
                                 .ssv = r->substream != SMMU_NO_SUBSTREAM,
                                 .substream = r->substream != SMMU_NO_SUBSTREAM ? r->substream : 0,
                                 .address = r->address,
                                 .rnw = r->kind != ACCESS_WRITE,
                                 .ind = r->kind == ACCESS_FETCH,
                                 .pnu = r->privileged,
                                 .class = SMMU_CLASS_IN,
                                 .level = -1};
    return false;
}

static bool go(struct smmu *s, const struct smmu_request *r, struct way *w, uint64_t *at,
               struct smmu_event *event)
{
    struct smmu_page page;
    if (!find_way(s, r, w, event))
        return false;
    switch (w->decision) {
    case SMMU_BYPASSES:
        return bypass(r, at, event);
    case SMMU_STAGE2:
    case SMMU_TRANSLATES:
        if (!find_page(s, r, w, &page, event))
            return false;
        *at = page.page | (r->address & PAGE_MASK);
        return true;
    default:
        return false;
    }
}

bool smmu_translate_cached(const struct smmu *s, const struct smmu_request *r, uint64_t *at)
{
    struct smmu_event ignored;
    struct smmu_page page;
    uint32_t index = 0;
    *at = r->address;
    if (!(s->cr0 & CR0_SMMUEN))
        return !(s->gbpa & GBPA_ABORT) && !is_beyond(r->address);
    const struct smmu_ste *ste = smmu_cache_ste(s, r->stream);
    if (!ste)
        return false;
    enum smmu_decision decision = smmu_decide(&s->features, ste, r, &index, &ignored);
    if (decision == SMMU_BYPASSES)
        return !is_beyond(r->address);
    if (decision != SMMU_STAGE2 && decision != SMMU_TRANSLATES)
        return false;
    const struct smmu_cd *cd =
        decision == SMMU_TRANSLATES ? smmu_cache_cd(s, r->stream, index) : NULL;
    if (decision == SMMU_TRANSLATES && !cd)
        return false;
    bool found = smmu_cache_find(s, smmu_tag_of(&s->features, ste, cd),
                                 smmu_input_page(cd, r->address), &page);
    *at = page.page | (r->address & PAGE_MASK);
    return found && !needs_walk(&page, r) && smmu_permits(ste, cd, &page, r, &ignored);
}

/* Stalls ------------------------------------------------------------------------------------------
 */

static bool is_stall_of(const struct smmu *s, unsigned i, const struct smmu_request *r)
{
    return s->stall_state[i] != STALL_FREE && s->stall_stream[i] == r->stream &&
           s->stall_substream[i] == r->substream && s->stall_address[i] == r->address &&
           s->stall_is_write[i] == (r->kind == ACCESS_WRITE);
}

static void free_stall(struct smmu *s, unsigned i)
{
    s->stall_state[i] = STALL_FREE;
    s->stall_stream[i] = s->stall_substream[i] = 0;
    s->stall_address[i] = 0;
    s->stall_is_write[i] = s->stall_is_told[i] = false;
}

/* A transaction that was stalled before comes again. False: it goes on like a new one. */
static bool is_decided(struct smmu *s, const struct smmu_request *r, enum smmu_outcome *outcome)
{
    static const enum smmu_outcome outcomes[] = {
        [STALL_WAITS] = SMMU_STALLED,
        [STALL_ABORT] = SMMU_ABORTED,
        [STALL_RAZWI] = SMMU_IGNORED,
    };
    unsigned i = 0;
    while (i < SMMU_STALLS && !is_stall_of(s, i, r))
        i++;
    if (i == SMMU_STALLS)
        return false;
    enum smmu_stall_state state = (enum smmu_stall_state)s->stall_state[i];
    bool waits = state == STALL_WAITS && (s->stall_is_told[i] || !smmu_events_is_writable(s));
    if (!waits)
        free_stall(s, i);
    if (state == STALL_RETRY || (state == STALL_WAITS && !waits))
        return false;
    *outcome = outcomes[state];
    return true;
}

/* One that was answered, and whose device does not come again, may go. */
static unsigned place_of_stall(const struct smmu *s)
{
    for (unsigned i = 0; i < SMMU_STALLS; i++)
        if (s->stall_state[i] == STALL_FREE)
            return i;
    for (unsigned i = 0; i < SMMU_STALLS; i++)
        if (s->stall_state[i] != STALL_WAITS)
            return i;
    return SMMU_STALLS;
}

/* Where all places are taken the transaction waits before the SMMU, which has not seen it yet. */
static enum smmu_outcome stall(struct smmu *s, const struct smmu_request *r,
                               struct smmu_event *event)
{
    unsigned i = place_of_stall(s);
    if (i == SMMU_STALLS)
        return SMMU_STALLED;
    event->stall = true;
    event->stag = (uint16_t)i;
    s->stall_state[i] = STALL_WAITS;
    s->stall_stream[i] = r->stream;
    s->stall_substream[i] = r->substream;
    s->stall_address[i] = r->address;
    s->stall_is_write[i] = r->kind == ACCESS_WRITE;
    s->stall_is_told[i] = smmu_events_is_writable(s);
    if (s->stall_is_told[i])
        smmu_events_record(s, event);
    return SMMU_STALLED;
}

void smmu_translate_resume(struct smmu *s, uint32_t stream, uint16_t stag,
                           enum smmu_stall_state action)
{
    if (stag >= SMMU_STALLS || s->stall_state[stag] != STALL_WAITS ||
        s->stall_stream[stag] != stream)
        return;
    s->stall_state[stag] = (uint8_t)action;
    smmu_cache_changed(s);
}

void smmu_translate_end_stalls(struct smmu *s, bool all, uint32_t stream)
{
    for (unsigned i = 0; i < SMMU_STALLS; i++)
        if (s->stall_state[i] == STALL_WAITS && (all || s->stall_stream[i] == stream))
            s->stall_state[i] = STALL_ABORT;
    smmu_cache_changed(s);
}

/* Outcomes ----------------------------------------------------------------------------------------
 */

static void tell(const struct smmu *s, const struct smmu_event *event)
{
    char text[200];
    smmu_event_text(event, text, sizeof text);
    log_guest(s->v.env->log, "%s: stream %#x: %s", s->v.name, (unsigned)event->stream, text);
}

static enum smmu_outcome refuse(struct smmu *s, const struct smmu_request *r, const struct way *w,
                                struct smmu_event *event)
{
    static const struct smmu_ste none = {{0}};
    const struct smmu_faults faults = smmu_faults_of(w->has_ste ? &w->ste : &none, cd_of(w), event);
    tell(s, event);
    if (faults.stall && s->features.has_stall)
        return stall(s, r, event);
    if (faults.record && (event->type != C_BAD_STREAMID || s->cr2 & CR2_RECINVSID))
        smmu_events_record(s, event);
    return faults.abort ? SMMU_ABORTED : SMMU_IGNORED;
}

enum smmu_outcome smmu_translate(struct smmu *s, const struct smmu_request *r, uint64_t *at,
                                 struct smmu_event *event)
{
    enum smmu_outcome outcome;
    struct way w;
    *event = (struct smmu_event){.type = SMMU_EVENT_NONE};
    *at = r->address;
    if (!(s->cr0 & CR0_SMMUEN))
        return s->gbpa & GBPA_ABORT || is_beyond(r->address) ? SMMU_ABORTED : SMMU_PASSED;
    if (s->features.has_stall && is_decided(s, r, &outcome))
        return outcome;
    if (go(s, r, &w, at, event))
        return SMMU_PASSED;
    return event->type == SMMU_EVENT_NONE ? SMMU_ABORTED : refuse(s, r, &w, event);
}
