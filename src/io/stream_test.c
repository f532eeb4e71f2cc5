/* Streams and listeners over real sockets: names, paths, ends, and callbacks that close what they are called for. */
#include "io/stream.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/test.h"
#include "base/text.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static char dir[] = "/tmp/io_stream_XXXXXX";
static struct loop *loop;

struct end {
    struct stream *stream;
    struct text heard;
    bool is_connected, is_closed;
    unsigned n_drained, n_heard;
    int err;
    char close_in; /* 'c'onnected, 'r'eceived, 'd'rained: closes itself there */
};

static struct end server, client;
static unsigned n_accepted;

static bool
closes_in(struct end *e, char where)
{
    if (e->close_in != where)
        return false;
    stream_close(MOVE(e->stream));
    e->is_closed = true;
    return true;
}

static void
on_connected(void *e_)
{
    struct end *e = e_;
    e->is_connected = true;
    closes_in(e, 'c');
}

static void
on_received(void *e_, const void *bytes, size_t n)
{
    struct end *e = e_;
    e->n_heard++;
    text_addn(&e->heard, bytes, n);
    closes_in(e, 'r');
}

static void
on_drained(void *e_)
{
    struct end *e = e_;
    e->n_drained++;
    closes_in(e, 'd');
}

static void
on_closed(void *e_, int err)
{
    struct end *e = e_;
    CHECK(!e->is_closed); /* once, and never after we closed */
    e->is_closed = true;
    e->err = err;
    stream_close(MOVE(e->stream));
}

static const struct stream_ops ops = {on_connected, on_received, on_drained, on_closed};

static void
on_accepted(void *aux, struct stream *s)
{
    n_accepted++;
    if (server.stream) { /* one at a time is enough here */
        stream_close(s);
        return;
    }
    server.stream = s;
    stream_set_ops(s, &ops, &server);
}

static void
begin(void)
{
    loop = loop_new();
    server = client = (struct end){.stream = NULL};
    n_accepted = 0;
}

static struct listener *
listen_on(const char *target)
{
    struct listener *ls = NULL;
    struct why why = {""};
    int err = listener_open(loop, target, on_accepted, NULL, &ls, &why);
    if (err)
        print_error("%s\n", why.text);
    CHECK_EQ(err, 0);
    return ls;
}

static void
connect_to(const char *target)
{
    struct why why;
    client.stream = stream_connect(loop, target, &ops, &client, &why);
    CHECK(client.stream);
}

static void
say(struct end *e, const char *s)
{
    stream_write(e->stream, s, strlen(s));
}

static void
turn_until(const bool *flag)
{
    while (!*flag)
        CHECK(loop_turn(loop, true) || *flag);
}

static void
hears(struct end *e, const char *want)
{
    while (e->heard.len < strlen(want))
        CHECK(loop_turn(loop, true));
    CHECK_STR(text_str(&e->heard), want);
    text_cut(&e->heard, 0);
}

static void
end(void)
{
    loop_free(loop);
    text_fini(&server.heard);
    text_fini(&client.heard);
}

/* A conversation of one word each way with what listens on 'passive'; the names of both ends. */
static void
converse(const char *passive, const char *active, const char *server_name)
{
    begin();
    struct listener *ls = listen_on(passive);
    AUTO_STR char *target = strstr(active, "%u")
                                ? xasprintf("%.*s%u", (int) (strlen(active) - 2), active, listener_port(ls))
                                : xstrdup(active);
    connect_to(target);
    CHECK_STR(stream_name(client.stream), target);
    say(&client, "hello"); /* before it is connected: kept */
    hears(&server, "hello");
    CHECK(client.is_connected);
    CHECK(!strncmp(stream_name(server.stream), server_name, strlen(server_name)));
    say(&server, "there");
    hears(&client, "there");
    CHECK_EQ(stream_backlog(client.stream), 0);
    stream_close(MOVE(client.stream));
    turn_until(&server.is_closed);
    CHECK_EQ(server.err, 0);
    end();
}

TEST(every_kind_of_target_speaks)
{
    AUTO_STR char *punix = xasprintf("punix:%s/a", dir);
    AUTO_STR char *active = xasprintf("unix:%s/a", dir);
    converse(punix, active, "unix#");
    converse("punix:in_run_dir", "unix:in_run_dir", "unix#");
    converse("ptcp:0:127.0.0.1", "tcp:127.0.0.1:%u", "tcp:127.0.0.1:");
    converse("ptcp:0", "tcp:localhost:%u", "tcp:127.0.0.1:"); /* looked up, by a thread */
}

TEST(ipv6_speaks)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    const struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool has_ipv6 = fd >= 0 && !bind(fd, (const struct sockaddr *) &sin6, sizeof sin6);
    close(fd);
    if (!has_ipv6)
        skip();
    converse("ptcp:0:[::1]", "tcp:[::1]:%u", "tcp:[::1]:");
}

