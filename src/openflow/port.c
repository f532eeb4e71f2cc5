/* port - see the header. */
#include "openflow/port.h"

/* 1.0 has no speeds above 10 Gbit/s, so its bits for the medium stand lower. */
static uint32_t
links_10(uint32_t links)
{
    return (links & 0x7f) | (links >> 4 & 0xf80);
}

static void
put_common(const struct port_desc *p, enum of_version v, struct text *out)
{
    uint32_t config = v == OF10 ? p->config : p->config & (PORT_DOWN | PORT_NO_RECV | PORT_NO_FWD | PORT_NO_PACKET_IN);
    text_addn(out, &p->mac, 6);
    of_put_zeros(out, v == OF10 ? 0 : 2);
    of_put_string(out, p->name, 16);
    of_put(out, config, 4);
    of_put(out, v == OF10 ? p->state & PORT_STATE_LINK_DOWN : p->state, 4);
}

static void
put_links(const struct port_desc *p, enum of_version v, struct text *out)
{
    const uint32_t links[] = {p->current, p->advertised, p->supported, p->peer};
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        of_put(out, v == OF10 ? links_10(links[i]) : links[i], 4);
    if (v > OF10) {
        of_put(out, p->speed_kbps, 4);
        of_put(out, p->max_speed_kbps, 4);
    }
}

void
port_desc_encode(const struct port_desc *p, enum of_version v, struct text *out)
{
    if (v == OF10) {
        of_put(out, p->number & 0xffff, 2);
        put_common(p, v, out);
        put_links(p, v, out);
        return;
    }
    of_put(out, p->number, 4);
    if (v < OF14) {
        of_put_zeros(out, 4);
        put_common(p, v, out);
        put_links(p, v, out);
        return;
    }
    of_put(out, 40 + 32, 2);
    of_put_zeros(out, 2);
    put_common(p, v, out);
    of_put(out, 0, 2); /* the Ethernet property */
    of_put(out, 32, 2);
    of_put_zeros(out, 4);
    put_links(p, v, out);
}

void
port_status_encode(const struct port_desc *p, enum port_reason reason, enum of_version v, struct text *out)
{
    size_t at = of_msg_start(out, OFMSG_PORT_STATUS, v, 0, false);
    of_put(out, reason, 1);
    of_put_zeros(out, 7);
    port_desc_encode(p, v, out);
    of_msg_finish(out, at);
}

void
port_counts_encode(uint32_t number, const struct port_counts *c, enum of_version v, struct text *out)
{
    const uint64_t first[] = {c->rx_packets, c->tx_packets, c->rx_bytes,  c->tx_bytes,
                              c->rx_dropped, c->tx_dropped, c->rx_errors, c->tx_errors};
    const uint64_t second[] = {c->rx_frame_err, c->rx_over_err, c->rx_crc_err, c->collisions};
    if (v >= OF14) {
        of_put(out, 80 + 40, 2);
        of_put_zeros(out, 2);
        of_put(out, number, 4);
        of_put(out, c->duration_s, 4);
        of_put(out, c->duration_ns, 4);
    } else {
        of_put(out, v == OF10 ? number & 0xffff : number, v == OF10 ? 2 : 4);
        of_put_zeros(out, v == OF10 ? 6 : 4);
    }
    for (size_t i = 0; i < ARRAY_SIZE(first); i++)
        of_put(out, first[i], 8);
    if (v >= OF14) {
        of_put(out, 0, 2);
        of_put(out, 40, 2);
        of_put_zeros(out, 4);
    }
    for (size_t i = 0; i < ARRAY_SIZE(second); i++)
        of_put(out, second[i], 8);
    if (v == OF13) {
        of_put(out, c->duration_s, 4);
        of_put(out, c->duration_ns, 4);
    }
}

static uint32_t
port16(uint16_t p)
{
    return p >= 0xff00 ? p | 0xffff0000u : p;
}

enum of_error
port_stats_request_decode(const struct of_msg_info *info, uint32_t *number)
{
    struct cursor c = info->body;
    *number = info->version == OF10 ? port16(cur_be16(&c)) : cur_be32(&c);
    return c.bad ? OFERR_OFPBRC_BAD_LEN : OFERR_OK;
}

enum of_error
port_mod_decode(const struct of_msg_info *info, struct port_mod *out)
{
    struct cursor c = info->body;
    struct port_mod m = {0};
    enum of_version v = info->version;
    m.number = v == OF10 ? port16(cur_be16(&c)) : cur_be32(&c);
    cur_skip(&c, v == OF10 ? 0 : 4);
    cur_copy(&c, &m.mac, 6);
    cur_skip(&c, v == OF10 ? 0 : 2);
    m.config = cur_be32(&c);
    m.mask = cur_be32(&c);
    if (v < OF14)
        cur_skip(&c, 8); /* advertise, padding */
    if (c.bad)
        return OFERR_OFPBRC_BAD_LEN;
    uint32_t known = v == OF10 ? 0x7f : (PORT_DOWN | PORT_NO_RECV | PORT_NO_FWD | PORT_NO_PACKET_IN);
    if (m.mask & ~known)
        return OFERR_OFPPMFC_BAD_CONFIG;
    m.config &= m.mask;
    *out = m;
    return OFERR_OK;
}
