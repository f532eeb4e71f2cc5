/* packet - pools of chunks and tails.
 *
 * Theory.  A pool is one anonymous mapping: the struct, then all chunks, then all tails.  Nothing is touched before it is handed out for the
 *          first time ('n_fresh' counts what never was), and what came back is handed out again first, so that a quiet lane lives in
 *          a few pages and a busy one in warm memory.  Only what lies behind the first 2 MiB of each kind asks for huge pages: an idle switch
 *          with several pools would pay 2 MiB for the first frame of each otherwise.
 */
#include "packet/packet.h"
#include "base/mem.h"
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((size_t) 2 << 20)
#define TAIL_STRIDE ROUND_UP(sizeof(struct packet_tail), 4096)

struct packet_pool {
    struct packet *free_chunks;
    struct packet_tail *free_tails;
    uint8_t *chunks, *tails;
    unsigned n_chunks, n_tails;
    unsigned n_fresh_chunks, n_fresh_tails; /* the first so many were handed out at least once */
    unsigned n_in_use;
    size_t map_len; /* of the mapping that begins at 'chunks' */
};

static size_t
in_huge_pages(size_t n)
{
    return ROUND_UP(n, HUGE_PAGE);
}

struct packet_pool *
packet_pool_new(unsigned n_chunks, unsigned n_tails)
{
    size_t chunk_len = in_huge_pages((size_t) n_chunks * PACKET_CHUNK);
    size_t tail_len = in_huge_pages((size_t) n_tails * TAIL_STRIDE);
    size_t len = chunk_len + tail_len + HUGE_PAGE; /* one more, to begin at a border */
    uint8_t *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;

    uint8_t *begin = (uint8_t *) ROUND_UP((uintptr_t) map, HUGE_PAGE);
    if (begin > map)
        munmap(map, begin - map);
    munmap(begin + chunk_len + tail_len, map + len - (begin + chunk_len + tail_len));

    struct packet_pool *pool = xzalloc_line(sizeof *pool);
    pool->n_chunks = n_chunks;
    pool->n_tails = n_tails;
    pool->chunks = begin;
    pool->tails = begin + chunk_len;
    pool->map_len = chunk_len + tail_len;
    if (chunk_len > HUGE_PAGE)
        madvise(pool->chunks + HUGE_PAGE, chunk_len - HUGE_PAGE, MADV_HUGEPAGE);
    if (tail_len > HUGE_PAGE)
        madvise(pool->tails + HUGE_PAGE, tail_len - HUGE_PAGE, MADV_HUGEPAGE);
    return pool;
}

void
packet_pool_free(struct packet_pool *pool)
{
    if (!pool)
        return;
    ASSERT(!pool->n_in_use);
    munmap(pool->chunks, pool->map_len);
    free(pool);
}

unsigned
packet_pool_in_use(const struct packet_pool *pool)
{
    return pool->n_in_use;
}

struct packet *
packet_new(struct packet_pool *pool)
{
    struct packet *p = pool->free_chunks;
    if (likely(p))
        pool->free_chunks = p->next_free;
    else if (pool->n_fresh_chunks < pool->n_chunks)
        p = (struct packet *) (pool->chunks + (size_t) pool->n_fresh_chunks++ * PACKET_CHUNK);
    else
        return NULL;
    pool->n_in_use++;
    memset(p, 0, sizeof *p);
    p->data = (uint8_t *) p + PACKET_META + PACKET_HEADROOM;
    p->in_port = DPPORT_NONE;
    p->pool = pool;
    p->n_refs = 1;
    return p;
}

struct packet_tail *
packet_tail_new(struct packet_pool *pool)
{
    struct packet_tail *t = pool->free_tails;
    if (likely(t))
        pool->free_tails = t->next_free;
    else if (pool->n_fresh_tails < pool->n_tails)
        t = (struct packet_tail *) (pool->tails + (size_t) pool->n_fresh_tails++ * TAIL_STRIDE);
    else
        return NULL;
    pool->n_in_use++;
    t->pool = pool;
    t->n_refs = 1;
    t->off = 0;
    return t;
}