TEST(a_path_may_be_longer_than_an_address)
{
    AUTO_TEXT struct text deep = TEXT_INIT;
    text_add(&deep, dir);
    for (int i = 0; i < 4; i++) {
        text_add(&deep, "/a_folder_whose_name_is_forty_letters_long");
        CHECK(!mkdir(text_str(&deep), 0700));
    }
    AUTO_STR char *passive = xasprintf("punix:%s/s", text_str(&deep));
    AUTO_STR char *active = xasprintf("unix:%s/s", text_str(&deep));
    converse(passive, active, "unix#");
    for (int i = 0; i < 4; i++) {
        CHECK(!rmdir(text_str(&deep))); /* so the socket is gone as well */
        text_cut(&deep, strrchr(deep.s, '/') - deep.s);
    }
}

TEST(a_stale_socket_is_replaced_and_a_live_one_is_not)
{
    AUTO_STR char *path = xasprintf("%s/s", dir);
    AUTO_STR char *target = xasprintf("punix:%s", path);
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    memcpy(sun.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(!bind(fd, (struct sockaddr *) &sun, sizeof sun));
    close(fd); /* the file stays */
    begin();
    struct listener *first = listen_on(target), *second = NULL;
    struct why why;
    CHECK_EQ(listener_open(loop, target, on_accepted, NULL, &second, &why), -EADDRINUSE);
    CHECK(strstr(why.text, "Address already in use"));
    listener_close(first);
    struct stat st;
    CHECK(stat(path, &st) && errno == ENOENT);

    fd = open(path, O_CREAT | O_WRONLY, 0600); /* not a socket: not ours to remove */
    close(fd);
    CHECK_EQ(listener_open(loop, target, on_accepted, NULL, &second, &why), -EADDRINUSE);
    CHECK(!unlink(path));
    end();
}

TEST(bad_targets_are_refused)
{
    static const char *const bad[] = {
        "",       "tcp",        "tcp:",   "tcp:host:", "tcp:host:0",   "tcp:h:x",       "tcp:[::1:1", "tcp:h:99999",
        "ptcp:x", "ptcp:1:[::", "punix:", "unix:",     "ptcp:1:[::]x", "udp:1.2.3.4:5", "ptcp:70000"};
    struct why why;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (target_is_valid(bad[i], &why)) {
            print_error("%s is taken\n", bad[i]);
            CHECK(false);
        }
    CHECK(target_is_valid("tcp:host", &why) && target_is_valid("ptcp:", &why));
    CHECK(target_is_passive("pssl:") && !target_is_passive("ssl:h"));
    static const char *const ports[][2] = {{"tcp:h", "tcp:h:6640"},         {"tcp:h:1", "tcp:h:1"},
                                           {"ptcp:", "ptcp:6640"},          {"ptcp::[::]", "ptcp:6640:[::]"},
                                           {"tcp:[::1]", "tcp:[::1]:6640"}, {"unix:x", "unix:x"}};
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        AUTO_STR char *whole = target_with_port(ports[i][0], 6640);
        CHECK_STR(whole, ports[i][1]);
    }
    begin();
    struct listener *ls;
    CHECK(!stream_connect(loop, "tcp:host", &ops, &client, &why) && strstr(why.text, "port"));
    CHECK(!stream_connect(loop, "ptcp:1", &ops, &client, &why) && strstr(why.text, "passive"));
    CHECK_EQ(listener_open(loop, "tcp:h:1", on_accepted, NULL, &ls, &why), -EINVAL);
    CHECK_EQ(listener_open(loop, "ptcp:0:no.such.address", on_accepted, NULL, &ls, &why), -EINVAL);
    end();
}

TEST(failures_come_as_closed)
{
    begin();
    struct listener *ls = listen_on("ptcp:0:127.0.0.1");
    AUTO_STR char *target = xasprintf("tcp:127.0.0.1:%u", listener_port(ls));
    listener_close(ls);
    connect_to(target); /* nobody there any more */
    turn_until(&client.is_closed);
    CHECK_EQ(client.err, -ECONNREFUSED);
    client = (struct end){.stream = NULL};
    connect_to("unix:/nonexistent/socket");
    turn_until(&client.is_closed);
    CHECK_EQ(client.err, -ENOENT);
    end();
}

TEST(any_callback_may_close)
{
    AUTO_STR char *passive = xasprintf("punix:%s/s", dir);
    AUTO_STR char *active = xasprintf("unix:%s/s", dir);
    for (const char *where = "crd"; *where; where++) {
        begin();
        listen_on(passive);
        connect_to(active);
        client.close_in = *where;
        say(&client, "x");
        while (!server.stream)
            loop_turn(loop, true);
        say(&server, "y");
        turn_until(&client.is_closed);
        turn_until(&server.is_closed);
        end(); /* also closes the listener */
    }
}

