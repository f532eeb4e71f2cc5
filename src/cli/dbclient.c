/* ovsdb-client: options, the connection, and the commands that are one question.
 *
 * Arguments. SERVER and DATABASE may be left out: the first word is a server if it looks like one, the next a database if the server has one
 *            of that name and enough words are left for the command.
 * Clusters.  Several servers are tried in random order; one that does not lead its cluster is left for the next, unless told otherwise. */
#include "cli/dbclient.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/options.h"
#include "cli/subcommand.h"
#include "io/dirs.h"
#include "io/unixctl.h"
#include "ovsdb/client.h"
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

LOG_MODULE(ovsdb_client)

/* ---- The line. ---- */

static void
on_connected(void *dbc)
{
    ((struct dbc *) dbc)->is_up = true;
}

static void
on_closed(void *dbc, const char *reason)
{
    struct dbc *c = dbc;
    c->is_closed = true;
    free(c->reason);
    c->reason = xstrdup(reason);
}

static void
on_received(void *dbc, const struct rpc_msg *msg)
{
    struct dbc *c = dbc;

    if ((msg->type == RPC_REPLY || msg->type == RPC_ERROR) && c->waiting && rpc_is_id(msg, c->waiting)) {
        c->is_error = msg->type == RPC_ERROR;
        if (c->is_error)
            c->error = jv_copy(c->arena, msg->error);
        else
            c->result = jv_copy(c->arena, msg->result);
        c->is_answered = true;
    } else if (msg->type == RPC_NOTIFY && c->notice) {
        c->notice(c, msg);
    }
}

static const struct rpc_ops ops = {.connected = on_connected, .received = on_received, .closed = on_closed};

static void
disconnect(struct dbc *c)
{
    rpc_close(c->rpc);
    c->rpc = NULL;
    c->is_up = c->is_closed = false;
}

static int
connect_to(struct dbc *c, const char *target, struct why *why)
{
    disconnect(c);
    free(c->target);
    c->target = xstrdup(target);
    c->rpc = rpc_connect(c->loop, target, &ops, c, why);
    if (!c->rpc)
        return refuse_in(why, -EINVAL, "failed to connect or listen to \"%s\"", target);
    while (!c->is_up && !c->is_closed)
        loop_turn(c->loop, true);
    return c->is_up ? 0 : refuse(why, -ECONNREFUSED, "failed to connect to \"%s\" (%s)", target, c->reason);
}

static int
say_error(struct dbc *c, const char *what, struct why *why)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    jv_add_sorted(&t, &c->error);
    return refuse(why, -EREMOTEIO, "%s returned error: %s", what, text_str(&t));
}

static int
call(struct dbc *c, struct arena *arena, const char *method, const char *params, struct why *why)
{
    c->arena = arena;
    c->is_answered = false;
    c->waiting = rpc_request(c->rpc, method, params);
    while (!c->is_answered && !c->is_closed)
        loop_turn(c->loop, true);
    c->waiting = 0;
    return c->is_answered ? 0 : refuse(why, -ECONNRESET, "%s: %s", c->target, c->reason);
}

int
dbc_call(struct dbc *c, struct arena *arena, const char *method, const char *params, struct jv *result, struct why *why)
{
    int err = call(c, arena, method, params, why);
    if (!err && c->is_error)
        err = say_error(c, method, why);
    if (!err)
        *result = c->result;
    return err;
}

int
dbc_transact(struct dbc *c, struct arena *arena, const char *params, struct jv *results, struct why *why)
{
    int err = call(c, arena, "transact", params, why);
    if (!err && c->is_error)
        err = say_error(c, "transaction", why);
    if (!err)
        *results = c->result;
    return err;
}

/* ---- Several servers. ---- */

static bool
leads(struct dbc *c)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text params = TEXT_INIT;
    struct jv results;

    text_addf(&params,
              "[\"_Server\",{\"op\":\"select\",\"table\":\"Database\",\"columns\":[\"name\",\"model\",\"leader\"],"
              "\"where\":[[\"model\",\"==\",\"clustered\"]]}]");
    if (dbc_transact(c, &arena, text_str(&params), &results, NULL) || !jv_is(&results, JV_ARRAY) || !results.n)
        return true; /* a server without _Server has no clusters */
    const struct jv *rows = jv_get(&results.at[0], "rows");
    for (size_t i = 0; jv_is(rows, JV_ARRAY) && i < rows->n; i++) {
        if ((!c->database || jv_str_eq(jv_get(&rows->at[i], "name"), c->database)) &&
            !jv_is(jv_get(&rows->at[i], "leader"), JV_TRUE))
            return false;
    }
    return true;
}

