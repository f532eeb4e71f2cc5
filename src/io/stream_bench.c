/* What one message costs the server: bytes echoed over a unix socket, and JSON-RPC requests answered with their parameters.
 *
 *     build/bench_stream [CONNECTIONS IN_FLIGHT [MESSAGES]]
 *
 * The client is another process; the figures are processor time of the server per message, and messages per second. */
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "io/jsonrpc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PARAMS                                                                                                         \
    "[\"Open_vSwitch\",{\"op\":\"insert\",\"table\":\"Port\",\"row\":{\"name\":\"p0\",\"tag\":42,\"external_ids\":"    \
    "[\"map\",[[\"a\",\"b\"],[\"c\",\"d\"]]]}},{\"op\":\"update\",\"table\":\"Bridge\",\"where\":[[\"name\",\"==\","   \
    "\"br0\"]],\"row\":{\"ports\":[\"named-uuid\",\"x\"]}},{\"op\":\"mutate\",\"table\":\"Open_vSwitch\",\"where\":[]" \
    "}]"
static const char request[] = "{\"method\":\"transact\",\"id\":7,\"params\":" PARAMS "}";
#define ANSWER "{\"id\":7,\"result\":" PARAMS ",\"error\":null}"

/* ---- the server ---- */

static void
echo_bytes(void *s, const void *bytes, size_t n)
{
    stream_write(s, bytes, n);
}

static void
bytes_closed(void *s, int err)
{
    stream_close(s);
}

static void
echo_message(void *rpc, const struct jsonrpc_msg *m)
{
    jsonrpc_reply(*(struct jsonrpc **) rpc, json_incref(m->params), json_incref(m->id));
}

static void
message_closed(void *rpc, int err, const char *reason)
{
    jsonrpc_close(*(struct jsonrpc **) rpc);
    free(rpc);
}

static struct loop *loop;

static void
accept_bytes(void *aux, struct stream *s)
{
    static const struct stream_ops ops = {.received = echo_bytes, .closed = bytes_closed};
    stream_set_ops(s, &ops, s);
}

static void
accept_messages(void *aux, struct stream *s)
{
    static const struct jsonrpc_ops ops = {.received = echo_message, .closed = message_closed};
    struct jsonrpc **rpc = xmalloc(sizeof *rpc);
    *rpc = jsonrpc_accept(loop, s, &ops, rpc);
}

/* ---- the client: 'in_flight' messages under way on each connection, counted by their bytes ---- */

struct client {
    struct stream *stream;
    size_t n_bytes; /* of answers, so far */
    unsigned n_sent;
};

static unsigned n_conns = 1, in_flight = 1, n_messages = 200000, n_done;
static size_t answer_len;

static void
send_requests(struct client *c, unsigned n)
{
    for (; n && c->n_sent < n_messages / n_conns; n--, c->n_sent++)
        stream_write(c->stream, request, sizeof request - 1);
}

static void
client_connected(void *c)
{
    send_requests(c, in_flight);
}

static void
client_received(void *c_, const void *bytes, size_t n)
{
    struct client *c = c_;
    unsigned before = c->n_bytes / answer_len;
    c->n_bytes += n;
    unsigned fresh = c->n_bytes / answer_len - before;
    n_done += fresh;
    send_requests(c, fresh);
    if (n_done == n_messages / n_conns * n_conns)
        loop_stop(loop);
}

static void
client_closed(void *c, int err)
{
    abort();
}

static void
be_client(const char *target)
{
    static const struct stream_ops ops = {client_connected, client_received, NULL, client_closed};
    struct client *clients = xcalloc(n_conns, sizeof *clients);
    loop = loop_new();
    for (unsigned i = 0; i < n_conns; i++)
        clients[i].stream = stream_connect(loop, target, &ops, &clients[i], NULL);
    loop_run(loop);
    _exit(0);
}

static double
cpu_us(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e6 + r.ru_utime.tv_usec + r.ru_stime.tv_usec;
}

static void
stop(void *l)
{
    loop_stop(l);
}

static void
run(const char *what, void (*accepted)(void *aux, struct stream *), size_t len)
{
    struct listener *ls;
    struct why why;
    char target[64];
    snprintf(target, sizeof target, "unix:/tmp/io_bench.%d", getpid());
    answer_len = len;
    AUTO_STR char *listen = xasprintf("p%s", target);
    loop = loop_new();
    loop_on_signal(loop, SIGCHLD, stop, loop);
    if (listener_open(loop, listen, accepted, NULL, &ls, &why)) {
        fprintf(stderr, "%s\n", why.text);
        exit(1);
    }
    pid_t pid = fork();
    if (!pid)
        be_client(target);
    double cpu = cpu_us();
    instant start = clock_now();
    loop_run(loop);
    double seconds_taken = instant_since(clock_now(), start).ns / 1e9;
    waitpid(pid, NULL, 0);
    printf("%-9s %3u x %-3u %9.0f messages/s %7.2f us of server CPU each\n", what, n_conns, in_flight,
           n_messages / seconds_taken, (cpu_us() - cpu) / n_messages);
    listener_close(ls);
    loop_free(loop);
}

int
main(int argc, char *argv[])
{
    if (argc > 2) {
        n_conns = atoi(argv[1]);
        in_flight = atoi(argv[2]);
    }
    if (argc > 3)
        n_messages = atoi(argv[3]);
    run("bytes", accept_bytes, sizeof request - 1);
    run("messages", accept_messages, sizeof ANSWER - 1);
    return 0;
}
