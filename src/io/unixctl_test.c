/* The control socket, asked over a real one from another thread, as clients of the field ask. */
#include "io/unixctl.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/test.h"
#include "io/daemon.h"
#include "io/jsonrpc.h"
#include "io/memory.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/io_unixctl_XXXXXX";
static char path[64];

struct question {
    const char *command;
    const char *argv[4];
    int argc;
    bool json;
    struct loop *server_loop;
    int err;
    char *result, *error;
    struct why why;
};

static void
stop(void *loop)
{
    loop_stop(loop);
}

static void *
ask(void *q_)
{
    struct question *q = q_;
    q->err = unixctl_ask(path, q->command, q->argc, q->argv, q->json, seconds(20), &q->result, &q->error, &q->why);
    loop_call_from(q->server_loop, stop, q->server_loop);
    return NULL;
}

static void
asked(struct loop *l, struct question *q)
{
    pthread_t thread;
    q->server_loop = l;
    while (q->argv[q->argc])
        q->argc++;
    CHECK(!pthread_create(&thread, NULL, ask, q));
    loop_run(l);
    pthread_join(thread, NULL);
}

static void
answers(struct loop *l, struct question q, const char *want)
{
    asked(l, &q);
    CHECK_EQ(q.err, 0);
    CHECK_STR(q.result, want);
    free(q.result);
}

static void
refuses(struct loop *l, struct question q, const char *want)
{
    asked(l, &q);
    CHECK_EQ(q.err, -EREMOTEIO);
    CHECK_STR(q.error, want);
    free(q.error);
}

static void
join_words(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    for (int i = 0; i < argc; i++)
        text_addf(&t, "%s%s", i ? "|" : "", argv[i]);
    if (unixctl_wants_json(c))
        unixctl_reply_json(c, json_pack("{s:i}", "n", argc));
    else
        unixctl_reply(c, text_str(&t));
}

static void
answer_plain(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    unixctl_reply(c, aux);
}

static struct unixctl_conn *waiting;

static void
wait_for_it(struct unixctl_conn *c, int argc, const char *argv[], void *aux)
{
    waiting = c;
}

static void
figures(void *aux)
{
    memory_report("cells", 3);
    memory_report("atoms", 1);
    memory_report("cells", 4);
}

static struct unixctl *
open_server(struct loop *l)
{
    struct why why;
    struct unixctl *u;
    snprintf(path, sizeof path, "%s/ctl", dir);
    CHECK_EQ(unixctl_open(l, path, &u, &why), 0);
    CHECK_STR(unixctl_path(u), path);
    unixctl_command("join", "WORD...", 1, 3, join_words, NULL);
    unixctl_command("plain", NULL, 0, 0, answer_plain, "two\nlines\n");
    unixctl_command("wait", NULL, 0, 0, wait_for_it, NULL);
    return u;
}

TEST(commands_answer_and_refuse)
{
    AUTO(loop) struct loop *l = loop_new();
    struct unixctl *u = open_server(l);
    answers(l, (struct question){"join", {"a", "b\"c"}}, "join|a|b\"c\n");
    answers(l, (struct question){"plain"}, "two\nlines\n");
    refuses(l, (struct question){"join"}, "\"join\" command requires at least 1 arguments\n");
    refuses(l, (struct question){"plain", {"x"}}, "\"plain\" command takes at most 0 arguments\n");
    refuses(l, (struct question){"nonsense"},
            "\"nonsense\" is not a valid command (use \"list-commands\" to see a list of valid commands)\n");
    unixctl_close(u);
    struct stat st;
    CHECK(stat(path, &st) && errno == ENOENT);
}

TEST(json_is_given_to_who_asks_for_it)
{
    AUTO(loop) struct loop *l = loop_new();
    struct unixctl *u = open_server(l);
    answers(l, (struct question){"join", {"a"}, .json = true}, "{\"n\":2}\n");
    answers(l, (struct question){"plain", .json = true}, "{\"reply-format\":\"plain\",\"reply\":\"two\\nlines\\n\"}\n");
    answers(l, (struct question){"set-options", {"--format", "json"}}, "");
    refuses(l, (struct question){"set-options", {"--format", "xml"}}, "option format has invalid value xml\n");
    unixctl_close(u);
}

TEST(every_program_answers_these)
{
    AUTO(loop) struct loop *l = loop_new();
    struct unixctl *u = open_server(l);
    memory_reporter(figures, NULL);
    log_init("ovs-vswitchd");
    answers(l, (struct question){"version"}, "ovs-vswitchd (Open vSwitch) " FIELD_VERSION "\n");
    answers(l, (struct question){"memory/show"}, "atoms:1 cells:7\n");
    answers(l, (struct question){"vlog/set", {"unixctl:file:dbg", "any:console:off"}}, "");
    refuses(l, (struct question){"vlog/set", {"dbg:info"}}, "cannot specify multiple levels\n");
    refuses(l, (struct question){"vlog/disable-rate-limit", {"nosuch"}}, "unknown module\n");
    answers(l, (struct question){"vlog/disable-rate-limit", {"unixctl"}}, "");
    answers(l, (struct question){"vlog/enable-rate-limit"}, "");
    refuses(l, (struct question){"vlog/reopen"}, "Logging to file not configured\n");
    answers(l, (struct question){"vlog/close"}, "");
    refuses(l, (struct question){"coverage/read-counter", {"nosuch"}}, "No such counter\n");

    struct question q = {"list-commands"};
    asked(l, &q);
    CHECK_EQ(strncmp(q.result, "The available commands are:\n  coverage/read-counter   COUNTER\n", 60), 0);
    CHECK(strstr(q.result, "\n  join                    WORD...\n"));
    free(q.result);
    q = (struct question){"coverage/show"};
    asked(l, &q);
    CHECK_EQ(strncmp(q.result, "Event coverage, avg rate over last: ", 36), 0);
    CHECK(strstr(q.result, "unixctl_received "));
    free(q.result);
    unixctl_close(u);
}