static int
connect_any(struct dbc *c, struct why *why)
{
    target_list servers = VEC_INIT;
    int err = -EINVAL;

    targets_split(&servers, c->server);
    targets_shuffle(&servers);
    for (size_t i = 0; i < servers.n && err; i++) {
        err = connect_to(c, servers.at[i], why);
        if (!err && servers.n > 1 && !c->any_server && !leads(c))
            err = refuse(why, -EREMOTE, "%s: clustered database server is not cluster leader", servers.at[i]);
    }
    targets_fini(&servers);
    return err;
}

int
dbc_connect(struct dbc *c, struct why *why)
{
    return c->rpc ? 0 : connect_any(c, why);
}

/* ---- Staying. ---- */

static void
stop(void *dbc)
{
    ((struct dbc *) dbc)->must_stop = true;
}

static void
on_exit_command(struct unixctl_conn *conn, int argc, const char *argv[], void *dbc)
{
    ((struct dbc *) dbc)->must_stop = true;
    unixctl_reply(conn, NULL);
}

static void
on_lock_command(struct unixctl_conn *conn, int argc, const char *argv[], void *dbc)
{
    struct dbc *c = dbc;
    AUTO_TEXT struct text params = TEXT_INIT;
    text_addc(&params, '[');
    json_add_string(&params, argv[1], strlen(argv[1]));
    text_addc(&params, ']');
    rpc_request(c->rpc, argv[0], text_str(&params));
    unixctl_reply(conn, NULL);
}

int
dbc_serve(struct dbc *c, struct why *why)
{
    struct unixctl *control = NULL;
    int err = 0;

    fflush(c->out);
    loop_on_signal(c->loop, SIGTERM, stop, c);
    loop_on_signal(c->loop, SIGINT, stop, c);
    if (c->daemon.detach || c->daemon.unixctl) {
        unixctl_command("exit", "", 0, 0, on_exit_command, c);
        unixctl_command("lock", "LOCK", 1, 1, on_lock_command, c);
        unixctl_command("steal", "LOCK", 1, 1, on_lock_command, c);
        unixctl_command("unlock", "LOCK", 1, 1, on_lock_command, c);
        err = unixctl_open(c->loop, c->daemon.unixctl, &control, why);
    }
    if (!err)
        daemon_ready(&c->daemon);
    while (!err && !c->must_stop && !c->is_closed)
        loop_turn(c->loop, true);
    unixctl_close(control);
    fflush(c->out);
    if (!err && c->is_closed)
        err = refuse(why, -ECONNRESET, "%s: %s", c->target, c->reason);
    return err;
}

/* ---- Answers. ---- */

void
dbc_print_json(struct dbc *c, const struct jv *v)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    (c->style.is_pretty ? jv_add_pretty : jv_add_sorted)(&t, v);
    fprintf(c->out, "%s\n", text_str(&t));
}

static int
get_schema(struct dbc *c, struct arena *arena, const char *database, struct jv *out, struct why *why)
{
    AUTO_TEXT struct text params = TEXT_INIT;
    text_addc(&params, '[');
    json_add_string(&params, database, strlen(database));
    text_addc(&params, ']');
    return dbc_call(c, arena, "get_schema", text_str(&params), out, why);
}

int
dbc_schema(struct dbc *c, struct schema **out, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;

    int err = get_schema(c, &arena, c->database, &v, why);
    if (err)
        return err;
    struct dberr *refusal = schema_from_json(&v, out);
    return refusal ? dberr_refuse(refusal, -EBADMSG, why) : 0;
}

static int
compare_strings(const void *a, const void *b)
{
    return strcmp(((const struct jv *) a)->s, ((const struct jv *) b)->s);
}

static int
list_dbs(struct dbc *c, struct arena *arena, struct jv *out, struct why *why)
{
    int err = dbc_call(c, arena, "list_dbs", "[]", out, why);
    if (!err && !jv_is(out, JV_ARRAY))
        err = refuse(why, -EBADMSG, "list_dbs response is not array");
    for (size_t i = 0; !err && i < out->n; i++) {
        if (out->at[i].type != JV_STRING)
            err = refuse(why, -EBADMSG, "list_dbs response is not array of strings");
    }
    if (!err)
        qsort((struct jv *) (uintptr_t) out->at, out->n, sizeof *out->at, compare_strings);
    return err;
}

