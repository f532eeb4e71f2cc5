/* The commands of ovs-vsctl(8) about datapaths and their connection tracking zones, and about Auto-Attach. */
#include "cli/vsctl.h"

#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Auto-Attach: I-SID to VLAN, a map of integers. ---- */

static int
aa_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    client_want(ctl->client, "Bridge", "auto_attach", WANT_READ);
    client_want(ctl->client, "AutoAttach", "mappings", WANT_READ);
    return model_want(ctl, run, why);
}

static int
parse_number(const char *word, union atom *out, struct why *why)
{
    char *end;
    out->integer = (int64_t) strtoull(word, &end, 10);
    return end == word ? refuse(why, -EINVAL, "Invalid argument %s", word) : 0;
}

static int
parse_mapping(struct ctl_run *run, union atom *isid, union atom *vlan, struct why *why)
{
    int err = parse_number(run->argv[2], isid, why);
    return err ? err : parse_number(run->argv[3], vlan, why);
}

static int
add_aa_mapping(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    union atom isid, vlan;
    struct model_bridge *br;
    struct datum_builder b;

    int err = parse_mapping(run, &isid, &vlan, why);
    if (!err)
        err = find_bridge(ctl, run->argv[1], &br, why);
    if (err)
        return err;
    struct crow *aa = crow_ref(br->row, "auto_attach");
    if (!aa) {
        aa = ctxn_insert(ctl->txn, "AutoAttach");
        ctxn_set_ref(ctl->txn, br->row, "auto_attach", aa);
    }
    builder_init(&b, ATOM_INTEGER, ATOM_INTEGER);
    builder_add(&b, &isid, &vlan);
    AUTO_DATUM const struct datum *pair = datum_build_unique(&b);
    builder_fini(&b);
    ctxn_add(ctl->txn, aa, "mappings", pair);
    return 0;
}

static int
del_aa_mapping(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    union atom isid, vlan;
    struct model_bridge *br;

    int err = parse_mapping(run, &isid, &vlan, why);
    if (!err)
        err = find_bridge(ctl, run->argv[1], &br, why);
    struct crow *aa = err ? NULL : crow_ref(br->row, "auto_attach");
    if (!aa)
        return err;
    const struct datum *mappings = crow_value(aa, "mappings");
    ssize_t i = datum_find(mappings, &isid);
    if (i >= 0 && datum_value(mappings, i).integer == vlan.integer) {
        AUTO_DATUM const struct datum *key = datum_of_integer(isid.integer);
        ctxn_del(ctl->txn, aa, "mappings", key);
    }
    return 0;
}

static int
get_aa_mapping(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_bridge(ctl, run->argv[1], &br, why);
    const struct crow *aa = err ? NULL : crow_ref(br->row, "auto_attach");
    const struct datum *mappings = aa ? crow_value(aa, "mappings") : NULL;
    for (size_t i = 0; mappings && i < mappings->n; i++)
        text_addf(&run->output, "%lld %lld\n", (long long) datum_key(mappings, i).integer,
                  (long long) datum_value(mappings, i).integer);
    return err;
}

/* ---- Zones: Open_vSwitch.datapaths[name] -> Datapath.ct_zones[number] -> CT_Zone ---- */

static int
zone_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    static const struct {
        const char *table, *column;
    } wants[] = {
        {"Open_vSwitch", "datapaths"},     {"Datapath", "ct_zones"},      {"Datapath", "ct_zone_default_limit"},
        {"Datapath", "capabilities"},      {"CT_Zone", "timeout_policy"}, {"CT_Zone", "limit"},
        {"CT_Timeout_Policy", "timeouts"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++) {
        client_want(ctl->client, wants[i].table, wants[i].column, WANT_READ);
        ctl_want_rows(ctl, wants[i].table);
    }
    return 0;
}

static struct crow *
find_datapath(struct ctl *ctl, const char *name)
{
    const struct datum *d = crow_value(vsctl_of(ctl)->ovs, "datapaths");
    union atom key = {.string = {name, strlen(name)}};
    ssize_t i = d->key_type == ATOM_STRING ? datum_find(d, &key) : -1;
    if (i < 0)
        return NULL;
    struct uuid uuid = datum_value(d, i).uuid;
    return client_row(ctl->client, "Datapath", &uuid);
}

static int
need_datapath(struct ctl *ctl, const char *name, struct crow **out, struct why *why)
{
    *out = find_datapath(ctl, name);
    return *out ? 0 : refuse(why, -ENOENT, "datapath %s does not exist", name);
}

/* "zone=5" */
static int64_t
zone_number(const char *word)
{
    const char *equals = strchr(word, '=');
    return (int64_t) strtoull(equals ? equals + 1 : word, NULL, 10);
}