TEST(the_last_words_are_read_although_nobody_listens)
{
    AUTO_STR char *passive = xasprintf("punix:%s/s", dir);
    AUTO_STR char *active = xasprintf("unix:%s/s", dir);
    begin();
    listen_on(passive);
    connect_to(active);
    while (!server.stream || !client.is_connected)
        loop_turn(loop, true);
    say(&server, "goodbye");
    stream_close_after_writes(MOVE(server.stream));
    say(&client, "are you there?"); /* written to a closed socket, before the goodbye is read */
    hears(&client, "goodbye");
    turn_until(&client.is_closed);
    end();
}

TEST(a_paused_stream_hears_nothing_and_forgets_nothing)
{
    AUTO_STR char *passive = xasprintf("punix:%s/s", dir);
    AUTO_STR char *active = xasprintf("unix:%s/s", dir);
    begin();
    listen_on(passive);
    connect_to(active);
    while (!server.stream || !client.is_connected)
        loop_turn(loop, true);
    stream_pause(server.stream, true);
    AUTO_TEXT struct text much = TEXT_INIT;
    for (int i = 0; much.len < 1500000; i++)
        text_addf(&much, "%d ", i);
    for (size_t at = 0; at < much.len; at += 1000) {
        size_t n = MIN(1000u, much.len - at);
        if (at / 1000 % 3)
            stream_write(client.stream, much.s + at, n);
        else
            stream_write_owned(client.stream, xmemdup(much.s + at, n), n);
    }
    char *rest = xstrdup("and a large piece at the end");
    stream_write_owned(client.stream, rest, strlen(rest));
    for (int i = 0; i < 5; i++)
        loop_turn(loop, false);
    CHECK_EQ(server.n_heard, 0);
    CHECK(stream_backlog(client.stream) > 100000);
    CHECK_EQ(client.n_drained, 0);
    stream_pause(server.stream, false);
    text_add(&much, "and a large piece at the end");
    hears(&server, text_str(&much));
    CHECK_EQ(stream_backlog(client.stream), 0);
    while (!client.n_drained)
        loop_turn(loop, true);
    CHECK_EQ(client.n_drained, 1);
    end();
}

TEST(a_goodbye_of_any_length_arrives)
{
    AUTO_STR char *passive = xasprintf("punix:%s/s", dir);
    AUTO_STR char *active = xasprintf("unix:%s/s", dir);
    begin();
    listen_on(passive);
    connect_to(active);
    AUTO_TEXT struct text much = TEXT_INIT;
    text_pad(&much, 'g', 3000000);
    while (!server.stream)
        loop_turn(loop, true);
    stream_write(server.stream, much.s, much.len);
    stream_close_after_writes(MOVE(server.stream));
    hears(&client, text_str(&much));
    turn_until(&client.is_closed);
    CHECK_EQ(client.err, 0);
    end();
}

static void
set_true(void *flag)
{
    *(bool *) flag = true;
}

/* Without descriptors a listener must neither spin nor die. */
TEST(a_listener_survives_without_descriptors)
{
    struct rlimit old, tight;
    AUTO_STR char *passive = xasprintf("punix:%s/s", dir);
    AUTO_STR char *active = xasprintf("unix:%s/s", dir);
    begin();
    listen_on(passive);
    connect_to(active);
    while (!client.is_connected)
        loop_turn(loop, false);
    while (!server.stream)
        loop_turn(loop, true);
    stream_close(MOVE(server.stream));
    turn_until(&client.is_closed);

    client = (struct end){.stream = NULL};
    connect_to(active);
    loop_time_stop(loop);
    CHECK(!getrlimit(RLIMIT_NOFILE, &old));
    int probe = dup(0);
    tight = old;
    tight.rlim_cur = probe + 1; /* the client's own descriptor, and no more */
    close(probe);
    CHECK(!setrlimit(RLIMIT_NOFILE, &tight));
    unsigned before = n_accepted;
    while (!client.is_connected)
        loop_turn(loop, true);
    for (int i = 0; i < 20; i++)
        loop_turn(loop, false);
    CHECK_EQ(n_accepted, before);
    CHECK(!setrlimit(RLIMIT_NOFILE, &old));
    bool done = false;
    loop_time_warp(loop, seconds(1), seconds(1), set_true, &done); /* it looked away for a while */
    while (!server.stream)
        loop_turn(loop, true);
    say(&server, "late");
    hears(&client, "late");
    end();
}

int
main(void)
{
    const struct CMUnitTest cases[] = {
        TEST_EACH_(every_kind_of_target_speaks, ipv6_speaks, a_path_may_be_longer_than_an_address,
                   a_stale_socket_is_replaced_and_a_live_one_is_not, bad_targets_are_refused, failures_come_as_closed,
                   any_callback_may_close, the_last_words_are_read_although_nobody_listens,
                   a_paused_stream_hears_nothing_and_forgets_nothing, a_goodbye_of_any_length_arrives,
                   a_listener_survives_without_descriptors)};
    struct why why;
    if (!mkdtemp(dir) || log_set_words("any:off", &why))
        return 1;
    setenv("OVS_RUNDIR", dir, 1);
    int failed = cmocka_run_group_tests(cases, NULL, NULL);
    return failed ? failed : rmdir(dir);
}
