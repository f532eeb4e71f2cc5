/* act_parse - actions as people write them: ovs-actions(7).
 *
 * The text is a list of words, each "name", "name:value", "name=value" or "name(value)", with "->" allowed behind the parentheses; commas and blanks
 * separate, parentheses and brackets protect.  words_next() cuts them; 'verbs' says who reads each.  Where a word is no verb, it is a port to put out to.
 */
#include "openflow/act.h"
#include "openflow/act_words.h"
#include "openflow/oxm.h"
#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct parser {
    const struct port_names *names;
    enum of_version version;
    bool may_instruct;
    unsigned depth;
    struct oa_list *out;
    struct why *why;
};

/* ---- words ---- */

/* Cuts the next word off *s (which is changed); *value is "" when there is none.  false: no more.  -EINVAL comes as *err. */
static bool
words_next(char **s, char **key, char **value, int *err, struct why *why)
{
    char *p = *s + strspn(*s, ", \t\r\n");
    *err = 0;
    if (!*p)
        return false;
    *key = p;
    p += strcspn(p, ":=(, \t\r\n");
    char delimiter = *p;
    if (!delimiter || strchr(", \t\r\n", delimiter)) {
        *value = p;
        *s = delimiter ? p + 1 : p;
        *p = '\0';
        return true;
    }
    *p++ = '\0';
    *value = p;
    int depth = delimiter == '(';
    for (; *p; p++) {
        depth += *p == '(' || *p == '[';
        if (*p == ')' || *p == ']')
            depth--;
        if (depth < 0)
            break;
        if (!depth && delimiter == '(' && *p == ')') {
            /* "name(value)->field": the arrow belongs to the value. */
            *p++ = '\0';
            size_t tail = p[0] == '-' && p[1] == '>' ? strcspn(p, ", \t\r\n") : 0;
            if (tail) {
                memmove(p - 1, p, tail);
                p[tail - 1] = '\0';
                p += tail;
            }
            *s = p + (*p != '\0');
            return true;
        }
        if (!depth && delimiter != '(' && strchr(", \t\r\n", *p)) {
            *p = '\0';
            *s = p + 1;
            return true;
        }
    }
    *s = p;
    if (depth)
        *err = refuse(why, -EINVAL, "%s: missing or superfluous parenthesis", *key);
    return true;
}

static int
number(struct parser *p, const char *what, const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    uint64_t v = strtoull(text, &end, 0);
    if (!isdigit((unsigned char) *text) || *end || errno)
        return refuse(p->why, -EINVAL, "%s: \"%s\" is not a number", what, text);
    if (v > max)
        return refuse(p->why, -EINVAL, "%s: %s is not in the valid range 0 to %" PRIu64, what, text, max);
    *out = v;
    return 0;
}

static int
port(struct parser *p, const char *what, const char *text, uint32_t *out)
{
    if (!port_parse(text, p->names, out))
        return refuse(p->why, -EINVAL, "%s: %s to unknown port", text, what);
    return 0;
}

/* "SRC->DST": cuts it in two. */
static int
arrow(struct parser *p, const char *verb, char *text, char **dst)
{
    char *a = strstr(text, "->");
    if (!a)
        return refuse(p->why, -EINVAL, "%s: missing `->' in %s", text, verb);
    *a = '\0';
    *dst = a + 2;
    return 0;
}

static int parse_list(struct parser *, char *text);

/* ---- verbs ---- */

typedef int verb_fn(struct parser *, const char *verb, char *value, uint32_t arg);

static int
verb_plain(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    struct oa_plain *a = oa_add(p->out, arg, sizeof *a);
    a->is_pop = arg == OA_STRIP_VLAN && !strcasecmp(verb, "pop_vlan");
    return 0;
}

static int
add_output(struct parser *p, uint32_t number_of_port, uint16_t max_len)
{
    struct oa_output *o = oa_add(p->out, OA_OUTPUT, sizeof *o);
    o->port = number_of_port;
    o->max_len = max_len;
    return 0;
}

static int
output_truncated(struct parser *p, char *value)
{
    uint32_t to = UINT32_MAX;
    uint64_t max_len = 0;
    char *k, *v;
    int err;
    while (words_next(&value, &k, &v, &err, p->why)) {
        if (err)
            return err;
        if (!strcmp(k, "port"))
            err = port(p, "output", v, &to);
        else if (!strcmp(k, "max_len"))
            err = number(p, k, v, UINT32_MAX, &max_len);
        else
            err = refuse(p->why, -EINVAL, "invalid key '%s' in output_trunc argument", k);
        if (err)
            return err;
    }
    if (max_len < 14)
        return refuse(p->why, -EINVAL, "max_len %" PRIu64 " is less than the minimum value 14", max_len);
    if (to >= 0xff00 && to != 0xfffffffe && to != 0xfffffff8)
        return refuse(p->why, -EINVAL, "output port cannot truncate");
    struct oa_output_trunc *o = oa_add(p->out, OA_OUTPUT_TRUNC, sizeof *o);
    o->port = to;
    o->max_len = max_len;
    return 0;
}

static int
verb_output(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    uint32_t to;
    if (strchr(value, '='))
        return output_truncated(p, value);
    if (port_parse(value, p->names, &to))
        return add_output(p, to, to == 0xfffffffd ? UINT16_MAX : 0);
    struct subfield src;
    int err = subfield_parse(value, NULL, &src, p->why);
    if (err)
        return refuse(p->why, err, "%s: output to unknown port", value);
    struct oa_output_reg *o = oa_add(p->out, OA_OUTPUT_REG, sizeof *o);
    o->src = src;
    o->max_len = UINT16_MAX;
    return 0;
}

static int
userdata(struct parser *p, const char *text, struct text *out)
{
    while (*text) {
        unsigned byte;
        int n = 0;
        if (sscanf(text, "%2x%n", &byte, &n) != 1 || n != 2)
            return refuse(p->why, -EINVAL, "bad hex digit in `controller' or `note' argument");
        text_addc(out, (char) byte);
        text += 2;
        text += *text == '.';
    }
    return 0;
}

