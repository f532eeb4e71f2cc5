/* control - the commands of ovsdb-server(1), "Runtime management commands". */
#include "base/log.h"
#include "io/memory.h"
#include "io/unixctl.h"
#include "ovsdb/server_impl.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(ovsdb_server);

static void
answer(struct unixctl_conn *c, int err, const struct why *why)
{
    if (err)
        unixctl_fail(c, why->text);
    else
        unixctl_reply(c, NULL);
}

static void
cmd_exit(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    struct server *s = aux;
    unixctl_reply(c, NULL);
    s->on_exit(s->on_exit_aux);
}

/* ---- compaction ---- */

struct compaction {
    struct unixctl_conn *conn;
    size_t left;
    struct text errors;
};

static void
compacted(void *aux, const struct dberr *err)
{
    struct compaction *k = aux;

    if (err) {
        AUTO_STR char *text = dberr_str(err);
        text_addf(&k->errors, "%s\n", text);
    }
    if (--k->left)
        return;
    if (k->errors.len)
        unixctl_fail(k->conn, text_str(&k->errors));
    else
        unixctl_reply(k->conn, NULL);
    text_fini(&k->errors);
    free(k);
}

static void
cmd_compact(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    struct server *s = aux;
    struct hosted *h, *only = argc > 1 ? server_find(s, argv[1]) : NULL;

    if (argc > 1 && !only) {
        unixctl_fail(c, "no database by that name");
        return;
    }
    if (only && !only->store) {
        unixctl_fail(c, "cannot compact built-in databases");
        return;
    }
    struct compaction *k = xzalloc(sizeof *k);
    k->conn = c;
    k->left = 1;
    HMAP_FOR (h, node, &s->dbs) {
        if (!h->store || (only && h != only))
            continue;
        log_info("compacting %s database by user request", h->name);
        k->left++;
        store_compact(h->store, h->db, "compacting database online", compacted, k);
    }
    compacted(k, NULL);
}

static bool
parse_on_off(const char *word, bool *on)
{
    *on = !strcmp(word, "on");
    return *on || !strcmp(word, "off");
}

static void
cmd_trim(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct server *s = aux;
    struct hosted *h;
    bool on;

    if (!parse_on_off(argv[1], &on)) {
        unixctl_fail(c, "invalid argument");
        return;
    }
    s->trim_on_compaction = on;
    HMAP_FOR (h, node, &s->dbs)
        if (h->store)
            store_trim_on_compaction(h->store, on);
    log_info("memory trimming after compaction %s.", on ? "enabled" : "disabled");
    unixctl_reply(c, NULL);
}

/* ---- remotes and databases ---- */

static void
cmd_reconnect(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    server_reconnect_all(aux, "user ran ovsdb-server/reconnect");
    unixctl_reply(c, NULL);
}

static void
cmd_disable_monitor_cond(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    struct server *s = aux;
    s->no_monitor_cond = true;
    server_reconnect_all(s, "user ran ovsdb-server/disable-monitor-cond");
    unixctl_reply(c, NULL);
}

static void
cmd_add_remote(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct why why;
    answer(c, server_add_remote(aux, argv[1], &why), &why);
}

static void
cmd_remove_remote(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct why why;
    answer(c, server_remove_remote(aux, argv[1], &why), &why);
}

static void
cmd_list_remotes(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    remotes_list(aux, &t);
    unixctl_reply(c, text_str(&t));
}

static void
cmd_add_db(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct why why;
    answer(c, server_add_db(aux, argv[1], &why), &why);
}

static void
cmd_remove_db(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct why why;
    int err = server_remove_db(aux, argv[1], &why);
    if (!err)
        log_info("removing %s database by user request", argv[1]);
    answer(c, err, &why);
}

static int
cmp_hosted(const void *a_, const void *b_)
{
    const struct hosted *const *a = a_, *const *b = b_;
    return strcmp((*a)->name, (*b)->name);
}

typedef VEC(struct hosted *) hosted_list;

static hosted_list
sorted_dbs(const struct server *s)
{
    hosted_list all = VEC_INIT;
    struct hosted *h;
    HMAP_FOR (h, node, &s->dbs)
        vec_push(&all, h);
    qsort(all.at, all.n, sizeof *all.at, cmp_hosted);
    return all;
}

static void
cmd_list_dbs(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    hosted_list all = sorted_dbs(aux);
    for (size_t i = 0; i < all.n; i++)
        text_addf(&t, "%s\n", all.at[i]->name);
    vec_fini(&all);
    unixctl_reply(c, text_str(&t));
}

static void
cmd_storage_status(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct hosted *h = server_find(aux, argv[1]);
    AUTO_TEXT struct text t = TEXT_INIT;

    if (!h) {
        unixctl_fail(c, "Failed to find the database.");
        return;
    }
    const char *trouble = h->store ? store_trouble(h->store) : NULL;
    text_addf(&t, "status: %s\n", trouble ? trouble : "ok");
    unixctl_reply(c, text_str(&t));
}

/* ---- logging of tables ---- */