static int
cmd_list_dbs(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv dbs;

    int err = list_dbs(c, &arena, &dbs, why);
    for (size_t i = 0; !err && i < dbs.n; i++)
        fprintf(c->out, "%s\n", dbs.at[i].s);
    return err;
}

static int
cmd_get_schema(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv v;

    int err = get_schema(c, &arena, c->database, &v, why);
    if (!err)
        dbc_print_json(c, &v);
    return err;
}

static int
cmd_get_schema_version(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO(schema) struct schema *s = NULL;
    int err = dbc_schema(c, &s, why);
    if (!err)
        fprintf(c->out, "%s\n", s->version);
    return err;
}

static int
cmd_get_schema_cksum(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO(schema) struct schema *s = NULL;
    int err = dbc_schema(c, &s, why);
    if (!err)
        fprintf(c->out, "%s\n", s->cksum);
    return err;
}

static int
cmd_list_tables(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO(schema) struct schema *s = NULL;
    AUTO(table) struct table *t = table_new();

    int err = dbc_schema(c, &s, why);
    if (err)
        return err;
    table_heading(t, "Table");
    for (size_t i = 0; i < s->n_tables; i++) {
        table_row(t);
        table_text(t, s->tables[i].name);
    }
    table_print(t, &c->style, c->out);
    return 0;
}

static void
add_type(struct text *out, const struct column_type *type)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct jv v;

    column_type_add_json(&t, type);
    int err = jv_parse(&arena, t.s, t.len, JSON_MAX_DEPTH, &v, NULL);
    ASSERT(!err);
    jv_add_sorted(out, &v);
}

static int
cmd_list_columns(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    const char *only = argc > 1 ? argv[1] : NULL;
    AUTO(schema) struct schema *s = NULL;
    AUTO(table) struct table *t = table_new();

    int err = dbc_schema(c, &s, why);
    if (err)
        return err;
    if (!only)
        table_heading(t, "Table");
    table_heading(t, "Column");
    table_heading(t, "Type");
    for (size_t i = 0; i < s->n_tables; i++) {
        const struct table_schema *ts = &s->tables[i];
        for (size_t j = 0; j < ts->n_columns && (!only || !strcmp(only, ts->name)); j++) {
            AUTO_TEXT struct text type = TEXT_INIT;
            add_type(&type, &ts->columns[j].type);
            table_row(t);
            if (!only)
                table_text(t, ts->name);
            table_text(t, ts->columns[j].name);
            table_json(t, text_str(&type));
        }
    }
    table_print(t, &c->style, c->out);
    return 0;
}

/* ---- Transactions. ---- */

static int
parse_transaction(struct arena *arena, const char *words, struct jv *out, struct why *why)
{
    int err = jv_parse_copy(arena, words, strlen(words), out, why);
    if (err)
        return refuse_in(why, err, "\"%s\"", words);
    if (out->type != JV_ARRAY || !out->n || out->at[0].type != JV_STRING)
        return refuse(why, -EINVAL, "not a valid OVSDB query");
    return 0;
}

static int
cmd_transact(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    struct jv request, results;

    int err = parse_transaction(&arena, argv[1], &request, why);
    if (!err)
        err = dbc_transact(c, &arena, argv[1], &results, why);
    if (!err)
        dbc_print_json(c, &results);
    return err;
}

/* The same, with an "abort" behind it; the answer to that is not shown. */
static int
cmd_query(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text params = TEXT_INIT;
    struct jv request, results;

    int err = parse_transaction(&arena, argv[1], &request, why);
    if (err)
        return err;
    jv_add(&params, &request);
    text_cut(&params, params.len - 1);
    text_add(&params, ",{\"op\":\"abort\"}]");
    err = dbc_transact(c, &arena, text_str(&params), &results, why);
    if (err)
        return err;
    if (jv_is(&results, JV_ARRAY) && results.n && jv_str_eq(jv_get(&results.at[results.n - 1], "error"), "aborted"))
        results.n--;
    dbc_print_json(c, &results);
    return 0;
}

/* ---- Versions. ---- */

static int
read_schema_file(const char *path, struct schema **out, struct why *why)
{
    int err = schema_from_file(path, out, why);
    return err ? refuse_in(why, err, "failed to read schema") : 0;
}

