/* error - see the header.
 *
 * On the wire: header, type, code, quoted request.  Before 1.2 Nicira's vendor errors are type 0xb0c2 code 0xb0c2 with the vendor, the real type and
 * code behind; from 1.2 on an experimenter error is type 0xffff, its code in the place of the code, the experimenter behind.
 */
#include "openflow/error.h"
#include "base/cursor.h"
#include "base/endian.h"
#include <string.h>

enum {
    VENDOR_NX = 0x2320,
    VENDOR_ONF = 0x4f4e4600,
    NX_VENDOR_ERROR = 0xb0c2,
    EXPERIMENTER_ERROR = 0xffff,
    OFPT_ERROR = 1,
    QUOTED = 64
};

struct number {
    enum { SAY_NONE, SAY_OF, SAY_NX, SAY_EXP_NX, SAY_EXP_ONF } how;
    uint16_t type, code;
};

#define NONE                                                                                                           \
    {                                                                                                                  \
        SAY_NONE, 0, 0                                                                                                 \
    }
#define OF(TYPE, CODE)                                                                                                 \
    {                                                                                                                  \
        SAY_OF, TYPE, CODE                                                                                             \
    }
#define NX(TYPE, CODE)                                                                                                 \
    {                                                                                                                  \
        SAY_NX, TYPE, CODE                                                                                             \
    }
#define EXP_NX(CODE)                                                                                                   \
    {                                                                                                                  \
        SAY_EXP_NX, EXPERIMENTER_ERROR, CODE                                                                           \
    }
#define EXP_ONF(CODE)                                                                                                  \
    {                                                                                                                  \
        SAY_EXP_ONF, EXPERIMENTER_ERROR, CODE                                                                          \
    }

static const struct {
    const char *name;
    struct number in[OF_N - OF10];
} errors[OFERR_N] = {
    [OFERR_OK] = {.name = "OK"},
#define ERR(NAME, ...) [OFERR_##NAME] = {#NAME, {__VA_ARGS__}},
#include "openflow/errors.def"
};

const char *
of_error_name(enum of_error e)
{
    return e < OFERR_N ? errors[e].name : "unknown error";
}

bool
of_error_from_name(const char *name, enum of_error *e)
{
    for (int i = 1; i < OFERR_N; i++)
        if (!strcmp(errors[i].name, name)) {
            *e = i;
            return true;
        }
    return false;
}

bool
of_error_numbers(enum of_error e, enum of_version v, uint32_t *vendor, uint16_t *type, uint16_t *code)
{
    static const uint32_t vendors[] = {[SAY_NX] = VENDOR_NX, [SAY_EXP_NX] = VENDOR_NX, [SAY_EXP_ONF] = VENDOR_ONF};
    const struct number *n = &errors[e].in[v - OF10];
    if (n->how == SAY_NONE)
        return false;
    *vendor = vendors[n->how];
    *type = n->type;
    *code = n->code;
    return true;
}

static void
put16(struct text *out, uint16_t v)
{
    be16 be = be16_of(v);
    text_addn(out, &be, 2);
}

static void
put32(struct text *out, uint32_t v)
{
    be32 be = be32_of(v);
    text_addn(out, &be, 4);
}

void
of_error_encode(enum of_error e, enum of_version v, uint32_t xid, const void *request, size_t request_len,
                struct text *out)
{
    const struct number *n = &errors[e].in[v - OF10];
    if (n->how == SAY_NONE)
        n = &errors[OFERR_NXBRC_UNENCODABLE_ERROR].in[v - OF10];
    size_t quoted = MIN(request_len, (size_t) QUOTED);
    size_t extra = n->how == SAY_NX ? 8 : n->how == SAY_OF ? 0 : 4;
    text_addc(out, (char) v);
    text_addc(out, OFPT_ERROR);
    put16(out, 12 + extra + quoted);
    put32(out, xid);
    put16(out, n->how == SAY_NX ? NX_VENDOR_ERROR : n->type);
    put16(out, n->how == SAY_NX ? NX_VENDOR_ERROR : n->code);
    if (n->how != SAY_OF)
        put32(out, n->how == SAY_EXP_ONF ? VENDOR_ONF : VENDOR_NX);
    if (n->how == SAY_NX) {
        put16(out, n->type);
        put16(out, n->code);
    }
    text_addn(out, request, quoted);
}

enum of_error
of_error_decode(const void *msg, size_t len, const void **payload, size_t *payload_len)
{
    struct cursor c = cursor_of(msg, len);
    uint8_t v = cur_u8(&c);
    cur_skip(&c, 7);
    uint16_t type = cur_be16(&c), code = cur_be16(&c);
    uint32_t vendor = 0;
    if (v <= OF11 && type == NX_VENDOR_ERROR && code == NX_VENDOR_ERROR) {
        vendor = cur_be32(&c);
        type = cur_be16(&c);
        code = cur_be16(&c);
    } else if (v >= OF12 && type == EXPERIMENTER_ERROR) {
        vendor = cur_be32(&c);
    }
    *payload = c.at;
    *payload_len = cur_left(&c);
    if (c.bad || v < OF10 || v >= OF_N)
        return OFERR_OK;
    for (int e = 1; e < OFERR_N; e++) {
        uint32_t its_vendor;
        uint16_t its_type, its_code;
        if (of_error_numbers(e, v, &its_vendor, &its_type, &its_code) && its_vendor == vendor && its_type == type &&
            its_code == code)
            return e;
    }
    return OFERR_OK;
}