static int
verb_controller(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    uint64_t max_len = UINT16_MAX, id = 0, meter = 0;
    uint32_t reason = 1;
    bool pause = false;
    AUTO_TEXT struct text data = TEXT_INIT;
    int err = 0;
    if (!*value)
        return add_output(p, 0xfffffffd, UINT16_MAX);
    if (isdigit((unsigned char) *value) && !strpbrk(value, "=,")) {
        err = number(p, verb, value, UINT16_MAX, &max_len);
        return err ? err : add_output(p, 0xfffffffd, max_len);
    }
    char *k, *v;
    while (words_next(&value, &k, &v, &err, p->why)) {
        if (err)
            return err;
        if (!strcmp(k, "reason"))
            err = number_of(packet_in_reasons, v, &reason) ? 0 : refuse(p->why, -EINVAL, "unknown reason \"%s\"", v);
        else if (!strcmp(k, "max_len"))
            err = number(p, k, v, UINT16_MAX, &max_len);
        else if (!strcmp(k, "id"))
            err = number(p, k, v, UINT16_MAX, &id);
        else if (!strcmp(k, "userdata"))
            err = userdata(p, v, &data);
        else if (!strcmp(k, "pause"))
            pause = true;
        else if (!strcmp(k, "meter_id"))
            err = number(p, k, v, UINT32_MAX, &meter);
        else
            err = refuse(p->why, -EINVAL, "unknown key \"%s\" parsing controller action", k);
        if (err)
            return err;
    }
    struct oa_controller *o = oa_add(p->out, OA_CONTROLLER, sizeof *o + data.len);
    o->max_len = max_len;
    o->controller_id = id;
    o->reason = reason;
    o->pause = pause;
    o->meter_id = meter;
    o->userdata_len = data.len;
    if (data.len)
        memcpy(o->userdata, data.s, data.len);
    return 0;
}

static int
verb_enqueue(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    char *save = NULL, *to = strtok_r(value, ":,", &save), *queue = strtok_r(NULL, "", &save);
    uint32_t number_of_port;
    uint64_t q;
    if (!queue)
        return refuse(p->why, -EINVAL, "\"enqueue\" syntax is \"enqueue:PORT:QUEUE\" or \"enqueue(PORT,QUEUE)\"");
    int err = port(p, verb, to, &number_of_port);
    if (!err)
        err = number(p, verb, queue, UINT32_MAX, &q);
    if (err)
        return err;
    struct oa_enqueue *e = oa_add(p->out, OA_ENQUEUE, sizeof *e);
    e->port = number_of_port;
    e->queue = q;
    return 0;
}

/* FIELDS,BASIS,ALGORITHM,ofport[,DST],members:LIST */
static int
verb_bundle(struct parser *p, const char *verb, char *value, uint32_t is_load)
{
    char *save = NULL;
    const char *field_word = strtok_r(value, ", ", &save), *basis_word = strtok_r(NULL, ", ", &save),
               *algorithm_word = strtok_r(NULL, ", ", &save);
    const char *type = strtok_r(NULL, ", ", &save), *dst_word = is_load ? strtok_r(NULL, ", ", &save) : NULL;
    const char *members = strtok_r(NULL, ", ", &save);
    uint32_t hash, algorithm;
    uint64_t basis;
    struct subfield dst = {0};
    if (!members)
        return refuse(p->why, -EINVAL, "%s: not enough arguments to %s action", field_word ? field_word : "", verb);
    if (!number_of(hash_fields, field_word, &hash))
        return refuse(p->why, -EINVAL, "%s: unknown fields `%s'", verb, field_word);
    if (!number_of(bundle_algorithms, algorithm_word, &algorithm))
        return refuse(p->why, -EINVAL, "%s: unknown algorithm `%s'", verb, algorithm_word);
    if (strcasecmp(type, "ofport"))
        return refuse(p->why, -EINVAL, "%s: unknown member_type `%s'", verb, type);
    int err = number(p, verb, basis_word, UINT16_MAX, &basis);
    if (!err && dst_word)
        err = subfield_parse(dst_word, NULL, &dst, p->why);
    if (err)
        return err;
    const char *colon = strchr(members, ':');
    if (!colon || (strncmp(members, "members", 7) && strncmp(members, "slaves", 6)))
        return refuse(p->why, -EINVAL, "%s: missing member delimiter, expected `members' got `%s'", verb, members);
    uint32_t ports[2048];
    unsigned n = 0;
    for (const char *m = colon + 1; m; m = strtok_r(NULL, ", ", &save)) {
        if (!*m)
            continue;
        if (n == ARRAY_SIZE(ports))
            return refuse(p->why, -EINVAL, "%s: too many members", verb);
        err = port(p, verb, m, &ports[n++]);
        if (err)
            return err;
    }
    struct oa_bundle *b = oa_add(p->out, OA_BUNDLE, sizeof *b + n * sizeof b->members[0]);
    b->fields = hash;
    b->algorithm = algorithm;
    b->basis = basis;
    b->dst = dst;
    b->n_members = n;
    memcpy(b->members, ports, n * sizeof ports[0]);
    return 0;
}

static int
verb_number32(struct parser *p, const char *verb, char *value, uint32_t type)
{
    uint64_t n;
    int err = number(p, verb, value, UINT32_MAX, &n);
    if (!err)
        ((struct oa_queue *) oa_add(p->out, type, sizeof(struct oa_queue)))->queue = n;
    return err;
}

static struct oa_set_field *
add_set(struct parser *p, const struct field *f, enum oa_set_how how)
{
    struct oa_set_field *s = oa_add(p->out, OA_SET_FIELD, sizeof *s);
    s->field = f;
    s->how = how;
    field_value_ones(f, &s->mask);
    return s;
}

