/* ofctl - see the header.
 *
 * One connection, one conversation: hello, then requests each followed by a barrier where a refusal must be waited for.  The loop is turned until the
 * answer is there.
 */
#include "cli/ofctl.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "io/daemon.h"
#include "io/dirs.h"
#include "io/stream.h"
#include "openflow/config.h"
#include "openflow/flow_text.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct options {
    uint32_t versions;
    bool strict, no_stats;
    unsigned timeout_s;
};

struct talk {
    struct loop *loop;
    struct stream *stream;
    struct text in;
    enum of_version version;
    const struct options *options;
    const char *target;
    int err; /* the line is gone */
    bool is_over, refused;
    uint32_t last_xid;
    /* what arrives for the request that is waited for */
    void (*reply)(struct talk *, const struct of_msg_info *);
};

NORETURN static void PRINTF(1, 2) die(const char *fmt, ...)
{
    va_list args;
    fputs("ovs-ofctl: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- the line ---- */

static void
refused(struct talk *t, const void *msg, size_t len)
{
    const void *payload;
    size_t n;
    struct of_header h;
    enum of_error err = of_error_decode(msg, len, &payload, &n);
    of_header_get(msg, len, &h);
    fprintf(stderr, "OFPT_ERROR (%s) (xid=0x%" PRIx32 "): %s\n", of_version_name(h.version), h.xid, of_error_name(err));
    t->refused = true;
}

static void
one(struct talk *t, const void *msg, size_t len)
{
    struct of_msg_info info;
    enum of_error err = of_msg_identify(msg, len, &info);
    if (!t->version) {
        uint32_t theirs;
        if (err || info.msg != OFMSG_HELLO || hello_decode(msg, len, &theirs) ||
            !(t->version = of_version_highest(theirs & t->options->versions)))
            die("%s: version negotiation failed", t->target);
        return;
    }
    if (err)
        return;
    if (info.msg == OFMSG_ECHO_REQUEST) {
        AUTO_TEXT struct text answer = TEXT_INIT;
        echo_reply_encode(&info, &answer);
        stream_write(t->stream, answer.s, answer.len);
    } else if (info.msg == OFMSG_ERROR) {
        refused(t, msg, len);
        t->is_over |= info.xid == t->last_xid;
    } else if (info.xid == t->last_xid) {
        if (t->reply)
            t->reply(t, &info);
        t->is_over |= !(info.flags & 1);
    }
}

static void
received(void *t_, const void *bytes, size_t n)
{
    struct talk *t = t_;
    struct of_header h;
    size_t at = 0;
    text_addn(&t->in, bytes, n);
    while (of_header_get(t->in.s + at, t->in.len - at, &h) && h.len >= OF_HEADER_LEN && t->in.len - at >= h.len) {
        one(t, t->in.s + at, h.len);
        at += h.len;
    }
    memmove(t->in.s, t->in.s + at, t->in.len - at);
    text_cut(&t->in, t->in.len - at);
}

static void
connected(void *t_)
{
    struct talk *t = t_;
    AUTO_TEXT struct text hello = TEXT_INIT;
    hello_encode(t->options->versions, 1, &hello);
    stream_write(t->stream, hello.s, hello.len);
}

static void
closed(void *t_, int err)
{
    struct talk *t = t_;
    t->err = err ? err : -ECONNRESET;
}

static const struct stream_ops ops = {connected, received, NULL, closed};

/* A bridge's name, the path of a socket, or a target as ovsdb(7) writes them. */
static char *
target_of(const char *word)
{
    struct stat st;
    if (strchr(word, ':'))
        return xstrdup(word);
    AUTO_STR char *socket = xasprintf("%s/%s.mgmt", dir_run(), word);
    if (!stat(socket, &st))
        return xasprintf("unix:%s", socket);
    if (!stat(word, &st) && S_ISSOCK(st.st_mode))
        return xasprintf("unix:%s", word);
    die("%s is not a bridge or a socket", word);
}

static void
wait_until(struct talk *t, const bool *done)
{
    while (!*done && !t->err)
        loop_turn(t->loop, true);
    if (t->err)
        die("%s: %s", t->target, t->err == -ECONNRESET ? "connection closed by peer" : strerror(-t->err));
}

static void
begin(struct talk *t, const struct options *o, const char *word)
{
    struct why why;
    *t = (struct talk){.loop = loop_new(), .options = o, .target = word, .in = TEXT_INIT, .last_xid = 1};
    AUTO_STR char *target = target_of(word);
    t->stream = stream_connect(t->loop, target, &ops, t, &why);
    if (!t->stream)
        die("%s: %s", word, why.text);
    while (!t->version && !t->err)
        loop_turn(t->loop, true);
    if (t->err)
        die("%s: failed to connect to socket (%s)", word, strerror(-t->err));
}

/* Sends what is there (its last message has the xid last_xid) and waits for the answer. */
static void
ask(struct talk *t, const struct text *request, void (*reply)(struct talk *, const struct of_msg_info *))
{
    t->is_over = false;
    t->reply = reply;
    stream_write(t->stream, request->s, request->len);
    wait_until(t, &t->is_over);
}

static int
end(struct talk *t)
{
    int status = t->refused;
    stream_close(t->stream);
    loop_free(t->loop);
    text_fini(&t->in);
    return status;
}

/* ---- rules ---- */

static void
add_line(struct talk *t, const char *line, enum flow_command command, struct text *out)
{
    struct flow_mod fm;
    struct why why;
    AUTO_OA_LIST struct oa_list actions = OA_LIST_INIT;
    if (flow_mod_parse(line, command, t->version, NULL, &fm, &actions, &why))
        die("%s", why.text);
    flow_mod_encode(&fm, t->version, true, ++t->last_xid, out);
}

/* 1.0 carries a table only when asked to. */
static void
want_tables(struct talk *t, struct text *out)
{
    if (t->version != OF10)
        return;
    size_t at = of_msg_start(out, OFMSG_NX_FLOW_MOD_TABLE_ID, OF10, ++t->last_xid, true);
    of_put(out, 1, 1);
    of_put_zeros(out, 7);
    of_msg_finish(out, at);
}

static enum flow_command
command_of(const char *verb, bool strict)
{
    if (!strncmp(verb, "add", 3))
        return FLOW_ADD;
    if (!strncmp(verb, "mod", 3))
        return strict ? FLOW_MODIFY_STRICT : FLOW_MODIFY;
    return strict ? FLOW_DELETE_STRICT : FLOW_DELETE;
}

static int
change(const struct options *o, int argc, char *argv[])
{
    struct talk t;
    AUTO_TEXT struct text out = TEXT_INIT;
    begin(&t, o, argv[1]);
    want_tables(&t, &out);
    add_line(&t, argc > 2 ? argv[2] : "", command_of(argv[0], o->strict), &out);
    bare_encode(OFMSG_BARRIER_REQUEST, t.version, ++t.last_xid, &out);
    ask(&t, &out, NULL);
    return end(&t);
}

/* Lines may begin with the command they mean: "add", "modify", "delete", ... */
static enum flow_command
line_command(char **line, enum flow_command otherwise)
{
    static const struct {
        const char *word;
        enum flow_command command;
    } words[] = {{"add", FLOW_ADD},
                 {"modify_strict", FLOW_MODIFY_STRICT},
                 {"modify", FLOW_MODIFY},
                 {"delete_strict", FLOW_DELETE_STRICT},
                 {"delete", FLOW_DELETE}};
    *line += strspn(*line, " \t");
    size_t n = strspn(*line, "abcdefghijklmnopqrstuvwxyz_");
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strlen(words[i].word) == n && !strncmp(*line, words[i].word, n) &&
            ((*line)[n] == ' ' || (*line)[n] == '\t' || !(*line)[n])) {
            *line += n;
            return words[i].command;
        }
    return otherwise;
}

static int
add_flows(const struct options *o, int argc, char *argv[])
{
    struct talk t;
    AUTO_TEXT struct text out = TEXT_INIT;
    FILE *f = strcmp(argv[2], "-") ? fopen(argv[2], "r") : stdin;
    if (!f)
        die("%s: open (%s)", argv[2], strerror(errno));
    begin(&t, o, argv[1]);
    want_tables(&t, &out);
    char *buffer = NULL;
    size_t room = 0;
    for (ssize_t n; (n = getline(&buffer, &room, f)) >= 0;) {
        char *line = buffer;
        line[strcspn(line, "#\n")] = '\0';
        enum flow_command command = line_command(&line, FLOW_ADD);
        if (line[strspn(line, " \t\r")])
            add_line(&t, line, command, &out);
    }
    free(buffer);
    if (f != stdin)
        fclose(f);
    bare_encode(OFMSG_BARRIER_REQUEST, t.version, ++t.last_xid, &out);
    ask(&t, &out, NULL);
    return end(&t);
}

static bool printed_head;

static void
print_head(struct talk *t, const char *what)
{
    if (printed_head)
        return;
    printed_head = true;
    if (t->options->no_stats)
        return;
    const char *family = t->version == OF10 ? "NXST" : "OFPST";
    printf("%s_%s reply", family, what);
    if (t->version > OF10)
        printf(" (OF1.%d)", t->version - OF10);
    printf(" (xid=0x%" PRIx32 "):", t->last_xid);
}

static void
print_flows(struct talk *t, const struct of_msg_info *info)
{
    bool first = !printed_head;
    print_head(t, "FLOW");
    if (first && !t->options->no_stats)
        putchar('\n');
    struct cursor c = info->body;
    for (bool more = true; more;) {
        struct flow_entry f;
        AUTO_OA_LIST struct oa_list actions = OA_LIST_INIT;
        enum of_error err = flow_entry_decode(info, &c, &f, &actions, &more);
        if (err)
            die("%s: an answer that makes no sense (%s)", t->target, of_error_name(err));
        if (!more)
            break;
        AUTO_TEXT struct text line = TEXT_INIT;
        flow_entry_format(&f, NULL, !t->options->no_stats, &line);
        puts(text_str(&line));
    }
}

static void
print_aggregate(struct talk *t, const struct of_msg_info *info)
{
    struct flow_aggregate a;
    if (flow_aggregate_decode(info, &a))
        die("%s: an answer that makes no sense", t->target);
    print_head(t, "AGGREGATE");
    printf(" packet_count=%" PRIu64 " byte_count=%" PRIu64 " flow_count=%" PRIu32 "\n", a.packets, a.bytes, a.flows);
}

static int
dump(const struct options *o, int argc, char *argv[])
{
    struct talk t;
    struct flow_query q;
    struct why why;
    AUTO_TEXT struct text out = TEXT_INIT;
    if (flow_query_parse(argc > 2 ? argv[2] : "", NULL, &q, &why))
        die("%s", why.text);
    q.is_aggregate = !strcmp(argv[0], "dump-aggregate");
    begin(&t, o, argv[1]);
    flow_query_encode(&q, t.version, ++t.last_xid, &out);
    ask(&t, &out, q.is_aggregate ? print_aggregate : print_flows);
    return end(&t);
}

static int
probe(const struct options *o, int argc, char *argv[])
{
    struct talk t;
    AUTO_TEXT struct text out = TEXT_INIT;
    begin(&t, o, argv[1]);
    bare_encode(OFMSG_ECHO_REQUEST, t.version, ++t.last_xid, &out);
    ask(&t, &out, NULL);
    return end(&t);
}

static int
parse_flow(const struct options *o, int argc, char *argv[])
{
    struct flow_mod fm;
    struct why why;
    AUTO_OA_LIST struct oa_list actions = OA_LIST_INIT;
    if (flow_mod_parse(argv[1], FLOW_ADD, of_version_highest(o->versions), NULL, &fm, &actions, &why))
        die("%s", why.text);
    struct flow_entry e = {.table = fm.table,
                           .priority = fm.priority,
                           .cookie = fm.new_cookie,
                           .idle_timeout = fm.idle_timeout,
                           .hard_timeout = fm.hard_timeout,
                           .importance = fm.importance,
                           .flags = fm.flags,
                           .match = fm.match,
                           .actions = fm.actions,
                           .actions_len = fm.actions_len};
    AUTO_TEXT struct text line = TEXT_INIT;
    flow_entry_format(&e, NULL, false, &line);
    printf("ADD%s\n", text_str(&line));
    return 0;
}

static const struct command {
    const char *name, *arguments, *help;
    int min, max;
    int (*run)(const struct options *, int argc, char *argv[]); /* argv[0] is the command */
} commands[] = {
    {"add-flow", "SWITCH FLOW", "add the rule described by FLOW", 2, 2, change},
    {"add-flows", "SWITCH FILE", "add, change or delete rules as FILE says, a line each (- is standard input)", 2, 2,
     add_flows},
    {"mod-flows", "SWITCH FLOW", "change the actions of matching rules", 2, 2, change},
    {"del-flows", "SWITCH [FLOW]", "delete matching rules", 1, 2, change},
    {"dump-flows", "SWITCH [FLOW]", "print matching rules", 1, 2, dump},
    {"dump-aggregate", "SWITCH [FLOW]", "print the sum of matching rules", 1, 2, dump},
    {"probe", "SWITCH", "is there a switch that answers?", 1, 1, probe},
    {"parse-flow", "FLOW", "read FLOW and print it again", 1, 1, parse_flow},
    {NULL, NULL, NULL, 0, 0, NULL},
};

static void
usage(void)
{
    puts("ovs-ofctl: rules of a switch, by OpenFlow\nusage: ovs-ofctl [OPTIONS] COMMAND [ARG...]\n");
    for (const struct command *c = commands; c->name; c++)
        printf("  %-15s %-15s %s\n", c->name, c->arguments, c->help);
    puts("\nOptions: -O, --protocols=VERSIONS  --strict  --no-stats  -t, --timeout=SECONDS  -v[WORDS]  -V, --version  "
         "-h, --help\n"
         "SWITCH is a bridge's name, a socket, or tcp:HOST:PORT, ssl:HOST:PORT, unix:FILE.");
}

int
ofctl_main(int argc, char *argv[])
{
    enum { OPT_STRICT = 1000, OPT_NO_STATS, OPT_NO_NAMES, OPT_NAMES };
    static const struct option longs[] = {{"protocols", required_argument, NULL, 'O'},
                                          {"strict", no_argument, NULL, OPT_STRICT},
                                          {"no-stats", no_argument, NULL, OPT_NO_STATS},
                                          {"no-names", no_argument, NULL, OPT_NO_NAMES},
                                          {"timeout", required_argument, NULL, 't'},
                                          {"verbose", optional_argument, NULL, 'v'},
                                          {"version", no_argument, NULL, 'V'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options o = {.versions = 1u << OF10};
    struct why why;
    log_init("ovs-ofctl");
    log_set_words("ANY:console:warn", NULL);
    log_set_words("ANY:syslog:off", NULL);
    for (int c; (c = getopt_long(argc, argv, "+O:t:v::Vh", longs, NULL)) >= 0;)
        switch (c) {
        case 'O':
            if (of_versions_parse(optarg, &o.versions, &why) || !o.versions)
                die("%s", o.versions ? why.text : "no OpenFlow version is allowed");
            break;
        case 't':
            o.timeout_s = strtoul(optarg, NULL, 10);
            break;
        case 'v':
            if (log_set_words(optarg ? optarg : "any:any:dbg", &why))
                die("%s", why.text);
            break;
        case OPT_STRICT:
            o.strict = true;
            break;
        case OPT_NO_STATS:
            o.no_stats = true;
            break;
        case OPT_NO_NAMES:
            break; /* numbers are what is printed */
        case 'V':
            print_version("ovs-ofctl");
            printf("OpenFlow versions 0x1:0x6\n");
            return 0;
        case 'h':
            usage();
            return 0;
        default:
            return 1;
        }
    if (o.timeout_s)
        alarm(o.timeout_s);
    argc -= optind;
    argv += optind;
    if (!argc)
        die("missing command name; use --help for help");
    for (const struct command *c = commands; c->name; c++)
        if (!strcmp(argv[0], c->name)) {
            if (argc - 1 < c->min || argc - 1 > c->max)
                die("'%s' command %s %d arguments", c->name, argc - 1 < c->min ? "requires at least" : "takes at most",
                    argc - 1 < c->min ? c->min : c->max);
            return c->run(&o, argc, argv);
        }
    die("unknown command '%s'; use --help for help", argv[0]);
}