static void
cmd_tlog_set(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    AUTO_STR char *name = xstrdup(argv[1]);
    char *colon = strchr(name, ':');
    bool on;

    if (!parse_on_off(argv[2], &on)) {
        unixctl_fail(c, "invalid command argument");
        return;
    }
    if (!colon) {
        unixctl_fail(c, "invalid DB:TABLE argument");
        return;
    }
    *colon = '\0';
    struct hosted *h = server_find(aux, name);
    struct table *t = h && h->db ? db_table(h->db, colon + 1) : NULL;
    if (!t) {
        unixctl_fail(c, h ? "no such table" : "no such database");
        return;
    }
    t->logs = on;
    unixctl_reply(c, NULL);
}

static void
cmd_tlog_list(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    hosted_list all = sorted_dbs(aux);

    text_add(&t, "database        table                       logging\n");
    text_add(&t, "--------        -----                       -------\n");
    for (size_t i = 0; i < all.n; i++) {
        text_addf(&t, "%-16s \n", all.at[i]->name);
        const struct db *db = all.at[i]->db;
        for (size_t j = 0; db && j < db->schema->n_tables; j++)
            text_addf(&t, "                %-27s %s\n", db->schema->tables[j].name, db->tables[j].logs ? "ON" : "OFF");
    }
    vec_fini(&all);
    unixctl_reply(c, text_str(&t));
}

/* ---- active-backup ---- */

static void
cmd_set_active(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct why why;
    answer(c, server_set_source(aux, argv[1], &why), &why);
}

static void
cmd_get_active(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    struct server *s = aux;
    AUTO_STR char *text = s->source_target ? xasprintf("%s\n", s->source_target) : NULL;
    unixctl_reply(c, text);
}

static void
cmd_connect_active(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    struct server *s = aux;

    if (!s->source_target) {
        unixctl_reply(c, "Unable to connect: active server is not specified.\n");
        return;
    }
    server_reconnect_all(s, "server becomes a backup");
    server_be_backup(s, true);
    unixctl_reply(c, NULL);
}

static void
cmd_disconnect_active(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    server_reconnect_all(aux, "server becomes active");
    server_be_backup(aux, false);
    unixctl_reply(c, NULL);
}

static bool
parse_probe(const char *word, span *probe)
{
    char *end;
    errno = 0;
    long long ms = strtoll(word, &end, 10);
    *probe = millis(ms);
    return !errno && end != word && !*end && ms >= 0;
}

static void
cmd_source_probe(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct server *s = aux;
    if (!parse_probe(argv[1], &s->source_probe)) {
        unixctl_fail(c, "Invalid probe interval, integer value expected");
        return;
    }
    source_set_probe(s->source, s->source_probe);
    unixctl_reply(c, NULL);
}

static void
cmd_relay_probe(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct server *s = aux;
    struct hosted *h;

    if (!parse_probe(argv[1], &s->relay_probe)) {
        unixctl_fail(c, "Invalid probe interval, integer value expected");
        return;
    }
    HMAP_FOR (h, node, &s->dbs)
        source_set_probe(h->source, s->relay_probe);
    unixctl_reply(c, NULL);
}

static void
cmd_set_excluded(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux)
{
    struct why why;
    answer(c, server_set_excluded(aux, argv[1], &why), &why);
}

static void
cmd_get_excluded(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    struct server *s = aux;
    AUTO_STR char *text = s->excluded && *s->excluded ? xasprintf("%s\n", s->excluded) : NULL;
    unixctl_reply(c, text);
}

static void
cmd_sync_status(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    source_status(aux, &t);
    unixctl_reply(c, text_str(&t));
}

/* ---- what we have not ---- */

static void
cmd_cluster(struct unixctl_conn *c, int argc UNUSED, const char *argv[], void *aux UNUSED)
{
    unixctl_failf(c, "%s: this server does not run clustered databases; clustering is the work of a real ovsdb-server",
                  argv[0]);
}

static void
cmd_perf(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    unixctl_reply(c, "performance counter is not supported on this platform\n");
}

static void
cmd_reload(struct unixctl_conn *c, int argc UNUSED, const char *argv[] UNUSED, void *aux UNUSED)
{
    unixctl_fail(c, "ovsdb-server/reload: there is no configuration file (--config-file was not given)");
}

static void
report_memory(void *aux)
{
    const struct server *s = aux;
    const struct hosted *h;
    const struct session *session;

    memory_report("sessions", s->n_sessions);
    HMAP_FOR (h, node, &s->dbs) {
        if (!h->db)
            continue;
        memory_report("monitors", monitors_count(h->monitors));
        memory_report("n-weak-refs", h->db->n_weak);
        memory_report("triggers", list_size(&h->triggers));
        for (size_t i = 0; i < h->db->schema->n_tables; i++) {
            const struct table *t = &h->db->tables[i];
            unsigned long long atoms = 0;
            TABLE_FOR(r, t)
            for (size_t j = COL_FIRST; j < t->schema->n_columns; j++) {
                const struct datum *d = row_cell(r, j);
                atoms += (unsigned long long) d->n * (d->value_type == ATOM_VOID ? 1 : 2);
            }
            memory_report("cells", (unsigned long long) t->n_rows * t->schema->n_columns);
            memory_report("atoms", atoms);
        }
    }
    LIST_FOR (session, link, &s->sessions)
        memory_report("backlog", rpc_backlog(session->rpc));
}

