/* drops/ - where did frames end? */
#include "switch/commands.h"
#include <inttypes.h>
#include <string.h>

static uint64_t
count(const struct vswitch *v, enum drop reason)
{
    uint64_t n = 0;
    for (enum dp_type type = 0; type < DP_N; type++)
        if (v->backers[type])
            n += dp_drops(backer_datapath(v->backers[type]), reason);
    return n;
}

static void
drops_show(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    json_t *json = unixctl_wants_json(conn) ? json_array() : NULL;

    for (enum drop d = DROP_NONE + 1; d < DROP_N; d++) {
        uint64_t n = count(aux, d);
        if (json)
            json_array_append_new(json, json_pack("{s:s,s:I,s:s}", "name", drop_names[d], "packets", (json_int_t) n,
                                                  "meaning", drop_sentences[d]));
        else if (n)
            text_addf(&t, "%-24s %12" PRIu64 "  %s\n", drop_names[d], n, drop_sentences[d]);
    }
    if (json)
        unixctl_reply_json(conn, json);
    else
        unixctl_reply(conn, t.len ? text_str(&t) : "nothing was dropped\n");
}

#define LAST_MAX 1000

static void
show_last(const struct vswitch *v, enum dp_type type, const struct dp_last_drop *d, struct text *t, json_t *json)
{
    struct dp_names names = {v, type};
    const char *port = dp_port_name(&names, d->in_port);
    int64_t ago_ms = span_ms(instant_since(loop_now(v->loop), d->when));
    AUTO_TEXT struct text head = TEXT_INIT;

    for (size_t i = 0; i < MIN(d->len, sizeof d->head); i++)
        text_addf(&head, "%02x", d->head[i]);
    if (json)
        json_array_append_new(json, json_pack("{s:s,s:s,s:s?,s:I,s:I,s:s}", "datapath", dp_title(type).s, "name",
                                              drop_names[d->reason], "port", port, "ms_ago", (json_int_t) ago_ms,
                                              "length", (json_int_t) d->len, "head", text_str(&head)));
    else
        text_addf(t, "%" PRId64 ".%03d s ago, port %s, %u bytes, %s: %s\n  %s\n", ago_ms / 1000, (int) (ago_ms % 1000),
                  port ? port : "(gone)", d->len, drop_names[d->reason], drop_sentences[d->reason], text_str(&head));
}

static void
drops_last(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    char *end = NULL;
    unsigned long max = argc > 1 ? strtoul(argv[1], &end, 10) : 20;

    if ((end && *end) || !max || max > LAST_MAX) {
        unixctl_failf(conn, "%s: not a number from 1 to %d", argv[1], LAST_MAX);
        return;
    }
    struct dp_last_drop *last = xcalloc(max, sizeof *last);
    json_t *json = unixctl_wants_json(conn) ? json_array() : NULL;
    for (enum dp_type type = 0; type < DP_N; type++) {
        size_t n = v->backers[type] ? dp_last_drops(backer_datapath(v->backers[type]), last, max) : 0;
        for (size_t i = 0; i < n; i++)
            show_last(v, type, &last[i], &t, json);
    }
    free(last);
    if (json)
        unixctl_reply_json(conn, json);
    else
        unixctl_reply(conn, text_str(&t));
}

void
commands_drops(struct vswitch *v)
{
    unixctl_command("drops/show", "", 0, 0, drops_show, v);
    unixctl_command("drops/last", "[number]", 0, 1, drops_last, v);
}
