/* The client against a server that is played by the test: each question is waited for, looked at and answered by hand. */
#include "base/mem.h"
#include "base/test.h"
#include "io/jsonrpc.h"
#include "ovsdb/client.h"
#include <stdlib.h>
#include <unistd.h>

#define SCHEMA                                                                                                         \
    "{\"name\":\"Toy\",\"version\":\"1.0.0\",\"tables\":{"                                                             \
    "\"Root\":{\"isRoot\":true,\"columns\":{\"boxes\":{\"type\":{\"key\":{\"type\":\"uuid\",\"refTable\":\"Box\"},"    \
    "\"min\":0,\"max\":\"unlimited\"}},\"next\":{\"type\":\"integer\"}}},"                                             \
    "\"Box\":{\"columns\":{\"name\":{\"type\":\"string\"},\"size\":{\"type\":{\"key\":\"integer\",\"min\":0}},"        \
    "\"tags\":{\"type\":{\"key\":\"integer\",\"min\":0,\"max\":\"unlimited\"}},"                                       \
    "\"notes\":{\"type\":{\"key\":\"string\",\"value\":\"string\",\"min\":0,\"max\":\"unlimited\"}},"                  \
    "\"load\":{\"type\":\"integer\"}}}}}"

#define U1 "11111111-1111-4111-8111-111111111111"
#define U2 "22222222-2222-4222-8222-222222222222"
#define U3 "33333333-3333-4333-8333-333333333333"
#define T1 "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define ROWS                                                                                                           \
    "{\"Root\":{\"" U1 "\":{\"initial\":{\"boxes\":[\"set\",[[\"uuid\",\"" U2 "\"]]]}}},"                              \
    "\"Box\":{\"" U2 "\":{\"initial\":{\"name\":\"b\",\"size\":5,\"tags\":[\"set\",[1,2]],"                            \
    "\"notes\":[\"map\",[[\"a\",\"x\"],[\"n\",\"12\"],[\"t\",\"true\"]]]}}}}"

struct question {
    char *method;
    json_t *params, *id;
};

struct play {
    char folder[64], target[96];
    struct loop *loop;
    struct listener *listener;
    struct jsonrpc *peer;           /* the client as the server sees it */
    VEC(struct question) questions; /* not looked at yet */
    json_t *id;                     /* of the one to be answered */
    struct client *client;
    unsigned n_changed;
};

static void
on_request(void *aux, const struct jsonrpc_msg *msg)
{
    struct play *p = aux;
    if (!msg->method)
        return;
    struct question q = {xstrdup(msg->method), json_incref(msg->params), json_incref(msg->id)};
    vec_push(&p->questions, q);
}

static void
on_gone(void *aux, int err, const char *reason)
{
    struct play *p = aux;
    jsonrpc_close(p->peer);
    p->peer = NULL;
}

static const struct jsonrpc_ops server_ops = {.received = on_request, .closed = on_gone};

static void
on_accepted(void *aux, struct stream *stream)
{
    struct play *p = aux;
    CHECK(!p->peer);
    p->peer = jsonrpc_accept(p->loop, stream, &server_ops, p);
}

static void
on_changed(void *aux)
{
    ((struct play *) aux)->n_changed++;
}

static void
open_stage(struct play *p)
{
    struct why why;
    int err = listener_open(p->loop, p->target, on_accepted, p, &p->listener, &why);
    CHECK_EQ(err, 0);
}

static void
play_begin(struct play *p)
{
    static const struct client_ops ops = {.changed = on_changed};
    struct client_options options = {.database = "Toy", .track = true, .ops = &ops, .aux = p};

    memset(p, 0, sizeof *p);
    strcpy(p->folder, "/tmp/sluice-client-XXXXXX");
    CHECK(mkdtemp(p->folder));
    snprintf(p->target, sizeof p->target, "punix:%s/s", p->folder);
    p->loop = loop_new();
    loop_time_stop(p->loop);
    open_stage(p);
    p->client = client_new(p->loop, &options);
    client_want(p->client, "Root", "boxes", WANT_READ);
    client_want(p->client, "Root", "next", WANT_READ);
    client_want_all(p->client, "Box");
    client_want(p->client, "Box", "load", WANT_QUIET);
    client_want(p->client, "Box", "not_there", WANT_READ);
    client_index(p->client, "Box", "name");
    CHECK_EQ(client_start(p->client, p->target + 1, NULL), 0);
}