static int
verb_mod(struct parser *p, const char *verb, char *value, uint32_t id)
{
    const struct field *f = &fields[id];
    union field_value v, mask;
    int err = field_parse(f, value, p->names, &v, &mask, p->why);
    if (err)
        return err;
    add_set(p, f, SET_AS_MOD)->value = v;
    return 0;
}

static int
verb_set_field(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    char *name = NULL;
    int err = arrow(p, verb, value, &name);
    if (err)
        return err;
    const struct field *f = field_by_name(name);
    union field_value v, mask;
    if (!f)
        return refuse(p->why, -EINVAL, "%s is not a valid OXM field name", name);
    if (f->write == FIELD_WRITE_RO)
        return refuse(p->why, -EINVAL, "%s is read-only", name);
    err = field_parse(f, value, p->names, &v, &mask, p->why);
    if (err)
        return err;
    struct oa_set_field *s = add_set(p, f, SET_AS_FIELD);
    s->value = v;
    s->mask = mask;
    return 0;
}

static int
verb_load(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    char *to = NULL;
    struct subfield dst;
    int err = arrow(p, verb, value, &to);
    if (!err)
        err = subfield_parse(to, NULL, &dst, p->why);
    if (err)
        return err;
    if (dst.field->write == FIELD_WRITE_RO)
        return refuse(p->why, -EINVAL, "%s is read-only", dst.field->name);
    union field_value v, mask;
    struct field part = fields[FIELD_XXREG0];
    part.name = dst.field->name;
    part.n_bits = dst.n_bits;
    part.mask = FIELD_MASK_WHOLE;
    err = field_parse(&part, value, p->names, &v, &mask, p->why);
    if (err)
        return err;
    struct oa_set_field *s = add_set(p, dst.field, SET_AS_LOAD);
    struct key k, m;
    memset(&k, 0, sizeof k);
    memset(&m, 0, sizeof m);
    subfield_set(&dst, &v, &k);
    subfield_mask(&dst, &m);
    field_get(dst.field, &k, &s->value);
    field_get(dst.field, &m, &s->mask);
    return 0;
}

static int
verb_move(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    char *to = NULL;
    struct subfield src, dst;
    int err = arrow(p, verb, value, &to);
    if (!err)
        err = subfield_parse(value, NULL, &src, p->why);
    if (!err)
        err = subfield_parse(to, NULL, &dst, p->why);
    if (err)
        return err;
    if (src.n_bits != dst.n_bits)
        return refuse(p->why, -EINVAL, "%s: source field is %u bits wide but destination is %u bits wide", value,
                      src.n_bits, dst.n_bits);
    if (dst.field->write == FIELD_WRITE_RO)
        return refuse(p->why, -EINVAL, "%s is read-only", dst.field->name);
    struct oa_move *m = oa_add(p->out, OA_MOVE, sizeof *m);
    m->src = src;
    m->dst = dst;
    return 0;
}

static int
verb_stack(struct parser *p, const char *verb, char *value, uint32_t type)
{
    struct subfield s;
    int err = subfield_parse(value, NULL, &s, p->why);
    if (err)
        return err;
    if (type == OA_STACK_POP && s.field->write == FIELD_WRITE_RO)
        return refuse(p->why, -EINVAL, "%s is read-only", s.field->name);
    struct oa_stack *o = oa_add(p->out, type, sizeof *o);
    o->subfield = s;
    return 0;
}

static int
verb_ethertype(struct parser *p, const char *verb, char *value, uint32_t type)
{
    uint64_t n;
    int err = number(p, verb, value, UINT16_MAX, &n);
    if (err)
        return err;
    if (type == OA_PUSH_VLAN && n != 0x8100 && n != 0x88a8)
        return refuse(p->why, -EINVAL, "%s: not a valid VLAN ethertype", value);
    if (type == OA_PUSH_MPLS && n != 0x8847 && n != 0x8848)
        return refuse(p->why, -EINVAL, "%s: not a valid MPLS ethertype", value);
    struct oa_ethertype *e = oa_add(p->out, type, sizeof *e);
    e->ethertype = be16_of(n);
    return 0;
}

static int
verb_dec_ttl(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    uint16_t ids[64];
    unsigned n = 0;
    char *save = NULL;
    for (char *w = strtok_r(value, ", ", &save); w; w = strtok_r(NULL, ", ", &save)) {
        uint64_t id;
        int err = number(p, verb, w, UINT16_MAX, &id);
        if (err || n == ARRAY_SIZE(ids))
            return err ? err : refuse(p->why, -EINVAL, "dec_ttl: too many controller ids");
        ids[n++] = id;
    }
    struct oa_cnt_ids *d = oa_add(p->out, OA_DEC_TTL, sizeof *d + n * sizeof ids[0]);
    d->n_ids = n;
    memcpy(d->ids, ids, n * sizeof ids[0]);
    return 0;
}

static int
verb_set_tunnel(struct parser *p, const char *verb, char *value, uint32_t is_64)
{
    uint64_t id;
    int err = number(p, verb, value, UINT64_MAX, &id);
    if (err)
        return err;
    struct oa_tunnel *t = oa_add(p->out, OA_SET_TUNNEL, sizeof *t);
    t->is_64 = is_64 || id > UINT32_MAX;
    t->tun_id = id;
    return 0;
}

/* "PORT" of resubmit:PORT, or "[PORT],[TABLE][,ct]" of resubmit(...). */
static int
verb_resubmit(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    uint32_t in_port = 0xfffffff8;
    uint64_t table = 255;
    bool with_ct = false;
    char *save = value, *port_word = strsep(&save, ","), *table_word = strsep(&save, ","),
         *ct_word = strsep(&save, ",");
    int err = 0;
    if (*port_word)
        err = port(p, verb, port_word, &in_port);
    if (!err && table_word && *table_word)
        err = number(p, "resubmit table", table_word, 255, &table);
    if (!err && ct_word) {
        with_ct = !strcasecmp(ct_word, "ct");
        err = with_ct ? 0 : refuse(p->why, -EINVAL, "%s: unknown parameter", ct_word);
    }
    if (err)
        return err;
    if (!*port_word && (!table_word || !*table_word))
        return refuse(p->why, -EINVAL, "at least one \"in_port\" or \"table\" must be specified  on resubmit");
    struct oa_resubmit *r = oa_add(p->out, OA_RESUBMIT, sizeof *r);
    r->in_port = in_port;
    r->table = table;
    r->with_ct = with_ct;
    return 0;
}

