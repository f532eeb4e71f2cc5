/* ovs-vsctl: options, the one transaction, and the wait for the switch.
 *
 * Life of a run.  Words are parsed before anything is connected, against the schema that is built in.  Then: wait for the replica, run all
 * commands in one transaction, commit.  "Try again" and an unmet wait-until go back to waiting for a change.  After a commit that
 * changed something the run waits until the switch has taken it (cur_cfg reaches the next_cfg that the commit set), and then looks
 * whether the interfaces it made are alive.
 * Exit status.  0; 1 a refusal; 2 br-exists says no; 65 committed, but the switch could not set something up; SIGALRM the timeout. */
#include "cli/options.h"
#include "cli/vsctl.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/daemon.h"
#include "io/dirs.h"
#include "io/stream.h"
#include "ovsdb/vswitch_schema.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

LOG_MODULE(vsctl)

#define EXIT_CONFIG 65 /* EX_DATAERR of sysexits.h */

static const struct ctl_command *const command_lists[] = {vsctl_bridge_commands, vsctl_config_commands,
                                                          vsctl_zone_commands, ctl_db_commands, NULL};

const struct ctl_table vsctl_tables[] = {
    {"AutoAttach", {{"Bridge", "name", "auto_attach"}}},
    {"Bridge", {{"Bridge", "name", NULL}}},
    {"CT_Timeout_Policy", {{NULL, NULL, NULL}}},
    {"CT_Zone", {{NULL, NULL, NULL}}},
    {"Controller", {{"Bridge", "name", "controller"}}},
    {"Datapath", {{NULL, NULL, NULL}}},
    {"Flow_Sample_Collector_Set", {{"Flow_Sample_Collector_Set", "id", NULL}}},
    {"Flow_Table", {{"Flow_Table", "name", NULL}}},
    {"IPFIX", {{"Bridge", "name", "ipfix"}}},
    {"Interface", {{"Interface", "name", NULL}}},
    {"Manager", {{"Manager", "target", NULL}}},
    {"Mirror", {{"Mirror", "name", NULL}}},
    {"NetFlow", {{"Bridge", "name", "netflow"}}},
    {"Open_vSwitch", {{"Open_vSwitch", NULL, NULL}}},
    {"Port", {{"Port", "name", NULL}}},
    {"QoS", {{"Port", "name", "qos"}}},
    {"Queue", {{NULL, NULL, NULL}}},
    {"SSL", {{"Open_vSwitch", NULL, "ssl"}}},
    {"sFlow", {{"Bridge", "name", "sflow"}}},
    {NULL, {{NULL, NULL, NULL}}},
};

const struct ctl_show vsctl_shows[] = {
    {"Open_vSwitch", NULL, {"manager_options", "bridges", "ovs_version"}},
    {"Bridge", "name", {"controller", "fail_mode", "datapath_type", "ports"}},
    {"Port", "name", {"tag", "trunks", "interfaces"}},
    {"Interface", "name", {"type", "options", "error"}},
    {"Controller", "target", {"is_connected"}},
    {"Manager", "target", {"is_connected"}},
    {NULL, NULL, {NULL}},
};

/* ---- Options. ---- */

struct options {
    const char *db;
    bool no_wait, dry_run, oneline, retry, no_syslog;
    bool leader_only, shuffle;
    unsigned timeout_s;
    struct table_style style;
};

enum {
    OPT_DB = UCHAR_MAX + 1,
    OPT_ONELINE,
    OPT_NO_SYSLOG,
    OPT_NO_WAIT,
    OPT_DRY_RUN,
    OPT_LOCAL,
    OPT_RETRY,
    OPT_COMMANDS,
    OPT_OPTIONS,
    OPT_LEADER_ONLY,
    OPT_NO_LEADER_ONLY,
    OPT_SHUFFLE,
    OPT_NO_SHUFFLE,
};