static void
play_end(struct play *p)
{
    client_free(p->client);
    jsonrpc_close(p->peer);
    listener_close(p->listener);
    loop_free(p->loop);
    for (size_t i = 0; i < p->questions.n; i++) {
        free(p->questions.at[i].method);
        json_decref(p->questions.at[i].params);
        json_decref(p->questions.at[i].id);
    }
    vec_fini(&p->questions);
    json_decref(p->id);
    rmdir(p->folder);
}

/* Waits for a question, which must be this one; returns its parameters as text, to be freed. */
static char *
asked(struct play *p, const char *method)
{
    while (!p->questions.n)
        loop_turn(p->loop, true);
    struct question q = p->questions.at[0];
    vec_remove(&p->questions, 0);
    CHECK_STR(q.method, method);
    char *text = json_dumps(q.params, JSON_COMPACT);
    free(q.method);
    json_decref(q.params);
    json_decref(p->id);
    p->id = q.id;
    return text;
}

static json_t *
json_of(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    CHECK(v);
    return v;
}

static void
answer(struct play *p, const char *result)
{
    jsonrpc_reply(p->peer, json_of(result), p->id);
    p->id = NULL;
}

static void
answer_error(struct play *p, const char *error)
{
    jsonrpc_error(p->peer, json_of(error), p->id);
    p->id = NULL;
}

static void
tell(struct play *p, const char *method, const char *params)
{
    jsonrpc_notify(p->peer, method, json_of(params));
}

static void
settle(struct play *p)
{
    unsigned before = p->n_changed;
    while (p->n_changed == before)
        loop_turn(p->loop, true);
}

/* Through the questions until the rows are there. */
static void
play_to_rows(struct play *p)
{
    free(asked(p, "get_schema"));
    answer(p, SCHEMA);
    free(asked(p, "monitor_cond_since"));
    answer(p, "[false,\"" T1 "\"," ROWS "]");
    settle(p);
    CHECK(client_is_ready(p->client));
    client_clear_changes(p->client);
}

static struct crow *
box(struct play *p)
{
    return client_find_str(p->client, "Box", "name", "b");
}

TEST(client_reads_rows_of_every_kind)
{
    struct play p;
    crows boxes = VEC_INIT;

    play_begin(&p);
    play_to_rows(&p);
    const struct crow *root = client_only(p.client, "Root"), *b = box(&p);
    CHECK(root && b);
    CHECK_EQ(client_n_rows(p.client, "Box"), 1);
    CHECK(crow_ref(root, "boxes") == b);
    crow_refs(root, "boxes", &boxes);
    CHECK_EQ(boxes.n, 1);
    CHECK(client_find_ref(p.client, "Root", "boxes", b) == root);
    CHECK_STR(crow_str(b, "name"), "b");
    CHECK_EQ(crow_int(b, "size", -1), 5);
    CHECK_EQ(crow_int(root, "next", -1), 0);
    CHECK(crow_has_int(b, "tags", 2) && !crow_has_int(b, "tags", 3));
    CHECK_STR(crow_key(b, "notes", "a"), "x");
    CHECK(!crow_key(b, "notes", "none"));
    CHECK_EQ(crow_key_int(b, "notes", "n", -1), 12);
    CHECK_EQ(crow_key_int(b, "notes", "a", -1), -1);
    CHECK(crow_key_bool(b, "notes", "t", false));
    CHECK(crow_is_empty(b, "not_there") && !client_has(p.client, "Box", "not_there"));
    vec_fini(&boxes);
    play_end(&p);
}

TEST(client_falls_back_to_what_an_old_server_knows)
{
    struct play p;
    play_begin(&p);
    free(asked(&p, "get_schema"));
    answer(&p, SCHEMA);
    free(asked(&p, "monitor_cond_since"));
    answer_error(&p, "\"unknown method\"");
    free(asked(&p, "monitor_cond"));
    answer_error(&p, "\"unknown method\"");
    free(asked(&p, "monitor"));
    answer(&p, "{\"Box\":{\"" U2 "\":{\"new\":{\"name\":\"b\",\"size\":5}}}}");
    settle(&p);
    CHECK_EQ(crow_int(box(&p), "size", -1), 5);
    tell(&p, "update", "[\"m3\",{\"Box\":{\"" U2 "\":{\"old\":{\"size\":5},\"new\":{\"name\":\"b\",\"size\":6}}}}]");
    settle(&p);
    CHECK_EQ(crow_int(box(&p), "size", -1), 6);
    tell(&p, "update", "[\"m3\",{\"Box\":{\"" U2 "\":{\"old\":{\"name\":\"b\",\"size\":6}}}}]");
    settle(&p);
    CHECK(!box(&p));
    play_end(&p);
}