static int
learn_load(struct parser *p, char *value, struct oa_learn_spec *s)
{
    char *to = NULL;
    int err = arrow(p, "load", value, &to);
    if (!err)
        err = subfield_parse(to, NULL, &s->dst, p->why);
    if (err)
        return err;
    s->kind = LEARN_LOAD;
    struct subfield src;
    struct why ignored;
    if (subfield_parse(value, NULL, &src, &ignored) == 0) {
        s->src = src;
        return src.n_bits == s->dst.n_bits
                   ? 0
                   : refuse(p->why, -EINVAL, "%s: bit widths of source and destination differ", value);
    }
    struct field part = fields[FIELD_XXREG0];
    part.n_bits = s->dst.n_bits;
    union field_value mask;
    s->is_immediate = true;
    return field_parse(&part, value, p->names, &s->value, &mask, p->why);
}

/* "field", "field=field" or "field=value": a match of the rule to be. */
static int
learn_match(struct parser *p, const char *name, const char *value, struct oa_learn_spec *s)
{
    s->kind = LEARN_MATCH;
    int err = subfield_parse(name, NULL, &s->dst, p->why);
    if (err)
        return refuse(p->why, err, "%s: unknown keyword %s", name, name);
    if (!*value) {
        s->src = s->dst;
        return 0;
    }
    struct subfield src;
    struct why ignored;
    if (subfield_parse(value, NULL, &src, &ignored) == 0) {
        s->src = src;
        return src.n_bits == s->dst.n_bits ? 0
                                           : refuse(p->why, -EINVAL, "%s: bit widths of %s (%u) and %s (%u) differ",
                                                    value, value, src.n_bits, name, s->dst.n_bits);
    }
    s->is_immediate = true;
    union field_value mask;
    struct field part = *s->dst.field;
    if (s->dst.n_bits != part.n_bits) {
        part = fields[FIELD_XXREG0];
        part.n_bits = s->dst.n_bits;
    }
    return field_parse(&part, value, p->names, &s->value, &mask, p->why);
}

static int
verb_learn(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    size_t at = oa_open(p->out, OA_LEARN, sizeof(struct oa_learn));
    struct oa_learn l = {.priority = 0x8000, .table = 1};
    const struct {
        const char *name;
        uint16_t *to;
    } numbers[] = {{"idle_timeout", &l.idle_timeout},
                   {"hard_timeout", &l.hard_timeout},
                   {"priority", &l.priority},
                   {"fin_idle_timeout", &l.fin_idle_timeout},
                   {"fin_hard_timeout", &l.fin_hard_timeout}};
    char *k, *v;
    int err;
    p->out->len = at + sizeof l;
    while (words_next(&value, &k, &v, &err, p->why)) {
        if (err)
            return err;
        uint64_t n = 0;
        size_t i = 0;
        while (i < ARRAY_SIZE(numbers) && strcmp(k, numbers[i].name))
            i++;
        if (i < ARRAY_SIZE(numbers)) {
            err = number(p, k, v, UINT16_MAX, &n);
            *numbers[i].to = n;
        } else if (!strcmp(k, "table")) {
            err = number(p, k, v, 254, &n);
            l.table = n;
        } else if (!strcmp(k, "cookie")) {
            err = number(p, k, v, UINT64_MAX, &l.cookie);
        } else if (!strcmp(k, "send_flow_rem")) {
            l.send_flow_rem = true;
        } else if (!strcmp(k, "delete_learned")) {
            l.delete_learned = true;
        } else if (!strcmp(k, "limit")) {
            err = number(p, k, v, UINT32_MAX, &n);
            l.limit = n;
        } else if (!strcmp(k, "result_dst")) {
            l.write_result = true;
            err = subfield_parse(v, NULL, &l.result_dst, p->why);
            if (!err && l.result_dst.n_bits != 1)
                err = refuse(p->why, -EINVAL, "result_dst in 'learn' action must be a single bit");
        } else {
            struct oa_learn_spec spec = {0};
            if (!strcmp(k, "load"))
                err = learn_load(p, v, &spec);
            else if (!strcmp(k, "output"))
                spec.kind = LEARN_OUTPUT, err = subfield_parse(v, NULL, &spec.src, p->why);
            else
                err = learn_match(p, k, v, &spec);
            if (!err && p->out->len - at + sizeof spec > 60000)
                err = refuse(p->why, -EINVAL, "learn: too many fields");
            if (!err) {
                oa_copy(p->out, &spec, sizeof spec);
                l.n_specs++;
            }
        }
        if (err)
            return err;
    }
    struct oa_learn *o = (struct oa_learn *) (void *) (p->out->bytes + at);
    struct oa header = o->oa;
    *o = l;
    o->oa = header;
    oa_close(p->out, at);
    return 0;
}

static int
verb_fin_timeout(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    uint64_t idle = 0, hard = 0;
    char *k, *v;
    int err;
    while (words_next(&value, &k, &v, &err, p->why)) {
        if (!err)
            err = !strcmp(k, "idle_timeout") ? number(p, k, v, UINT16_MAX, &idle)
                  : !strcmp(k, "hard_timeout")
                      ? number(p, k, v, UINT16_MAX, &hard)
                      : refuse(p->why, -EINVAL, "invalid key '%s' in 'fin_timeout' argument", k);
        if (err)
            return err;
    }
    struct oa_fin_timeout *f = oa_add(p->out, OA_FIN_TIMEOUT, sizeof *f);
    f->idle = idle;
    f->hard = hard;
    return 0;
}