static const struct option own_options[] = {
    {"db", required_argument, NULL, OPT_DB},
    {"no-syslog", no_argument, NULL, OPT_NO_SYSLOG},
    {"no-wait", no_argument, NULL, OPT_NO_WAIT},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"oneline", no_argument, NULL, OPT_ONELINE},
    {"timeout", required_argument, NULL, 't'},
    {"retry", no_argument, NULL, OPT_RETRY},
    {"help", no_argument, NULL, 'h'},
    {"commands", no_argument, NULL, OPT_COMMANDS},
    {"options", no_argument, NULL, OPT_OPTIONS},
    {"leader-only", no_argument, NULL, OPT_LEADER_ONLY},
    {"no-leader-only", no_argument, NULL, OPT_NO_LEADER_ONLY},
    {"shuffle-remotes", no_argument, NULL, OPT_SHUFFLE},
    {"no-shuffle-remotes", no_argument, NULL, OPT_NO_SHUFFLE},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};
#define SHORT_OPTIONS "+t:hVf:d:" DAEMON_SHORT_OPTIONS

static const struct option *
global_options(void)
{
    static struct option all[64];
    return options_join(all, ARRAY_SIZE(all),
                        (const struct option *const[]){own_options, client_long_options, table_long_options, NULL});
}

static void
usage(const struct ctl *ctl)
{
    AUTO_TEXT struct text t = TEXT_INIT;

    text_addf(&t, "%s: ovs-vswitchd management utility\nusage: %s [OPTIONS] COMMAND [ARG...]\n\nCommands:\n",
              ctl->program, ctl->program);
    for (size_t i = 0; ctl->lists[i]; i++) {
        for (const struct ctl_command *c = ctl->lists[i]; c->name; c++) {
            text_add(&t, "  ");
            for (const char *p = c->options; *p; p += *p == ',') {
                size_t n = strcspn(p, ",");
                text_addf(&t, "[%.*s] ", (int) n, p);
                p += n;
            }
            text_addf(&t, "%s %s\n", c->name, c->arguments);
        }
        text_addc(&t, '\n');
    }
    text_addf(&t,
              "Options:\n"
              "  --db=DATABASE               connect to DATABASE\n"
              "                              (default: unix:%s/db.sock)\n"
              "  --no-wait                   do not wait for ovs-vswitchd to reconfigure\n"
              "  --retry                     keep trying to connect to server forever\n"
              "  -t, --timeout=SECS          wait at most SECS seconds for ovs-vswitchd\n"
              "  --dry-run                   do not commit changes to database\n"
              "  --oneline                   print exactly one line of output per command\n"
              "  --[no-]leader-only          of a cluster, speak to the leader only, or to any server\n"
              "  --[no-]shuffle-remotes      try several servers in random order, or in the order given\n"
              "  --no-syslog                 same as --verbose=vsctl:syslog:warn\n"
              "  --commands, --options       list the commands or options, for completion\n",
              dir_run());
    table_usage(&t);
    client_usage(&t);
    tls_usage(&t);
    text_add(&t, "\nOther options:\n"
                 "  -h, --help                  display this help message\n"
                 "  -V, --version               display version information\n");
    fputs(text_str(&t), stdout);
}

/* One option that takes effect at once; ctl->status is set when there is nothing left to do. */
static int
take_option(struct ctl *ctl, struct options *o, int c, const struct option *option, struct why *why)
{
    int err = 0;

    switch (c) {
    case OPT_DB:
        o->db = optarg;
        return 0;
    case OPT_ONELINE:
        o->oneline = true;
        return 0;
    case OPT_NO_SYSLOG:
        o->no_syslog = true;
        return 0;
    case OPT_NO_WAIT:
        o->no_wait = true;
        return 0;
    case OPT_DRY_RUN:
        o->dry_run = true;
        return 0;
    case OPT_RETRY:
        o->retry = true;
        return 0;
    case OPT_LEADER_ONLY:
    case OPT_NO_LEADER_ONLY:
        o->leader_only = c == OPT_LEADER_ONLY;
        return 0;
    case OPT_SHUFFLE:
    case OPT_NO_SHUFFLE:
        o->shuffle = c == OPT_SHUFFLE;
        return 0;
    case OPT_LOCAL:
        return ctl_local_option(ctl, option->name, optarg, why);
    case 't':
        return timeout_parse(optarg, "-t or --timeout", &o->timeout_s, why);
    case 'h':
        usage(ctl);
        break;
    case OPT_COMMANDS:
        ctl_print_commands(ctl, stdout);
        break;
    case OPT_OPTIONS:
        ctl_print_options(global_options(), stdout);
        break;
    case 'V':
        print_version(ctl->program);
        printf("DB Schema %s\n", SCHEMA_VERSION);
        break;
    default:
        (void) daemon_option(NULL, c, optarg, &err, why);
        return err;
    }
    ctl->status = -1; /* done, with success */
    return 0;
}