TEST(client_tells_what_changed)
{
    struct play p;
    play_begin(&p);
    play_to_rows(&p);
    CHECK(!client_has_changes(p.client, NULL));
    tell(&p, "update3",
         "[\"m1\",\"" T1 "\",{\"Box\":{\"" U2 "\":{\"modify\":{\"tags\":[\"set\",[2,3]]}},\"" U3
         "\":{\"insert\":{\"name\":\"c\"}}}}]");
    settle(&p);
    unsigned n = 0;
    CLIENT_FOR_CHANGED(row, p.client, "Box")
    {
        bool is_b = !strcmp(crow_str(row, "name"), "b");
        CHECK_EQ(crow_is_new(row), !is_b);
        CHECK(crow_has_changed(row, "tags"));
        CHECK_EQ(crow_has_changed(row, "size"), !is_b);
        n++;
    }
    CHECK_EQ(n, 2);
    CHECK(crow_has_int(box(&p), "tags", 3) && !crow_has_int(box(&p), "tags", 2));
    client_clear_changes(p.client);

    tell(&p, "update3", "[\"m1\",\"" T1 "\",{\"Box\":{\"" U3 "\":{\"delete\":null}}}]");
    settle(&p);
    const struct crow *gone = client_first_change(p.client, "Box");
    CHECK(crow_is_gone(gone));
    CHECK_STR(crow_str(gone, "name"), "c");
    CHECK(!client_next_change(gone));
    CHECK(!client_find_str(p.client, "Box", "name", "c"));
    client_clear_changes(p.client);
    play_end(&p);
}

TEST(client_is_quiet_about_quiet_columns)
{
    struct play p;
    play_begin(&p);
    play_to_rows(&p);
    unsigned seqno = client_seqno(p.client);
    tell(&p, "update3", "[\"m1\",\"" T1 "\",{\"Box\":{\"" U2 "\":{\"modify\":{\"load\":7}}}}]");
    tell(&p, "update3", "[\"m1\",\"" T1 "\",{\"Box\":{\"" U2 "\":{\"modify\":{\"size\":8}}}}]");
    settle(&p);
    CHECK_EQ(client_seqno(p.client), seqno + 1);
    CHECK_EQ(crow_int(box(&p), "load", 0), 7); /* want_all() had it read; the later wish for quiet does not win */
    play_end(&p);
}

struct outcome {
    enum ctxn_status status;
    unsigned n;
    int64_t incremented;
    struct uuid provisional, real;
    char *error;
};

static void
on_done(void *aux, struct ctxn *t, enum ctxn_status status)
{
    struct outcome *o = aux;
    const struct uuid *real = ctxn_inserted(t, &o->provisional);
    o->status = status;
    o->incremented = ctxn_incremented(t);
    if (real)
        o->real = *real;
    if (ctxn_error(t))
        o->error = xstrdup(ctxn_error(t));
    o->n++;
}

static void
await(struct play *p, struct outcome *o)
{
    while (!o->n)
        loop_turn(p->loop, true);
}

TEST(ctxn_shows_its_changes_while_it_is_open)
{
    struct play p;
    play_begin(&p);
    play_to_rows(&p);
    struct crow *root = client_only(p.client, "Root"), *b = box(&p);

    struct ctxn *t = ctxn_open(p.client);
    struct crow *c = ctxn_insert(t, "Box");
    ctxn_set_str(t, c, "name", "c");
    ctxn_add_ref(t, root, "boxes", c);
    ctxn_put_key(t, b, "notes", "a", "y");
    ctxn_del_key(t, b, "notes", "n");
    CHECK_EQ(crow_n(root, "boxes"), 2);
    CHECK(client_find_str(p.client, "Box", "name", "c") == c);
    CHECK_STR(crow_key(b, "notes", "a"), "y");
    CHECK(!crow_key(b, "notes", "n"));
    ctxn_delete(t, b);
    CHECK(!box(&p));
    CHECK_EQ(client_n_rows(p.client, "Box"), 1);
    ctxn_abort(t);
    CHECK(box(&p) == b);
    CHECK_STR(crow_key(b, "notes", "a"), "x");
    CHECK_EQ(crow_n(root, "boxes"), 1);
    CHECK(!client_find_str(p.client, "Box", "name", "c"));
    play_end(&p);
}

