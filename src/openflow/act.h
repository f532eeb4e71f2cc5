/* act - lists of actions and instructions in one version-free form.
 *
 * Shape.      A list is bytes: structs that begin with 'struct oa', each padded to 8 bytes.  What 1.0 said with SET_VLAN_VID or SET_DL_SRC is SET_FIELD on
 *             the field; instructions are elements too, in the order in which they are carried out, write_actions, clear and goto
 *             last.  acts.def has a row for each.
 * Ownership.  struct oa_list owns its bytes; elements point into it only while it does not grow.
 * Errors.     Decoders answer with an enum of_error; text with -EINVAL and a sentence.
 * Source.     OpenFlow 1.0 5.2.4 to 1.5.1 7.2.6; ovs-actions(7).
 */
#ifndef OPENFLOW_ACT_H
#define OPENFLOW_ACT_H 1

#include "base/cursor.h"
#include "flow/match.h"
#include "openflow/error.h"

enum oa_type {
#define ACT(ID, ...) OA_##ID,
#include "openflow/acts.def"
    OA_N
};

struct oa {
    uint16_t type; /* enum oa_type */
    uint16_t len;  /* with this header and padding */
};

struct oa_list {
    uint8_t *bytes;
    size_t len, room;
};
#define OA_LIST_INIT                                                                                                   \
    {                                                                                                                  \
        NULL, 0, 0                                                                                                     \
    }

void oa_list_fini(struct oa_list *);
#define AUTO_OA_LIST __attribute__((cleanup(oa_list_fini)))
/* A zeroed element of 'size' bytes at the end; the pointer holds until the next one. */
void *oa_add(struct oa_list *, enum oa_type, size_t size);
/* Opens an element that other elements follow inside (clone, write_actions, ct); close with its offset. */
size_t oa_open(struct oa_list *, enum oa_type, size_t size);
void oa_close(struct oa_list *, size_t at);
void oa_copy(struct oa_list *, const void *bytes, size_t len);