static int
cmd_needs_conversion(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO(schema) struct schema *want = NULL, *have = NULL;

    int err = read_schema_file(argv[1], &want, why);
    if (err)
        return err;
    c->database = want->name;
    err = dbc_schema(c, &have, why);
    c->database = NULL;
    if (!err)
        fprintf(c->out, "%s\n", schema_equal(have, want) ? "no" : "yes");
    return err;
}

static int
cmd_convert(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO(schema) struct schema *want = NULL;
    AUTO_TEXT struct text params = TEXT_INIT;
    struct jv v;

    int err = read_schema_file(argv[1], &want, why);
    if (err)
        return err;
    text_addf(&params, "[\"%s\",", want->name);
    schema_add_json(&params, want);
    text_addc(&params, ']');
    return dbc_call(c, &arena, "convert", text_str(&params), &v, why);
}

/* ---- Locks. ---- */

static void
on_lock_notice(struct dbc *c, const struct rpc_msg *msg)
{
    fprintf(c->out, "%s\n", msg->method);
    if (msg->params)
        dbc_print_json(c, msg->params);
    fflush(c->out);
}

static int
cmd_lock(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text params = TEXT_INIT;
    struct jv v;

    text_addc(&params, '[');
    json_add_string(&params, argv[1], strlen(argv[1]));
    text_addc(&params, ']');
    c->notice = on_lock_notice;
    int err = dbc_call(c, &arena, argv[0], text_str(&params), &v, why);
    if (err)
        return err;
    dbc_print_json(c, &v);
    return dbc_serve(c, why);
}

/* ---- wait: on the server's own table of databases, over as many connections as it takes. ---- */

static bool
is_reached(const struct client *client, const char *database, const char *state)
{
    const struct crow *row = client_find_str(client, "Database", "name", database);
    if (!strcmp(state, "removed"))
        return !row;
    return row && (!strcmp(state, "added") || crow_bool(row, "connected", true));
}

static int
cmd_wait(void *dbc, int argc, char *argv[], struct why *why)
{
    struct dbc *c = dbc;
    const char *database = argv[1], *state = argv[2];
    struct client_options options = {.database = "_Server"};

    if (strcmp(state, "added") && strcmp(state, "connected") && strcmp(state, "removed"))
        return refuse(why, -EINVAL, "%s: unknown state", state);
    AUTO(client) struct client *client = client_new(c->loop, &options);
    client_want(client, "Database", "name", WANT_READ);
    client_want(client, "Database", "connected", WANT_READ);
    int err = client_start(client, c->server, why);
    if (!err)
        err = client_wait_ready(client, nanos(0), why);
    while (!err && !is_reached(client, database, state))
        err = client_wait_change(client, nanos(0));
    return err;
}

/* ---- The table. ---- */

static int cmd_help(void *dbc, int argc, char *argv[], struct why *why);

static const struct subcommand commands[] = {
    {"list-dbs", 0, 0, "[SERVER]", "list databases available on SERVER", cmd_list_dbs},
    {"get-schema", 0, 0, "[SERVER] [DATABASE]", "print the schema of DATABASE", cmd_get_schema},
    {"get-schema-version", 0, 0, "[SERVER] [DATABASE]", "print its version", cmd_get_schema_version},
    {"get-schema-cksum", 0, 0, "[SERVER] [DATABASE]", "print its checksum", cmd_get_schema_cksum},
    {"list-tables", 0, 0, "[SERVER] [DATABASE]", "list tables", cmd_list_tables},
    {"list-columns", 0, 1, "[SERVER] [DATABASE] [TABLE]", "list columns in TABLE (or all tables)", cmd_list_columns},
    {"transact", 1, 1, "[SERVER] TRANSACTION", "run TRANSACTION and print the results as JSON", cmd_transact},
    {"query", 1, 1, "[SERVER] TRANSACTION", "the same, but change nothing", cmd_query},
    {"monitor", 1, INT_MAX, "[SERVER] [DATABASE] TABLE [COLUMN,...]...",
     "print contents of TABLE and its changes; ALL: of all tables", dbc_monitor},
    {"monitor-cond", 2, INT_MAX, "[SERVER] [DATABASE] CONDITION TABLE [COLUMN,...]...",
     "the same of rows that satisfy CONDITION", dbc_monitor_cond},
    {"monitor-cond-since", 2, INT_MAX, "[SERVER] [DATABASE] [LASTID] CONDITION TABLE [COLUMN,...]...",
     "the same, beginning behind transaction LASTID", dbc_monitor_cond_since},
    {"wait", 2, 2, "[SERVER] DATABASE STATE", "wait until DATABASE is added, connected or removed", cmd_wait},
    {"convert", 1, 1, "[SERVER] SCHEMA", "convert the database that SCHEMA names to SCHEMA", cmd_convert},
    {"needs-conversion", 1, 1, "[SERVER] SCHEMA", "tell whether the server's schema differs from SCHEMA",
     cmd_needs_conversion},
    {"dump", 0, INT_MAX, "[SERVER] [DATABASE] [TABLE [COLUMN]...]", "print contents as tables", dbc_dump},
    {"backup", 0, 0, "[SERVER] [DATABASE] > DB", "print contents as a database file", dbc_backup},
    {"restore", 0, 0, "[SERVER] [DATABASE] < DB", "replace contents by those of a database file", dbc_restore},
    {"lock", 1, 1, "[SERVER] LOCK", "ask for a lock and tell what becomes of it", cmd_lock},
    {"steal", 1, 1, "[SERVER] LOCK", "take a lock from its owner", cmd_lock},
    {"unlock", 1, 1, "[SERVER] LOCK", "give a lock back", cmd_lock},
    {"help", 0, INT_MAX, "", "print this", cmd_help},
    {NULL, 0, 0, NULL, NULL, NULL},
};

