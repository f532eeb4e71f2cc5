/* Messages over real sockets, both ends in one loop; messages cut in every place; peers that break the rules. */
#include "io/jsonrpc.h"
#include "base/mem.h"
#include "base/log.h"
#include "base/test.h"
#include "io/json.h"
#include <errno.h>
#include <stdlib.h>

static char dir[] = "/tmp/io_jsonrpc_XXXXXX";

/* One end of a connection and what it saw. */
struct end {
    struct jsonrpc *rpc;
    struct text seen; /* each message as "TYPE method params|result|error id;" */
    bool is_connected, is_closed, answers;
    unsigned n_received;
    int err;
    char reason[512];
};

static struct loop *loop;
static struct listener *listener;
static struct end server, client;
static const struct jsonrpc_limits *server_limits;

static void
on_connected(void *end_)
{
    struct end *e = end_;
    e->is_connected = true;
}

static void
on_received(void *end_, const struct jsonrpc_msg *m)
{
    static const char *const types[] = {"request", "notify", "reply", "error"};
    struct end *e = end_;
    const json_t *body = m->params ? m->params : m->type == JSONRPC_ERROR ? m->error : m->result;
    e->n_received++;
    if (e->answers && m->type == JSONRPC_REQUEST) {
        jsonrpc_reply(e->rpc, json_incref(m->params), json_incref(m->id));
        return;
    }
    text_addf(&e->seen, "%s %s ", types[m->type], m->method ? m->method : "-");
    json_add_text(&e->seen, body);
    text_addc(&e->seen, ' ');
    if (m->id)
        json_add_text(&e->seen, m->id);
    text_addc(&e->seen, ';');
}

static void
on_closed(void *end_, int err, const char *reason)
{
    struct end *e = end_;
    e->is_closed = true;
    e->err = err;
    snprintf(e->reason, sizeof e->reason, "%s", reason);
    jsonrpc_close(e->rpc);
    e->rpc = NULL;
}

static const struct jsonrpc_ops ops = {.connected = on_connected, .received = on_received, .closed = on_closed};

static void
on_accepted(void *aux, struct stream *s)
{
    server.rpc = jsonrpc_accept(loop, s, &ops, &server);
    if (server_limits)
        jsonrpc_set_limits(server.rpc, server_limits);
}

static void
start(const char *target)
{
    struct why why;
    loop = loop_new();
    server = client = (struct end){.rpc = NULL};
    CHECK_EQ(listener_open(loop, target, on_accepted, NULL, &listener, &why), 0);
}

static char *
punix(void)
{
    return xasprintf("punix:%s/s", dir);
}

static void
start_unix(void)
{
    AUTO_STR char *target = punix();
    start(target);
}

static void
connect_client(void)
{
    struct why why;
    AUTO_STR char *target =
        listener_port(listener) ? xasprintf("tcp:127.0.0.1:%u", listener_port(listener)) : xasprintf("unix:%s/s", dir);
    client.rpc = jsonrpc_connect(loop, target, &ops, &client, &why);
    CHECK(client.rpc);
    while (!client.is_connected || !server.rpc)
        CHECK(loop_turn(loop, true));
}

static void
finish(void)
{
    listener_close(listener);
    jsonrpc_close(client.rpc);
    jsonrpc_close(server.rpc);
    loop_free(loop);
    text_fini(&client.seen);
    text_fini(&server.seen);
    server_limits = NULL;
}

/* Turns until 'e' has seen 'want', or closed. */
static void
expect(struct end *e, const char *want)
{
    while (strlen(text_str(&e->seen)) < strlen(want) && !e->is_closed)
        CHECK(loop_turn(loop, true));
    CHECK_STR(text_str(&e->seen), want);
    text_cut(&e->seen, 0);
}

static void
expect_closed(struct end *e, int err, const char *part)
{
    while (!e->is_closed)
        CHECK(loop_turn(loop, true));
    CHECK_EQ(e->err, err);
    CHECK(strstr(e->reason, part));
}

