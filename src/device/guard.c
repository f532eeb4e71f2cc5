/* guard - the program, and the two places to hang it. */
#include "device/guard.h"
#include "base/mem.h"
#include "device/kbpf.h"
#include "device/slow.h"
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

/* Younger than Debian 12's headers. */
#define BPF_TCX_INGRESS_ 46
#define BPF_F_BEFORE_ (1u << 3)

#define FILTER_PRIORITY 1
#define FILTER_HANDLE 0x51u
#define FILTER_NAME "sluice"

/* Where it hangs.  A guard begins on clsact (0.3 ms) and moves to a tcx link when the kernel is not busy with us:
 *     BY_CLSACT  control may take it off.  -> MOVING when the slow thread begins; it stays here where the kernel knows no tcx.
 *     MOVING     the slow thread's; it looks at is_closed when it is done.  -> BY_TCX, or back.
 *     BY_TCX     control may give the link to the slow thread to close. */
enum place { BY_CLSACT, MOVING, BY_TCX };

struct guard {
    unsigned ifindex;
    bool has_qdisc; /* one user of it: under 'lock' */
    int prog_fd;    /* until it has moved */
    int link_fd;    /* BY_TCX */
    /* under 'lock' */
    enum place place;
    bool is_closed, will_move; /* will_move: the slow thread still has it in hand, and frees it when it is closed */
};
/* The clsact qdiscs that we made.  To take one away makes the kernel throw away what the device sends for a grace period (it
 * deactivates the device's queues), so one stays, empty, as long as the device is ours, and the slow thread takes it away when
 * no guard of that device has come again by then. */
struct qdisc {
    struct qdisc *next;
    unsigned ifindex, n_users;
};
static struct qdisc *qdiscs;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool has_no_tcx; /* the kernel said so */

/* "return TC_ACT_SHOT", which is TCX_DROP as well. */
static int
load_program(struct why *why)
{
    static const struct bpf_insn drop[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_SHOT},
        {.code = BPF_JMP | BPF_EXIT},
    };
    int fd = kbpf_load(BPF_PROG_TYPE_SCHED_CLS, drop, ARRAY_SIZE(drop));
    return fd < 0 ? refuse(why, fd, "no BPF program may be loaded (%s)", strerror(-fd)) : fd;
}

static int
hang_on_tcx(unsigned ifindex, int prog)
{
    union bpf_attr attr = {
        .link_create =
            {
                .prog_fd = prog,
                .target_ifindex = ifindex,
                .attach_type = BPF_TCX_INGRESS_,
                .flags = BPF_F_BEFORE_, /* of all others */
            },
    };
    return kbpf_call(BPF_LINK_CREATE, &attr);
}

/* ---- clsact ---- */

struct request {
    struct nlmsghdr h;
    struct tcmsg tc;
    char attrs[128];
};

static struct rtattr *
put_attr(struct request *r, int type, const void *value, size_t n)
{
    struct rtattr *a = (void *) ((char *) r + NLMSG_ALIGN(r->h.nlmsg_len));
    a->rta_type = type;
    a->rta_len = RTA_LENGTH(n);
    if (n)
        memcpy(RTA_DATA(a), value, n);
    r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
    return a;
}

/* Sends, and waits for the kernel's word. */
static int
ask(struct request *r)
{
    AUTO_FD int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    r->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    union {
        struct nlmsghdr h;
        char bytes[4096];
    } reply;
    if (send(fd, r, r->h.nlmsg_len, 0) < 0)
        return -errno;
    ssize_t n = recv(fd, &reply, sizeof reply, 0);
    if (n < 0)
        return -errno;
    if ((size_t) n < NLMSG_LENGTH(sizeof(struct nlmsgerr)) || reply.h.nlmsg_type != NLMSG_ERROR)
        return -EPROTO;
    return ((struct nlmsgerr *) NLMSG_DATA(&reply.h))->error;
}

static struct request
request_of(int type, int flags, unsigned ifindex, uint32_t handle, uint32_t parent)
{
    return (struct request){
        .h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)), .nlmsg_type = type, .nlmsg_flags = flags},
        .tc = {.tcm_ifindex = ifindex, .tcm_handle = handle, .tcm_parent = parent},
    };
}

#define INGRESS TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)
#define FILTER_INFO TC_H_MAKE(FILTER_PRIORITY << 16, htons(ETH_P_ALL))

static int
qdisc_request(unsigned ifindex, int type, int flags)
{
    struct request r = request_of(type, flags, ifindex, TC_H_MAKE(TC_H_CLSACT, 0), TC_H_CLSACT);
    put_attr(&r, TCA_KIND, "clsact", sizeof "clsact");
    return ask(&r);
}

static struct qdisc **
find_qdisc(unsigned ifindex)
{
    struct qdisc **q = &qdiscs;
    while (*q && (*q)->ifindex != ifindex)
        q = &(*q)->next;
    return q;
}