void
packet_tail_put(struct packet_tail *t)
{
    if (!t || --t->n_refs)
        return;
    t->next_free = t->pool->free_tails;
    t->pool->free_tails = t;
    t->pool->n_in_use--;
}

struct packet *
packet_ref(struct packet *p)
{
    p->n_refs++;
    return p;
}

void
packet_put(struct packet *p)
{
    if (!p || --p->n_refs)
        return;
    if (p->tail)
        packet_tail_put(p->tail);
    p->next_free = p->pool->free_chunks;
    p->pool->free_chunks = p;
    p->pool->n_in_use--;
}

struct packet *
packet_from(struct packet_pool *pool, const void *frame, size_t len)
{
    if (len > PACKET_MAX_LEN)
        return NULL;
    struct packet *p = packet_new(pool);
    if (!p)
        return NULL;
    size_t head = MIN(len, (size_t) PACKET_ROOM);
    memcpy(p->data, frame, head);
    p->len = len;
    if (len > head) {
        p->tail = packet_tail_new(pool);
        if (!p->tail) {
            packet_put(p);
            return NULL;
        }
        p->tail_len = len - head;
        memcpy(p->tail->bytes, (const uint8_t *) frame + head, p->tail_len);
    }
    return p;
}

/* What a copy takes over besides the bytes. */
static void
copy_facts(struct packet *to, const struct packet *from)
{
    to->in_port = from->in_port;
    to->hash = from->hash;
    to->l2_len = from->l2_len;
    to->l3_ofs = from->l3_ofs;
    to->l4_ofs = from->l4_ofs;
    to->stage = from->stage;
    to->offload = from->offload;
    to->mark = from->mark;
    to->priority = from->priority;
}

/* A new chunk with the same head at the same place. */
static struct packet *
copy_head(struct packet_pool *pool, const struct packet *from)
{
    struct packet *p = packet_new(pool);
    if (!p)
        return NULL;
    uint32_t head = packet_head_len(from);
    p->data = (uint8_t *) p + (from->data - (const uint8_t *) from);
    memcpy(p->data, from->data, head);
    p->len = head;
    copy_facts(p, from);
    return p;
}

struct packet *
packet_own(struct packet *p)
{
    if (likely(p->n_refs == 1))
        return p;
    struct packet *copy = copy_head(p->pool, p);
    if (copy && p->tail_len) {
        copy->tail = p->tail;
        copy->tail->n_refs++;
        copy->tail_len = p->tail_len;
        copy->len += p->tail_len;
    }
    packet_put(p);
    return copy;
}

struct packet *
packet_copy_to(struct packet_pool *pool, const struct packet *p)
{
    struct packet *copy = copy_head(pool, p);
    if (!copy || !p->tail_len)
        return copy;
    copy->tail = packet_tail_new(pool);
    if (!copy->tail) {
        packet_put(copy);
        return NULL;
    }
    memcpy(copy->tail->bytes, p->tail->bytes + p->tail->off, p->tail_len);
    copy->tail_len = p->tail_len;
    copy->len += p->tail_len;
    return copy;
}

unsigned
packet_iov(const struct packet *p, struct iovec iov[2])
{
    iov[0] = (struct iovec){p->data, packet_head_len(p)};
    if (!p->tail_len)
        return 1;
    iov[1] = (struct iovec){p->tail->bytes + p->tail->off, p->tail_len};
    return 2;
}

bool
packet_read(const struct packet *p, size_t ofs, void *to, size_t n)
{
    if (ofs > p->len || n > p->len - ofs)
        return false;
    size_t head = packet_head_len(p);
    size_t from_head = ofs < head ? MIN(n, head - ofs) : 0;
    memcpy(to, p->data + ofs, from_head);
    if (n > from_head)
        memcpy((uint8_t *) to + from_head, p->tail->bytes + p->tail->off + (ofs + from_head - head), n - from_head);
    return true;
}