static bool
needs_database(const struct subcommand *s)
{
    return strstr(s->arguments, "[DATABASE]") != NULL;
}

static bool
needs_connection(const struct subcommand *s)
{
    return strstr(s->arguments, "[SERVER]") && s->run != cmd_wait;
}

/* ---- Options. ---- */

enum { OPT_TIMESTAMP = UCHAR_MAX + 1, OPT_FORCE, OPT_LEADER_ONLY, OPT_NO_LEADER_ONLY };

static const struct option own_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"timeout", required_argument, NULL, 't'},
    {"timestamp", no_argument, NULL, OPT_TIMESTAMP},
    {"force", no_argument, NULL, OPT_FORCE},
    {"leader-only", no_argument, NULL, OPT_LEADER_ONLY},
    {"no-leader-only", no_argument, NULL, OPT_NO_LEADER_ONLY},
    {NULL, 0, NULL, 0},
};

static void
usage(void)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    text_add(&t, "ovsdb-client: Open vSwitch database JSON-RPC client\n"
                 "usage: ovsdb-client [OPTIONS] COMMAND [ARG...]\n\n");
    subcommand_usage(commands, &t);
    text_addf(&t, "The default SERVER is unix:%s/db.sock.\nThe default DATABASE is Open_vSwitch.\n", dir_run());
    table_usage(&t);
    text_add(&t, "  --timestamp                 timestamp \"monitor\" output\n");
    daemon_usage(&t);
    text_add(&t, "\nOther options:\n"
                 "  --no-leader-only            of several servers, be content with one that follows\n"
                 "  --force                     restore in spite of another schema\n"
                 "  -t, --timeout=SECS          give up after SECS seconds\n"
                 "  -h, --help                  display this help message\n"
                 "  -V, --version               display version information\n");
    fputs(text_str(&t), stdout);
}

static int
cmd_help(void *dbc, int argc, char *argv[], struct why *why)
{
    usage();
    return 0;
}

/* 1: done, with success. */
static int
take_option(struct dbc *c, int opt, struct why *why)
{
    int err = 0;
    switch (opt) {
    case 'h':
        usage();
        return 1;
    case 'V':
        print_version("ovsdb-client");
        return 1;
    case 't':
        return timeout_parse(optarg, "-t or --timeout", &c->timeout_s, why);
    case OPT_TIMESTAMP:
        c->timestamp = true;
        return 0;
    case OPT_FORCE:
        c->force = true;
        return 0;
    case OPT_LEADER_ONLY:
    case OPT_NO_LEADER_ONLY:
        c->any_server = opt == OPT_NO_LEADER_ONLY;
        return 0;
    case '?':
        return refuse(why, -EINVAL, "%s", ""); /* getopt has spoken */
    default:
        err = table_option(&c->style, opt, optarg, why);
        if (err)
            return MIN(err, 0);
        (void) daemon_option(&c->daemon, opt, optarg, &err, why);
        return err;
    }
}

static int
parse_options(struct dbc *c, int argc, char *argv[], struct why *why)
{
    struct option all[64];

    options_join(all, ARRAY_SIZE(all),
                 (const struct option *const[]){own_options, table_long_options, daemon_long_options, NULL});
    c->timeout_s = timeout_from_environment();
    optind = 0;
    for (int opt; (opt = getopt_long(argc, argv, "+hVt:f:d:" DAEMON_SHORT_OPTIONS, all, NULL)) != -1;) {
        int err = take_option(c, opt, why);
        if (err)
            return err;
    }
    return 0;
}