static inline const struct oa *
oa_next(const struct oa *a)
{
    return (const struct oa *) ((const uint8_t *) a + a->len);
}
#define OA_FOR(a, first, bytes)                                                                                        \
    for (const struct oa *a = (const struct oa *) (first),                                                             \
                         *end_##a = (const struct oa *) ((const uint8_t *) (first) + (bytes));                         \
         a < end_##a; a = oa_next(a))

/* Bits [ofs, ofs + n_bits) of a field. */
struct subfield {
    const struct field *field;
    uint16_t ofs, n_bits;
};
void subfield_get(const struct subfield *, const struct key *, union field_value *);
void subfield_set(const struct subfield *, const union field_value *, struct key *);
void subfield_mask(const struct subfield *, struct key *mask); /* adds its bits */
void subfield_format(const struct subfield *, struct text *);
/* "NXM_NX_REG0[0..15]", "reg0[]", "tcp_src"; reads to the end of the text, or to *end when given. */
int subfield_parse(const char *, const char **end, struct subfield *, struct why *);

/* ---- the elements ---- */

struct oa_plain {
    struct oa oa;
    bool is_pop; /* STRIP_VLAN: said as pop_vlan (1.1 and later), and printed so */
};
struct oa_output {
    struct oa oa;
    uint32_t port;
    uint16_t max_len; /* of a packet-in, when the port is CONTROLLER */
};
struct oa_controller {
    struct oa oa;
    uint16_t max_len, controller_id;
    uint8_t reason;
    bool pause;
    uint32_t meter_id; /* 0: none */
    uint16_t userdata_len;
    uint8_t userdata[];
};
struct oa_enqueue {
    struct oa oa;
    uint32_t port, queue;
};
struct oa_output_reg {
    struct oa oa;
    uint16_t max_len;
    struct subfield src;
};
struct oa_output_trunc {
    struct oa oa;
    uint32_t port, max_len;
};
struct oa_bundle {
    struct oa oa;
    uint8_t fields, algorithm; /* enum oa_hash_fields; 0 active_backup, 1 hrw */
    uint16_t basis, n_members;
    struct subfield dst; /* field NULL: output; else load the port */
    uint32_t members[];
};
struct oa_group {
    struct oa oa;
    uint32_t group_id;
};
/* How a change of a field was written, and so is printed and sent where the version can. */
enum oa_set_how {
    SET_AS_FIELD, /* set_field:5->reg0 */
    SET_AS_LOAD,  /* load:0x5->NXM_NX_REG0[] */
    SET_AS_MOD    /* mod_vlan_vid:5 and its kind: OpenFlow 1.0 and 1.1; those of a VLAN push a tag when there is none */
};
struct oa_set_field {
    struct oa oa;
    const struct field *field;
    union field_value value, mask;
    uint8_t how; /* enum oa_set_how */
};
struct oa_move {
    struct oa oa;
    struct subfield src, dst;
};
struct oa_stack {
    struct oa oa;
    struct subfield subfield;
};
struct oa_ethertype {
    struct oa oa;
    be16 ethertype;
};
struct oa_cnt_ids {
    struct oa oa;
    uint16_t n_ids; /* 0: the plain dec_ttl */
    uint16_t ids[];
};
struct oa_tunnel {
    struct oa oa;
    bool is_64;
    uint64_t tun_id;
};
struct oa_queue {
    struct oa oa;
    uint32_t queue;
};
struct oa_resubmit {
    struct oa oa;
    uint32_t in_port; /* IN_PORT: as it is */
    uint8_t table;    /* 255: this one */
    bool with_ct;     /* the connection's original tuple stands in for the addresses */
};
enum oa_learn_kind { LEARN_MATCH, LEARN_LOAD, LEARN_OUTPUT };
struct oa_learn_spec {
    enum oa_learn_kind kind;
    bool is_immediate;
    struct subfield src, dst; /* src: unless immediate; dst: unless output */
    union field_value value;
};
struct oa_learn {
    struct oa oa;
    uint16_t idle_timeout, hard_timeout, priority, fin_idle_timeout, fin_hard_timeout;
    uint8_t table;
    bool send_flow_rem, delete_learned, write_result;
    uint32_t limit; /* 0: none */
    uint64_t cookie;
    struct subfield result_dst;
    uint16_t n_specs;
    struct oa_learn_spec specs[];
};
struct oa_fin_timeout {
    struct oa oa;
    uint16_t idle, hard;
};
enum oa_hash_fields {
    HASH_ETH_SRC,
    HASH_SYMMETRIC_L4,
    HASH_SYMMETRIC_L3L4,
    HASH_SYMMETRIC_L3L4_UDP,
    HASH_NW_SRC,
    HASH_NW_DST,
    HASH_SYMMETRIC_L3
};
struct oa_multipath {
    struct oa oa;
    uint8_t fields, algorithm; /* modulo_n, hash_threshold, hrw, iter_hash */
    uint16_t basis, max_link;  /* links - 1 */
    uint32_t arg;
    struct subfield dst;
};
struct oa_conjunction {
    struct oa oa;
    uint8_t clause, n_clauses;
    uint32_t id;
};
struct oa_note {
    struct oa oa;
    uint16_t n;
    uint8_t bytes[];
};
enum oa_sample_direction { SAMPLE_DEFAULT, SAMPLE_INGRESS, SAMPLE_EGRESS };
struct oa_sample {
    struct oa oa;
    uint16_t probability;
    uint8_t direction;
    uint8_t wire; /* 1 to 4: which of the four actions of the wire said it */
    uint32_t collector_set_id, obs_domain_id, obs_point_id, sampling_port;
    struct subfield obs_domain_src, obs_point_src; /* field NULL: the number counts */
};
enum { CT_COMMIT = 1, CT_FORCE = 2 };
struct oa_ct {
    struct oa oa; /* nested actions (set_field, move, nat) behind the struct */
    uint16_t flags, zone, alg;
    uint8_t recirc_table;     /* 255: none */
    struct subfield zone_src; /* field NULL: 'zone' */
};
enum { NAT_SRC = 1, NAT_DST = 2, NAT_PERSISTENT = 4, NAT_HASH = 8, NAT_RANDOM = 16 };
struct oa_nat {
    struct oa oa;
    uint16_t flags;
    uint8_t family; /* 0: no addresses, 4, 6 */
    uint16_t port_min, port_max;
    be32 ip4_min, ip4_max;
    struct ip6 ip6_min, ip6_max;
};
struct oa_nest {
    struct oa oa; /* elements behind the struct */
    uint32_t pad;
};
struct oa_check_pkt_larger {
    struct oa oa;
    uint16_t pkt_len;
    struct subfield dst;
};
struct oa_delete_field {
    struct oa oa;
    const struct field *field;
};
struct oa_encap {
    struct oa oa;
    uint32_t packet_type; /* namespace << 16 | type */
    uint16_t hdr_size;
    uint8_t md_type; /* NSH: 0 none given */
    uint16_t n_tlv_bytes;
    uint8_t tlvs[]; /* NSH MD2: class (2), type, length, value padded to 4, as in the header */
};
struct oa_decap {
    struct oa oa;
    uint32_t new_packet_type; /* 0xfffe: whatever comes */
};
struct oa_meter {
    struct oa oa;
    uint32_t meter_id;
};
struct oa_metadata {
    struct oa oa;
    uint64_t metadata, mask;
};
struct oa_goto_table {
    struct oa oa;
    uint8_t table;
};

static inline const struct oa *
oa_inside(const struct oa *a, size_t struct_size)
{
    return (const struct oa *) ((const uint8_t *) a + ROUND_UP(struct_size, 8));
}
static inline size_t
oa_inside_len(const struct oa *a, size_t struct_size)
{
    return a->len - ROUND_UP(struct_size, 8);
}

/* ---- wire ---- */

/* Actions (1.0, and inside 1.1+ instructions), and the instructions of 1.1 and later. 'out' grows only on success. */
enum of_error oa_decode_actions(struct cursor *, enum of_version, struct oa_list *out);
enum of_error oa_decode_instructions(struct cursor *, enum of_version, struct oa_list *out);
/* What this version cannot say is left out (the field's behaviour), so check with oa_versions() first where that matters. */
void oa_encode_actions(const void *list, size_t len, enum of_version, struct text *out);
void oa_encode_instructions(const void *list, size_t len, enum of_version, struct text *out);

/* ---- text ---- */

/* Everything behind "actions="; in a packet-out or bucket only actions ('allow_instructions' false). */
int oa_parse(const char *text, const struct port_names *, bool allow_instructions, enum of_version, struct oa_list *out,
             struct why *);
void oa_format(const void *list, size_t len, const struct port_names *, struct text *out);

/* ---- sense ---- */

bool oa_outputs_to(const void *list, size_t len, uint32_t port);
bool oa_outputs_to_group(const void *list, size_t len, uint32_t group);
bool oa_equal(const void *a, size_t a_len, const void *b, size_t b_len);

#endif