static void
say(struct end *e, const char *bytes)
{
    jsonrpc_send_raw(e->rpc, bytes, strlen(bytes));
}

static void
speak_both_ways(const char *target)
{
    start(target);
    connect_client();
    const json_t *id = jsonrpc_request(client.rpc, "list", json_pack("[s]", "a\"b\n\xc3\xa4"));
    AUTO_TEXT struct text want = TEXT_INIT;
    text_add(&want, "request list [\"a\\\"b\\n\xc3\xa4\"] ");
    json_add_text(&want, id);
    text_add(&want, ";");
    expect(&server, text_str(&want));
    jsonrpc_reply(server.rpc, json_pack("{s:[]}", "x"), json_deep_copy(id));
    jsonrpc_error(server.rpc, json_string("no"), json_string("7"));
    jsonrpc_notify(server.rpc, "update", json_pack("[n]"));
    text_cut(&want, 0);
    text_add(&want, "reply - {\"x\":[]} ");
    json_add_text(&want, id);
    text_add(&want, ";error - \"no\" \"7\";notify update [null] null;");
    expect(&client, text_str(&want));

    jsonrpc_reply(client.rpc, NULL, json_integer(5));
    jsonrpc_close_after_writes(client.rpc);
    client.rpc = NULL;
    expect(&server, "reply - null 5;");
    expect_closed(&server, 0, "closed by peer");
    finish();
}

TEST(unix_speaks_both_ways)
{
    AUTO_STR char *target = punix();
    speak_both_ways(target);
}

TEST(tcp_speaks_both_ways)
{
    speak_both_ways("ptcp:0:127.0.0.1");
}

TEST(messages_may_be_cut_anywhere)
{
    static const char bytes[] = " {\"method\":\"a}{\\\"\",\"params\":[{\"k\":\"]\\\\\"}],\"id\":0}\n"
                                "{\"id\":null,\"params\":[],\"method\":\"b\"}";
    start_unix();
    connect_client();
    for (size_t cut = 0; cut < sizeof bytes; cut++) {
        jsonrpc_send_raw(client.rpc, bytes, cut);
        for (int i = 0; i < 3; i++)
            loop_turn(loop, false);
        jsonrpc_send_raw(client.rpc, bytes + cut, sizeof bytes - 1 - cut);
        expect(&server, "request a}{\" [{\"k\":\"]\\\\\"}] 0;notify b [] null;");
    }
    finish();
}

TEST(echo_is_answered_below)
{
    start_unix();
    connect_client();
    say(&client, "{\"method\":\"echo\",\"params\":[1],\"id\":\"e\"}{\"method\":\"x\",\"params\":[],\"id\":1}");
    expect(&client, "reply - [1] \"e\";");
    expect(&server, "request x [] 1;");
    finish();
}

static void
set_true(void *flag)
{
    *(bool *) flag = true;
}

static void
warp(span total, span step)
{
    bool done = false;
    loop_time_warp(loop, total, step, set_true, &done);
    while (!done)
        loop_turn(loop, true);
}

TEST(silence_is_probed_then_cut)
{
    start_unix();
    connect_client();
    loop_time_stop(loop);
    jsonrpc_set_probe(server.rpc, seconds(5));
    for (int i = 0; i < 10; i++) { /* an answered probe keeps the line */
        warp(seconds(5), seconds(5));
        for (int k = 0; k < 5; k++)
            loop_turn(loop, false);
        CHECK(!server.is_closed);
    }
    stream_pause(jsonrpc_stream(client.rpc), true);
    warp(seconds(11), seconds(1));
    expect_closed(&server, -ETIMEDOUT, "inactivity probe");
    finish();
}

static void
refuses(const char *bytes, int err, const char *part)
{
    start_unix();
    connect_client();
    say(&client, bytes);
    expect_closed(&server, err, part);
    CHECK_EQ(server.n_received, 0);
    finish();
}