/* ---- Which command, server, database. ---- */

static const struct subcommand *
command_named(const char *name)
{
    for (const struct subcommand *s = commands; s->name; s++) {
        if (!strcmp(s->name, name))
            return s;
    }
    return NULL;
}

static bool
has_db(const struct jv *dbs, const char *name)
{
    for (size_t i = 0; i < dbs->n; i++) {
        if (!strcmp(dbs->at[i].s, name))
            return true;
    }
    return false;
}

/* Takes the database from the words, or the one that must be meant.  The name lives in 'arena' or in argv. */
static int
pick_database(struct dbc *c, struct arena *arena, const struct subcommand *s, int *argc, char ***argv, struct why *why)
{
    struct jv dbs;
    int err = list_dbs(c, arena, &dbs, why);
    if (err)
        return err;
    if (*argc > s->min_args && has_db(&dbs, (*argv)[0])) {
        c->database = (*argv)[0];
        ++*argv;
        --*argc;
    } else if (dbs.n == 1 || (dbs.n == 2 && has_db(&dbs, "_Server"))) {
        c->database = dbs.at[dbs.n == 2 && !strcmp(dbs.at[0].s, "_Server")].s;
    } else if (has_db(&dbs, "Open_vSwitch")) {
        c->database = "Open_vSwitch";
    } else {
        return refuse(why, -EINVAL, "no default database for `%s' command, please specify a database name", s->name);
    }
    return 0;
}

/* One target, or several with commas between them. */
static bool
is_server(const char *word)
{
    target_list list = VEC_INIT;
    bool valid = true;

    targets_split(&list, word);
    for (size_t i = 0; i < list.n; i++)
        valid &= target_is_valid(list.at[i], NULL);
    valid &= list.n > 0;
    targets_fini(&list);
    return valid;
}

/* argc, argv: what follows the command's name; argv[-1] is that name. */
static int
run_command(struct dbc *c, const struct subcommand *s, int argc, char **argv, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_STR char *default_server = xasprintf("unix:%s/db.sock", dir_run());
    int err = 0;

    c->server = default_server;
    if (argc > s->min_args && is_server(argv[0])) {
        c->server = argv[0];
        argv++;
        argc--;
    }
    if (needs_connection(s))
        err = dbc_connect(c, why);
    if (!err && needs_database(s))
        err = pick_database(c, &arena, s, &argc, &argv, why);
    if (!err && (argc < s->min_args || argc > s->max_args))
        err = refuse(why, -EINVAL, "invalid syntax for '%s' (use --help for help)", s->name);
    if (err)
        return err;
    argv[-1] = (char *) (uintptr_t) s->name;
    return s->run(c, argc + 1, argv - 1, why);
}

static int
run(struct dbc *c, int argc, char *argv[], struct why *why)
{
    struct timer timer;

    int err = parse_options(c, argc, argv, why);
    if (err)
        return MIN(err, 0);
    if (optind >= argc)
        return refuse(why, -EINVAL, "missing command name; use --help for help");
    const struct subcommand *s = command_named(argv[optind]);
    if (!s)
        return refuse(why, -EINVAL, "unknown command '%s'; use --help for help", argv[optind]);
    err = daemon_start(&c->daemon, why);
    if (err)
        return err;
    if (c->daemon.detach) /* what comes later still goes where it was sent, when the terminal is left */
        c->out = fdopen(dup(STDOUT_FILENO), "w");
    c->loop = loop_new();
    timer_init(&timer, c->loop, timeout_expire, NULL);
    if (c->timeout_s)
        timer_set_in(&timer, seconds(c->timeout_s));
    err = run_command(c, s, argc - optind - 1, argv + optind + 1, why);
    fflush(c->out);
    disconnect(c);
    timer_cancel(&timer);
    loop_free(c->loop);
    return err;
}

int
dbclient_main(int argc, char *argv[])
{
    struct dbc c = {.style = {.format = TABLE_TABLE}, .out = stdout};
    struct why why = {""};

    log_init("ovsdb-client");
    (void) log_set_words("console:warn", NULL);
    int err = run(&c, argc, argv, &why);
    if (err && why.text[0])
        fprintf(stderr, "ovsdb-client: %s\n", why.text);
    free(c.target);
    free(c.reason);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