/* "icmp_first=30": the value is what follows, read as a number. */
static int
parse_timeouts(char *const words[], int n, const struct datum **out, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT; /* the builder borrows the names */
    struct datum_builder b;
    int err = 0;

    builder_init(&b, ATOM_STRING, ATOM_INTEGER);
    for (int i = 0; i < n && !err; i++) {
        size_t len = strcspn(words[i], "=");
        if (!len || !words[i][len]) {
            err = refuse(why, -EINVAL, "invalid timeout policy \"%s\"", words[i]);
            break;
        }
        union atom key = {.string = {arena_strn(&arena, words[i], len), (uint32_t) len}};
        union atom value = {.integer = (int64_t) strtoull(words[i] + len + 1, NULL, 10)};
        builder_add(&b, &key, &value);
    }
    if (!err)
        *out = datum_build_unique(&b);
    builder_fini(&b);
    return err;
}

static void
put_zone(struct ctl *ctl, struct crow *dp, int64_t number, const struct crow *zone)
{
    union atom key = {.integer = number}, value = {.uuid = *crow_uuid(zone)};
    struct datum_builder b;

    builder_init(&b, ATOM_INTEGER, ATOM_UUID);
    builder_add(&b, &key, &value);
    AUTO_DATUM const struct datum *pair = datum_build_unique(&b);
    builder_fini(&b);
    ctxn_add(ctl->txn, dp, "ct_zones", pair);
}

static struct crow *
get_zone(struct ctl *ctl, struct crow *dp, int64_t number)
{
    struct crow *zone = crow_map_ref(dp, "ct_zones", number);
    if (!zone) {
        zone = ctxn_insert(ctl->txn, "CT_Zone");
        put_zone(ctl, dp, number, zone);
    }
    return zone;
}

/* A zone that says nothing any more goes. */
static void
drop_zone(struct ctl *ctl, struct crow *dp, int64_t number)
{
    AUTO_DATUM const struct datum *key = datum_of_integer(number);
    ctxn_del(ctl->txn, dp, "ct_zones", key);
}

static int
add_zone_tp(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    AUTO_DATUM const struct datum *timeouts = NULL;
    int64_t number = zone_number(run->argv[2]);
    struct crow *dp;

    int err = need_datapath(ctl, run->argv[1], &dp, why);
    if (err)
        return err;
    struct crow *zone = crow_map_ref(dp, "ct_zones", number);
    struct crow *policy = zone ? crow_ref(zone, "timeout_policy") : NULL;
    if (policy && !ctl_has_option(run, "--may-exist"))
        return refuse(why, -EEXIST, "zone id %lld already exists", (long long) number);
    err = parse_timeouts(run->argv + 3, run->argc - 3, &timeouts, why);
    if (err)
        return err;
    if (!policy) {
        policy = ctxn_insert(ctl->txn, "CT_Timeout_Policy");
        ctxn_set_ref(ctl->txn, get_zone(ctl, dp, number), "timeout_policy", policy);
    }
    ctxn_set(ctl->txn, policy, "timeouts", timeouts);
    return 0;
}

static int
del_zone_tp(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    int64_t number = zone_number(run->argv[2]);
    struct crow *dp;

    int err = need_datapath(ctl, run->argv[1], &dp, why);
    if (err)
        return err;
    struct crow *zone = crow_map_ref(dp, "ct_zones", number);
    if (!zone || !crow_ref(zone, "timeout_policy"))
        return ctl_has_option(run, "--if-exists")
                   ? 0
                   : refuse(why, -ENOENT, "zone id %lld does not exist", (long long) number);
    if (crow_is_empty(zone, "limit"))
        drop_zone(ctl, dp, number);
    else
        ctxn_set_ref(ctl->txn, zone, "timeout_policy", NULL);
    return 0;
}

static int
list_zone_tp(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct crow *dp = find_datapath(ctl, run->argv[1]);
    if (!dp)
        return refuse(why, -ENOENT, "datapath: %s record not found", run->argv[1]);
    const struct datum *zones = crow_value(dp, "ct_zones");
    for (size_t i = 0; i < zones->n; i++) {
        int64_t number = datum_key(zones, i).integer;
        const struct crow *zone = crow_map_ref(dp, "ct_zones", number);
        const struct crow *policy = zone ? crow_ref(zone, "timeout_policy") : NULL;
        if (!policy)
            continue;
        const struct datum *d = crow_value(policy, "timeouts");
        text_addf(&run->output, "Zone:%lld, Timeout Policies: ", (long long) number);
        for (size_t j = 0; j < d->n; j++)
            text_addf(&run->output, "%s%s=%lld", j ? " " : "", datum_key(d, j).string.s,
                      (long long) datum_value(d, j).integer);
        text_add(&run->output, d->n ? "\n" : "system default\n");
    }
    return 0;
}

