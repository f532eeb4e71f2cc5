/* ring - see the header. */
#include "device/ring.h"
#include "base/mem.h"
#include "device/kbpf.h"
#include "device/vnet.h"
#include "packet/edit.h"
#include "packet/wire.h"
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <string.h>
#include <sys/socket.h>

#define RING_BYTES ((size_t) RING_SLOTS * RING_SLOT)
#define RING_BLOCK 65536

static struct tpacket2_hdr *
slot_at(const struct ring *r, unsigned ahead)
{
    return (struct tpacket2_hdr *) (r->map + (size_t) ((r->at + ahead) % RING_SLOTS) * RING_SLOT);
}

enum ear { EAR_QUEUE, EAR_RING };

/* A filter that takes all while the word says 'ear', and nothing otherwise. */
static int
load_filter(int word, enum ear ear)
{
    const struct bpf_insn program[] = {
        /* r1 = where the word is */
        {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = word},
        {0},
        {.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_1},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_1, .imm = ear, .off = 1},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    return kbpf_load(BPF_PROG_TYPE_SOCKET_FILTER, program, ARRAY_SIZE(program));
}

static int
set_filter(int fd, int word, enum ear ear)
{
    AUTO_FD int program = load_filter(word, ear);
    if (program < 0)
        return program;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) ? -errno : 0;
}

void
ring_hear(struct ring *r, bool hear)
{
    kbpf_word_set(r->word, hear ? EAR_RING : EAR_QUEUE);
}

static int
set_up(struct ring *r, unsigned ifindex)
{
    struct tpacket_req want = {RING_BLOCK, RING_BYTES / RING_BLOCK, RING_SLOT, RING_SLOTS};
    struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = be16_of(ETH_P_ALL), .sll_ifindex = ifindex};
    r->word = kbpf_word_new();
    if (r->word < 0)
        return r->word;
    int err = set_filter(r->fd, r->word, EAR_RING);
    if (err)
        return err;
    if (setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &(int){TPACKET_V2}, sizeof(int)) ||
        setsockopt(r->fd, SOL_PACKET, PACKET_COPY_THRESH, &(int){1}, sizeof(int)) ||
        setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &want, sizeof want) ||
        bind(r->fd, (struct sockaddr *) &addr, sizeof addr))
        return -errno;
    void *map = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    r->map = map;
    return set_filter(r->queue_fd, r->word, EAR_QUEUE);
}

int
ring_open(int fd, int queue_fd, unsigned ifindex, struct ring **out, struct why *why)
{
    struct ring *r = xzalloc(sizeof *r);
    r->fd = fd;
    r->queue_fd = queue_fd;
    int err = set_up(r, ifindex);
    if (err) {
        ring_free(r);
        return refuse(why, err, "no receive ring (%s)", strerror(-err));
    }
    *out = r;
    return 0;
}

void
ring_leave(struct ring *r)
{
    setsockopt(r->queue_fd, SOL_SOCKET, SO_DETACH_FILTER, NULL, 0);
    ring_hear(r, false);
}

void
ring_free(struct ring *r)
{
    if (!r)
        return;
    if (r->map)
        munmap(r->map, RING_BYTES);
    if (r->word >= 0)
        close(r->word);
    close(r->fd);
    free(r);
}

static enum ring_slot
look(const struct tpacket2_hdr *h)
{
    uint32_t status = __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER))
        return RING_EMPTY;
    if (likely(h->tp_snaplen == h->tp_len))
        return RING_FRAME;
    return status & TP_STATUS_COPY ? RING_WAITS : RING_LOST;
}

enum ring_slot
ring_look(const struct ring *r)
{
    return look(slot_at(r, 0));
}

unsigned
ring_waiting(const struct ring *r, unsigned max)
{
    unsigned n = 0;
    while (n < max && look(slot_at(r, n)) == RING_WAITS)
        n++;
    return n;
}

struct packet *
ring_read(const struct ring *r, struct packet_pool *pool)
{
    const struct tpacket2_hdr *h = slot_at(r, 0);
    const uint8_t *frame = (const uint8_t *) h + h->tp_mac;
    struct packet *p = packet_new(pool);
    if (!p)
        return NULL;
    memcpy(&p->offload, frame - VNET_LEN, VNET_LEN);
    memcpy(p->data, frame, h->tp_len);
    p->len = h->tp_len;
    if (unlikely(h->tp_status & TP_STATUS_VLAN_VALID))
        packet_push_vlan(p, be16_of(h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->tp_vlan_tpid : ETHERTYPE_CVLAN),
                         be16_of(h->tp_vlan_tci));
    return p;
}

void
ring_next(struct ring *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        __atomic_store_n(&slot_at(r, i)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    r->at = (r->at + n) % RING_SLOTS;
    atomic_store_explicit(&r->seen, atomic_load_explicit(&r->seen, memory_order_relaxed) + n, memory_order_relaxed);
}
