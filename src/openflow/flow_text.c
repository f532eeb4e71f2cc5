/* flow_text - see the header. */
#include "openflow/flow_text.h"
#include "base/mem.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct flow_mod *fm;
    const struct port_names *names;
    struct why *why;
    bool has_cookie_mask;
};

static int
number(struct reading *r, const char *name, const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    if (!isdigit((unsigned char) *text) || *end || errno || *out > max)
        return refuse(r->why, -EINVAL, "invalid %s \"%s\"", name, text);
    return 0;
}

/* "5", "5/0xff" in a deletion or modification */
static int
cookie(struct reading *r, char *text)
{
    char *slash = strchr(text, '/');
    uint64_t value, mask = UINT64_MAX;
    if (slash)
        *slash++ = '\0';
    int err = number(r, "cookie", text, UINT64_MAX, &value);
    if (!err && slash)
        err = number(r, "cookie mask", strcmp(slash, "-1") ? slash : "0xffffffffffffffff", UINT64_MAX, &mask);
    if (err)
        return err;
    if (slash || r->fm->command >= FLOW_DELETE) {
        if (r->fm->command == FLOW_ADD)
            return refuse(r->why, -EINVAL, "cookie/mask may not be used in an add");
        r->fm->cookie = value & mask;
        r->fm->cookie_mask = mask;
    } else {
        r->fm->new_cookie = value;
        r->fm->modify_cookie = value != UINT64_MAX;
    }
    return 0;
}

static bool
flag(struct reading *r, const char *word)
{
    static const struct {
        const char *name;
        uint16_t bit;
    } flags[] = {{"send_flow_rem", FLOW_SEND_REMOVED},
                 {"check_overlap", FLOW_CHECK_OVERLAP},
                 {"reset_counts", FLOW_RESET_COUNTS},
                 {"no_packet_counts", FLOW_NO_PKT_COUNTS},
                 {"no_byte_counts", FLOW_NO_BYT_COUNTS}};
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (!strcmp(word, flags[i].name)) {
            r->fm->flags |= flags[i].bit;
            return true;
        }
    return false;
}

/* Words that are not part of the match.  1: taken. */
static int
setting(struct reading *r, const char *name, char *value)
{
    struct flow_mod *fm = r->fm;
    uint64_t n = 0;
    int err = 0;
    if (flag(r, name))
        return 1;
    if (!value)
        return 0;
    if (!strcmp(name, "table")) {
        err = number(r, name, value, 255, &n);
        fm->table = n;
    } else if (!strcmp(name, "priority")) {
        err = number(r, name, value, UINT16_MAX, &n);
        fm->priority = n;
    } else if (!strcmp(name, "idle_timeout")) {
        err = number(r, name, value, UINT16_MAX, &n);
        fm->idle_timeout = n;
    } else if (!strcmp(name, "hard_timeout")) {
        err = number(r, name, value, UINT16_MAX, &n);
        fm->hard_timeout = n;
    } else if (!strcmp(name, "importance")) {
        err = number(r, name, value, UINT16_MAX, &n);
        fm->importance = n;
    } else if (!strcmp(name, "cookie")) {
        err = cookie(r, value);
    } else if (!strcmp(name, "out_port")) {
        if (!port_parse(value, r->names, &fm->out_port))
            err = refuse(r->why, -EINVAL, "%s is not a valid OpenFlow port", value);
    } else if (!strcmp(name, "out_group")) {
        err = number(r, name, value, UINT32_MAX, &n);
        fm->out_group = n;
    } else if (!strcmp(name, "duration") || !strcmp(name, "n_packets") || !strcmp(name, "n_bytes") ||
               !strcmp(name, "idle_age") || !strcmp(name, "hard_age")) {
        return 1; /* so that a dump can be read again */
    } else {
        return 0;
    }
    return err ? err : 1;
}

/* The part in front of the actions; two rounds, so that the protocol decides what tp_src means wherever it stands. */
static int
conditions(struct reading *r, const char *text)
{
    for (int round = 0; round < 2; round++) {
        AUTO_STR char *copy = xstrdup(text);
        char *save = NULL;
        for (char *w = strtok_r(copy, ", \t\r\n", &save); w; w = strtok_r(NULL, ", \t\r\n", &save)) {
            char *value = strchr(w, '=');
            if (value)
                *value++ = '\0';
            bool first = !value || !strcmp(w, "dl_type") || !strcmp(w, "eth_type");
            if (first != (round == 0))
                continue;
            int err = setting(r, w, value);
            if (!err)
                err = match_add(&r->fm->match, w, value, r->names, r->why);
            if (err < 0)
                return err;
        }
    }
    return 0;
}