static int
verb_multipath(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    char *save = NULL, *w[6];
    for (int i = 0; i < 6; i++)
        w[i] = strtok_r(i ? NULL : value, ", ", &save);
    if (!w[5])
        return refuse(p->why, -EINVAL, "%s: not enough arguments to multipath action", w[0] ? w[0] : "");
    uint32_t hash, algorithm;
    uint64_t basis, links, argument;
    struct subfield dst;
    if (!number_of(hash_fields, w[0], &hash))
        return refuse(p->why, -EINVAL, "multipath: unknown fields `%s'", w[0]);
    if (!number_of(multipath_algorithms, w[2], &algorithm))
        return refuse(p->why, -EINVAL, "multipath: unknown algorithm `%s'", w[2]);
    int err = number(p, verb, w[1], UINT16_MAX, &basis);
    if (!err)
        err = number(p, verb, w[3], 65536, &links);
    if (!err)
        err = number(p, verb, w[4], UINT32_MAX, &argument);
    if (!err)
        err = subfield_parse(w[5], NULL, &dst, p->why);
    if (err)
        return err;
    if (!links)
        return refuse(p->why, -EINVAL, "multipath: n_links 0 is not in valid range 1 to 65536");
    if (dst.n_bits < 16 && links > 1u << dst.n_bits)
        return refuse(
            p->why, -EINVAL,
            "multipath: %u-bit destination field has %u possible values, less than specified n_links %" PRIu64,
            dst.n_bits, 1u << dst.n_bits, links);
    struct oa_multipath *m = oa_add(p->out, OA_MULTIPATH, sizeof *m);
    m->fields = hash;
    m->algorithm = algorithm;
    m->basis = basis;
    m->max_link = links - 1;
    m->arg = argument;
    m->dst = dst;
    return 0;
}

static int
verb_conjunction(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    uint32_t id;
    unsigned clause, n;
    int used = 0;
    if (sscanf(value, "%" SCNi32 " , %u / %u %n", (int32_t *) &id, &clause, &n, &used) < 3 || value[used])
        return refuse(p->why, -EINVAL, "\"conjunction\" syntax is \"conjunction(id,i/n)\"");
    if (n < 2 || n > 64)
        return refuse(p->why, -EINVAL, "conjunction must have %s clauses", n < 2 ? "at least 2" : "at most 64");
    if (!clause || clause > n)
        return refuse(p->why, -EINVAL, "clause index must be %s",
                      clause ? "less than or equal to number of clauses" : "positive");
    struct oa_conjunction *c = oa_add(p->out, OA_CONJUNCTION, sizeof *c);
    c->id = id;
    c->clause = clause - 1;
    c->n_clauses = n;
    return 0;
}

static int
verb_note(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    AUTO_TEXT struct text bytes = TEXT_INIT;
    int err = userdata(p, value, &bytes);
    if (err)
        return err;
    while (bytes.len % 8 != 6)
        text_addc(&bytes, 0); /* the wire rounds it so */
    struct oa_note *n = oa_add(p->out, OA_NOTE, sizeof *n + bytes.len);
    n->n = bytes.len;
    memcpy(n->bytes, bytes.s, bytes.len);
    return 0;
}

static int
observation(struct parser *p, const char *what, const char *text, struct subfield *src, uint32_t *n)
{
    uint64_t v;
    if (!isdigit((unsigned char) *text))
        return subfield_parse(text, NULL, src, p->why);
    int err = number(p, what, text, UINT32_MAX, &v);
    *n = v;
    return err;
}

static int
verb_sample(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    struct oa_sample s = {.sampling_port = UINT32_MAX};
    uint64_t n;
    char *k, *v;
    int err;
    while (words_next(&value, &k, &v, &err, p->why)) {
        if (err)
            return err;
        if (!strcmp(k, "probability")) {
            err = number(p, k, v, UINT16_MAX, &n);
            s.probability = err ? 0 : n;
            if (!err && !n)
                err = refuse(p->why, -EINVAL, "invalid probability value \"%s\"", v);
        } else if (!strcmp(k, "collector_set_id")) {
            err = number(p, k, v, UINT32_MAX, &n);
            s.collector_set_id = err ? 0 : n;
        } else if (!strcmp(k, "obs_domain_id")) {
            err = observation(p, k, v, &s.obs_domain_src, &s.obs_domain_id);
        } else if (!strcmp(k, "obs_point_id")) {
            err = observation(p, k, v, &s.obs_point_src, &s.obs_point_id);
        } else if (!strcmp(k, "sampling_port")) {
            err = port(p, k, v, &s.sampling_port);
        } else if (!strcmp(k, "ingress")) {
            s.direction = SAMPLE_INGRESS;
        } else if (!strcmp(k, "egress")) {
            s.direction = SAMPLE_EGRESS;
        } else {
            err = refuse(p->why, -EINVAL, "invalid key \"%s\" in \"sample\" argument", k);
        }
        if (err)
            return err;
    }
    if (!s.probability)
        return refuse(p->why, -EINVAL, "non-zero \"probability\" must be specified on sample");
    struct oa_sample *o = oa_add(p->out, OA_SAMPLE, sizeof *o);
    struct oa header = o->oa;
    *o = s;
    o->oa = header;
    return 0;
}