static int
parse_options(struct ctl *ctl, struct options *o, int argc, char *argv[], struct why *why)
{
    struct option *all = ctl_long_options(ctl, global_options(), OPT_LOCAL);
    int err = 0, index = 0;

    optind = 0; /* this may not be the first line of the process */
    while (!err && !ctl->status) {
        int c = getopt_long(argc, argv, SHORT_OPTIONS, all, &index);
        if (c == -1)
            break;
        if (c == '?') {
            ctl->status = EXIT_FAILURE; /* getopt has spoken */
            break;
        }
        err = table_option(&o->style, c, optarg, why);
        if (!err)
            err = take_option(ctl, o, c, &all[index], why);
        else if (err > 0)
            err = 0;
    }
    ctl_free_options(all, global_options());
    return err;
}

/* ---- The transaction. ---- */

/* Who called us, for those who read the database's log later. */
static void
add_caller(struct text *t)
{
    char path[64], name[256];
    pid_t parent = getppid();

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int) parent);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(name, 1, sizeof name - 1, f) : 0;
    if (f)
        fclose(f);
    name[n] = 0;
    if (*name)
        text_addf(t, " (invoked by %s)", name);
    else
        text_addf(t, " (invoked by pid %d)", (int) parent);
}

static void
set_comment(struct ctl *ctl)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    text_add(&t, "ovs-vsctl");
    add_caller(&t);
    text_addf(&t, ": %s", text_str(&ctl->args));
    ctxn_comment(ctl->txn, text_str(&t));
}

/* Two runs may both find a name free and both insert it: the server then refuses the later one, which should look again.  Seldom
 * more than once; a refusal that is our own fault must not go on for ever. */
#define MAX_CONFLICTS 3

static bool
has_lost_a_race(struct ctl *ctl, unsigned seqno)
{
    struct vsctl *v = vsctl_of(ctl);

    if (!strstr(ctxn_error(ctl->txn), "\"constraint violation\"") || v->n_conflicts >= MAX_CONFLICTS)
        return false;
    (void) client_wait_change(ctl->client, millis(1)); /* what the other one did has come before the refusal */
    if (client_seqno(ctl->client) == seqno)
        return false;
    v->n_conflicts++;
    return true;
}

/* seqno: the replica's when the commands ran */
static int
settle(struct ctl *ctl, enum ctxn_status status, unsigned seqno, struct why *why)
{
    switch (status) {
    case CTXN_UNCHANGED:
    case CTXN_SUCCESS:
        ctl_run_after(ctl);
        return 0;
    case CTXN_TRY_AGAIN:
        return refuse(why, -EAGAIN, "the database changed meanwhile");
    case CTXN_ERROR:
        if (has_lost_a_race(ctl, seqno))
            return refuse(why, -EAGAIN, "another run was faster");
        fprintf(stderr, "%s: transaction error: %s\n", ctl->program, ctxn_error(ctl->txn));
        ctl->status = EXIT_FAILURE;
        return refuse(why, -EINVAL, "transaction error");
    case CTXN_NOT_LOCKED:
        return refuse(why, -EINVAL, "database not locked");
    case CTXN_OPEN:
    case CTXN_INCOMPLETE:
    case CTXN_ABORTED:
        break;
    }
    NOT_REACHED();
}

