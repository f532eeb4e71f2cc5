/* packet_msg - see the header. */
#include "openflow/packet_msg.h"
#include "openflow/wire_match.h"

enum of_error
packet_out_decode(const struct of_msg_info *info, struct packet_out *out, struct oa_list *actions)
{
    struct cursor c = info->body;
    enum of_version v = info->version;
    struct packet_out po = {.buffer_id = cur_be32(&c)};
    uint16_t actions_len;
    enum of_error err = OFERR_OK;
    if (v == OF15) {
        struct match m;
        actions_len = cur_be16(&c);
        cur_skip(&c, 2);
        err = of_match_get(&c, v, false, &m);
        if (!err && !m.mask.in_port)
            err = OFERR_OFPBRC_BAD_PORT;
        po.in_port = err ? 0 : host32(m.key.in_port);
    } else if (v == OF10) {
        uint16_t port = cur_be16(&c);
        po.in_port = port >= 0xff00 ? port | 0xffff0000u : port;
        actions_len = cur_be16(&c);
    } else {
        po.in_port = cur_be32(&c);
        actions_len = cur_be16(&c);
        cur_skip(&c, 6);
    }
    if (err)
        return err;
    struct cursor list = cur_sub(&c, actions_len);
    if (c.bad)
        return OFERR_OFPBRC_BAD_LEN;
    /* A frame comes from a real port, from LOCAL, from the controller, or from none. */
    if (po.in_port >= 0xff00 && po.in_port < 0xfffffffdu)
        return OFERR_OFPBRC_BAD_PORT;
    size_t before = actions->len;
    err = oa_decode_actions(&list, v, actions);
    if (err)
        return err;
    po.frame = c.at;
    po.len = cur_left(&c);
    po.actions = actions->bytes ? actions->bytes + before : NULL;
    po.actions_len = actions->len - before;
    *out = po;
    return OFERR_OK;
}

static enum packet_in_reason
reason_for(enum packet_in_reason r, enum of_version v)
{
    if (v < OF14 && r > PACKET_IN_INVALID_TTL)
        return PACKET_IN_ACTION;
    return v < OF12 && r == PACKET_IN_INVALID_TTL ? PACKET_IN_NO_MATCH : r;
}

void
packet_in_encode(const struct packet_in *p, enum of_version v, enum packet_in_format format, struct text *out)
{
    bool nx = format == PACKET_IN_NXT;
    size_t at = of_msg_start(out, nx ? OFMSG_NX_PACKET_IN : OFMSG_PACKET_IN, v, 0, nx);
    uint32_t in_port = host32(p->context.key.in_port);
    enum packet_in_reason reason = reason_for(p->reason, v);
    of_put(out, UINT32_MAX, 4); /* never buffered */
    if (nx) {
        of_put(out, p->total_len, 2);
        of_put(out, reason, 1);
        of_put(out, p->table, 1);
        of_put(out, p->cookie, 8);
        size_t len_at = out->len;
        of_put_zeros(out, 8);
        store_be16(out->s + len_at, nx_match_put(&p->context, 0, 0, out));
        of_put_zeros(out, 2);
    } else if (v == OF10) {
        of_put(out, p->total_len, 2);
        of_put(out, in_port & 0xffff, 2);
        of_put(out, reason, 1);
        of_put_zeros(out, 1);
    } else if (v == OF11) {
        of_put(out, in_port, 4);
        of_put(out, in_port, 4);
        of_put(out, p->total_len, 2);
        of_put(out, reason, 1);
        of_put(out, p->table, 1);
    } else {
        of_put(out, p->total_len, 2);
        of_put(out, reason, 1);
        of_put(out, p->table, 1);
        if (v >= OF13)
            of_put(out, p->cookie, 8);
        of_match_put(&p->context, v, out);
        of_put_zeros(out, 2);
    }
    text_addn(out, p->frame, MIN(p->len, OF_MAX_LEN - (out->len - at)));
    of_msg_finish(out, at);
}
