#include "cli/dbtool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/options.h"
#include "cli/showlog.h"
#include "cli/subcommand.h"
#include "io/daemon.h"
#include "io/dirs.h"
#include "ovsdb/dbfile.h"
#include "ovsdb/execute.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_NO 2

struct dbtool {
    unsigned more; /* -m */
    const char *role;
    char *default_db, *default_schema;
};

static const char *
db_arg(const struct dbtool *t, int argc, char *argv[], int i)
{
    return argc > i ? argv[i] : t->default_db;
}

static const char *
schema_arg(const struct dbtool *t, int argc, char *argv[], int i)
{
    return argc > i ? argv[i] : t->default_schema;
}

static int
read_schema(const char *path, struct schema **out, struct why *why)
{
    int err = schema_from_file(path, out, why);
    return err ? refuse_in(why, err, "failed to read schema") : 0;
}

/* ---- Standalone or clustered? ---- */

enum file_kind { FILE_STANDALONE, FILE_CLUSTERED };

/* The first line is "OVSDB JSON ..." or "OVSDB CLUSTER ..."; 'record', if not NULL, gets the line behind it. */
static int
file_kind(const char *path, enum file_kind *kind, struct text *record, struct why *why)
{
    char *line = NULL;
    size_t room = 0;
    int err = 0;

    FILE *f = fopen(path, "r");
    if (!f)
        return refuse(why, -errno, "I/O error: %s: open failed (%s)", path, strerror(errno));
    if (getline(&line, &room, f) < 0)
        err = refuse(why, -EBADMSG, "ovsdb error: %s: cannot identify file type", path);
    else if (!strncmp(line, "OVSDB JSON ", 11))
        *kind = FILE_STANDALONE;
    else if (!strncmp(line, "OVSDB CLUSTER ", 14))
        *kind = FILE_CLUSTERED;
    else
        err = refuse(why, -EBADMSG, "ovsdb error: %s: cannot identify file type", path);
    if (!err && record && getline(&line, &room, f) > 0)
        text_add(record, line);
    free(line);
    fclose(f);
    return err;
}

static int
is_kind(const char *path, enum file_kind wanted, struct why *why)
{
    enum file_kind kind;
    int err = file_kind(path, &kind, NULL, why);
    return err ? err : kind == wanted ? 0 : ANSWER_NO;
}

static int
cmd_is_clustered(void *aux, int argc, char *argv[], struct why *why)
{
    return is_kind(argv[1], FILE_CLUSTERED, why);
}

static int
cmd_is_standalone(void *aux, int argc, char *argv[], struct why *why)
{
    return is_kind(argv[1], FILE_STANDALONE, why);
}

/* A member of the header of a clustered file. */
static int
print_cluster_member(const char *path, const char *member, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text record = TEXT_INIT;
    enum file_kind kind;
    struct jv v;

    int err = file_kind(path, &kind, &record, why);
    if (err)
        return err;
    if (kind != FILE_CLUSTERED)
        return refuse(why, -EINVAL, "%s: not a clustered database", path);
    if (!record.len || jv_parse(&arena, record.s, record.len, JSON_MAX_DEPTH, &v, why))
        return refuse(why, -EBADMSG, "%s: the header of the cluster cannot be read", path);
    const struct jv *value = jv_get(&v, member);
    if (!jv_is(value, JV_STRING)) {
        fprintf(stderr, "%s: cluster ID not yet known\n", path);
        return ANSWER_NO;
    }
    printf("%s\n", value->s);
    return 0;
}

static int
cmd_cid(void *aux, int argc, char *argv[], struct why *why)
{
    return print_cluster_member(argv[1], "cluster_id", why);
}

static int
cmd_sid(void *aux, int argc, char *argv[], struct why *why)
{
    return print_cluster_member(argv[1], "server_id", why);
}

static int
cmd_local_address(void *aux, int argc, char *argv[], struct why *why)
{
    return print_cluster_member(argv[1], "local_address", why);
}

static int
cmd_no_cluster(void *aux, int argc, char *argv[], struct why *why)
{
    return refuse(why, -ENOTSUP, "%s: clusters are served by ovsdb-server of Open vSwitch: use its ovsdb-tool",
                  argv[0]);
}

/* ---- Reading files. ---- */