/* "10.0.0.1-10.0.0.9:1-100" or "[fe80::1-fe80::9]:1-100" */
static int
nat_range(struct parser *p, char *text, struct oa_nat *n)
{
    char *ports = NULL, *to;
    if (*text == '[') {
        char *end = strchr(++text, ']');
        if (!end)
            return refuse(p->why, -EINVAL, "%s: missing ] in nat", text);
        *end = '\0';
        ports = end[1] == ':' ? end + 2 : NULL;
    } else if (strchr(text, ':') == strrchr(text, ':') && strchr(text, ':')) {
        ports = strchr(text, ':');
        *ports++ = '\0';
    }
    to = strchr(text, '-');
    if (to)
        *to++ = '\0';
    if (ip4_parse(text, &n->ip4_min))
        n->family = 4;
    else if (ip6_parse(text, &n->ip6_min))
        n->family = 6;
    else
        return refuse(p->why, -EINVAL, "invalid NAT range \"%s\"", text);
    if (to && !(n->family == 4 ? ip4_parse(to, &n->ip4_max) : ip6_parse(to, &n->ip6_max)))
        return refuse(p->why, -EINVAL, "invalid NAT range \"%s\"", to);
    if (to && (n->family == 4 ? host32(n->ip4_max) < host32(n->ip4_min) : memcmp(&n->ip6_max, &n->ip6_min, 16) < 0))
        return refuse(p->why, -EINVAL, "invalid NAT range: the last address is before the first");
    if (ports) {
        char *last = strchr(ports, '-');
        uint64_t min, max = 0;
        if (last)
            *last++ = '\0';
        int err = number(p, "nat port", ports, UINT16_MAX, &min);
        if (!err && last)
            err = number(p, "nat port", last, UINT16_MAX, &max);
        if (err)
            return err;
        if (last && max < min)
            return refuse(p->why, -EINVAL, "invalid NAT range: the last port is before the first");
        n->port_min = min;
        n->port_max = max;
    }
    return 0;
}

static int
verb_nat(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    static const struct word flags[] = {{"src", NAT_SRC},   {"dst", NAT_DST},       {"persistent", NAT_PERSISTENT},
                                        {"hash", NAT_HASH}, {"random", NAT_RANDOM}, {NULL, 0}};
    struct oa_nat n = {0};
    char *k, *v;
    int err;
    while (words_next(&value, &k, &v, &err, p->why)) {
        uint32_t flag;
        if (!err && !number_of(flags, k, &flag))
            err = refuse(p->why, -EINVAL, "invalid key \"%s\" in \"nat\" argument", k);
        if (!err && *v)
            err = nat_range(p, v, &n);
        if (err)
            return err;
        n.flags |= flag;
    }
    if (n.flags & NAT_SRC && n.flags & NAT_DST)
        return refuse(p->why, -EINVAL, "May only specify one of \"src\" or \"dst\".");
    if (!(n.flags & (NAT_SRC | NAT_DST)) && (n.flags || n.family))
        return refuse(p->why, -EINVAL, "Flags allowed only with \"src\" or \"dst\".");
    if (n.flags & NAT_HASH && n.flags & NAT_RANDOM)
        return refuse(p->why, -EINVAL, "Both \"hash\" and \"random\" are not allowed.");
    struct oa_nat *o = oa_add(p->out, OA_NAT, sizeof *o);
    struct oa header = o->oa;
    *o = n;
    o->oa = header;
    return 0;
}

static int
nested(struct parser *p, char *text)
{
    if (++p->depth > 8)
        return refuse(p->why, -EINVAL, "actions are nested too deep");
    bool may_instruct = p->may_instruct;
    p->may_instruct = false;
    int err = parse_list(p, text);
    p->may_instruct = may_instruct;
    p->depth--;
    return err;
}

static int
verb_ct(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    size_t at = oa_open(p->out, OA_CT, sizeof(struct oa_ct));
    struct oa_ct c = {.recirc_table = 255};
    char *k, *v, *exec = NULL;
    int err;
    while (words_next(&value, &k, &v, &err, p->why)) {
        uint64_t n;
        if (err)
            return err;
        if (!strcmp(k, "commit")) {
            c.flags |= CT_COMMIT;
        } else if (!strcmp(k, "force")) {
            c.flags |= CT_FORCE;
        } else if (!strcmp(k, "table")) {
            err = number(p, k, v, 254, &n);
            c.recirc_table = err ? 255 : n;
        } else if (!strcmp(k, "zone") && isdigit((unsigned char) *v)) {
            err = number(p, k, v, UINT16_MAX, &n);
            c.zone = err ? 0 : n;
        } else if (!strcmp(k, "zone")) {
            err = subfield_parse(v, NULL, &c.zone_src, p->why);
            if (!err && c.zone_src.n_bits != 16)
                err = refuse(p->why, -EINVAL, "zone: %u-bit field is not 16 bits wide", c.zone_src.n_bits);
        } else if (!strcmp(k, "alg")) {
            c.alg = !strcmp(v, "ftp") ? 21 : !strcmp(v, "tftp") ? 69 : 0;
            err = c.alg ? 0 : refuse(p->why, -EINVAL, "invalid alg \"%s\"", v);
        } else if (!strcmp(k, "nat")) {
            err = verb_nat(p, k, v, 0);
        } else if (!strcmp(k, "exec")) {
            exec = v;
        } else {
            err = refuse(p->why, -EINVAL, "invalid argument to \"ct\" action: `%s'", k);
        }
        if (err)
            return err;
    }
    if (exec) {
        size_t before = p->out->len;
        err = nested(p, exec);
        if (err)
            return err;
        OA_FOR(a, p->out->bytes + before, p->out->len - before)
        if (a->type != OA_SET_FIELD && a->type != OA_MOVE)
            return refuse(p->why, -EINVAL, "ct: only set_field, load and move are allowed in exec");
        if (!(c.flags & CT_COMMIT))
            return refuse(p->why, -EINVAL, "ct: exec needs commit");
    }
    if (c.flags & CT_FORCE && !(c.flags & CT_COMMIT))
        return refuse(p->why, -EINVAL, "\"force\" flag requires \"commit\" flag.");
    struct oa_ct *o = (struct oa_ct *) (void *) (p->out->bytes + at);
    struct oa header = o->oa;
    *o = c;
    o->oa = header;
    oa_close(p->out, at);
    return 0;
}

static int
verb_nest(struct parser *p, const char *verb, char *value, uint32_t type)
{
    size_t at = oa_open(p->out, type, sizeof(struct oa_nest));
    int err = nested(p, value);
    if (!err)
        oa_close(p->out, at);
    return err;
}