TEST(time_moves_when_told)
{
    AUTO(loop) struct loop *l = loop_new();
    struct unixctl *u = open_server(l);
    loop_register_time_commands(l);
    answers(l, (struct question){"time/stop"}, "");
    instant start = loop_now(l);
    answers(l, (struct question){"time/warp", {"1000"}}, "warped\n");
    CHECK_EQ(instant_since(loop_now(l), start).ns, seconds(1).ns);
    answers(l, (struct question){"time/warp", {"60000", "500"}}, "warped\n");
    CHECK_EQ(instant_since(loop_now(l), start).ns, seconds(61).ns);
    refuses(l, (struct question){"time/warp", {"0"}}, "invalid MSECS\n");
    refuses(l, (struct question){"time/warp", {"-1", "10"}}, "invalid MSECS\n");
    unixctl_close(u);
}

/* A peer of its own in the same loop, to say several things at once and to leave early. */
struct peer {
    struct jsonrpc *rpc;
    struct text seen;
};

static void
peer_received(void *p_, const struct jsonrpc_msg *m)
{
    struct peer *p = p_;
    text_addf(&p->seen, "%lld:%s", json_integer_value(m->id), json_string_value(m->result));
}

static void
peer_closed(void *p_, int err, const char *reason)
{
    struct peer *p = p_;
    jsonrpc_close(MOVE(p->rpc));
}

static const struct jsonrpc_ops peer_ops = {.received = peer_received, .closed = peer_closed};

TEST(questions_are_answered_one_after_the_other)
{
    AUTO(loop) struct loop *l = loop_new();
    struct unixctl *u = open_server(l);
    struct peer p = {.rpc = NULL};
    struct why why;
    AUTO_STR char *target = xasprintf("unix:%s", path);
    p.rpc = jsonrpc_connect(l, target, &peer_ops, &p, &why);
    waiting = NULL;
    jsonrpc_request_id(p.rpc, "wait", json_array(), json_integer(1));
    jsonrpc_request_id(p.rpc, "join", json_pack("[s]", "x"), json_integer(2));
    jsonrpc_request_id(p.rpc, "join", json_pack("[s]", "y"), json_integer(3));
    while (!waiting)
        loop_turn(l, true);
    for (int i = 0; i < 5; i++)
        loop_turn(l, false);
    CHECK_STR(text_str(&p.seen), "");
    unixctl_reply(waiting, "w");
    while (p.seen.len < strlen("1:w\n2:join|x\n3:join|y\n"))
        loop_turn(l, true);
    CHECK_STR(text_str(&p.seen), "1:w\n2:join|x\n3:join|y\n");
    jsonrpc_close(p.rpc);
    text_fini(&p.seen);
    unixctl_close(u);
}

TEST(an_answer_may_come_too_late)
{
    AUTO(loop) struct loop *l = loop_new();
    struct unixctl *u = open_server(l);
    struct peer p = {.rpc = NULL};
    struct why why;
    AUTO_STR char *target = xasprintf("unix:%s", path);
    for (int server_goes_first = 0; server_goes_first < 2; server_goes_first++) {
        p.rpc = jsonrpc_connect(l, target, &peer_ops, &p, &why);
        waiting = NULL;
        jsonrpc_request_id(p.rpc, "wait", json_array(), json_integer(1));
        jsonrpc_request_id(p.rpc, "wait", json_array(), json_integer(2));
        while (!waiting)
            loop_turn(l, true);
        if (!server_goes_first)
            jsonrpc_close(MOVE(p.rpc));
        else
            unixctl_close(u);
        for (int i = 0; i < 5; i++)
            loop_turn(l, false);
        unixctl_reply(waiting, "too late");
        for (int i = 0; i < 5; i++)
            loop_turn(l, false);
    }
    CHECK_STR(text_str(&p.seen), "1:too late\n"); /* the server that closes still sends it */
    CHECK(!p.rpc);
    text_fini(&p.seen);
}

TEST(nobody_to_ask)
{
    struct why why;
    char *result, *error;
    AUTO_STR char *gone = xasprintf("%s/gone", dir);
    AUTO_STR char *want = xasprintf("cannot connect to \"%s\" (No such file or directory)", gone);
    CHECK_EQ(unixctl_ask(gone, "version", 0, NULL, false, seconds(20), &result, &error, &why), -ENOENT);
    CHECK_STR(why.text, want);
    CHECK_EQ(unixctl_ask("io_unixctl_nobody", "version", 0, NULL, false, seconds(20), &result, &error, &why), -ENOENT);
    CHECK(strstr(why.text, "cannot read pidfile \"") && strstr(why.text, "/io_unixctl_nobody.pid\" (No such file"));
}

int
main(void)
{
    const struct CMUnitTest cases[] = {TEST_EACH_(
        commands_answer_and_refuse, json_is_given_to_who_asks_for_it, every_program_answers_these, time_moves_when_told,
        questions_are_answered_one_after_the_other, an_answer_may_come_too_late, nobody_to_ask)};
    struct why why;
    if (!mkdtemp(dir) || log_set_words("any:off", &why))
        return 1;
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    rmdir(dir);
    return failed;
}