/* Opens and reads all of it; a bad end is a refusal here: a person should know before anything is built on it. */
static int
load(const char *path, enum dblog_mode mode, struct schema *schema, struct dblog **log, struct db **db, struct why *why)
{
    struct dberr *bad = NULL, *err = dblog_open(path, mode, log);

    if (!err)
        err = dbfile_load(*log, schema, db, &bad);
    else
        schema_free(schema);
    if (err)
        return dberr_refuse(err, -EIO, why);
    return bad ? dberr_refuse(bad, -EBADMSG, why) : 0;
}

static int
load_schema(const char *path, struct schema **out, struct why *why)
{
    AUTO(dblog) struct dblog *log = NULL;
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_STR char *text = NULL;
    struct jv v;
    size_t n;

    struct dberr *err = dblog_open(path, DBLOG_READ, &log);
    if (!err)
        err = dblog_read(log, &text, &n);
    if (err)
        return dberr_refuse(err, -EIO, why);
    if (!text)
        return refuse(why, -EBADMSG, "I/O error: %s: the file is empty", path);
    int e = jv_parse(&arena, text, n, JSON_MAX_DEPTH, &v, why);
    if (e)
        return refuse_in(why, e, "%s", path);
    err = schema_from_json(&v, out);
    return err ? dberr_refuse(err, -EBADMSG, why) : 0;
}

static int
cmd_db_name(void *aux, int argc, char *argv[], struct why *why)
{
    AUTO(schema) struct schema *s = NULL;
    const char *path = db_arg(aux, argc, argv, 1);
    enum file_kind kind;

    if (!file_kind(path, &kind, NULL, NULL) && kind == FILE_CLUSTERED)
        return print_cluster_member(path, "name", why);
    int err = load_schema(path, &s, why);
    if (!err)
        printf("%s\n", s->name);
    return err;
}

static int
cmd_db_version(void *aux, int argc, char *argv[], struct why *why)
{
    AUTO(schema) struct schema *s = NULL;
    int err = load_schema(db_arg(aux, argc, argv, 1), &s, why);
    if (!err)
        printf("%s\n", s->version);
    return err;
}

static int
cmd_db_cksum(void *aux, int argc, char *argv[], struct why *why)
{
    AUTO(schema) struct schema *s = NULL;
    int err = load_schema(db_arg(aux, argc, argv, 1), &s, why);
    if (!err)
        printf("%s\n", s->cksum);
    return err;
}

static int
cmd_schema_name(void *aux, int argc, char *argv[], struct why *why)
{
    AUTO(schema) struct schema *s = NULL;
    int err = read_schema(schema_arg(aux, argc, argv, 1), &s, why);
    if (!err)
        printf("%s\n", s->name);
    return err;
}

static int
cmd_schema_version(void *aux, int argc, char *argv[], struct why *why)
{
    AUTO(schema) struct schema *s = NULL;
    int err = read_schema(schema_arg(aux, argc, argv, 1), &s, why);
    if (!err)
        printf("%s\n", s->version);
    return err;
}

static int
cmd_schema_cksum(void *aux, int argc, char *argv[], struct why *why)
{
    AUTO(schema) struct schema *s = NULL;
    int err = read_schema(schema_arg(aux, argc, argv, 1), &s, why);
    if (!err)
        printf("%s\n", s->cksum);
    return err;
}

static int
cmd_needs_conversion(void *aux, int argc, char *argv[], struct why *why)
{
    AUTO(schema) struct schema *have = NULL, *want = NULL;

    int err = load_schema(db_arg(aux, argc, argv, 1), &have, why);
    if (!err)
        err = read_schema(schema_arg(aux, argc, argv, 2), &want, why);
    if (!err)
        puts(schema_equal(have, want) ? "no" : "yes");
    return err;
}

/* ---- Making files. ---- */

static int
cmd_create(void *aux, int argc, char *argv[], struct why *why)
{
    AUTO(dblog) struct dblog *log = NULL;
    AUTO(schema) struct schema *s = NULL;
    AUTO_TEXT struct text json = TEXT_INIT;
    const char *path = db_arg(aux, argc, argv, 1);

    int e = read_schema(schema_arg(aux, argc, argv, 2), &s, why);
    if (e)
        return e;
    schema_add_json(&json, s);
    struct dberr *err = dblog_open(path, DBLOG_CREATE, &log);
    if (!err) {
        err = dblog_write(log, json.s, json.len);
        if (!err)
            err = dblog_sync(log);
        if (err)
            unlink(path);
    }
    return err ? dberr_refuse(err, -EIO, why) : 0;
}