/* One attempt; -EAGAIN: wait for the database to change.  *next_cfg is what the switch shall reach, 0: nothing changed. */
static int
attempt(struct ctl *ctl, const struct options *o, int64_t *next_cfg, struct why *why)
{
    struct vsctl *v = vsctl_of(ctl);
    unsigned seqno = client_seqno(ctl->client);
    struct symtab symtab;

    symtab_init(&symtab);
    ctl->symtab = &symtab;
    ctl->txn = ctxn_open(ctl->client);
    model_forget(ctl);
    vec_clear(&v->new_ifaces);
    v->ovs = client_only(ctl->client, "Open_vSwitch");
    if (!v->ovs)
        v->ovs = ctxn_insert(ctl->txn, "Open_vSwitch");
    else if (!o->no_wait)
        ctxn_increment(ctl->txn, v->ovs, "next_cfg", false);
    if (o->dry_run)
        ctxn_dry_run(ctl->txn);
    set_comment(ctl);
    int err = ctl_run_all(ctl, why);
    model_forget(ctl);
    if (!err) {
        enum ctxn_status status = ctxn_commit_wait(ctl->txn);
        err = settle(ctl, status, seqno, why);
        if (status == CTXN_SUCCESS)
            *next_cfg = ctxn_incremented(ctl->txn);
    }
    symtab_fini(&symtab);
    ctl->symtab = NULL;
    return err;
}

static void
end_attempt(struct ctl *ctl)
{
    ctxn_abort(ctl->txn);
    ctl->txn = NULL;
}

static int
no_connection(struct ctl *ctl, const struct options *o, struct why *why)
{
    const char *error = client_error(ctl->client);
    return refuse(why, -ECONNREFUSED, "%s: database connection failed (%s)", o->db, error ? error : "End of file");
}

static int
run(struct ctl *ctl, const struct options *o, int64_t *next_cfg, struct why *why)
{
    for (;;) {
        if (client_wait_ready(ctl->client, nanos(0), NULL))
            return no_connection(ctl, o, why);
        unsigned seqno = client_seqno(ctl->client);
        int err = attempt(ctl, o, next_cfg, why);
        if (err != -EAGAIN && err != -ESTALE)
            return err;
        end_attempt(ctl);
        ctl_clear_output(ctl);
        if (err == -ESTALE) {
            model_widen(ctl);
            continue;
        }
        if (client_seqno(ctl->client) == seqno && client_wait_change(ctl->client, nanos(0)))
            return no_connection(ctl, o, why);
    }
}

/* ---- After the commit. ---- */

static bool
switch_has_reached(const struct ctl *ctl, int64_t next_cfg)
{
    CLIENT_FOR(ovs, ctl->client, "Open_vSwitch")
    {
        if (crow_int(ovs, "cur_cfg", 0) >= next_cfg)
            return true;
    }
    return false;
}

/* Interfaces of ours that the switch could not set up; returns the exit status. */
static int
check_ifaces(const struct ctl *ctl)
{
    const struct vsctl *v = vsctl_of(ctl);
    AUTO_TEXT struct text dead = TEXT_INIT;
    size_t n = 0;
    const char *error = NULL;

    for (size_t i = 0; i < v->new_ifaces.n; i++) {
        const struct uuid *uuid = ctxn_inserted(ctl->txn, &v->new_ifaces.at[i]);
        const struct crow *iface = uuid ? client_row(ctl->client, "Interface", uuid) : NULL;
        if (!iface || crow_int(iface, "ofport", -1) != -1)
            continue;
        text_addf(&dead, "%s'%s'", n++ ? ", " : "", crow_str(iface, "name"));
        error = crow_str(iface, "error");
    }
    if (!n)
        return EXIT_SUCCESS;
    if (n == 1 && error && *error)
        fprintf(stderr, "%s: Error detected while setting up %s: %s.  See ovs-vswitchd log for details.\n",
                ctl->program, text_str(&dead), error);
    else
        fprintf(stderr, "%s: Error detected while setting up %s.  See ovs-vswitchd log for details.\n", ctl->program,
                text_str(&dead));
    fprintf(stderr, "%s: The default log directory is \"%s\".\n", ctl->program, dir_log());
    return EXIT_CONFIG;
}

static int
wait_for_switch(struct ctl *ctl, int64_t next_cfg)
{
    client_keep_trying(ctl->client); /* the change is made: giving up now would only hide it */
    while (!switch_has_reached(ctl, next_cfg))
        client_wait_change(ctl->client, nanos(0));
    return check_ifaces(ctl);
}