TEST(ctxn_is_one_request)
{
    struct play p;
    struct outcome o = {0};
    play_begin(&p);
    play_to_rows(&p);
    struct crow *root = client_only(p.client, "Root"), *b = box(&p);

    struct ctxn *t = ctxn_open(p.client);
    struct crow *c = ctxn_insert(t, "Box");
    o.provisional = *crow_uuid(c);
    ctxn_set_str(t, c, "name", "c");
    ctxn_add_ref(t, root, "boxes", c);
    ctxn_set_int(t, b, "size", 5); /* it is 5 */
    ctxn_put_key(t, b, "notes", "a", "y");
    ctxn_verify(t, b, "name");
    ctxn_increment(t, root, "next", false);
    ctxn_comment(t, "why");
    ctxn_commit(t, on_done, &o);

    char *got = asked(&p, "transact");
    CHECK(strstr(got, "\"op\":\"wait\"") && strstr(got, "\"rows\":[{\"name\":\"b\"}]"));
    CHECK(strstr(got, "{\"op\":\"insert\",\"table\":\"Box\",\"uuid-name\":\"row"));
    CHECK(strstr(got, "\"mutations\":[[\"boxes\",\"insert\",[\"named-uuid\",\"row"));
    CHECK(strstr(got, "[\"notes\",\"delete\",\"a\"],[\"notes\",\"insert\",[\"map\",[[\"a\",\"y\"]]]]"));
    CHECK(strstr(got, "[\"next\",\"+=\",1]") && strstr(got, "\"comment\":\"why\""));
    CHECK(!strstr(got, "size"));
    free(got);
    CHECK_EQ(o.n, 0);
    answer(&p, "[{},{\"uuid\":[\"uuid\",\"" U3
               "\"]},{\"count\":1},{\"count\":1},{\"count\":1},{\"rows\":[{\"next\":9}]},{}]");
    await(&p, &o);
    CHECK_EQ(o.status, CTXN_SUCCESS);
    CHECK_EQ(o.incremented, 9);
    CHECK_STR(uuid_text(&o.real).s, U3);
    play_end(&p);
}

TEST(ctxn_without_changes_asks_nobody)
{
    struct play p;
    struct outcome o = {0};
    play_begin(&p);
    play_to_rows(&p);
    struct ctxn *t = ctxn_open(p.client);
    ctxn_set_int(t, box(&p), "size", 5);
    ctxn_verify(t, box(&p), "name");
    ctxn_commit(t, on_done, &o);
    await(&p, &o);
    CHECK_EQ(o.status, CTXN_UNCHANGED);
    play_end(&p);
}

/* The replica is behind while a transaction is on its way: "5 as before" must then be said. */
TEST(ctxn_sends_old_values_while_another_is_on_its_way)
{
    struct play p;
    struct outcome first = {0}, second = {0};
    play_begin(&p);
    play_to_rows(&p);
    struct ctxn *t = ctxn_open(p.client);
    ctxn_set_int(t, box(&p), "size", 6);
    ctxn_commit(t, on_done, &first);
    free(asked(&p, "transact"));
    json_t *id = p.id;
    p.id = NULL;
    t = ctxn_open(p.client);
    ctxn_set_int(t, box(&p), "size", 5);
    ctxn_commit(t, on_done, &second);
    char *got = asked(&p, "transact");
    CHECK(strstr(got, "\"size\":5"));
    free(got);
    answer(&p, "[{\"count\":1}]");
    await(&p, &second);
    CHECK_EQ(first.n, 0);
    p.id = id;
    answer(&p, "[{\"count\":1}]");
    await(&p, &first);
    play_end(&p);
}

TEST(ctxn_reports_what_the_server_says)
{
    struct play p;
    static const struct {
        const char *reply;
        enum ctxn_status status;
    } cases[] = {
        {"[{\"error\":\"timed out\"},null]", CTXN_TRY_AGAIN},
        {"[{\"error\":\"not owner\"},null]", CTXN_NOT_LOCKED},
        {"[{},{\"error\":\"constraint violation\",\"details\":\"no\"}]", CTXN_ERROR},
        {"[{},{\"error\":\"aborted\"}]", CTXN_SUCCESS},
        {"{}", CTXN_ERROR},
    };
    play_begin(&p);
    play_to_rows(&p);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct outcome o = {0};
        struct ctxn *t = ctxn_open(p.client);
        ctxn_set_int(t, box(&p), "size", 100);
        ctxn_commit(t, on_done, &o);
        free(asked(&p, "transact"));
        answer(&p, cases[i].reply);
        await(&p, &o);
        CHECK_EQ(o.status, cases[i].status);
        CHECK_EQ(o.error != NULL, o.status == CTXN_ERROR);
        free(o.error);
    }
    play_end(&p);
}