/* Somebody else's is as good, and is left where it is. */
static int
qdisc_get(struct guard *g)
{
    pthread_mutex_lock(&lock);
    struct qdisc **q = find_qdisc(g->ifindex);
    int err = *q ? 0 : qdisc_request(g->ifindex, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
    if (!err && !*q) {
        *q = xzalloc(sizeof **q);
        (*q)->ifindex = g->ifindex;
    }
    if (!err)
        (*q)->n_users++;
    g->has_qdisc = !err;
    pthread_mutex_unlock(&lock);
    return err == -EEXIST ? 0 : err;
}

/* Slow when it is the last. */
static void
qdisc_put(unsigned ifindex)
{
    pthread_mutex_lock(&lock);
    struct qdisc **q = find_qdisc(ifindex), *last = *q;
    if (last && !--last->n_users) {
        *q = last->next;
        free(last);
        qdisc_request(ifindex, RTM_DELQDISC, 0);
    }
    pthread_mutex_unlock(&lock);
}

static void
qdisc_put_later(void *ifindex)
{
    qdisc_put((unsigned) (uintptr_t) ifindex);
}

static int
hang_on_clsact(struct guard *g, int prog)
{
    int err = qdisc_get(g);
    if (err)
        return err;

    struct request r = request_of(RTM_NEWTFILTER, NLM_F_CREATE, g->ifindex, FILTER_HANDLE, INGRESS);
    r.tc.tcm_info = FILTER_INFO;
    put_attr(&r, TCA_KIND, "bpf", sizeof "bpf");
    struct rtattr *options = put_attr(&r, TCA_OPTIONS, NULL, 0);
    put_attr(&r, TCA_BPF_FD, &(uint32_t){prog}, 4);
    put_attr(&r, TCA_BPF_NAME, FILTER_NAME, sizeof FILTER_NAME);
    put_attr(&r, TCA_BPF_FLAGS, &(uint32_t){TCA_BPF_FLAG_ACT_DIRECT}, 4);
    options->rta_len = (char *) &r + r.h.nlmsg_len - (char *) options;
    err = ask(&r);
    if (err && g->has_qdisc)
        qdisc_put(g->ifindex);
    g->has_qdisc &= !err;
    return err;
}

static void
take_off_clsact(const struct guard *g)
{
    struct request r = request_of(RTM_DELTFILTER, 0, g->ifindex, FILTER_HANDLE, INGRESS);
    r.tc.tcm_info = FILTER_INFO;
    put_attr(&r, TCA_KIND, "bpf", sizeof "bpf");
    ask(&r);
}

/* ---- both ---- */

/* The slow thread's: what of it costs a grace period is done here. */
static void
discard(struct guard *g)
{
    if (g->has_qdisc)
        qdisc_put(g->ifindex);
    if (g->prog_fd >= 0)
        close(g->prog_fd);
    if (g->link_fd >= 0)
        close(g->link_fd); /* waits for a grace period */
    free(g);
}

static bool
begin_move(struct guard *g)
{
    pthread_mutex_lock(&lock);
    bool go = !g->is_closed;
    if (go)
        g->place = MOVING;
    pthread_mutex_unlock(&lock);
    return go;
}

/* On the slow thread: hangs it on tcx, and only then takes it off clsact. */
static void
move(void *arg)
{
    struct guard *g = arg;

    if (!begin_move(g)) {
        discard(g);
        return;
    }
    int fd = hang_on_tcx(g->ifindex, g->prog_fd);
    if (fd == -EINVAL || fd == -EOPNOTSUPP)
        atomic_store(&has_no_tcx, true);
    if (fd >= 0)
        take_off_clsact(g);

    pthread_mutex_lock(&lock);
    g->link_fd = fd >= 0 ? fd : -1;
    g->place = fd >= 0 ? BY_TCX : BY_CLSACT;
    g->will_move = false;
    bool is_closed = g->is_closed;
    pthread_mutex_unlock(&lock);
    if (!is_closed)
        return;
    if (fd < 0)
        take_off_clsact(g);
    discard(g);
}

static int
open_guard(unsigned ifindex, bool try_tcx, struct guard **out, struct why *why)
{
    int prog = load_program(why);
    if (prog < 0)
        return prog;
    struct guard g = {.ifindex = ifindex, .prog_fd = prog, .link_fd = -1, .place = BY_CLSACT};
    int err = hang_on_clsact(&g, prog);
    if (err && try_tcx && (g.link_fd = hang_on_tcx(ifindex, prog)) >= 0)
        g.place = BY_TCX;
    else if (err) {
        close(prog);
        return refuse(why, err, "no program can hang at the device's ingress (%s)", strerror(-err));
    }
    g.will_move = g.place == BY_CLSACT && try_tcx && !atomic_load(&has_no_tcx);
    *out = xmemdup(&g, sizeof g);
    if (g.will_move)
        slow_run_idle(move, *out);
    return 0;
}

int
guard_open(unsigned ifindex, struct guard **out, struct why *why)
{
    return open_guard(ifindex, true, out, why);
}

int
guard_open_clsact(unsigned ifindex, struct guard **out, struct why *why)
{
    return open_guard(ifindex, false, out, why);
}

static void
discard_later(void *arg)
{
    discard(arg);
}

void
guard_close(struct guard *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&lock);
    g->is_closed = true;
    enum place place = g->place;
    bool will_move = g->will_move;
    bool had_qdisc = g->has_qdisc;
    if (place == BY_CLSACT)
        g->has_qdisc = false;
    pthread_mutex_unlock(&lock);
    if (place == BY_CLSACT) {
        take_off_clsact(g);
        if (had_qdisc)
            slow_run(qdisc_put_later, (void *) (uintptr_t) g->ifindex);
    }
    if (place == BY_TCX || (place == BY_CLSACT && !will_move))
        slow_run(discard_later, g);
}