/* ---- The whole. ---- */

static void
want_basics(struct ctl *ctl, const struct options *o)
{
    client_want(ctl->client, "Open_vSwitch", NULL, WANT_READ);
    if (!o->no_wait)
        client_want(ctl->client, "Open_vSwitch", "cur_cfg", WANT_READ);
}

static int
connect_and_run(struct ctl *ctl, struct options *o, struct loop *loop, struct why *why)
{
    int64_t next_cfg = 0;
    struct client_options client_options = {
        .database = "Open_vSwitch",
        .known = ctl->schema,
        .leader_only = o->leader_only,
        .shuffle = o->shuffle,
        .once = !o->retry && !target_is_passive(o->db),
    };

    ctl->client = client_new(loop, &client_options);
    want_basics(ctl, o);
    int err = ctl_want(ctl, why);
    if (!err)
        err = client_start(ctl->client, o->db, why);
    if (!err)
        err = run(ctl, o, &next_cfg, why);
    if (!err) {
        ctl_print(ctl, &o->style, o->oneline, stdout);
        fflush(stdout);
        if (next_cfg && !o->dry_run)
            ctl->status = wait_for_switch(ctl, next_cfg);
    }
    end_attempt(ctl);
    model_forget(ctl);
    client_free(ctl->client);
    return err;
}

static int
connect_in_time(struct ctl *ctl, struct options *o, struct why *why)
{
    AUTO(loop) struct loop *loop = loop_new();
    struct timer timer;

    timer_init(&timer, loop, timeout_expire, NULL);
    if (o->timeout_s)
        timer_set_in(&timer, seconds(o->timeout_s));
    int err = connect_and_run(ctl, o, loop, why);
    timer_cancel(&timer);
    return err;
}

static void
log_call(struct ctl *ctl, const struct options *o, int argc, char *argv[])
{
    ctl_quote(&ctl->args, argc, argv);
    if (o->no_syslog)
        (void) log_set_words("vsctl:syslog:warn", NULL);
    if (ctl_might_write(ctl, argv))
        log_info("Called as %s", text_str(&ctl->args));
    else
        log_dbg("Called as %s", text_str(&ctl->args));
}

static int
vsctl_run(struct ctl *ctl, int argc, char *argv[], struct why *why)
{
    AUTO_STR char *default_db = xasprintf("unix:%s/db.sock", dir_run());
    struct options o = {.style = {.format = TABLE_LIST}, .timeout_s = timeout_from_environment()};

    int err = parse_options(ctl, &o, argc, argv, why);
    if (err || ctl->status)
        return err;
    if (!o.db)
        o.db = default_db;
    log_call(ctl, &o, argc, argv);
    err = ctl_parse(ctl, argc - optind, argv + optind, why);
    if (err)
        return err;
    return connect_in_time(ctl, &o, why);
}

void
vsctl_init(struct ctl *ctl, struct vsctl *v, const struct schema *schema)
{
    *v = (struct vsctl){.ovs = NULL};
    ctl_init(ctl, "ovs-vsctl", schema, command_lists, vsctl_tables, vsctl_shows);
    model_init(v);
    ctl->aux = v;
    ctl->forget = model_forget;
}

void
vsctl_fini(struct ctl *ctl)
{
    model_forget(ctl);
    vec_fini(&vsctl_of(ctl)->new_ifaces);
    vec_fini(&vsctl_of(ctl)->names);
    ctl_fini(ctl);
}

int
vsctl_main(int argc, char *argv[])
{
    AUTO(schema) struct schema *schema = vswitch_schema_new();
    struct why why = {""};
    struct vsctl v;
    struct ctl ctl;

    log_init("ovs-vsctl");
    (void) log_set_words("console:warn", NULL);
    vsctl_init(&ctl, &v, schema);
    int err = vsctl_run(&ctl, argc, argv, &why);
    if (err && !ctl.status)
        fprintf(stderr, "ovs-vsctl: %s\n", why.text);
    int status = err ? (ctl.status ? ctl.status : EXIT_FAILURE) : MAX(ctl.status, 0);
    vsctl_fini(&ctl);
    return status;
}
