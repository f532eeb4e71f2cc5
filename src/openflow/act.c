/* act - lists of elements, and parts of fields. */
#include "openflow/act.h"
#include "openflow/oxm.h"
#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void
oa_list_fini(struct oa_list *l)
{
    free(l->bytes);
    *l = (struct oa_list) OA_LIST_INIT;
}

static void *
grow(struct oa_list *l, size_t size)
{
    if (l->len + size > l->room) {
        l->room = MAX(l->len + size, l->room + l->room / 2 + 64);
        l->bytes = xrealloc(l->bytes, l->room);
    }
    void *at = l->bytes + l->len;
    memset(at, 0, size);
    l->len += size;
    return at;
}

void *
oa_add(struct oa_list *l, enum oa_type type, size_t size)
{
    size_t padded = ROUND_UP(size, 8);
    ASSERT(padded <= UINT16_MAX);
    struct oa *a = grow(l, padded);
    a->type = type;
    a->len = padded;
    return a;
}

size_t
oa_open(struct oa_list *l, enum oa_type type, size_t size)
{
    size_t at = l->len;
    oa_add(l, type, size);
    return at;
}

void
oa_close(struct oa_list *l, size_t at)
{
    ASSERT(l->len - at <= UINT16_MAX);
    ((struct oa *) (void *) (l->bytes + at))->len = l->len - at;
}

void
oa_copy(struct oa_list *l, const void *bytes, size_t len)
{
    if (len)
        memcpy(grow(l, len), bytes, len);
}

bool
oa_equal(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a_len == b_len && !memcmp(a, b, a_len);
}

/* ---- parts of fields ---- */

static unsigned __int128
wide(const union field_value *v)
{
    return (unsigned __int128) host64(v->d[0]) << 64 | host64(v->d[1]);
}

static union field_value
narrow(unsigned __int128 n)
{
    return (union field_value){.d = {be64_of((uint64_t) (n >> 64)), be64_of((uint64_t) n)}};
}

static unsigned __int128
wide_ones(unsigned n)
{
    return n >= 128 ? ~(unsigned __int128) 0 : ((unsigned __int128) 1 << n) - 1;
}

void
subfield_get(const struct subfield *s, const struct key *key, union field_value *v)
{
    field_get(s->field, key, v);
    *v = narrow(wide(v) >> s->ofs & wide_ones(s->n_bits));
}

void
subfield_set(const struct subfield *s, const union field_value *v, struct key *key)
{
    union field_value value = narrow((wide(v) & wide_ones(s->n_bits)) << s->ofs);
    union field_value mask = narrow(wide_ones(s->n_bits) << s->ofs);
    field_set_masked(s->field, &value, &mask, key);
}

void
subfield_mask(const struct subfield *s, struct key *mask)
{
    union field_value m = narrow(wide_ones(s->n_bits) << s->ofs);
    field_set_masked(s->field, &m, &m, mask);
}

void
subfield_format(const struct subfield *s, struct text *out)
{
    oxm_header h = oxm_header_of(s->field, OF15, true, false);
    const char *name = h ? oxm_header_name(h) : NULL;
    text_add(out, name ? name : s->field->name);
    if (!s->ofs && s->n_bits == s->field->n_bits)
        text_add(out, "[]");
    else if (s->n_bits == 1)
        text_addf(out, "[%u]", s->ofs);
    else
        text_addf(out, "[%u..%u]", s->ofs, s->ofs + s->n_bits - 1);
}

int
subfield_parse(const char *text, const char **end, struct subfield *out, struct why *why)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    AUTO_STR char *name = xstrndup(text, n);
    oxm_header h;
    bool has_mask;
    const struct field *f = oxm_header_by_name(name, &h) ? oxm_field_of(h, &has_mask) : field_by_name(name);
    if (!f)
        return refuse(why, -EINVAL, "%s: unknown field `%s'", text, name);
    unsigned first = 0, last = f->n_bits - 1;
    const char *p = text + n;
    if (*p == '[') {
        int used = 0;
        if (sscanf(p, "[%u..%u]%n", &first, &last, &used) == 2 && used) {
            p += used;
        } else if (used = 0, sscanf(p, "[%u]%n", &first, &used) == 1 && used) {
            last = first;
            p += used;
        } else if (p[1] == ']') {
            p += 2;
        } else {
            return refuse(why, -EINVAL, "%s: syntax error expecting [] or [<bit>] or [<start>..<end>]", text);
        }
    }
    if (first > last)
        return refuse(why, -EINVAL, "%s: starting bit %u is after ending bit %u", text, first, last);
    if (last >= f->n_bits)
        return refuse(why, -EINVAL, "%s: bits %u to %u are not valid because width of field is only %u bits", text,
                      first, last, f->n_bits);
    if (end)
        *end = p;
    else if (*p)
        return refuse(why, -EINVAL, "%s: trailing garbage following field", text);
    *out = (struct subfield){f, first, last - first + 1};
    return 0;
}

/* ---- questions about a list ---- */

/* Calls fn for each element, those inside others too; true: fn said so. */
static bool
any(const void *list, size_t len, bool (*fn)(const struct oa *, uint32_t), uint32_t what)
{
    OA_FOR(a, list, len)
    {
        size_t inside = a->type == OA_CLONE || a->type == OA_WRITE_ACTIONS ? sizeof(struct oa_nest)
                        : a->type == OA_CT                                 ? sizeof(struct oa_ct)
                                                                           : 0;
        if (fn(a, what) || (inside && any(oa_inside(a, inside), oa_inside_len(a, inside), fn, what)))
            return true;
    }
    return false;
}

static bool
is_output_to(const struct oa *a, uint32_t port)
{
    switch (a->type) {
    case OA_OUTPUT:
        return ((const struct oa_output *) a)->port == port;
    case OA_ENQUEUE:
        return ((const struct oa_enqueue *) a)->port == port;
    case OA_OUTPUT_TRUNC:
        return ((const struct oa_output_trunc *) a)->port == port;
    case OA_CONTROLLER:
        return port == 0xfffffffd;
    default:
        return false;
    }
}

static bool
is_group(const struct oa *a, uint32_t group)
{
    return a->type == OA_GROUP && ((const struct oa_group *) a)->group_id == group;
}

bool
oa_outputs_to(const void *list, size_t len, uint32_t port)
{
    return any(list, len, is_output_to, port);
}

bool
oa_outputs_to_group(const void *list, size_t len, uint32_t group)
{
    return any(list, len, is_group, group);
}
