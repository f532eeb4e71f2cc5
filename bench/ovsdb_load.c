/* ovsdb_load - asks an OVSDB server for work and says how long it took.
 *
 *     ovsdb_load SOCKET PID insert|durable|update|ports CLIENTS DEPTH TOTAL MONITORS [COLUMN]
 *
 * CLIENTS connections keep DEPTH transactions each in flight until TOTAL are answered; MONITORS further connections watch COLUMN
 * (default: "n", the one that changes) and read what they are told.  Prints transactions per second and microseconds of the
 * server's (PID's) processor time for each.  "ports" adds rows that one row refers to, one transaction each, and prints
 * microseconds per transaction of the first and of the last thousand.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNS 2048
#define ROWS 1000

struct conn {
    int fd, depth, in_flight;
    bool in_string, escaped, watches;
    size_t out_len, out_at;
    char out[1 << 16];
};

static struct conn *conns[MAX_CONNS];
static int n_conns;
static long sent, answered, total, messages;
static const char *mode, *column = "n";
static double began_thousand, first_thousand, last_thousand;

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double
server_cpu(const char *pid)
{
    char path[64], buf[1024];
    unsigned long user, kernel;
    snprintf(path, sizeof path, "/proc/%s/schedstat", pid);
    FILE *f = fopen(path, "r");
    unsigned long long ns = 0;
    if (f && fscanf(f, "%llu", &ns) == 1) {
        fclose(f);
        return ns / 1e9;
    }
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    f = fopen(path, "r");
    size_t n = f ? fread(buf, 1, sizeof buf - 1, f) : 0;
    buf[n] = '\0';
    char *p = strrchr(buf, ')');
    if (!p || sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        exit(1);
    fclose(f);
    return (double) (user + kernel) / sysconf(_SC_CLK_TCK);
}

static struct conn *
open_conn(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct conn *c = calloc(1, sizeof *c);
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    c->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *) &un, sizeof un)) {
        perror(path);
        exit(1);
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    conns[n_conns++] = c;
    return c;
}

static void
say(struct conn *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    c->out_len += vsnprintf(c->out + c->out_len, sizeof c->out - c->out_len, fmt, args);
    va_end(args);
    if (c->out_len >= sizeof c->out)
        exit(2);
}

static void
ask(struct conn *c)
{
    long i = sent++;
    if (!strcmp(mode, "durable"))
        say(c,
            "{\"method\":\"transact\",\"id\":%ld,\"params\":[\"B\",{\"op\":\"insert\",\"table\":\"T\",\"row\":{\"n\":%"
            "ld}},"
            "{\"op\":\"commit\",\"durable\":true}]}",
            i, i);
    else if (!strcmp(mode, "insert"))
        say(c,
            "{\"method\":\"transact\",\"id\":%ld,\"params\":[\"B\",{\"op\":\"insert\",\"table\":\"T\",\"row\":{"
            "\"name\":\"port%ld\","
            "\"n\":%ld,\"external_ids\":[\"map\",[[\"iface-id\",\"5b29cd3a-6c8b-4c4f-9a4f-%012ld\"],[\"vm-id\",\"x%"
            "ld\"]]]}}]}",
            i, i, i, i, i);
    else if (!strcmp(mode, "update"))
        say(c,
            "{\"method\":\"transact\",\"id\":%ld,\"params\":[\"B\",{\"op\":\"update\",\"table\":\"T\",\"where\":[[\"_"
            "uuid\",\"==\","
            "[\"uuid\",\"%08ld-0000-4000-8000-000000000000\"]]],\"row\":{\"n\":%ld}}]}",
            i, i % ROWS, i);
    else
        say(c,
            "{\"method\":\"transact\",\"id\":%ld,\"params\":[\"B\",{\"op\":\"insert\",\"uuid-name\":\"i\",\"table\":"
            "\"I\",\"row\":{"
            "\"name\":\"p%ld\"}},{\"op\":\"insert\",\"uuid-name\":\"p\",\"table\":\"P\",\"row\":{\"name\":\"p%ld\","
            "\"interfaces\":["
            "\"named-uuid\",\"i\"]}},{\"op\":\"mutate\",\"table\":\"Bridge\",\"where\":[[\"name\",\"==\",\"br0\"]],"
            "\"mutations\":[["
            "\"ports\",\"insert\",[\"set\",[[\"named-uuid\",\"p\"]]]]]}]}",
            i, i, i);
    c->in_flight++;
}

static void
on_message(struct conn *c)
{
    messages++;
    if (c->watches)
        return;
    c->in_flight--;
    answered++;
    if (answered % 1000 == 0 || answered == 1) {
        double t = now();
        if (answered == 1000)
            first_thousand = t - began_thousand;
        last_thousand = t - began_thousand;
        began_thousand = t;
    }
}

static void
receive(struct conn *c)
{
    static char buf[1 << 16];
    ssize_t n = read(c->fd, buf, sizeof buf);
    if (n <= 0) {
        fprintf(stderr, "the server hung up\n");
        exit(1);
    }
    if (!c->watches && memmem(buf, n, "\"details\"", 9)) {
        fprintf(stderr, "refused: %.*s\n", (int) n, buf);
        exit(1);
    }
    for (ssize_t i = 0; i < n; i++) {
        char b = buf[i];
        if (c->in_string) {
            if (c->escaped)
                c->escaped = false;
            else if (b == '\\')
                c->escaped = true;
            else if (b == '"')
                c->in_string = false;
        } else if (b == '"') {
            c->in_string = true;
        } else if (b == '{' || b == '[') {
            c->depth++;
        } else if ((b == '}' || b == ']') && !--c->depth) {
            on_message(c);
        }
    }
}

static void
turn(int depth)
{
    static struct pollfd fds[MAX_CONNS];
    for (int i = 0; i < n_conns; i++) {
        struct conn *c = conns[i];
        while (!c->watches && depth && c->in_flight < depth && sent < total && c->out_len < sizeof c->out - 1024)
            ask(c);
        while (c->out_at < c->out_len) {
            ssize_t n = write(c->fd, c->out + c->out_at, c->out_len - c->out_at);
            if (n <= 0)
                break;
            c->out_at += n;
        }
        if (c->out_at == c->out_len)
            c->out_at = c->out_len = 0;
        fds[i] = (struct pollfd){c->fd, POLLIN | (c->out_len ? POLLOUT : 0), 0};
    }
    if (poll(fds, n_conns, 10000) <= 0)
        exit(3);
    for (int i = 0; i < n_conns; i++)
        if (fds[i].revents & POLLIN)
            receive(conns[i]);
}

/* Sends what has been said and waits for 'n' messages. */
static void
settle(long n)
{
    long until = messages + n;
    while (messages < until)
        turn(0);
}

