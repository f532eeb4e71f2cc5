/* pcap - see the header; nothing is hidden here. */
#include "device/pcap.h"
#include "base/mem.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct pcap {
    FILE *file;
};

/* Both in the byte order of the writer, which the reader tells by the magic number. */
struct file_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snaplen, link_type;
};
struct record_header {
    uint32_t seconds, micros, captured, len;
};

int
pcap_append(const char *path, struct pcap **out, struct why *why)
{
    FILE *f = fopen(path, "ab");
    if (!f)
        return refuse(why, -errno, "%s: open failed (%s)", path, strerror(errno));
    fseek(f, 0, SEEK_END);
    if (!ftell(f)) {
        struct file_header h = {0xa1b2c3d4, 2, 4, 0, 0, UINT16_MAX, 1};
        fwrite(&h, sizeof h, 1, f);
        fflush(f);
    }
    *out = xmalloc(sizeof **out);
    (*out)->file = f;
    return 0;
}

void
pcap_free(struct pcap *pcap)
{
    if (!pcap)
        return;
    fclose(pcap->file);
    free(pcap);
}

void
pcap_write(struct pcap *pcap, int64_t wall_us, const void *frame, size_t len)
{
    struct record_header h = {wall_us / 1000000, wall_us % 1000000, len, len};
    fwrite(&h, sizeof h, 1, pcap->file);
    fwrite(frame, len, 1, pcap->file);
    fflush(pcap->file);
}
