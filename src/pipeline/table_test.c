#include "base/mem.h"
#include "base/test.h"
#include "pipeline/table.h"

static instant now;

static struct tables *
fresh(void)
{
    now = (instant){0};
    static struct versions versions;
    return tables_new(&versions, 1);
}

static enum of_error
change(struct tables *ts, enum flow_command command, uint8_t table, uint16_t priority, const char *match,
       const char *actions, struct flow_mod extra)
{
    struct flow_mod fm = extra;
    AUTO_OA_LIST struct oa_list list = OA_LIST_INIT;
    struct why why;
    fm.command = command;
    fm.table = table;
    fm.priority = priority;
    fm.out_port = fm.out_port ? fm.out_port : OF_PORT_ANY;
    fm.out_group = OF_GROUP_ANY;
    CHECK_EQ(match_parse(match, NULL, &fm.match, &why), 0);
    CHECK_EQ(oa_parse(actions, NULL, true, OF13, &list, &why), 0);
    fm.actions = list.bytes;
    fm.actions_len = list.len;
    return tables_change(ts, &fm, now);
}

#define NOTHING_MORE                                                                                                   \
    (struct flow_mod)                                                                                                  \
    {                                                                                                                  \
        .new_cookie = UINT64_MAX                                                                                       \
    }

static bool
count(void *aux, const struct rule *r)
{
    ++*(unsigned *) aux;
    return true;
}

static unsigned
how_many(struct tables *ts, const char *match, struct flow_query q)
{
    unsigned n = 0;
    struct why why;
    q.table = OF_TABLE_ALL;
    q.out_port = q.out_port ? q.out_port : OF_PORT_ANY;
    q.out_group = OF_GROUP_ANY;
    CHECK_EQ(match_parse(match, NULL, &q.match, &why), 0);
    tables_query(ts, &q, count, &n);
    return n;
}

static int
found_priority(struct tables *ts, const char *frame)
{
    struct match m;
    struct why why;
    CHECK_EQ(match_parse(frame, NULL, &m, &why), 0);
    struct rule *r = tables_find(ts, 0, &m.key, tables_version(ts), NULL);
    return r ? r->cls.priority : -1;
}

TEST(rules_come_change_and_go)
{
    struct tables *ts = fresh();
    CHECK_EQ(change(ts, FLOW_ADD, 0, 10, "in_port=1", "output:2", (struct flow_mod){.new_cookie = 5}), OFERR_OK);
    CHECK_EQ(change(ts, FLOW_ADD, 0, 20, "in_port=1,tcp", "output:3", (struct flow_mod){.new_cookie = 6}), OFERR_OK);
    CHECK_EQ(change(ts, FLOW_ADD, 3, 20, "udp", "drop", (struct flow_mod){.new_cookie = 6}), OFERR_OK);
    CHECK_EQ(tables_n_rules(ts), 3);
    CHECK_EQ(found_priority(ts, "in_port=1,tcp"), 20);
    CHECK_EQ(found_priority(ts, "in_port=1,udp"), 10);
    CHECK_EQ(found_priority(ts, "in_port=2"), -1);
    /* the same match and priority: written over */
    CHECK_EQ(change(ts, FLOW_ADD, 0, 10, "in_port=1", "output:7", (struct flow_mod){.new_cookie = 9}), OFERR_OK);
    CHECK_EQ(tables_n_rules(ts), 3);
    CHECK_EQ(how_many(ts, "", (struct flow_query){.out_port = 7}), 1);
    CHECK_EQ(how_many(ts, "", (struct flow_query){.out_port = 2}), 0);
    CHECK_EQ(how_many(ts, "", (struct flow_query){.cookie = 6, .cookie_mask = UINT64_MAX}), 2);
    CHECK_EQ(how_many(ts, "in_port=1", (struct flow_query){0}), 2);
    /* loose: at least as narrow; strict: exactly */
    CHECK_EQ(change(ts, FLOW_MODIFY, OF_TABLE_ALL, 0, "in_port=1", "output:8", NOTHING_MORE), OFERR_OK);
    CHECK_EQ(how_many(ts, "", (struct flow_query){.out_port = 8}), 2);
    CHECK_EQ(change(ts, FLOW_DELETE_STRICT, 0, 11, "in_port=1", "drop", NOTHING_MORE), OFERR_OK);
    CHECK_EQ(tables_n_rules(ts), 3);
    CHECK_EQ(change(ts, FLOW_DELETE_STRICT, 0, 10, "in_port=1", "drop", NOTHING_MORE), OFERR_OK);
    CHECK_EQ(tables_n_rules(ts), 2);
    CHECK_EQ(
        change(ts, FLOW_DELETE, OF_TABLE_ALL, 0, "", "drop", (struct flow_mod){.cookie = 6, .cookie_mask = UINT64_MAX}),
        OFERR_OK);
    CHECK_EQ(tables_n_rules(ts), 0);
    tables_free(ts);
}

TEST(what_cannot_be_is_refused_and_changes_nothing)
{
    struct tables *ts = fresh();
    CHECK_EQ(change(ts, FLOW_ADD, 0, 10, "tcp", "output:1", NOTHING_MORE), OFERR_OK);
    CHECK_EQ(change(ts, FLOW_ADD, 0, 10, "in_port=1", "output:2", (struct flow_mod){.flags = FLOW_CHECK_OVERLAP}),
             OFERR_OFPFMFC_OVERLAP);
    CHECK_EQ(change(ts, FLOW_ADD, 254, 10, "", "drop", NOTHING_MORE), OFERR_OFPBRC_EPERM);
    CHECK_EQ(tables_n_rules(ts), 1);
    CHECK_EQ(change(ts, FLOW_ADD, 0, 10, "udp", "output:2", (struct flow_mod){.flags = FLOW_CHECK_OVERLAP}), OFERR_OK);
    tables_free(ts);
}

static unsigned n_removed;
static enum flow_removed_reason last_reason;

static void
removed(void *aux, const struct rule *r, enum flow_removed_reason reason, instant when)
{
    n_removed++;
    last_reason = reason;
}

TEST(rules_expire_by_idleness_and_by_age)
{
    struct tables *ts = fresh();
    static const struct tables_ops ops = {removed};
    tables_set_ops(ts, &ops, NULL);
    n_removed = 0;
    CHECK_EQ(change(ts, FLOW_ADD, 0, 1, "", "drop", (struct flow_mod){.idle_timeout = 10, .flags = FLOW_SEND_REMOVED}),
             OFERR_OK);
    CHECK_EQ(change(ts, FLOW_ADD, 0, 2, "", "drop", (struct flow_mod){.hard_timeout = 25, .flags = FLOW_SEND_REMOVED}),
             OFERR_OK);
    CHECK_EQ(tables_run(ts, now).ns, seconds(10).ns);
    now = instant_add(now, seconds(10));
    CHECK_EQ(tables_run(ts, now).ns, seconds(25).ns);
    CHECK_EQ(n_removed, 1);
    CHECK_EQ(last_reason, REMOVED_IDLE);
    now = instant_add(now, seconds(15));
    CHECK_EQ(tables_run(ts, now).ns, INSTANT_NEVER.ns);
    CHECK_EQ(n_removed, 2);
    CHECK_EQ(last_reason, REMOVED_HARD);
    CHECK_EQ(tables_n_rules(ts), 0);
    tables_free(ts);
}

TESTS(rules_come_change_and_go, what_cannot_be_is_refused_and_changes_nothing, rules_expire_by_idleness_and_by_age)