static void
sync_folder(const char *path)
{
    AUTO_STR char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = 0;
    AUTO_FD int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY);
    if (fd >= 0)
        (void) fsync(fd);
}

/* Writes the database beside 'path' and then puts it there, so that a crash leaves the one or the other. */
static int
save_over(const struct db *db, const char *path, const char *comment, struct why *why)
{
    AUTO_STR char *beside = xasprintf("%s.tmp", path);

    unlink(beside);
    struct dberr *err = dbfile_save(db, beside, comment, clock_wall_ms());
    if (err)
        return dberr_refuse(err, -EIO, why);
    if (rename(beside, path)) {
        int e = errno;
        unlink(beside);
        return refuse(why, -e, "I/O error: failed to rename \"%s\" to \"%s\" (%s)", beside, path, strerror(e));
    }
    sync_folder(path);
    return 0;
}

/* Compacts, or converts to 'schema' (taken); in place when target is NULL, and then nobody else may be writing. */
static int
rewrite(const char *path, const char *target, struct schema *schema, const char *comment, struct why *why)
{
    AUTO(dblog) struct dblog *log = NULL;
    AUTO(db) struct db *db = NULL;
    AUTO_STR char *real = target ? NULL : realpath(path, NULL); /* through links: what they point at is replaced */

    int err = load(path, target ? DBLOG_READ : DBLOG_READ_WRITE, schema, &log, &db, why);
    return err ? err : save_over(db, target ? target : real ? real : path, comment, why);
}

static int
cmd_compact(void *aux, int argc, char *argv[], struct why *why)
{
    return rewrite(db_arg(aux, argc, argv, 1), argc > 2 ? argv[2] : NULL, NULL,
                   "compacted by ovsdb-tool " FIELD_VERSION, why);
}

static int
cmd_convert(void *aux, int argc, char *argv[], struct why *why)
{
    struct schema *schema = NULL;
    int err = read_schema(schema_arg(aux, argc, argv, 2), &schema, why);
    return err ? err
               : rewrite(db_arg(aux, argc, argv, 1), argc > 3 ? argv[3] : NULL, schema,
                         "converted by ovsdb-tool " FIELD_VERSION, why);
}

/* ---- Versions. ---- */

struct version {
    unsigned x, y, z;
};

static int
version_parse(const char *word, struct version *v, struct why *why)
{
    int n = -1;
    if (!version_is_valid(word) || sscanf(word, "%u.%u.%u%n", &v->x, &v->y, &v->z, &n) != 3 || word[n])
        return refuse(why, -EINVAL, "%s: not an OVSDB version number in format x.y.z", word);
    return 0;
}

static int
version_cmp(const struct version *a, const struct version *b)
{
    unsigned as[] = {a->x, a->y, a->z}, bs[] = {b->x, b->y, b->z};
    for (size_t i = 0; i < ARRAY_SIZE(as); i++) {
        if (as[i] != bs[i])
            return as[i] < bs[i] ? -1 : 1;
    }
    return 0;
}

static int
cmd_compare_versions(void *aux, int argc, char *argv[], struct why *why)
{
    static const struct {
        const char *op;
        bool less, equal, more;
    } ops[] = {{"<", true, false, false}, {"<=", true, true, false}, {"==", false, true, false},
               {">=", false, true, true}, {">", false, false, true}, {"!=", true, false, true}};
    struct version a, b;

    int err = version_parse(argv[1], &a, why);
    if (!err)
        err = version_parse(argv[3], &b, why);
    if (err)
        return err;
    int order = version_cmp(&a, &b);
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        if (!strcmp(argv[2], ops[i].op))
            return (order < 0 ? ops[i].less : order ? ops[i].more : ops[i].equal) ? 0 : ANSWER_NO;
    }
    return refuse(why, -EINVAL, "%s: not a relational operator", argv[2]);
}

/* ---- Transactions. ---- */

static struct dberr *
write_record(void *log, const struct txn *txn)
{
    AUTO_TEXT struct text record = TEXT_INIT;
    if (!dbfile_record(txn, true, &record))
        return NULL;
    struct dberr *err = dblog_write(log, record.s, record.len);
    return err ? err : dblog_sync(log);
}

