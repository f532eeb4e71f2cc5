/* field - one thing a rule can ask about a frame, by number, name and place in struct key.
 *
 * Shape.   fields.def has a row for each; everything that has to do with "a field" is a loop over that table.
 * Values.  A field's value stands right-justified in network order in 'union field_value'; its mask likewise.
 */
#ifndef FLOW_FIELD_H
#define FLOW_FIELD_H 1

#include "base/why.h"
#include "packet/key.h"

enum field_id {
#define FIELD(ID, ...) FIELD_##ID,
#include "flow/fields.def"
    FIELD_N,
    FIELD_NONE = -1
};

enum field_mask { FIELD_MASK_ANY, FIELD_MASK_WHOLE };
enum field_write { FIELD_WRITE_RO, FIELD_WRITE_RW };

/* What must be known of a frame before the field means anything. */
enum field_needs {
    FIELD_NEEDS_NONE,
    FIELD_NEEDS_ETH,
    FIELD_NEEDS_VLAN,
    FIELD_NEEDS_MPLS,
    FIELD_NEEDS_PBB,
    FIELD_NEEDS_NSH,
    FIELD_NEEDS_IPV4,
    FIELD_NEEDS_IPV6,
    FIELD_NEEDS_IP,
    FIELD_NEEDS_ARP,
    FIELD_NEEDS_TCP,
    FIELD_NEEDS_UDP,
    FIELD_NEEDS_SCTP,
    FIELD_NEEDS_ICMPV4,
    FIELD_NEEDS_ICMPV6,
    FIELD_NEEDS_ND,
    FIELD_NEEDS_ND_SOL,
    FIELD_NEEDS_ND_ADV,
    FIELD_NEEDS_CT
};

enum field_text {
    FIELD_TEXT_DEC,
    FIELD_TEXT_HEX,
    FIELD_TEXT_MAC,
    FIELD_TEXT_IP4,
    FIELD_TEXT_IP6,
    FIELD_TEXT_PORT,
    FIELD_TEXT_FRAG,
    FIELD_TEXT_CT,
    FIELD_TEXT_TCPFLAGS,
    FIELD_TEXT_TUNFLAGS,
    FIELD_TEXT_TOS,
    FIELD_TEXT_PTYPE,
    FIELD_TEXT_HEX128,
    FIELD_TEXT_VID,
    FIELD_TEXT_PCP,
    FIELD_TEXT_TCI
};

struct field {
    enum field_id id;
    const char *name, *alias, *printed; /* alias, printed: "" for none */
    uint16_t offset;                    /* in struct key */
    uint8_t size, shift;                /* bytes of the member; bits below the field */
    uint8_t n_bits, n_bytes;
    enum field_mask mask;
    enum field_text text;
    enum field_needs needs;
    enum field_write write;
};

union field_value {
    uint8_t b[16]; /* the last n_bytes count */
    be64 d[2];
};

extern const struct field fields[FIELD_N];
/* NULL: no such field. */
const struct field *field_by_name(const char *);

/* The field's bits of a key (or of a mask, which has the same shape). */
void field_get(const struct field *, const struct key *, union field_value *);
void field_set(const struct field *, const union field_value *, struct key *);
/* Sets only the bits of 'mask'. */
void field_set_masked(const struct field *, const union field_value *value, const union field_value *mask,
                      struct key *);
/* Are all, or any, of the field's bits ones in this mask? */
bool field_is_whole(const struct field *, const struct key *mask);
bool field_is_wild(const struct field *, const struct key *mask);
void field_set_whole(const struct field *, struct key *mask); /* all ones */
void field_value_ones(const struct field *, union field_value *);
uint64_t field_value_u64(const union field_value *);
union field_value field_value_of(uint64_t);
/* Does the key meet what the field needs?  Bits looked at are added to 'mask' (may be NULL). */
bool field_prerequisite(const struct field *, const struct key *, struct key *mask);

/* Names of ports, for people; both may be NULL.  OpenFlow's numbers. */
struct port_names {
    uint32_t (*number)(void *aux, const char *name); /* UINT32_MAX: no such port */
    const char *(*name)(void *aux, uint32_t number); /* NULL: no name */
    void *aux;
};

/* Text of a value: "10.0.0.0/8", "0x5", "LOCAL", "+est-rel".  -EINVAL with a sentence. */
int field_parse(const struct field *, const char *, const struct port_names *, union field_value *value,
                union field_value *mask, struct why *);
/* Without the name; a partial mask is shown. */
void field_format(const struct field *, const union field_value *value, const union field_value *mask,
                  const struct port_names *, struct text *);

/* OpenFlow's number of a port as people write it: "LOCAL", "17", a name. */
bool port_parse(const char *, const struct port_names *, uint32_t *number);
void port_format(uint32_t number, const struct port_names *, struct text *);

#endif
