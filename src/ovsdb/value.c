/* value - datums: memory, order, arithmetic.  JSON and text stand in value_text.c.
 *
 * Shape of the one allocation:   header | n keys | n values | bytes of the strings, each terminated
 * A key or value is 8 bytes (16 for a UUID); a string is its offset from the start of the datum and its length, so the whole may be
 * copied anywhere.  Keys are sorted, so finding is bisection and every set operation is one merge.
 *
 * A set of a few thousand that gains one (Bridge.ports, an address set) is the case that must not get slow: sets are spliced with
 * memcpy() instead of merged atom by atom.  Strings stand in the order of their keys, so that equal datums are equal bytes.
 */
#include "ovsdb/value.h"
#include "base/hash.h"
#include <errno.h>
#include <string.h>

struct str {
    uint32_t at, len;
};

static const uint8_t atom_size[ATOM_N_TYPES] = {0, 8, 8, 8, 8, 16};

static inline const char *
keys_of(const struct datum *d)
{
    return (const char *) d->body;
}

static inline const char *
values_of(const struct datum *d)
{
    return keys_of(d) + (size_t) d->n * atom_size[d->key_type];
}

static inline union atom
atom_at(const struct datum *d, const char *p, enum atom_type type)
{
    union atom a;
    struct str s;

    switch (type) {
    case ATOM_STRING:
        memcpy(&s, p, sizeof s);
        a.string.s = (const char *) d + s.at;
        a.string.len = s.len;
        break;
    case ATOM_UUID:
        memcpy(&a.uuid, p, sizeof a.uuid);
        break;
    case ATOM_BOOLEAN:
        a.boolean = *p;
        break;
    default:
        memcpy(&a.integer, p, sizeof a.integer);
    }
    return a;
}

union atom
datum_key(const struct datum *d, size_t i)
{
    debug_assert(i < d->n);
    return atom_at(d, keys_of(d) + i * atom_size[d->key_type], d->key_type);
}

union atom
datum_value(const struct datum *d, size_t i)
{
    debug_assert(i < d->n && d->value_type != ATOM_VOID);
    return atom_at(d, values_of(d) + i * atom_size[d->value_type], d->value_type);
}

void
datum_free_(const struct datum *d)
{
    free((void *) (uintptr_t) d);
}

/* ---- making ---- */

static size_t
string_bytes(const union atom *a, size_t n, enum atom_type type)
{
    size_t sum = 0;
    if (type == ATOM_STRING)
        for (size_t i = 0; i < n; i++)
            sum += a[i].string.len + 1;
    return sum;
}

static struct datum *
datum_alloc(enum atom_type key, enum atom_type value, size_t n, size_t strings)
{
    size_t size = sizeof(struct datum) + n * (atom_size[key] + atom_size[value]) + strings;
    ASSERT(size <= UINT32_MAX && n <= UINT32_MAX);
    struct datum *d = xmalloc(size);
    *d = (struct datum){.refs = 1, .n = (uint32_t) n, .size = (uint32_t) size, .key_type = key, .value_type = value};
    return d;
}

static char *
put_atoms(struct datum *d, char *to, char **strings, const union atom *a, enum atom_type type)
{
    for (size_t i = 0; i < d->n; i++) {
        switch (type) {
        case ATOM_STRING: {
            struct str s = {(uint32_t) (*strings - (char *) d), a[i].string.len};
            memcpy(to, &s, sizeof s);
            memcpy(*strings, a[i].string.s, s.len);
            (*strings)[s.len] = '\0';
            *strings += s.len + 1;
            break;
        }
        case ATOM_UUID:
            memcpy(to, &a[i].uuid, sizeof a[i].uuid);
            break;
        case ATOM_BOOLEAN: {
            uint64_t b = a[i].boolean;
            memcpy(to, &b, sizeof b);
            break;
        }
        default:
            memcpy(to, &a[i].integer, sizeof a[i].integer);
        }
        to += atom_size[type];
    }
    return to;
}

/* From atoms that are sorted and distinct. */
static const struct datum *
datum_make(enum atom_type key, enum atom_type value, size_t n, const union atom *keys, const union atom *values)
{
    if (!n)
        return datum_empty(key, value);
    struct datum *d = datum_alloc(key, value, n, string_bytes(keys, n, key) + string_bytes(values, n, value));
    char *strings = (char *) d->body + n * (atom_size[key] + atom_size[value]);
    char *to = put_atoms(d, (char *) d->body, &strings, keys, key);
    if (value != ATOM_VOID)
        put_atoms(d, to, &strings, values, value);
    return d;
}

