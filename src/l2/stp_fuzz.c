/* Two ports; the bytes are BPDUs, each behind a byte: low bit the port, the rest seconds that pass; then its length. */
#include "l2/stp.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(stp) struct stp *s = stp_new();
    static const struct stp_port_config ports[] = {{1, true, 128, 19}, {2, true, 128, 4}};
    struct stp_config c = {0x8000, mac_from_u64(0x020000000005), seconds(2), seconds(20), seconds(15), ports, 2};
    instant now = {1000000000};
    stp_configure(s, &c, now);
    while (size >= 2) {
        unsigned port = 1 + (data[0] & 1), len = data[1];
        now = instant_add(now, seconds(data[0] >> 1));
        data += 2;
        size -= 2;
        len = len < size ? len : (unsigned) size;
        stp_tick(s, now);
        stp_receive(s, port, data, len, now);
        data += len;
        size -= len;
        uint8_t out[STP_BPDU_MAX];
        size_t out_len;
        while (stp_send(s, &port, out, &out_len))
            ;
        ASSERT(!instant_before(stp_next(s), now) || stp_next(s).ns > 0);
    }
    return 0;
}