static bool
bump_size(struct ctxn *t, void *aux)
{
    struct play *p = aux;
    ctxn_set_int(t, box(p), "size", crow_int(box(p), "size", 0) + 1);
    ctxn_verify(t, box(p), "size");
    return true;
}

TEST(client_run_tries_again_on_the_newer_rows)
{
    struct play p;
    struct outcome o = {0};
    play_begin(&p);
    play_to_rows(&p);
    struct ctxn *t = ctxn_open(p.client);
    ctxn_set_int(t, box(&p), "size", 1);
    ctxn_commit(t, on_done, &o);
    free(asked(&p, "transact"));
    answer(&p, "[{\"count\":1}]");
    await(&p, &o);
    client_run(p.client, bump_size, NULL, &p);
    free(asked(&p, "transact"));
    tell(&p, "update3", "[\"m1\",\"" T1 "\",{\"Box\":{\"" U2 "\":{\"modify\":{\"size\":41}}}}]");
    answer(&p, "[{\"error\":\"timed out\"}]");
    char *got = asked(&p, "transact");
    CHECK(strstr(got, "\"size\":42"));
    free(got);
    answer(&p, "[{},{\"count\":1}]");
    loop_turn(p.loop, false);
    play_end(&p);
}

static void
time_has_passed(void *flag)
{
    *(bool *) flag = true;
}

static void
pass_time(struct play *p, span s)
{
    bool done = false;
    loop_time_warp(p->loop, s, nanos(0), time_has_passed, &done);
    while (!done)
        loop_turn(p->loop, true);
}

TEST(client_comes_back_and_sees_only_what_differs)
{
    struct play p;
    struct outcome o = {0};
    play_begin(&p);
    play_to_rows(&p);
    struct ctxn *t = ctxn_open(p.client);
    ctxn_set_int(t, box(&p), "size", 6);
    ctxn_commit(t, on_done, &o);
    free(asked(&p, "transact"));
    json_decref(p.id);
    p.id = NULL;
    jsonrpc_close(p.peer); /* the server goes away with the question */
    p.peer = NULL;
    await(&p, &o);
    CHECK_EQ(o.status, CTXN_TRY_AGAIN);
    CHECK(!client_is_connected(p.client) && client_is_ready(p.client));
    CHECK(box(&p) != NULL);
    client_clear_changes(p.client);

    pass_time(&p, seconds(2));
    free(asked(&p, "get_schema"));
    answer(&p, SCHEMA);
    char *got = asked(&p, "monitor_cond_since");
    CHECK(strstr(got, T1)); /* where we stood */
    free(got);
    answer(&p,
           "[false,\"" T1 "\",{\"Box\":{\"" U2 "\":{\"initial\":{\"name\":\"b\",\"size\":5,\"tags\":[\"set\",[1,2]],"
           "\"notes\":[\"map\",[[\"a\",\"z\"],[\"n\",\"12\"],[\"t\",\"true\"]]]}}}}]");
    settle(&p);
    const struct crow *b = client_first_change(p.client, "Box");
    CHECK(b && !crow_is_new(b) && crow_has_changed(b, "notes") && !crow_has_changed(b, "size"));
    CHECK(!client_next_change(b));
    CHECK(crow_is_gone(client_first_change(p.client, "Root"))); /* it was not mentioned */
    client_clear_changes(p.client);
    play_end(&p);
}

