/* csum - see the header; nothing is hidden here. */
#include "packet/csum.h"

uint32_t
csum_add_bytes(uint32_t begin, const void *from, size_t n)
{
    const uint8_t *b = from;
    uint64_t sum = begin, more = 0;
    for (; n >= 16; n -= 16, b += 16) { /* 32-bit words into 64 bits: no carry can be lost below 16 GiB */
        uint32_t w[4];
        memcpy(w, b, 16);
        sum += (uint64_t) w[0] + w[1];
        more += (uint64_t) w[2] + w[3];
    }
    for (; n >= 2; n -= 2, b += 2) {
        uint16_t w;
        memcpy(&w, b, 2);
        sum += w;
    }
    if (n) {
        uint16_t w = 0;
        memcpy(&w, b, 1);
        sum += w;
    }
    sum += more;
    sum = (sum & UINT32_MAX) + (sum >> 32);
    return (uint32_t) sum + (uint32_t) (sum >> 32);
}

static uint32_t crc_of[256];

__attribute__((constructor)) static void
crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        crc_of[i] = crc;
    }
}

uint32_t
crc32c_add(uint32_t crc, const void *from, size_t n)
{
    const uint8_t *b = from;
    while (n--)
        crc = crc >> 8 ^ crc_of[(crc ^ *b++) & 0xff];
    return crc;
}
