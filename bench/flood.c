/* flood - sends one Ethernet frame as fast as the device takes it:  flood DEVICE DST-MAC SRC-MAC LENGTH SECONDS [FLOWS]
 *
 * With FLOWS, that many UDP flows are interleaved (source ports counted up); without, the frames are all alike.
 * Prints how many frames left.  The receiver's side is counted by its device, which costs the machine less than a program would.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define LENGTH_MAX 9000

static int
fail(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    return 1;
}

static double
now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static int
parse_mac(const char *text, uint8_t mac[6])
{
    return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
}

/* Ethernet, IPv4, UDP; 'flow' decides the source port.  The UDP checksum is left out (0), as IPv4 allows. */
static void
build(uint8_t *frame, size_t length, const uint8_t dst[6], const uint8_t src[6], unsigned flow)
{
    memset(frame, 0, length);
    memcpy(frame, dst, 6);
    memcpy(frame + 6, src, 6);
    frame[12] = 0x08;
    uint8_t *ip = frame + 14;
    uint16_t ip_length = htons((uint16_t) (length - 14)), udp_length = htons((uint16_t) (length - 34));
    ip[0] = 0x45;
    memcpy(ip + 2, &ip_length, 2);
    ip[8] = 64;
    ip[9] = 17;
    memcpy(ip + 12, (uint8_t[]){10, 1, 0, 1, 10, 1, 0, 2}, 8);
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2)
        sum += (uint32_t) (ip[i] << 8 | ip[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    uint16_t check = htons((uint16_t) ~(sum + (sum >> 16)));
    memcpy(ip + 10, &check, 2);
    uint16_t ports[2] = {htons((uint16_t) (1024 + flow % 60000)), htons((uint16_t) (2000 + flow / 60000))};
    memcpy(ip + 20, ports, 4);
    memcpy(ip + 24, &udp_length, 2);
}

static int
open_device(const char *name)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int) if_nametoindex(name)};
    int one = 1, room = 4 << 20;
    int fd = to.sll_ifindex ? socket(AF_PACKET, SOCK_RAW, 0) : -1;
    if (fd < 0 || bind(fd, (struct sockaddr *) &to, sizeof to) < 0)
        return -1;
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    return fd;
}

/* Sends for 'seconds', a batch at a time; the number sent, or -1. */
static int64_t
send_for(int fd, struct mmsghdr *messages, size_t n_frames, double seconds)
{
    int64_t sent = 0;
    size_t at = 0;
    for (double end = now() + seconds; now() < end;) {
        size_t n = n_frames - at < BATCH ? n_frames - at : BATCH;
        int done = sendmmsg(fd, &messages[at], (unsigned) n, 0);
        if (done < 0 && errno != ENOBUFS && errno != EAGAIN)
            return -1;
        if (done > 0) {
            sent += done;
            at = (at + (size_t) done) % n_frames;
        }
    }
    return sent;
}

int
main(int argc, char **argv)
{
    uint8_t dst[6], src[6];
    size_t length = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    double seconds = argc > 5 ? strtod(argv[5], NULL) : 0;
    unsigned flows = argc > 6 ? (unsigned) strtoul(argv[6], NULL, 10) : 1;
    if (argc < 6 || !parse_mac(argv[2], dst) || !parse_mac(argv[3], src) || length < 60 || length > LENGTH_MAX ||
        !flows) {
        fprintf(stderr, "usage: flood DEVICE DST-MAC SRC-MAC LENGTH SECONDS [FLOWS]\n");
        return 2;
    }
    int fd = open_device(argv[1]);
    if (fd < 0)
        return fail(argv[1]);

    size_t n_frames = flows < BATCH ? BATCH : flows;
    uint8_t *frames = malloc(n_frames * length);
    struct iovec *pieces = calloc(n_frames, sizeof *pieces);
    struct mmsghdr *messages = calloc(n_frames, sizeof *messages);
    if (!frames || !pieces || !messages)
        return fail("memory");
    for (size_t i = 0; i < n_frames; i++) {
        build(frames + i * length, length, dst, src, (unsigned) i % flows);
        pieces[i] = (struct iovec){frames + i * length, length};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    int64_t sent = send_for(fd, messages, n_frames, seconds);
    if (sent < 0)
        return fail("sendmmsg");
    printf("%lld\n", (long long) sent);
    free(messages);
    free(pieces);
    free(frames);
    close(fd);
    return 0;
}
