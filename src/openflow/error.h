/* error - an OpenFlow refusal: one name for each, its numbers from errors.def.
 *
 * Use.    Decoders and handlers return 0 or an enum of_error (positive), as other functions return 0 or -errno.
 */
#ifndef OPENFLOW_ERROR_H
#define OPENFLOW_ERROR_H 1

#include "base/text.h"
#include "openflow/version.h"

enum of_error {
    OFERR_OK,
#define ERR(NAME, ...) OFERR_##NAME,
#include "openflow/errors.def"
    OFERR_N
};

const char *of_error_name(enum of_error); /* "OFPBMC_BAD_FIELD" */
bool of_error_from_name(const char *, enum of_error *);

/* A whole OFPT_ERROR message that answers the request whose first bytes are given (at most 64 are quoted), appended to 'out'.  An error that the
 * version cannot say becomes NXBRC_UNENCODABLE_ERROR. */
void of_error_encode(enum of_error, enum of_version, uint32_t xid, const void *request, size_t request_len,
                     struct text *out);
/* Reads an OFPT_ERROR message; *payload is what it quotes.  OFERR_OK: the number is unknown. */
enum of_error of_error_decode(const void *msg, size_t len, const void **payload, size_t *payload_len);
/* The standard or vendor numbers: false when the version cannot say it.  vendor 0: the standard's. */
bool of_error_numbers(enum of_error, enum of_version, uint32_t *vendor, uint16_t *type, uint16_t *code);

#endif