static void
ignore_commit(void *log, const struct txn *txn)
{
}

static int
print_sorted_json(struct text *json, struct why *why)
{
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO_TEXT struct text out = TEXT_INIT;
    struct jv v;

    int err = jv_parse_copy(&arena, text_str(json), json->len, &v, why);
    if (err)
        return err;
    jv_add_sorted(&out, &v);
    printf("%s\n", text_str(&out));
    return 0;
}

static int
run_transaction(struct dbtool *t, const char *path, const char *words, enum dblog_mode mode, struct why *why)
{
    static const struct db_ops writing = {.write = write_record, .committed = ignore_commit};
    AUTO_ARENA struct arena arena = ARENA_INIT;
    AUTO(dblog) struct dblog *log = NULL;
    AUTO(db) struct db *db = NULL;
    AUTO_TEXT struct text reply = TEXT_INIT;
    struct execution x = {.role = t->role, .id = t->role ? "ovsdb-tool" : NULL};
    struct jv params;

    int err = jv_parse_copy(&arena, words, strlen(words), &params, why);
    if (err)
        return refuse_in(why, err, "\"%s\"", words);
    err = load(path, mode, NULL, &log, &db, why);
    if (err)
        return err;
    if (mode == DBLOG_READ_WRITE) {
        db->ops = &writing;
        db->aux = log;
    }
    execute(db, &params, &x, &reply);
    return print_sorted_json(&reply, why);
}

static int
cmd_query(void *aux, int argc, char *argv[], struct why *why)
{
    struct dbtool *t = aux;
    return run_transaction(t, argc > 2 ? argv[1] : t->default_db, argv[argc - 1], DBLOG_READ, why);
}

static int
cmd_transact(void *aux, int argc, char *argv[], struct why *why)
{
    struct dbtool *t = aux;
    return run_transaction(t, argc > 2 ? argv[1] : t->default_db, argv[argc - 1], DBLOG_READ_WRITE, why);
}

static int
cmd_show_log(void *aux, int argc, char *argv[], struct why *why)
{
    const struct dbtool *t = aux;
    return show_log(db_arg(t, argc, argv, 1), t->more, stdout, why);
}

/* ---- The whole. ---- */

static int cmd_help(void *aux, int argc, char *argv[], struct why *why);

static const struct subcommand commands[] = {
    {"create", 0, 2, "[DB [SCHEMA]]", "create DB with the given SCHEMA", cmd_create},
    {"create-cluster", 3, 3, "DB CONTENTS LOCAL", "(refused: ours has no clusters)", cmd_no_cluster},
    {"join-cluster", 4, INT_MAX, "DB NAME LOCAL REMOTE...", "(refused: ours has no clusters)", cmd_no_cluster},
    {"compact", 0, 2, "[DB [DST]]", "compact DB in-place (or to DST)", cmd_compact},
    {"convert", 0, 3, "[DB [SCHEMA [DST]]]", "convert DB to SCHEMA (to DST)", cmd_convert},
    {"needs-conversion", 0, 2, "[DB [SCHEMA]]", "tell whether DB has another schema than SCHEMA", cmd_needs_conversion},
    {"db-name", 0, 1, "[DB]", "report name of schema used by DB", cmd_db_name},
    {"db-version", 0, 1, "[DB]", "report version of schema used by DB", cmd_db_version},
    {"db-cksum", 0, 1, "[DB]", "report checksum of schema used by DB", cmd_db_cksum},
    {"db-cid", 1, 1, "DB", "report cluster ID of clustered DB", cmd_cid},
    {"db-sid", 1, 1, "DB", "report server ID of clustered DB", cmd_sid},
    {"db-local-address", 1, 1, "DB", "report local address of clustered DB", cmd_local_address},
    {"db-is-clustered", 1, 1, "DB", "test whether DB is clustered", cmd_is_clustered},
    {"db-is-standalone", 1, 1, "DB", "test whether DB is standalone", cmd_is_standalone},
    {"schema-name", 0, 1, "[SCHEMA]", "report SCHEMA's name", cmd_schema_name},
    {"schema-version", 0, 1, "[SCHEMA]", "report SCHEMA's schema version", cmd_schema_version},
    {"schema-cksum", 0, 1, "[SCHEMA]", "report SCHEMA's checksum", cmd_schema_cksum},
    {"compare-versions", 3, 3, "A OP B", "compare OVSDB schema version numbers", cmd_compare_versions},
    {"query", 1, 2, "[DB] TRNS", "execute read-only transaction on DB", cmd_query},
    {"transact", 1, 2, "[DB] TRNS", "execute read/write transaction on DB", cmd_transact},
    {"show-log", 0, 1, "[DB]", "print DB's log entries (more with -m)", cmd_show_log},
    {"check-cluster", 1, INT_MAX, "DB...", "(refused: ours has no clusters)", cmd_no_cluster},
    {"cluster-to-standalone", 2, 2, "DB CLUSTERDB", "(refused: ours has no clusters)", cmd_no_cluster},
    {"help", 0, INT_MAX, "", "print this", cmd_help},
    {NULL, 0, 0, NULL, NULL, NULL},
};

