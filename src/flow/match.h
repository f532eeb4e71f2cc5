/* match - which frames?  A key and the bits of it that count.
 *
 * Invariant.  Bits of 'key' where 'mask' is zero are zero.
 * Text.       That of ovs-ofctl(8), "Flow Syntax": "ip,in_port=1,dl_vlan=9,nw_dst=10.0.0.0/8".
 */
#ifndef FLOW_MATCH_H
#define FLOW_MATCH_H 1

#include "base/own.h"
#include "flow/field.h"

struct match {
    struct key key, mask;
};

static inline bool
key_matches(const struct key *key, const struct match *m)
{
    const uint64_t *k = (const uint64_t *) (const void *) key;
    const uint64_t *want = (const uint64_t *) (const void *) &m->key;
    const uint64_t *mask = (const uint64_t *) (const void *) &m->mask;
    uint64_t diff = 0;
    for (size_t i = 0; i < sizeof *key / 8; i++)
        diff |= (k[i] ^ want[i]) & mask[i];
    return !diff;
}

/* Adds field = value/mask; bits outside the mask are cleared. */
void match_set(struct match *, const struct field *, const union field_value *value, const union field_value *mask);
/* "name=value" or a protocol word ("tcp", "ipv6"), added to m.  -EINVAL with 'why', m unchanged. */
int match_add(struct match *, const char *name, const char *value, const struct port_names *, struct why *);
/* A whole text; *out changes only on success.  Words that are no fields are refused. */
int match_parse(const char *, const struct port_names *, struct match *out, struct why *);

/* 'eth': begin with "eth" as a megaflow is printed.  Nothing is printed for a match of everything. */
void match_format(const struct match *, const struct port_names *, bool eth, struct text *);
/* A frame's key as ofproto/trace prints it: every field it has, but context that is all zero. */
void key_format(const struct key *, const struct port_names *, struct text *);

#endif