static struct datum empties[ATOM_N_TYPES][ATOM_N_TYPES];

__attribute__((constructor)) static void
empties_init(void)
{
    for (int k = 0; k < ATOM_N_TYPES; k++)
        for (int v = 0; v < ATOM_N_TYPES; v++)
            empties[k][v] =
                (struct datum){.refs = DATUM_STATIC, .size = sizeof(struct datum), .key_type = k, .value_type = v};
}

const struct datum *
datum_empty(enum atom_type key, enum atom_type value)
{
    return &empties[key][value];
}

const struct datum *
datum_of(const union atom *a, enum atom_type type)
{
    return datum_make(type, ATOM_VOID, 1, a, NULL);
}

const struct datum *
datum_default(const struct column_type *type)
{
    static const struct datum *ones[ATOM_N_TYPES][ATOM_N_TYPES];

    if (!type->n_min)
        return datum_empty(type->key.type, type->value.type);
    const struct datum **one = &ones[type->key.type][type->value.type];
    if (!*one) {
        union atom k = atom_default(type->key.type), v = atom_default(type->value.type);
        *one = datum_make(type->key.type, type->value.type, 1, &k, &v);
        ((struct datum *) (uintptr_t) *one)->refs = DATUM_STATIC;
    }
    return *one;
}

const struct datum *
datum_of_string(const char *s)
{
    union atom a = {.string = {s, (uint32_t) strlen(s)}};
    return datum_of(&a, ATOM_STRING);
}

const struct datum *
datum_of_integer(int64_t i)
{
    return datum_of(&(union atom){.integer = i}, ATOM_INTEGER);
}

const struct datum *
datum_of_uuid(const struct uuid *u)
{
    return datum_of(&(union atom){.uuid = *u}, ATOM_UUID);
}

void
builder_init(struct datum_builder *b, enum atom_type key, enum atom_type value)
{
    memset(b, 0, sizeof *b);
    b->key_type = key;
    b->value_type = value;
}

void
builder_fini(struct datum_builder *b)
{
    vec_fini(&b->keys);
    vec_fini(&b->values);
}

void
builder_add(struct datum_builder *b, const union atom *key, const union atom *value)
{
    vec_push(&b->keys, *key);
    if (b->value_type != ATOM_VOID)
        vec_push(&b->values, *value);
}

struct order {
    const struct datum_builder *b;
    uint32_t *index;
};

static int
cmp_index(const void *a_, const void *b_, void *builder)
{
    const struct datum_builder *b = builder;
    const uint32_t *a = a_, *c = b_;
    int cmp = atom_cmp(&b->keys.at[*a], &b->keys.at[*c], b->key_type);
    return cmp ? cmp : *a < *c ? -1 : *a > *c; /* stable */
}

/* Sorts; returns true if keys repeat, in which case only the first of each is kept. */
static bool
builder_sort(struct datum_builder *b)
{
    size_t n = b->keys.n, kept = 1;
    bool sorted = true;

    for (size_t i = 1; sorted && i < n; i++)
        sorted = atom_cmp(&b->keys.at[i - 1], &b->keys.at[i], b->key_type) < 0;
    if (sorted)
        return false;

    uint32_t *index = xmalloc(n * sizeof *index);
    union atom *keys = xmalloc(n * sizeof *keys);
    union atom *values = b->value_type != ATOM_VOID ? xmalloc(n * sizeof *values) : NULL;
    for (size_t i = 0; i < n; i++)
        index[i] = (uint32_t) i;
    qsort_r(index, n, sizeof *index, cmp_index, b);
    for (size_t i = 0; i < n; i++) {
        if (i && atom_cmp(&keys[kept - 1], &b->keys.at[index[i]], b->key_type) == 0)
            continue;
        kept = i ? kept + 1 : 1;
        keys[kept - 1] = b->keys.at[index[i]];
        if (values)
            values[kept - 1] = b->values.at[index[i]];
    }
    memcpy(b->keys.at, keys, kept * sizeof *keys);
    b->keys.n = kept;
    if (values) {
        memcpy(b->values.at, values, kept * sizeof *values);
        b->values.n = kept;
    }
    free(index);
    free(keys);
    free(values);
    return kept < n;
}

int
datum_build(struct datum_builder *b, const struct datum **out)
{
    if (builder_sort(b))
        return -EEXIST;
    *out = datum_make(b->key_type, b->value_type, b->keys.n, b->keys.at, b->values.at);
    return 0;
}

const struct datum *
datum_build_unique(struct datum_builder *b)
{
    builder_sort(b);
    return datum_make(b->key_type, b->value_type, b->keys.n, b->keys.at, b->values.at);
}