TEST(broken_messages_close_the_connection)
{
    refuses("hello", -EBADMSG, "not JSON");
    refuses("]", -EBADMSG, "not JSON");
    refuses("\"s\"", -EBADMSG, "not JSON");
    refuses("[]", -EPROTO, "not a JSON object");
    refuses("{\"method\":}", -EBADMSG, "bad JSON");
    refuses("{\"a\":1,\"a\":2}", -EBADMSG, "bad JSON");
    refuses("{\"method\":1,\"params\":[],\"id\":1}", -EPROTO, "method");
    refuses("{\"method\":\"x\",\"params\":7,\"id\":1}", -EPROTO, "params");
    refuses("{\"method\":\"x\",\"params\":[],\"id\":1,\"result\":1}", -EPROTO, "result");
    refuses("{\"id\":1}", -EPROTO, "neither");
    refuses("{\"result\":1}", -EPROTO, "id");
    refuses("{\"result\":1,\"error\":2,\"id\":1}", -EPROTO, "both");
    refuses("{\"method\":\"\xff\",\"params\":[],\"id\":1}", -EBADMSG, "bad JSON");
}

TEST(limits_hold)
{
    static const struct jsonrpc_limits small = {.max_message = 1000, .max_backlog = 100000, .max_depth = 5};
    server_limits = &small;
    refuses("[[[[[[[[", -E2BIG, "deeply");
    char big[1200];
    memset(big, ' ', sizeof big);
    big[0] = '[';
    big[sizeof big - 1] = 0;
    server_limits = &small;
    refuses(big, -EMSGSIZE, "more than 1000 bytes");
}

TEST(a_peer_that_does_not_read_is_cut_off)
{
    static const struct jsonrpc_limits small = {.max_message = 1000, .max_backlog = 100000, .max_depth = 5};
    server_limits = &small;
    start_unix();
    connect_client();
    stream_pause(jsonrpc_stream(client.rpc), true);
    while (!server.is_closed) {
        jsonrpc_notify(server.rpc, "update",
                       json_pack("[s]", "some text of no importance, but long enough to fill a socket"));
        loop_turn(loop, false);
    }
    CHECK_EQ(server.err, -ENOBUFS);
    finish();
}

TEST(many_large_messages_pass)
{
    start_unix();
    connect_client();
    server.answers = true;
    json_t *big = json_array();
    for (int i = 0; i < 20000; i++)
        json_array_append_new(big, json_integer(i * 1000003LL - 7));
    for (int i = 0; i < 5; i++)
        jsonrpc_request_id(client.rpc, "big", json_incref(big), json_integer(i));
    while (client.n_received < 5)
        CHECK(loop_turn(loop, true));
    AUTO_TEXT struct text want = TEXT_INIT;
    for (int i = 0; i < 5; i++) {
        text_add(&want, "reply - ");
        json_add_text(&want, big);
        text_addf(&want, " %d;", i);
    }
    CHECK_STR(text_str(&client.seen), text_str(&want));
    json_decref(big);
    finish();
}

TEST(nobody_there)
{
    struct why why;
    start_unix();
    AUTO_STR char *target = xasprintf("unix:%s/nobody", dir);
    client.rpc = jsonrpc_connect(loop, target, &ops, &client, &why);
    CHECK(client.rpc);
    expect_closed(&client, -ENOENT, "No such file");
    CHECK(!jsonrpc_connect(loop, "ftp:host", &ops, &client, &why));
    CHECK(strstr(why.text, "ftp:host"));
    finish();
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST_EACH_(unix_speaks_both_ways, tcp_speaks_both_ways, messages_may_be_cut_anywhere, echo_is_answered_below,
                   silence_is_probed_then_cut, broken_messages_close_the_connection, limits_hold,
                   a_peer_that_does_not_read_is_cut_off, many_large_messages_pass, nobody_there)};
    struct why why;
    if (!mkdtemp(dir) || log_set_words("console:off", &why))
        return 1;
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    rmdir(dir);
    return failed;
}
