/* netlink_wire - rtnetlink messages as bytes: requests written, answers and notifications read.
 *
 * Use.     netlink.c.  Pure but for nlw_talk(), which sends a request and reads until its answer is complete.
 */
#ifndef IO_NETLINK_WIRE_H
#define IO_NETLINK_WIRE_H 1

#include "base/cursor.h"
#include "base/why.h"
#include "io/netlink.h"
#include <linux/netlink.h>

#define NLW_ANSWER_ROOM 32768 /* what the kernel puts into one datagram of a dump at most */

/* A request: fits all that netlink.c asks; one that would not is a bug. */
struct nlw_request {
    size_t len;
    bool is_dump;
    _Alignas(8) uint8_t bytes[512];
};

void nlw_begin(struct nlw_request *, uint16_t type, uint16_t flags, const void *header, size_t n);
void nlw_put(struct nlw_request *, uint16_t attr, const void *, size_t n);
void nlw_put_u32(struct nlw_request *, uint16_t attr, uint32_t);
void nlw_put_string(struct nlw_request *, uint16_t attr, const char *);
/* The place to give to nlw_nest_end(). */
size_t nlw_nest(struct nlw_request *, uint16_t attr);
void nlw_nest_end(struct nlw_request *, size_t place);
void nlw_put_raw(struct nlw_request *, const void *, size_t n);

/* One message out of a datagram; false at its end, or (c->bad) at bytes that are no message. */
struct nlw_msg {
    uint16_t type, flags;
    uint32_t seq;
    struct cursor body;
};
bool nlw_next(struct cursor *, struct nlw_msg *);

/* -EBADMSG: not what it says.  -ENOENT: a message about something else (a bridge's view of a link). */
int nlw_read_link(struct cursor body, struct nl_link *);
int nlw_read_addr(struct cursor body, struct nl_addr *);
int nlw_read_stats(struct cursor body, struct nl_stats *);

/* Sends the request on a blocking socket and hands each message of the answer to fn (NULL is fine).  0, the kernel's -errno with its words in
 * 'why', or -EINTR when a dump was disturbed by a change and has to be asked again.  'room' has NLW_ANSWER_ROOM bytes. */
int nlw_talk(int fd, uint32_t seq, struct nlw_request *, uint8_t *room, void (*fn)(void *aux, const struct nlw_msg *),
             void *aux, struct why *why);

#endif