TEST(client_drops_a_server_that_talks_nonsense)
{
    static const char *const nonsense[] = {
        "[\"m1\",\"" T1 "\",{\"Box\":{\"" U3 "\":{\"modify\":{\"size\":1}}}}]", /* of a row that is not there */
        "[\"m1\",\"" T1 "\",{\"None\":{}}]",
        "[\"m1\",\"" T1 "\",{\"Box\":{\"x\":{\"insert\":{}}}}]",
        "[\"m1\",\"" T1 "\",{\"Box\":{\"" U2 "\":{\"modify\":{\"size\":\"five\"}}}}]",
        "[\"m1\",\"not a uuid\",{}]",
        "[\"m1\"]",
    };
    for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
        struct play p;
        play_begin(&p);
        play_to_rows(&p);
        tell(&p, "update3", nonsense[i]);
        while (p.peer)
            loop_turn(p.loop, true);
        CHECK(!client_is_connected(p.client) && client_error(p.client));
        pass_time(&p, seconds(2));
        free(asked(&p, "get_schema"));
        answer(&p, SCHEMA);
        char *got = asked(&p, "monitor_cond_since");
        CHECK(!strstr(got, T1)); /* everything anew */
        free(got);
        answer(&p, "[false,\"" T1 "\"," ROWS "]");
        settle(&p);
        CHECK(client_is_connected(p.client));
        CHECK_EQ(crow_int(box(&p), "size", 0), 5);
        play_end(&p);
    }
}

TEST(client_lock_goes_with_every_transaction)
{
    struct play p;
    struct outcome o = {0};
    play_begin(&p);
    play_to_rows(&p);
    client_set_lock(p.client, "boss");
    free(asked(&p, "lock"));
    answer(&p, "{\"locked\":false}");
    settle(&p);
    CHECK(client_is_lock_contended(p.client));
    struct ctxn *t = ctxn_open(p.client);
    ctxn_set_int(t, box(&p), "size", 6);
    ctxn_commit(t, on_done, &o);
    await(&p, &o);
    CHECK_EQ(o.status, CTXN_NOT_LOCKED);

    tell(&p, "locked", "[\"boss\"]");
    settle(&p);
    CHECK(client_has_lock(p.client));
    t = ctxn_open(p.client);
    ctxn_set_int(t, box(&p), "size", 6);
    ctxn_commit(t, NULL, NULL);
    char *got = asked(&p, "transact");
    CHECK(strstr(got, "[\"Toy\",{\"op\":\"assert\",\"lock\":\"boss\"}"));
    free(got);
    tell(&p, "stolen", "[\"boss\"]");
    settle(&p);
    CHECK(!client_has_lock(p.client) && client_is_lock_contended(p.client));
    play_end(&p);
}

TEST(client_wishes_may_come_later)
{
    struct play p;
    play_begin(&p);
    play_to_rows(&p);
    client_want_rows(p.client, "Box", "[[\"name\",\"==\",\"b\"]]");
    char *got = asked(&p, "monitor_cancel");
    CHECK_STR(got, "[\"m1\"]");
    free(got);
    answer(&p, "{}");
    got = asked(&p, "monitor_cond_since");
    CHECK(strstr(got, "\"where\":[[\"name\",\"==\",\"b\"]]"));
    free(got);
    answer(&p, "[false,\"" T1 "\"," ROWS "]");
    tell(&p, "update3", "[\"m2\",\"" T1 "\",{\"Box\":{\"" U2 "\":{\"modify\":{\"size\":9}}}}]");
    settle(&p);
    while (crow_int(box(&p), "size", 0) != 9)
        loop_turn(p.loop, true);
    CHECK(!client_has_changes(p.client, "Root")); /* the same rows again are no change */
    play_end(&p);
}

TEST(targets_are_split_at_commas_before_methods)
{
    target_list t = VEC_INIT;
    targets_split(&t, "tcp:1.2.3.4:5,unix:/a,b,ssl:[::1]:6");
    CHECK_EQ(t.n, 3);
    CHECK_STR(t.at[0], "tcp:1.2.3.4:5");
    CHECK_STR(t.at[1], "unix:/a,b");
    CHECK_STR(t.at[2], "ssl:[::1]:6");
    targets_fini(&t);
}

TESTS(client_reads_rows_of_every_kind, client_falls_back_to_what_an_old_server_knows, client_tells_what_changed,
      client_is_quiet_about_quiet_columns, ctxn_shows_its_changes_while_it_is_open, ctxn_is_one_request,
      ctxn_without_changes_asks_nobody, ctxn_sends_old_values_while_another_is_on_its_way,
      ctxn_reports_what_the_server_says, client_run_tries_again_on_the_newer_rows,
      client_comes_back_and_sees_only_what_differs, client_drops_a_server_that_talks_nonsense,
      client_lock_goes_with_every_transaction, client_wishes_may_come_later, targets_are_split_at_commas_before_methods)