/* ---- Limits of zones; "default" is for zones that have none. ---- */

static bool
is_default(const char *word)
{
    return !strcmp(word, "default");
}

static int
set_zone_limit(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct crow *dp;
    char *end;
    int64_t limit = strtoll(run->argv[3], &end, 10);

    int err = need_datapath(ctl, run->argv[1], &dp, why);
    if (!err && (*end || end == run->argv[3] || limit < 0 || limit > UINT32_MAX))
        err = refuse(why, -EINVAL, "invalid limit: %s", run->argv[3]);
    if (err)
        return err;
    if (is_default(run->argv[2]))
        ctxn_set_int(ctl->txn, dp, "ct_zone_default_limit", limit);
    else
        ctxn_set_int(ctl->txn, get_zone(ctl, dp, zone_number(run->argv[2])), "limit", limit);
    return 0;
}

static int
del_zone_limit(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    bool must_exist = !ctl_has_option(run, "--if-exists");
    struct crow *dp;

    int err = need_datapath(ctl, run->argv[1], &dp, why);
    if (err)
        return err;
    if (is_default(run->argv[2])) {
        if (must_exist && crow_is_empty(dp, "ct_zone_default_limit"))
            return refuse(why, -ENOENT, "datapath %s does not have a limit", run->argv[1]);
        ctxn_clear(ctl->txn, dp, "ct_zone_default_limit");
        return 0;
    }
    int64_t number = zone_number(run->argv[2]);
    struct crow *zone = crow_map_ref(dp, "ct_zones", number);
    if (!zone || crow_is_empty(zone, "limit"))
        return must_exist ? refuse(why, -ENOENT, "zone_id %lld does not have a limit", (long long) number) : 0;
    if (crow_is_empty(zone, "timeout_policy"))
        drop_zone(ctl, dp, number);
    else
        ctxn_clear(ctl->txn, zone, "limit");
    return 0;
}

static int
list_zone_limits(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct crow *dp;
    int err = need_datapath(ctl, run->argv[1], &dp, why);
    if (err)
        return err;
    if (!crow_is_empty(dp, "ct_zone_default_limit"))
        text_addf(&run->output, "zone=default,limit=%lld\n", (long long) crow_int(dp, "ct_zone_default_limit", 0));
    const struct datum *zones = crow_value(dp, "ct_zones");
    for (size_t i = 0; i < zones->n; i++) {
        int64_t number = datum_key(zones, i).integer;
        const struct crow *zone = crow_map_ref(dp, "ct_zones", number);
        if (zone && !crow_is_empty(zone, "limit"))
            text_addf(&run->output, "zone=%lld,limit=%lld\n", (long long) number,
                      (long long) crow_int(zone, "limit", 0));
    }
    return 0;
}

static int
list_dp_cap(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct crow *dp = find_datapath(ctl, run->argv[1]);
    if (!dp)
        return refuse(why, -ENOENT, "datapath \"%s\" record not found", run->argv[1]);
    const struct datum *d = crow_value(dp, "capabilities");
    for (size_t i = 0; i < d->n; i++)
        text_addf(&run->output, "%s%s=%s", i ? " " : "", datum_key(d, i).string.s, datum_value(d, i).string.s);
    text_add(&run->output, "\n");
    return 0;
}

const struct ctl_command vsctl_zone_commands[] = {
    {"add-aa-mapping", 3, 3, "BRIDGE ARG ARG", aa_want, add_aa_mapping, NULL, "", true},
    {"del-aa-mapping", 3, 3, "BRIDGE ARG ARG", aa_want, del_aa_mapping, NULL, "", true},
    {"get-aa-mapping", 1, 1, "BRIDGE", aa_want, get_aa_mapping, NULL, "", false},
    {"add-zone-tp", 3, INT_MAX, "", zone_want, add_zone_tp, NULL, "--may-exist", true},
    {"del-zone-tp", 2, 2, "", zone_want, del_zone_tp, NULL, "--if-exists", true},
    {"list-zone-tp", 1, 1, "", zone_want, list_zone_tp, NULL, "", false},
    {"set-zone-limit", 3, 3, "", zone_want, set_zone_limit, NULL, "", true},
    {"del-zone-limit", 2, 2, "", zone_want, del_zone_limit, NULL, "--if-exists", true},
    {"list-zone-limits", 1, 1, "", zone_want, list_zone_limits, NULL, "", false},
    {"list-dp-cap", 1, 1, "", zone_want, list_dp_cap, NULL, "", false},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, false},
};