static void
usage(const struct dbtool *t)
{
    AUTO_TEXT struct text out = TEXT_INIT;
    text_add(&out,
             "ovsdb-tool: Open vSwitch database management utility\nusage: ovsdb-tool [OPTIONS] COMMAND [ARG...]\n");
    subcommand_usage(commands, &out);
    text_addf(&out, "The default DB is %s.\nThe default SCHEMA is %s.\n", t->default_db, t->default_schema);
    client_usage(&out);
    text_add(&out, "\nOther options:\n"
                   "  -m, --more                  increase show-log verbosity\n"
                   "  --rbac-role=ROLE            RBAC role for transact and query commands\n"
                   "  -h, --help                  display this help message\n"
                   "  -V, --version               display version information\n");
    fputs(text_str(&out), stdout);
}

static int
cmd_help(void *aux, int argc, char *argv[], struct why *why)
{
    usage(aux);
    return 0;
}

enum { OPT_ROLE = UCHAR_MAX + 1, OPT_ELECTION_TIMER, OPT_CID };

static const struct option own_options[] = {
    {"more", no_argument, NULL, 'm'},
    {"rbac-role", required_argument, NULL, OPT_ROLE},
    {"election-timer", required_argument, NULL, OPT_ELECTION_TIMER},
    {"cid", required_argument, NULL, OPT_CID},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* 1: done, with success. */
static int
take_option(struct dbtool *t, int c, struct why *why)
{
    int err = 0;
    switch (c) {
    case 'm':
        t->more++;
        return 0;
    case OPT_ROLE:
        t->role = optarg;
        return 0;
    case OPT_ELECTION_TIMER:
    case OPT_CID:
        return refuse(why, -ENOTSUP, "clusters are not made here: use the ovsdb-tool of Open vSwitch");
    case 'h':
        usage(t);
        return 1;
    case 'V':
        print_version("ovsdb-tool");
        puts("DB Schema " SCHEMA_VERSION);
        return 1;
    case '?':
        return refuse(why, -EINVAL, "%s", ""); /* getopt has spoken */
    default:
        (void) daemon_option(NULL, c, optarg, &err, why);
        return err;
    }
}

static int
run(struct dbtool *t, int argc, char *argv[], struct why *why)
{
    const struct subcommand *command;
    struct option all[48];

    options_join(all, ARRAY_SIZE(all), (const struct option *const[]){own_options, client_long_options, NULL});
    optind = 0;
    for (int c; (c = getopt_long(argc, argv, "mhV" DAEMON_SHORT_OPTIONS, all, NULL)) != -1;) {
        int err = take_option(t, c, why);
        if (err)
            return MIN(err, 0);
    }
    int err = subcommand_find(commands, argc - optind, argv + optind, &command, why);
    return err ? err : command->run(t, argc - optind, argv + optind, why);
}

int
dbtool_main(int argc, char *argv[])
{
    struct dbtool t = {.default_db = dir_file(dir_db(), "conf.db"),
                       .default_schema = dir_file(dir_pkgdata(), "vswitch.ovsschema")};
    struct why why = {""};

    log_init("ovsdb-tool");
    (void) log_set_words("console:warn", NULL);
    int status = run(&t, argc, argv, &why);
    if (status < 0 && why.text[0])
        fprintf(stderr, "ovsdb-tool: %s\n", why.text);
    free(t.default_db);
    free(t.default_schema);
    return status < 0 ? EXIT_FAILURE : status;
}