static int
verb_check_pkt_larger(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    char *to = NULL;
    uint64_t len;
    struct subfield dst;
    int err = arrow(p, verb, value, &to);
    if (!err)
        err = number(p, verb, value, UINT16_MAX, &len);
    if (!err)
        err = subfield_parse(to, NULL, &dst, p->why);
    if (err)
        return err;
    if (dst.n_bits != 1)
        return refuse(p->why, -EINVAL, "Only 1-bit destination field is allowed");
    struct oa_check_pkt_larger *c = oa_add(p->out, OA_CHECK_PKT_LARGER, sizeof *c);
    c->pkt_len = len;
    c->dst = dst;
    return 0;
}

static int
nsh_properties(struct parser *p, char *text, uint8_t *md_type, struct text *tlvs)
{
    char *k, *v;
    int err;
    while (words_next(&text, &k, &v, &err, p->why)) {
        unsigned class, type;
        char hex[520];
        if (err)
            return err;
        if (!strcmp(k, "md_type")) {
            uint64_t n;
            err = number(p, k, v, 2, &n);
            if (err || !n)
                return err ? err : refuse(p->why, -EINVAL, "invalid md_type");
            *md_type = n;
        } else if (!strcmp(k, "tlv") && sscanf(v, "%i,%i,0x%519[0-9a-fA-F]", (int *) &class, (int *) &type, hex) == 3 &&
                   class <= 0xffff && type <= 0xff) {
            AUTO_TEXT struct text value = TEXT_INIT;
            err = userdata(p, hex, &value);
            if (err || value.len > 248)
                return err ? err : refuse(p->why, -EINVAL, "tlv: value too long");
            char head[4] = {(char) (class >> 8), (char) class, (char) type, (char) value.len};
            text_addn(tlvs, head, 4);
            text_addn(tlvs, text_str(&value), value.len);
            while (tlvs->len % 4)
                text_addc(tlvs, 0);
        } else {
            return refuse(p->why, -EINVAL, "Invalid property: %s", k);
        }
    }
    return 0;
}

static int
verb_encap(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    static const struct word types[] = {{"ethernet", 0},
                                        {"nsh", 1u << 16 | 0x894f},
                                        {"mpls", 1u << 16 | 0x8847},
                                        {"mpls_mc", 1u << 16 | 0x8848},
                                        {NULL, 0}};
    char *k, *v;
    int err;
    uint32_t type;
    uint8_t md_type = 0;
    AUTO_TEXT struct text tlvs = TEXT_INIT;
    if (!words_next(&value, &k, &v, &err, p->why) || err)
        return refuse(p->why, -EINVAL, "Missing encap hdr: \"%s\"", value);
    if (!number_of(types, k, &type))
        return refuse(p->why, -EINVAL, "Encap hdr not supported: %s", k);
    err = *v ? nsh_properties(p, v, &md_type, &tlvs) : 0;
    if (err)
        return err;
    struct oa_encap *e = oa_add(p->out, OA_ENCAP, sizeof *e + tlvs.len);
    e->packet_type = type;
    e->md_type = md_type;
    e->n_tlv_bytes = tlvs.len;
    if (tlvs.len)
        memcpy(e->tlvs, tlvs.s, tlvs.len);
    return 0;
}

static int
verb_decap(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    unsigned ns, type;
    uint32_t packet_type = 0xfffe;
    if (*value) {
        if (sscanf(value, "packet_type(ns=%i,type=%i)", (int *) &ns, (int *) &type) != 2 || ns > 0xffff ||
            type > 0xffff)
            return refuse(p->why, -EINVAL, "Invalid decap argument: %s", value);
        packet_type = ns << 16 | type;
    }
    struct oa_decap *d = oa_add(p->out, OA_DECAP, sizeof *d);
    d->new_packet_type = packet_type;
    return 0;
}

static int
verb_write_metadata(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    union field_value v, mask;
    int err = field_parse(&fields[FIELD_METADATA], value, p->names, &v, &mask, p->why);
    if (err)
        return err;
    struct oa_metadata *m = oa_add(p->out, OA_WRITE_METADATA, sizeof *m);
    m->metadata = field_value_u64(&v) & field_value_u64(&mask);
    m->mask = field_value_u64(&mask);
    return 0;
}

static int
verb_goto_table(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    uint64_t table;
    int err = number(p, verb, value, 254, &table);
    if (!err)
        ((struct oa_goto_table *) oa_add(p->out, OA_GOTO_TABLE, sizeof(struct oa_goto_table)))->table = table;
    return err;
}

static int
verb_refuse(struct parser *p, const char *verb, char *value, uint32_t arg)
{
    return refuse(p->why, -EINVAL, "%s: tunnel option fields are not supported yet", verb);
}

enum { NEEDS_VALUE = 1, INSTRUCTION = 2 };

