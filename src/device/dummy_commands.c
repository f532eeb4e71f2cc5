/* dummy_commands - netdev-dummy/ * but for receive.  Texts are those that test suites compare. */
#include "base/text.h"
#include "device/dummy.h"
#include "io/unixctl.h"
#include <string.h>
#include <strings.h>

static struct dummy *
find(const char *name)
{
    struct device *d = device_dummy_find(name);
    return d ? dummy_of(d) : NULL;
}

static void
set_admin_state(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    const char *word = argv[argc - 1];
    bool up = !strcasecmp(word, "up");
    if (!up && strcasecmp(word, "down")) {
        unixctl_fail(conn, "Invalid Admin State");
        return;
    }
    if (argc > 2) {
        struct dummy *d = find(argv[1]);
        if (!d) {
            unixctl_fail(conn, "Unknown Dummy Interface");
            return;
        }
        dummy_set_up(d, up);
    } else {
        struct dummy *d;
        LIST_FOR (d, link, &dummies)
            dummy_set_up(d, up);
    }
    unixctl_reply(conn, "OK");
}

static void
conn_state(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    AUTO_TEXT struct text t = TEXT_INIT;
    struct dummy *d;
    if (argc > 1) {
        d = find(argv[1]);
        text_addf(&t, "%s: %s\n", argv[1], d ? dummy_line_state(d) : "unknown");
    } else
        LIST_FOR (d, link, &dummies) {
            const char *state = dummy_line_state(d);
            if (strcmp(state, "unknown"))
                text_addf(&t, "%s: %s\n", d->device.name, state);
        }
    unixctl_reply(conn, text_str(&t));
}

/* "ADDRESS" or "ADDRESS/LEN"; false: no length of at most 'max' there. */
static bool
split_prefix(const char *text, unsigned max, char addr[64], unsigned *prefix_len)
{
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t) (slash - text) : strlen(text);
    char *end;
    if (n >= 64)
        return false;
    memcpy(addr, text, n);
    addr[n] = '\0';
    *prefix_len = max;
    if (!slash)
        return true;
    unsigned long len = strtoul(slash + 1, &end, 10);
    *prefix_len = len;
    return slash[1] >= '0' && slash[1] <= '9' && !*end && len <= max;
}

static void
ip4addr(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct dummy *d = find(argv[1]);
    char addr[64];
    unsigned len;
    be32 ip;
    if (!d)
        unixctl_fail(conn, "Unknown Dummy Interface");
    else if (!split_prefix(argv[2], 32, addr, &len) || !ip4_parse(addr, &ip))
        unixctl_failf(conn, "%s: invalid IP address", argv[2]);
    else {
        dummy_set_ip4(d, ip, be32_of(len ? UINT32_MAX << (32 - len) : 0));
        unixctl_reply(conn, "OK");
    }
}

static void
ip6addr(struct unixctl_conn *conn, int argc, const char *argv[], void *aux)
{
    struct dummy *d = find(argv[1]);
    char addr[64];
    unsigned len;
    struct ip6 ip;
    if (!d)
        unixctl_fail(conn, "Unknown Dummy Interface");
    else if (!split_prefix(argv[2], 128, addr, &len) || !ip6_parse(addr, &ip))
        unixctl_failf(conn, "%s: invalid IPv6 address", argv[2]);
    else {
        dummy_set_ip6(d, &ip, len);
        unixctl_reply(conn, "OK");
    }
}

void
dummy_register_commands(void)
{
    unixctl_command("netdev-dummy/set-admin-state", "[netdev] up|down", 1, 2, set_admin_state, NULL);
    unixctl_command("netdev-dummy/conn-state", "[netdev]", 0, 1, conn_state, NULL);
    unixctl_command("netdev-dummy/ip4addr", "[netdev] ipaddr/mask-prefix-len", 2, 2, ip4addr, NULL);
    unixctl_command("netdev-dummy/ip6addr", "[netdev] ip6addr", 2, 2, ip6addr, NULL);
}
