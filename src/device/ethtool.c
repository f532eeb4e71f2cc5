/* ethtool - see the header; nothing is hidden here. */
#include "device/ethtool.h"
#include "base/own.h"
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int
ask(const char *device, void *command)
{
    struct ifreq r = {.ifr_data = command};
    AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", device);
    return fd < 0 ? -1 : ioctl(fd, SIOCETHTOOL, &r);
}

bool
ethtool_driver(const char *device, struct ethtool_driver *out)
{
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    memset(out, 0, sizeof *out);
    if (ask(device, &info))
        return false;
    snprintf(out->name, sizeof out->name, "%.31s", info.driver);
    snprintf(out->version, sizeof out->version, "%.31s", info.version);
    snprintf(out->firmware, sizeof out->firmware, "%.31s", info.fw_version);
    return true;
}

/* The kernel first tells, as a negative number, how many words its masks have; asked again with that it answers. */
bool
ethtool_speed(const char *device, uint64_t *speed, bool *is_full_duplex, bool *knows_duplex)
{
    union {
        struct ethtool_link_settings s;
        uint32_t with_masks[sizeof(struct ethtool_link_settings) / 4 + 3 * 127];
    } q = {.s = {.cmd = ETHTOOL_GLINKSETTINGS}};
    if (ask(device, &q) || q.s.link_mode_masks_nwords >= 0)
        return false;
    q.s.cmd = ETHTOOL_GLINKSETTINGS;
    q.s.link_mode_masks_nwords = -q.s.link_mode_masks_nwords;
    if (ask(device, &q) || !q.s.speed || q.s.speed == (uint32_t) SPEED_UNKNOWN)
        return false;
    *speed = q.s.speed * UINT64_C(1000000);
    *knows_duplex = q.s.duplex == DUPLEX_FULL || q.s.duplex == DUPLEX_HALF;
    *is_full_duplex = q.s.duplex == DUPLEX_FULL;
    return true;
}

void
ethtool_lro_off(const char *device)
{
    struct ethtool_value v = {.cmd = ETHTOOL_GFLAGS};
    if (ask(device, &v) || !(v.data & ETH_FLAG_LRO))
        return;
    v.cmd = ETHTOOL_SFLAGS;
    v.data &= ~ETH_FLAG_LRO;
    ask(device, &v);
}