/* ---- looking ---- */

/* First index whose key is not below 'key'. */
static size_t
lower_bound(const struct datum *d, const union atom *key)
{
    size_t low = 0, high = d->n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        union atom k = datum_key(d, mid);
        if (atom_cmp(&k, key, d->key_type) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

ssize_t
datum_find(const struct datum *d, const union atom *key)
{
    size_t i = lower_bound(d, key);
    if (i == d->n)
        return -1;
    union atom k = datum_key(d, i);
    return atom_cmp(&k, key, d->key_type) ? -1 : (ssize_t) i;
}

const char *
datum_map_get(const struct datum *d, const char *key)
{
    union atom k = {.string = {key, (uint32_t) strlen(key)}};
    if (d->key_type != ATOM_STRING || d->value_type != ATOM_STRING)
        return NULL;
    ssize_t i = datum_find(d, &k);
    return i < 0 ? NULL : datum_value(d, i).string.s;
}

const char *
datum_string_or(const struct datum *d, const char *fallback)
{
    return d->n && d->key_type == ATOM_STRING ? datum_key(d, 0).string.s : fallback;
}

int64_t
datum_integer_or(const struct datum *d, int64_t fallback)
{
    return d->n && d->key_type == ATOM_INTEGER ? datum_key(d, 0).integer : fallback;
}

bool
datum_boolean_or(const struct datum *d, bool fallback)
{
    return d->n && d->key_type == ATOM_BOOLEAN ? datum_key(d, 0).boolean : fallback;
}

int
datum_cmp(const struct datum *a, const struct datum *b)
{
    if (a == b)
        return 0;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (size_t i = 0; i < a->n; i++) {
        union atom x = datum_key(a, i), y = datum_key(b, i);
        int cmp = atom_cmp(&x, &y, a->key_type);
        if (cmp)
            return cmp;
    }
    for (size_t i = 0; a->value_type != ATOM_VOID && i < a->n; i++) {
        union atom x = datum_value(a, i), y = datum_value(b, i);
        int cmp = atom_cmp(&x, &y, a->value_type);
        if (cmp)
            return cmp;
    }
    return 0;
}

bool
datum_equal(const struct datum *a, const struct datum *b)
{
    if (a == b)
        return true;
    if (a->n != b->n || a->key_type != b->key_type || a->value_type != b->value_type)
        return false;
    /* Equal datums were laid out by the same rule: equal bytes, but for the zeros of a real. */
    if (a->key_type != ATOM_REAL && a->value_type != ATOM_REAL)
        return a->size == b->size && !memcmp(a->body, b->body, a->size - sizeof *a);
    return !datum_cmp(a, b);
}

uint64_t
datum_hash(const struct datum *d, uint64_t basis)
{
    for (size_t i = 0; i < d->n; i++) {
        union atom k = datum_key(d, i);
        basis = atom_hash(&k, d->key_type, basis);
    }
    for (size_t i = 0; d->value_type != ATOM_VOID && i < d->n; i++) {
        union atom v = datum_value(d, i);
        basis = atom_hash(&v, d->value_type, basis);
    }
    return hash_u64(d->n, basis);
}

bool
datum_is_default(const struct datum *d, const struct column_type *type)
{
    return datum_equal(d, datum_default(type));
}

/* ---- arithmetic ---- */

/* One merge for all of it: for each key tells which side has it. */
enum side { ONLY_A, ONLY_B, BOTH };
typedef int pick_fn(enum side, bool same_value); /* what to keep: 0 nothing, 1 a's pair, 2 b's pair */

static const struct datum *
merge(const struct datum *a, const struct datum *b, pick_fn *pick)
{
    bool is_map = a->value_type != ATOM_VOID && b->value_type != ATOM_VOID;
    enum atom_type value = is_map ? a->value_type : ATOM_VOID;
    size_t room = (size_t) a->n + b->n, n = 0, i = 0, j = 0;
    union atom *keys = xmalloc(room * sizeof *keys);
    union atom *values = is_map ? xmalloc(room * sizeof *values) : NULL;

    while (i < a->n || j < b->n) {
        union atom x, y;
        int cmp = i == a->n ? 1 : j == b->n ? -1 : 0;
        if (i < a->n)
            x = datum_key(a, i);
        if (j < b->n)
            y = datum_key(b, j);
        if (!cmp)
            cmp = atom_cmp(&x, &y, a->key_type);
        bool same = true;
        if (!cmp && is_map) {
            union atom v = datum_value(a, i), w = datum_value(b, j);
            same = !atom_cmp(&v, &w, value);
        }
        int kept = pick(cmp < 0 ? ONLY_A : cmp > 0 ? ONLY_B : BOTH, same);
        if (kept) {
            keys[n] = kept == 1 ? x : y;
            if (is_map)
                values[n] = kept == 1 ? datum_value(a, i) : datum_value(b, j);
            n++;
        }
        i += cmp <= 0;
        j += cmp >= 0;
    }
    const struct datum *d = datum_make(a->key_type, value, n, keys, values);
    free(keys);
    free(values);
    return d;
}

/* Writing a set run by run: 'to' is where the next key goes, 'strings' where its bytes. */
struct splice {
    struct datum *d;
    char *to, *strings;
};

/* Copies keys [first, last) of 'from'.  The strings of a run stand together, so they are moved as one. */
static void
put_run(struct splice *s, const struct datum *from, size_t first, size_t last)
{
    size_t size = atom_size[from->key_type];
    const char *keys = keys_of(from) + first * size;

    if (first == last)
        return;
    if (from->key_type != ATOM_STRING) {
        memcpy(s->to, keys, (last - first) * size);
    } else {
        const struct str *strs = (const struct str *) (const void *) keys;
        struct str *to = (struct str *) (void *) s->to;
        uint32_t begin = strs[0].at, end = strs[last - first - 1].at + strs[last - first - 1].len + 1;
        uint32_t delta = (uint32_t) (s->strings - (char *) s->d) - begin;
        for (size_t i = 0; i < last - first; i++)
            to[i] = (struct str){strs[i].at + delta, strs[i].len};
        memcpy(s->strings, (const char *) from + begin, end - begin);
        s->strings += end - begin;
    }
    s->to += (last - first) * size;
}

/* For sets, 'b' small: copies the runs of 'a' between the places where 'b' adds or takes away. */
static const struct datum *
splice(const struct datum *a, const struct datum *b, bool add)
{
    size_t size = atom_size[a->key_type], changes = 0, bytes = 0;

    for (size_t j = 0; j < b->n; j++) {
        union atom k = datum_key(b, j);
        if ((datum_find(a, &k) >= 0) == add)
            continue;
        changes++;
        bytes += string_bytes(&k, 1, a->key_type);
    }
    if (!changes)
        return datum_ref(a);
    size_t n = add ? a->n + changes : a->n - changes;
    if (!n)
        return datum_empty(a->key_type, ATOM_VOID);
    size_t strings = a->size - sizeof *a - a->n * size;
    struct splice s = {.d = datum_alloc(a->key_type, ATOM_VOID, n, add ? strings + bytes : strings - bytes)};
    s.to = (char *) s.d->body;
    s.strings = s.to + n * size;
    size_t from = 0;
    for (size_t j = 0; j < b->n; j++) {
        union atom k = datum_key(b, j);
        size_t at = lower_bound(a, &k);
        bool present = datum_find(a, &k) >= 0;
        if (present == add)
            continue;
        put_run(&s, a, from, at);
        from = at + present;
        if (add)
            put_run(&s, b, j, j + 1);
    }
    put_run(&s, a, from, a->n);
    return s.d;
}

static bool
may_splice(const struct datum *a, const struct datum *b)
{
    return a->value_type == ATOM_VOID && b->value_type == ATOM_VOID && a->key_type != ATOM_STRING &&
           a->key_type != ATOM_REAL && a->n > 16 && b->n < a->n / 8;
}

static int
pick_union(enum side side, bool same UNUSED)
{
    return side == ONLY_B ? 2 : 1;
}

static int
pick_overlay(enum side side, bool same UNUSED)
{
    return side == ONLY_A ? 1 : 2;
}

static int
pick_subtract(enum side side, bool same)
{
    return side == ONLY_A || (side == BOTH && !same) ? 1 : 0;
}

static int
pick_diff(enum side side, bool same)
{
    return side == ONLY_A ? 1 : side == ONLY_B ? 2 : same ? 0 : 2;
}

const struct datum *
datum_union(const struct datum *a, const struct datum *b)
{
    if (!b->n || a == b)
        return datum_ref(a);
    if (!a->n)
        return datum_ref(b);
    return may_splice(a, b) ? splice(a, b, true) : merge(a, b, pick_union);
}

const struct datum *
datum_overlay(const struct datum *a, const struct datum *b)
{
    return b->n ? merge(a, b, pick_overlay) : datum_ref(a);
}

const struct datum *
datum_subtract(const struct datum *a, const struct datum *b)
{
    if (!b->n || !a->n)
        return datum_ref(a);
    return may_splice(a, b) ? splice(a, b, false) : merge(a, b, pick_subtract);
}

const struct datum *
datum_remove_keys(const struct datum *a, const struct datum *keys)
{
    struct datum_builder b;

    builder_init(&b, a->key_type, a->value_type);
    for (size_t i = 0; i < a->n; i++) {
        union atom k = datum_key(a, i), v = atom_default(ATOM_INTEGER);
        if (datum_find(keys, &k) >= 0)
            continue;
        if (a->value_type != ATOM_VOID)
            v = datum_value(a, i);
        builder_add(&b, &k, &v);
    }
    const struct datum *d = datum_build_unique(&b);
    builder_fini(&b);
    return d;
}

static bool
holds(const struct datum *a, const struct datum *b, size_t j)
{
    union atom k = datum_key(b, j);
    ssize_t i = datum_find(a, &k);
    if (i < 0)
        return false;
    if (a->value_type == ATOM_VOID || b->value_type == ATOM_VOID)
        return true;
    union atom v = datum_value(a, i), w = datum_value(b, j);
    return !atom_cmp(&v, &w, a->value_type);
}

bool
datum_includes(const struct datum *a, const struct datum *b)
{
    if (b->n > a->n)
        return false;
    for (size_t j = 0; j < b->n; j++)
        if (!holds(a, b, j))
            return false;
    return true;
}

bool
datum_excludes(const struct datum *a, const struct datum *b)
{
    for (size_t j = 0; j < b->n; j++)
        if (holds(a, b, j))
            return false;
    return true;
}

static bool
diff_is_whole(const struct column_type *type)
{
    return type->n_max == 1;
}

/* How many leading and trailing 16-byte keys two UUID sets share: most of them, when a bridge gained a port. */
static const struct datum *
diff_uuid_sets(const struct datum *a, const struct datum *b)
{
    const struct uuid *x = (const struct uuid *) a->body, *y = (const struct uuid *) b->body;
    size_t head = 0, tail = 0, most = MIN(a->n, b->n);

    while (head + 16 <= most && !memcmp(x + head, y + head, 16 * sizeof *x))
        head += 16;
    while (head < most && uuid_eq(x + head, y + head))
        head++;
    while (tail + 16 <= most - head && !memcmp(x + a->n - tail - 16, y + b->n - tail - 16, 16 * sizeof *x))
        tail += 16;
    while (tail < most - head && uuid_eq(x + a->n - tail - 1, y + b->n - tail - 1))
        tail++;

    size_t n = 0, i = head, j = head, ia = a->n - tail, jb = b->n - tail;
    if (i == ia && j == jb)
        return datum_empty(ATOM_UUID, ATOM_VOID);
    struct datum *d = datum_alloc(ATOM_UUID, ATOM_VOID, (ia - i) + (jb - j), 0);
    struct uuid *to = (struct uuid *) d->body;
    while (i < ia || j < jb) {
        int cmp = i == ia ? 1 : j == jb ? -1 : uuid_cmp(x + i, y + j);
        if (cmp)
            to[n++] = cmp < 0 ? x[i] : y[j];
        i += cmp <= 0;
        j += cmp >= 0;
    }
    d->n = (uint32_t) n;
    d->size = (uint32_t) (sizeof *d + n * sizeof *to);
    return d;
}

const struct datum *
datum_diff(const struct datum *old, const struct datum *new, const struct column_type *type)
{
    if (diff_is_whole(type))
        return datum_ref(new);
    if (old == new)
        return datum_empty(type->key.type, type->value.type);
    if (type->key.type == ATOM_UUID && type->value.type == ATOM_VOID)
        return diff_uuid_sets(old, new);
    return merge(old, new, pick_diff);
}

static int
pick_apply(enum side side, bool same)
{
    return side == ONLY_A ? 1 : side == ONLY_B ? 2 : same ? 0 : 2;
}

struct dberr *
datum_apply_diff(const struct datum *old, const struct datum *diff, const struct column_type *type,
                 const struct datum **out)
{
    if (diff_is_whole(type)) {
        *out = datum_ref(diff);
        return NULL;
    }
    const struct datum *d;
    if (diff->n == 1 && old->n > 16 && may_splice(old, diff)) {
        union atom k = datum_key(diff, 0);
        d = splice(old, diff, datum_find(old, &k) < 0);
    } else {
        d = merge(old, diff, pick_apply);
    }
    if (d->n < type->n_min || d->n > type->n_max) {
        datum_unref(d);
        return dberr("integrity violation", "Datum created by diff has size error");
    }
    *out = d;
    return NULL;
}