int
flow_mod_parse(const char *text, enum flow_command command, enum of_version version, const struct port_names *names,
               struct flow_mod *out, struct oa_list *actions, struct why *why)
{
    struct flow_mod fm = {.command = command,
                          .table = command == FLOW_ADD ? 0 : OF_TABLE_ALL,
                          .priority = OF_PRIORITY_DEFAULT,
                          .buffer_id = UINT32_MAX,
                          .out_port = OF_PORT_ANY,
                          .out_group = OF_GROUP_ANY,
                          .new_cookie = command == FLOW_ADD ? 0 : UINT64_MAX};
    struct reading r = {&fm, names, why, false};
    AUTO_STR char *copy = xstrdup(text);
    char *acts = strstr(copy, "action");
    bool wanted = command < FLOW_DELETE;
    if (wanted && !acts)
        return refuse(why, -EINVAL, "must specify an action");
    if (!wanted && acts)
        return refuse(why, -EINVAL, "%s: unknown keyword actions", text);
    if (acts) {
        char *value = strchr(acts, '=');
        if (!value)
            return refuse(why, -EINVAL, "must specify an action");
        *acts = '\0';
        acts = value + 1;
    }
    int err = conditions(&r, copy);
    size_t before = actions->len;
    if (!err && acts)
        err = oa_parse(acts, names, true, version, actions, why);
    if (err)
        return err;
    fm.actions = actions->bytes ? actions->bytes + before : NULL;
    fm.actions_len = actions->len - before;
    *out = fm;
    return 0;
}

int
flow_query_parse(const char *text, const struct port_names *names, struct flow_query *out, struct why *why)
{
    struct flow_mod fm;
    AUTO_OA_LIST struct oa_list none = OA_LIST_INIT;
    int err = flow_mod_parse(text, FLOW_DELETE, OF13, names, &fm, &none, why);
    if (!err)
        *out = (struct flow_query){.table = fm.table,
                                   .out_port = fm.out_port,
                                   .out_group = fm.out_group,
                                   .cookie = fm.cookie,
                                   .cookie_mask = fm.cookie_mask,
                                   .match = fm.match};
    return err;
}

void
flow_entry_format(const struct flow_entry *f, const struct port_names *names, bool stats, struct text *out)
{
    text_addc(out, ' ');
    if (stats || f->cookie)
        text_addf(out, "cookie=0x%" PRIx64 ", ", f->cookie);
    if (stats) {
        text_addf(out, "duration=%" PRIu32, f->duration_s);
        if (f->duration_ns) {
            text_addf(out, ".%09" PRIu32, f->duration_ns);
            while (out->s[out->len - 1] == '0')
                text_chomp(out, '0');
        }
        text_add(out, "s, ");
    }
    if (stats || f->table)
        text_addf(out, "table=%u, ", f->table);
    if (stats) {
        if (f->packets != UINT64_MAX)
            text_addf(out, "n_packets=%" PRIu64 ", ", f->packets);
        if (f->bytes != UINT64_MAX)
            text_addf(out, "n_bytes=%" PRIu64 ", ", f->bytes);
    }
    if (f->idle_timeout)
        text_addf(out, "idle_timeout=%u, ", f->idle_timeout);
    if (f->hard_timeout)
        text_addf(out, "hard_timeout=%u, ", f->hard_timeout);
    static const char *const flag_words[] = {"send_flow_rem", "check_overlap", "reset_counts", "no_packet_counts",
                                             "no_byte_counts"};
    for (size_t i = 0; i < ARRAY_SIZE(flag_words); i++)
        if (f->flags >> i & 1)
            text_addf(out, "%s ", flag_words[i]);
    if (f->importance)
        text_addf(out, "importance=%u, ", f->importance);
    if (stats && f->idle_age_s != UINT16_MAX)
        text_addf(out, "idle_age=%u, ", f->idle_age_s);
    if (stats && f->hard_age_s != UINT16_MAX && f->hard_age_s != f->duration_s)
        text_addf(out, "hard_age=%u, ", f->hard_age_s);
    AUTO_TEXT struct text match = TEXT_INIT;
    match_format(&f->match, names, false, &match);
    if (f->priority != OF_PRIORITY_DEFAULT)
        text_addf(out, "priority=%u%s", f->priority, match.len ? "," : " ");
    text_add(out, text_str(&match));
    text_add(out, match.len ? " actions=" : "actions=");
    oa_format(f->actions, f->actions_len, names, out);
}
