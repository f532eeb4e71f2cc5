/* flow_text - datapath flows in the words of ovs-dpctl(8): in_port(1),eth(src=..,dst=..),eth_type(0x0800),ipv4(...).
 *
 * Names of ports may stand for numbers when 'port_by_name' is given.  A frame that fits a key: frame_compose().
 */
#ifndef DATAPATH_FLOW_TEXT_H
#define DATAPATH_FLOW_TEXT_H 1

#include "base/why.h"
#include "packet/key.h"

/* Prints what the mask lets through (NULL: an exact key). */
void flow_format(const struct key *, const struct key *mask, const char *(*port_name)(void *aux, dpport), void *aux,
                 struct text *);
/* The same with everything that the mask hides, as value/mask (dump-flows -m). */
void flow_format_verbose(const struct key *, const struct key *mask, const char *(*port_name)(void *aux, dpport),
                         void *aux, struct text *);
/* mask may be NULL (then "/mask" is refused). */
int flow_parse(const char *, dpport (*port_by_name)(void *aux, const char *), void *aux, struct key *, struct key *mask,
               struct why *);
/* A frame whose key_parse() gives this key, with 'payload' bytes (or l7 of the given length) behind its headers; right lengths and checksums. Returns its length, or -EINVAL
 * when the key says nothing that can be a frame. */
int frame_compose(const struct key *, const void *l7, size_t l7_len, uint8_t *frame, size_t room);

#endif
