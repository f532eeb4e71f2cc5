/* ofproto/trace - what would become of this packet?
 *
 *     ofproto/trace BRIDGE BR_FLOW [-generate | PACKET]        BR_FLOW as ovs-ofctl(8) writes it
 *     ofproto/trace [DP] ODP_FLOW [-generate | PACKET]         ODP_FLOW as ovs-dpctl(8) writes it
 * PACKET is hex digits.  The field's options about connections are refused by name until there is something behind them.
 */
#include "switch/commands.h"
#include "datapath/flow_text.h"
#include "pipeline/trace.h"
#include <errno.h>
#include <string.h>

#define FRAME_MAX 65536

struct question {
    const char *where, *flow; /* 'where' NULL: not said */
    const char *packet;       /* hex; NULL: none */
    bool generate, by_name;
};

static int
read_arguments(int argc, const char *argv[], struct question *q, struct why *why)
{
    const char *words[3];
    int n = 0;

    *q = (struct question){NULL, NULL, NULL, false, false};
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-generate") || !strcmp(argv[i], "--generate"))
            q->generate = true;
        else if (!strcmp(argv[i], "--names") || !strcmp(argv[i], "--no-names"))
            q->by_name = argv[i][2] == 'n' && argv[i][3] == 'a';
        else if (!strcmp(argv[i], "-consistent") || !strcmp(argv[i], "--consistent"))
            continue; /* a trace never changes anything but what it learns */
        else if (argv[i][0] == '-')
            return refuse(why, -EINVAL, "%s: option is not served", argv[i]);
        else if (n == 3)
            return refuse(why, -EINVAL, "Too many arguments");
        else
            words[n++] = argv[i];
    }
    if (n == 3 || (n == 2 && !q->generate && strspn(words[1], "0123456789abcdefABCDEF") == strlen(words[1]) &&
                   strlen(words[1]) > 4))
        q->packet = words[--n];
    if (!n)
        return refuse(why, -EINVAL, "a flow is missing");
    q->flow = words[n - 1];
    q->where = n == 2 ? words[0] : NULL;
    if (q->packet && q->generate)
        return refuse(why, -EINVAL, "Must specify either a packet or -generate, not both");
    return 0;
}

int
hex_parse(const char *text, uint8_t *bytes, size_t room, struct why *why)
{
    size_t n = 0;
    unsigned byte;

    for (; *text; text += 2) {
        while (*text == ' ')
            text++;
        if (!*text)
            break;
        if (n == room || strspn(text, "0123456789abcdefABCDEF") < 2 || sscanf(text, "%2x", &byte) != 1)
            return refuse(why, -EINVAL, "Trailing garbage in packet data");
        bytes[n++] = byte;
    }
    return (int) n;
}

/* A flow in the datapath's words: the bridge is where its port is. */
static struct vbridge *
parse_datapath_flow(const struct vswitch *v, enum dp_type only, const char *flow, struct key *key, struct why *why)
{
    for (enum dp_type type = 0; type < DP_N; type++) {
        struct dp_names names = {v, type};
        if (!v->backers[type] || (only != DP_N && only != type))
            continue;
        if (flow_parse(flow, dp_port_named, &names, key, NULL, why)) {
            refuse(why, -EINVAL, "syntax error at %s%s", flow, only == DP_N ? " (or the bridge name was omitted)" : "");
            return NULL;
        }
        const struct vport *p = vport_of_dp(v, type, key->port);
        if (p) {
            key->in_port = htobe32(p->number);
            return p->bundle->bridge;
        }
    }
    refuse(why, -ENODEV, "no bridge has the port of this flow");
    return NULL;
}

static struct vbridge *
parse_bridge_flow(const struct vswitch *v, const struct question *q, struct key *key, struct why *why)
{
    struct vbridge *b = vbridge_find(v, q->where);

    if (!b || !b->run) {
        refuse(why, -ENODEV, "%s: unknown bridge", q->where);
        return NULL;
    }
    if (trace_parse(b->run, q->flow, key, why))
        return NULL;
    const struct vport *p = vport_numbered(b, be32toh(key->in_port));
    key->port = p ? p->dp : DPPORT_NONE;
    return b;
}

static struct vbridge *
understand(const struct vswitch *v, const struct question *q, struct key *key, struct why *why)
{
    enum dp_type type = q->where ? datapath_named(v, q->where) : DP_N;

    memset(key, 0, sizeof *key);
    return q->where && type == DP_N ? parse_bridge_flow(v, q, key, why)
                                    : parse_datapath_flow(v, type, q->flow, key, why);
}

static void
trace(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const struct vswitch *v = aux;
    AUTO_TEXT struct text t = TEXT_INIT;
    struct question q;
    struct why why;
    struct key key;
    int len = 0;

    if (read_arguments(argc, argv, &q, &why)) {
        unixctl_fail(conn, why.text);
        return;
    }
    struct vbridge *b = understand(v, &q, &key, &why);
    if (!b) {
        unixctl_fail(conn, why.text);
        return;
    }
    uint8_t *frame = xmalloc(FRAME_MAX);
    if (q.packet)
        len = hex_parse(q.packet, frame, FRAME_MAX, &why);
    else if (q.generate && (len = frame_compose(&key, NULL, 0, frame, FRAME_MAX)) < 0)
        refuse(&why, len, "no frame fits this flow");
    if (len < 0)
        unixctl_fail(conn, why.text);
    else if (trace_run(&(struct trace_ask){.bridge = b->run,
                                           .key = &key,
                                           .frame = len ? frame : NULL,
                                           .len = len,
                                           .now = loop_now(v->loop),
                                           .may_learn = len,
                                           .by_name = q.by_name},
                       &t, &why))
        unixctl_fail(conn, why.text);
    else
        unixctl_reply(conn, text_str(&t));
    free(frame);
}

void
commands_trace(struct vswitch *v)
{
    unixctl_command("ofproto/trace", "{[dp_name] odp_flow | bridge br_flow} [OPTIONS...] [-generate|packet]", 1, 6,
                    trace, v);
}
