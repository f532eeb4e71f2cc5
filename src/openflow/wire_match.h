/* wire_match - a match as each version writes it: 40 fixed bytes in 1.0, 88 in 1.1, OXM entries from 1.2 on, and Nicira's NXM for those who came before.
 *
 * Reading tells the standard's errors; writing a match that the fixed forms cannot say loses the rest, so ask of10_match_can() first (Nicira's form is for
 * the others).
 */
#ifndef OPENFLOW_WIRE_MATCH_H
#define OPENFLOW_WIRE_MATCH_H 1

#include "base/cursor.h"
#include "flow/match.h"
#include "openflow/error.h"

bool of10_match_can(const struct match *);
enum of_error of10_match_get(struct cursor *, struct match *);
void of10_match_put(const struct match *, struct text *);

/* The match of a message of 1.1 or later: type, length, body, padding. */
enum of_error of_match_get(struct cursor *, enum of_version, bool loose, struct match *);
void of_match_put(const struct match *, enum of_version, struct text *);

/* NXM of a given length, padded to 8, with its cookie (NULL where none may be). */
enum of_error nx_match_get(struct cursor *, uint16_t len, bool loose, struct match *, uint64_t *cookie,
                           uint64_t *cookie_mask);
/* Returns the length without the padding that follows. */
uint16_t nx_match_put(const struct match *, uint64_t cookie, uint64_t cookie_mask, struct text *);

#endif
