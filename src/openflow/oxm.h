/* oxm - fields on the wire: NXM and OXM entries, alone and as matches.
 *
 * Shape.     An entry is a header (class, number, has-mask, length), then value and mask.  A header here is 64 bits: the 32 of the wire, and the
 *            experimenter in the upper half for class 0xffff.
 * Strict.    Decoding refuses what the standard refuses, each with its own error: unknown fields, repeated ones, values with bits outside their mask,
 *            masks where none is allowed, lengths that do not fit, prerequisites not met.
 * Source.    OpenFlow 1.5.1 section 7.2.3; ovs-fields(7).
 */
#ifndef OPENFLOW_OXM_H
#define OPENFLOW_OXM_H 1

#include "base/cursor.h"
#include "flow/match.h"
#include "openflow/error.h"

typedef uint64_t oxm_header;

static inline unsigned
oxm_header_len(oxm_header h)
{
    return (uint32_t) h >> 16 == 0xffff ? 8 : 4;
}

/* The header by which a sender of this version names the field; 0: it cannot.  'nxm' prefers the names of NXM where there are any. */
oxm_header oxm_header_of(const struct field *, enum of_version, bool nxm, bool has_mask);
/* NULL: unknown. *has_mask is the header's bit. */
const struct field *oxm_field_of(oxm_header, bool *has_mask);
/* Bytes of a value under this header. */
unsigned oxm_value_bytes(oxm_header);
const char *oxm_header_name(oxm_header); /* "NXM_OF_IN_PORT", "OXM_OF_ETH_DST"; NULL: unknown */
bool oxm_header_by_name(const char *, oxm_header *);

/* Reads a header alone (as in actions); false: cut short. */
bool oxm_get_header(struct cursor *, oxm_header *);
void oxm_put_header(oxm_header, struct text *);

/* One entry.  OFERR_OFPBMC_BAD_FIELD and the like on refusal; prerequisites are not looked at. */
enum of_error oxm_get(struct cursor *, const struct field **, union field_value *value, union field_value *mask);
/* mask NULL or all ones: without mask. */
void oxm_put(const struct field *, enum of_version, bool nxm, const union field_value *value,
             const union field_value *mask, struct text *);

/* A sequence of entries as a match.  'loose': unknown fields are passed over (packet-in, monitors).  cookie and cookie_mask are those of
 * NXM_NX_COOKIE, which is no field of a frame; NULL: not allowed here. */
enum of_error oxm_get_match(struct cursor *, bool loose, struct match *, uint64_t *cookie, uint64_t *cookie_mask);
/* Appends without padding; returns the bytes added. */
size_t oxm_put_match(const struct match *, enum of_version, bool nxm, uint64_t cookie, uint64_t cookie_mask,
                     struct text *);

#endif