static const struct verb {
    const char *name;
    verb_fn *fn;
    uint32_t arg;
    unsigned flags;
} verbs[] = {
    {"output", verb_output, 0, NEEDS_VALUE},
    {"controller", verb_controller, 0, 0},
    {"enqueue", verb_enqueue, 0, NEEDS_VALUE},
    {"bundle", verb_bundle, false, NEEDS_VALUE},
    {"bundle_load", verb_bundle, true, NEEDS_VALUE},
    {"group", verb_number32, OA_GROUP, NEEDS_VALUE},
    {"set_field", verb_set_field, 0, NEEDS_VALUE},
    {"load", verb_load, 0, NEEDS_VALUE},
    {"move", verb_move, 0, NEEDS_VALUE},
    {"push", verb_stack, OA_STACK_PUSH, NEEDS_VALUE},
    {"pop", verb_stack, OA_STACK_POP, NEEDS_VALUE},
    {"strip_vlan", verb_plain, OA_STRIP_VLAN, 0},
    {"pop_vlan", verb_plain, OA_STRIP_VLAN, 0},
    {"push_vlan", verb_ethertype, OA_PUSH_VLAN, NEEDS_VALUE},
    {"push_mpls", verb_ethertype, OA_PUSH_MPLS, NEEDS_VALUE},
    {"pop_mpls", verb_ethertype, OA_POP_MPLS, NEEDS_VALUE},
    {"push_pbb", verb_ethertype, OA_PUSH_PBB, NEEDS_VALUE},
    {"pop_pbb", verb_plain, OA_POP_PBB, 0},
    {"copy_ttl_in", verb_plain, OA_COPY_TTL_IN, 0},
    {"copy_ttl_out", verb_plain, OA_COPY_TTL_OUT, 0},
    {"dec_ttl", verb_dec_ttl, 0, 0},
    {"dec_mpls_ttl", verb_plain, OA_DEC_MPLS_TTL, 0},
    {"dec_nsh_ttl", verb_plain, OA_DEC_NSH_TTL, 0},
    {"set_tunnel", verb_set_tunnel, false, NEEDS_VALUE},
    {"set_tunnel64", verb_set_tunnel, true, NEEDS_VALUE},
    {"set_queue", verb_number32, OA_SET_QUEUE, NEEDS_VALUE},
    {"pop_queue", verb_plain, OA_POP_QUEUE, 0},
    {"resubmit", verb_resubmit, 0, NEEDS_VALUE},
    {"learn", verb_learn, 0, 0},
    {"fin_timeout", verb_fin_timeout, 0, 0},
    {"multipath", verb_multipath, 0, NEEDS_VALUE},
    {"conjunction", verb_conjunction, 0, NEEDS_VALUE},
    {"note", verb_note, 0, 0},
    {"exit", verb_plain, OA_EXIT, 0},
    {"sample", verb_sample, 0, NEEDS_VALUE},
    {"ct", verb_ct, 0, 0},
    {"ct_clear", verb_plain, OA_CT_CLEAR, 0},
    {"nat", verb_nat, 0, 0},
    {"clone", verb_nest, OA_CLONE, 0},
    {"check_pkt_larger", verb_check_pkt_larger, 0, NEEDS_VALUE},
    {"delete_field", verb_refuse, 0, NEEDS_VALUE},
    {"encap", verb_encap, 0, NEEDS_VALUE},
    {"decap", verb_decap, 0, 0},
    {"meter", verb_number32, OA_METER, NEEDS_VALUE},
    {"write_actions", verb_nest, OA_WRITE_ACTIONS, INSTRUCTION},
    {"clear_actions", verb_plain, OA_CLEAR_ACTIONS, INSTRUCTION},
    {"write_metadata", verb_write_metadata, 0, NEEDS_VALUE | INSTRUCTION},
    {"goto_table", verb_goto_table, 0, NEEDS_VALUE | INSTRUCTION},
};

static int
parse_one(struct parser *p, const char *key, char *value)
{
    for (const struct mod_word *m = mod_words; m->name; m++)
        if (!strcasecmp(key, m->name))
            return verb_mod(p, key, value, m->field);
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        const struct verb *v = &verbs[i];
        if (strcasecmp(key, v->name))
            continue;
        if (v->flags & INSTRUCTION && !p->may_instruct)
            return refuse(p->why, -EINVAL, "%s is not allowed here", key);
        if (v->flags & NEEDS_VALUE && !*value)
            return refuse(p->why, -EINVAL, "%s: missing argument", key);
        return v->fn(p, key, value, v->arg);
    }
    uint32_t to;
    if (!*value && port_parse(key, p->names, &to))
        return add_output(p, to, to == 0xfffffffd ? UINT16_MAX : 0);
    return refuse(p->why, -EINVAL, "unknown action %s", key);
}

static int
parse_list(struct parser *p, char *text)
{
    char *key, *value;
    int err = 0;
    bool drop = false;
    size_t n = 0;
    while (words_next(&text, &key, &value, &err, p->why)) {
        if (err)
            return err;
        if (!strcasecmp(key, "drop")) {
            drop = true;
            continue;
        }
        err = parse_one(p, key, value);
        if (err)
            return err;
        n++;
    }
    return drop && n ? refuse(p->why, -EINVAL, "\"drop\" must not be accompanied by any other action or instruction")
                     : 0;
}

/* Instructions in the order in which they are carried out, whatever the order they were written in; each at most once. */
static int
put_in_order(struct oa_list *l, size_t from, struct why *why)
{
    static const uint8_t last[] = {OA_CLEAR_ACTIONS, OA_WRITE_ACTIONS, OA_WRITE_METADATA, OA_GOTO_TABLE};
    struct oa_list sorted = OA_LIST_INIT;
    OA_FOR(a, l->bytes + from, l->len - from)
    if (a->type == OA_METER)
        oa_copy(&sorted, a, a->len);
    OA_FOR(a, l->bytes + from, l->len - from)
    if (a->type != OA_METER && !memchr(last, a->type, sizeof last))
        oa_copy(&sorted, a, a->len);
    int err = 0;
    for (size_t i = 0; i < sizeof last; i++) {
        size_t n = 0;
        OA_FOR(a, l->bytes + from, l->len - from)
        if (a->type == last[i]) {
            oa_copy(&sorted, a, a->len);
            n++;
        }
        if (n > 1)
            err = refuse(why, -EINVAL, "duplicate instruction");
    }
    if (!err && sorted.len)
        memcpy(l->bytes + from, sorted.bytes, sorted.len);
    oa_list_fini(&sorted);
    return err;
}

int
oa_parse(const char *text, const struct port_names *names, bool allow_instructions, enum of_version version,
         struct oa_list *out, struct why *why)
{
    size_t before = out->len;
    struct parser p = {names, version, allow_instructions, 0, out, why};
    AUTO_STR char *copy = xstrdup(text);
    int err = parse_list(&p, copy);
    if (!err)
        err = put_in_order(out, before, why);
    if (err)
        out->len = before;
    return err;
}