static const struct {
    const char *name, *usage;
    int min, max;
    unixctl_fn *run;
} commands[] = {
    {"exit", "", 0, 0, cmd_exit},
    {"ovsdb-server/compact", "", 0, 1, cmd_compact},
    {"ovsdb-server/memory-trim-on-compaction", "on|off", 1, 1, cmd_trim},
    {"ovsdb-server/reconnect", "", 0, 0, cmd_reconnect},
    {"ovsdb-server/reload", "", 0, 0, cmd_reload},
    {"ovsdb-server/add-remote", "REMOTE", 1, 1, cmd_add_remote},
    {"ovsdb-server/remove-remote", "REMOTE", 1, 1, cmd_remove_remote},
    {"ovsdb-server/list-remotes", "", 0, 0, cmd_list_remotes},
    {"ovsdb-server/add-db", "DB", 1, 1, cmd_add_db},
    {"ovsdb-server/remove-db", "DB", 1, 1, cmd_remove_db},
    {"ovsdb-server/list-dbs", "", 0, 0, cmd_list_dbs},
    {"ovsdb-server/get-db-storage-status", "DB", 1, 1, cmd_storage_status},
    {"ovsdb-server/tlog-set", "DB:TABLE on|off", 2, 2, cmd_tlog_set},
    {"ovsdb-server/tlog-list", "", 0, 0, cmd_tlog_list},
    {"ovsdb-server/disable-monitor-cond", "", 0, 0, cmd_disable_monitor_cond},
    {"ovsdb-server/perf-counters-show", "", 0, 0, cmd_perf},
    {"ovsdb-server/perf-counters-clear", "", 0, 0, cmd_perf},
    {"ovsdb-server/set-active-ovsdb-server", "", 1, 1, cmd_set_active},
    {"ovsdb-server/get-active-ovsdb-server", "", 0, 0, cmd_get_active},
    {"ovsdb-server/connect-active-ovsdb-server", "", 0, 0, cmd_connect_active},
    {"ovsdb-server/disconnect-active-ovsdb-server", "", 0, 0, cmd_disconnect_active},
    {"ovsdb-server/set-active-ovsdb-server-probe-interval", "", 1, 1, cmd_source_probe},
    {"ovsdb-server/set-relay-source-probe-interval", "", 1, 1, cmd_relay_probe},
    {"ovsdb-server/set-sync-exclude-tables", "", 0, 1, cmd_set_excluded},
    {"ovsdb-server/get-sync-exclude-tables", "", 0, 0, cmd_get_excluded},
    {"ovsdb-server/sync-status", "", 0, 0, cmd_sync_status},
    {"cluster/cid", "DB", 0, 9, cmd_cluster},
    {"cluster/sid", "DB", 0, 9, cmd_cluster},
    {"cluster/status", "DB", 0, 9, cmd_cluster},
    {"cluster/leave", "DB", 0, 9, cmd_cluster},
    {"cluster/kick", "DB SERVER", 0, 9, cmd_cluster},
    {"cluster/change-election-timer", "DB TIME", 0, 9, cmd_cluster},
    {"cluster/set-backlog-threshold", "DB N_MSGS N_BYTES", 0, 9, cmd_cluster},
    {"cluster/failure-test", "FAILURE SCENARIO", 0, 9, cmd_cluster},
};

void
server_control(struct server *s, void (*on_exit)(void *aux), void *aux)
{
    s->on_exit = on_exit;
    s->on_exit_aux = aux;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        unixctl_command(commands[i].name, commands[i].usage, commands[i].min, commands[i].max, commands[i].run, s);
    memory_reporter(report_memory, s);
}

/* ---- what the commands and options share ---- */

int
server_set_source(struct server *s, const char *source, struct why *why)
{
    if (source && *source && (!target_is_valid(source, why) || target_is_passive(source)))
        return refuse(why, -EINVAL, "%s: not a server one can connect to", source);
    free(s->source_target);
    s->source_target = source && *source ? xstrdup(source) : NULL;
    if (s->is_backup)
        source_update(s);
    return 0;
}

int
server_set_excluded(struct server *s, const char *tables, struct why *why)
{
    AUTO_STR char *copy = xstrdup(tables ? tables : "");
    char *save = NULL;

    for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save))
        if (!strchr(word, ':'))
            return refuse(why, -EINVAL, "Can't parse excluded table: %s", word);
    free(s->excluded);
    s->excluded = xstrdup(tables ? tables : "");
    if (s->is_backup)
        source_update(s);
    return 0;
}

void
server_be_backup(struct server *s, bool backup)
{
    s->is_backup = backup;
    source_update(s);
}
