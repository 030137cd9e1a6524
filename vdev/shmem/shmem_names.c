#include "vdev/shmem/shmem_names.h"

#include <string.h>

bool shmem_name_is_legal(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return false;
    return length >= 1 && length <= SHMEM_NAME_MAX;
}

/* Patterns ----------------------------------------------------------------------------------------
 */

/* Behind the `]` that ends the set which begins at `set`, or NULL. A `]` that comes first is a
 * member. */
static const char *set_end(const char *set)
{
    const char *p = set + 1;
    p += *p == '!' || *p == '^';
    p += *p == ']';
    while (*p && *p != ']')
        p++;
    return *p ? p + 1 : NULL;
}

static bool set_matches(const char *set, const char *end, unsigned char c)
{
    const char *p = set + 1;
    bool negated = *p == '!' || *p == '^', found = false;
    for (p += negated; p < end - 1; p++) {
        unsigned char low = (unsigned char)*p, high = low;
        if (p[1] == '-' && p + 2 < end - 1) {
            high = (unsigned char)p[2];
            p += 2;
        }
        found |= low <= c && c <= high;
    }
    return found != negated;
}

/* Does what the pattern has next, a `*` apart, match the character? Moves behind it. */
static bool element_matches(const char **pattern, char c)
{
    const char *p = *pattern, *end = *p == '[' ? set_end(p) : NULL;
    if (end) {
        *pattern = end;
        return set_matches(p, end, (unsigned char)c);
    }
    if (*p == '\\' && p[1])
        p++;
    else if (*p == '?')
        c = *p;
    *pattern = p + 1;
    return *p == c;
}

/* Only the last `*` seen has to be tried again with more characters: an earlier one that took more
 * would leave fewer to the rest. So the time is at most the product of the lengths. */
bool shmem_pattern_matches(const char *pattern, const char *name)
{
    const char *behind_star = NULL, *starred = NULL;
    for (;;) {
        if (*pattern == '*') {
            behind_star = ++pattern;
            starred = name;
        } else if (!*name) {
            return !*pattern;
        } else if (*pattern && element_matches(&pattern, *name)) {
            name++;
        } else if (behind_star) {
            pattern = behind_star;
            name = ++starred;
        } else {
            return false;
        }
    }
}

bool shmem_name_is_allowed(const struct vdev_option *options, size_t count, const char *name)
{
    bool any_allow = false;
    for (size_t i = 0; i < count; i++) {
        bool allow = strcmp(options[i].name, "allow") == 0;
        if (!allow && strcmp(options[i].name, "deny") != 0)
            continue;
        if (shmem_pattern_matches(options[i].value, name))
            return allow;
        any_allow |= allow;
    }
    return !any_allow;
}

/* `create` ----------------------------------------------------------------------------------------
 */

bool shmem_created(const struct vdev_option *option, char name[SHMEM_NAME_MAX + 1], uint64_t *pages,
                   struct error *e)
{
    const char *text = option->value, *comma = strrchr(text, ',');
    uint64_t size;
    if (!comma || !vdev_number(comma + 1, strlen(comma + 1), 10, &size))
        return error_at(e, option->file, option->line,
                        "vdev shmem: create '%s' is not of the form NAME,SIZE", text);
    size_t length = (size_t)(comma - text);
    memset(name, 0, SHMEM_NAME_MAX + 1);
    if (length <= SHMEM_NAME_MAX)
        memcpy(name, text, length);
    if (!shmem_name_is_legal(name))
        return error_at(e, option->file, option->line,
                        "vdev shmem: create '%s': a name has 1 to %d bytes and no control "
                        "characters",
                        text, SHMEM_NAME_MAX);
    *pages = (size >> PAGE_BITS) + ((size & PAGE_MASK) != 0);
    if (*pages == 0 || *pages > UINT32_MAX) /* the factory's register has 32 bits */
        return error_at(e, option->file, option->line,
                        "vdev shmem: create '%s': a size is 1 byte to 16 TiB - 4 KiB", text);
    return true;
}

uint64_t shmem_created_bytes(const struct vdev_option *options, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        char name[SHMEM_NAME_MAX + 1];
        uint64_t pages;
        struct error ignored = {0};
        if (strcmp(options[i].name, "create") == 0 &&
            shmem_created(&options[i], name, &pages, &ignored))
            total += pages << PAGE_BITS;
    }
    return total;
}