int
main(int argc, char *argv[])
{
    if (argc < 8)
        return 1;
    const char *path = argv[1], *pid = argv[2];
    int clients = atoi(argv[4]), depth = atoi(argv[5]), monitors = atoi(argv[7]);
    mode = argv[3];
    total = atol(argv[6]);
    if (argc > 8)
        column = argv[8];

    struct conn *first = open_conn(path);
    if (!strcmp(mode, "update")) {
        for (int i = 0; i < ROWS; i++) {
            say(first,
                "{\"method\":\"transact\",\"id\":0,\"params\":[\"B\",{\"op\":\"insert\",\"table\":\"T\",\"uuid\":"
                "\"%08d-0000-4000-8000-000000000000\",\"row\":{\"name\":\"r%d\",\"external_ids\":[\"map\",[[\"a\","
                "\"b\"]]]}}]}",
                i, i);
            settle(1);
        }
    } else if (!strcmp(mode, "ports")) {
        say(first, "{\"method\":\"transact\",\"id\":0,\"params\":[\"B\",{\"op\":\"insert\",\"table\":\"Bridge\","
                   "\"row\":{\"name\":"
                   "\"br0\"}}]}");
        settle(1);
    }
    for (int i = 0; i < monitors; i++) {
        struct conn *c = open_conn(path);
        c->watches = true;
        say(c, "{\"method\":\"monitor_cond\",\"id\":0,\"params\":[\"B\",%d,{\"T\":[{\"columns\":[\"%s\"]}]}]}", i,
            column);
        settle(1);
    }
    for (int i = 1; i < clients; i++)
        open_conn(path);
    answered = 0;
    first->in_flight = 0;
    double begin = now(), cpu = server_cpu(pid);
    began_thousand = begin;
    while (answered < total)
        turn(depth);
    double took = now() - begin;
    cpu = server_cpu(pid) - cpu;
    if (!strcmp(mode, "ports"))
        printf("%.2f %.2f\n", first_thousand * 1e3, last_thousand * 1e3);
    else
        printf("%.0f %.2f\n", total / took, cpu / total * 1e6);
    return 0;
}
