/* pcap - frames into a file that tcpdump reads (the classic format, microseconds, Ethernet). */
#ifndef DEVICE_PCAP_H
#define DEVICE_PCAP_H 1

#include "base/own.h"
#include "base/why.h"

struct pcap;

/* Appends to a file that is there; the header is written when it is empty. */
int pcap_append(const char *path, struct pcap **, struct why *);
void pcap_free(struct pcap *); /* NULL is fine */
OWN(pcap);
/* The whole record is in the file when it returns. */
void pcap_write(struct pcap *, int64_t wall_us, const void *frame, size_t len);

#endif
