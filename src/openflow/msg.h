/* msg - OpenFlow messages: which one is this, and the words around a new one.
 *
 * Shape.     of_msg_identify() looks at header, vendor and multipart words and gives an enum of_msg and a cursor over the body behind them.
 *            of_msg_start() and of_msg_finish() write the same words for any version that has the message.
 * Limits.    A message is at most 65,535 bytes; multiparts are cut into several by of_multi_*().
 */
#ifndef OPENFLOW_MSG_H
#define OPENFLOW_MSG_H 1

#include "base/cursor.h"
#include "base/endian.h"
#include "openflow/error.h"

enum of_msg {
#define MSG_ID(ID) OFMSG_##ID,
#define MSG(ID, NAME, KIND, NUMBER, FIRST, LAST)
#include "openflow/messages.def"
    OFMSG_N
};

#define OF_HEADER_LEN 8
#define OF_MAX_LEN 65535

/* The first 8 bytes, whatever follows. */
struct of_header {
    uint8_t version, type;
    uint16_t len;
    uint32_t xid;
};
/* false: fewer than 8 bytes. */
bool of_header_get(const void *msg, size_t len, struct of_header *);

struct of_msg_info {
    enum of_msg msg;
    enum of_version version;
    uint32_t xid;
    bool is_nx;     /* in Nicira's (or ONF's) clothes, not the standard's */
    uint16_t flags; /* of a multipart: 1 more to come */
    struct cursor body;
};

/* 'msg' is one whole message; len == header.len.  The errors are the standard's: OFPBRC_BAD_VERSION, BAD_TYPE, BAD_STAT, BAD_VENDOR, BAD_SUBTYPE, BAD_LEN. */
enum of_error of_msg_identify(const void *msg, size_t len, struct of_msg_info *);
const char *of_msg_name(enum of_msg, enum of_version); /* "OFPT_FLOW_MOD" */
bool of_msg_exists(enum of_msg, enum of_version);

/* Appends the words in front of the body; returns the offset for of_msg_finish(), which writes the length.  'nx': Nicira's form where the
 * version has both. */
size_t of_msg_start(struct text *out, enum of_msg, enum of_version, uint32_t xid, bool nx);
void of_msg_finish(struct text *out, size_t start);

/* An answer of many entries: each entry is appended whole and a new message is begun when it would not fit.
 *     struct of_multi m = of_multi_begin(out, OFMSG_FLOW_DESC_REPLY, version, xid, nx);
 *     for each: size_t at = of_multi_entry(&m); ...append to out...; of_multi_entry_done(&m, at);
 *     of_multi_end(&m); */
struct of_multi {
    struct text *out;
    enum of_msg msg;
    enum of_version version;
    uint32_t xid;
    bool nx;
    size_t start, body; /* of the message that is open */
};
struct of_multi of_multi_begin(struct text *out, enum of_msg, enum of_version, uint32_t xid, bool nx);
size_t of_multi_entry(struct of_multi *);
void of_multi_entry_done(struct of_multi *, size_t at);
void of_multi_end(struct of_multi *);

/* Big-endian numbers at the end of a text. */
static inline void
of_put(struct text *out, uint64_t v, unsigned bytes)
{
    be64 be = be64_of(v);
    text_addn(out, (const uint8_t *) &be + 8 - bytes, bytes);
}
static inline void
of_put_zeros(struct text *out, size_t n)
{
    static const uint8_t zeros[64];
    for (; n > sizeof zeros; n -= sizeof zeros)
        text_addn(out, zeros, sizeof zeros);
    text_addn(out, zeros, n);
}
/* A name in a field of fixed size, always ended by a zero. */
void of_put_string(struct text *out, const char *, size_t room);
/* Zeros up to a multiple of 8, counted from 'from'. */
static inline void
of_pad(struct text *out, size_t from)
{
    of_put_zeros(out, ROUND_UP(out->len - from, 8) - (out->len - from));
}

#endif
