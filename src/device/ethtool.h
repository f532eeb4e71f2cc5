/* ethtool - what only the driver of a device knows, by the old ioctl. */
#ifndef DEVICE_ETHTOOL_H
#define DEVICE_ETHTOOL_H 1

#include "base/compiler.h"

struct ethtool_driver {
    char name[32], version[32], firmware[32]; /* "" where it does not say */
};

bool ethtool_driver(const char *device, struct ethtool_driver *);
/* bit/s; false: unknown, as without a link. */
bool ethtool_speed(const char *device, uint64_t *speed, bool *is_full_duplex, bool *knows_duplex);
/* Frames that were merged on arrival without a note of how cannot be sent on: no device that forwards does that. */
void ethtool_lro_off(const char *device);

#endif
