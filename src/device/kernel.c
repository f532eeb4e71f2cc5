/* kernel - one netlink client under all devices of the kernel. */
#include "device/kernel.h"
#include "base/log.h"
#include "base/mem.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(device)

static struct netlink *nl;
static struct list members = LIST_INIT(&members);

struct netlink *
kernel_netlink(void)
{
    return nl;
}

static bool
is_same(const struct nl_link *a, const struct nl_link *b)
{
    return a->flags == b->flags && a->carrier == b->carrier && a->carrier_changes == b->carrier_changes &&
           a->mtu == b->mtu && !memcmp(a->mac, b->mac, sizeof a->mac);
}

static void
read_driver(struct kernel_device *k)
{
    ethtool_driver(k->device.name, &k->driver);
    if (!ethtool_speed(k->device.name, &k->speed, &k->is_full_duplex, &k->knows_duplex)) {
        k->speed = 0;
        k->knows_duplex = false;
    }
}

void
kernel_take(struct kernel_device *k, const struct nl_link *link)
{
    k->ifindex = link->ifindex;
    k->now = *link;
    k->changes_at_open = link->carrier_changes;
    read_driver(k);
}

static void
try_to_take(struct kernel_device *k, const struct nl_link *link)
{
    struct why why = {""};
    int err = k->ops->came(k, link, &why);
    if (err) {
        log_warn("%s: is there again but cannot be used: %s", k->device.name, why.text);
        return;
    }
    log_info("%s: is there as ifindex %u", k->device.name, k->ifindex);
    device_tell(&k->device);
}

static void
let_go(struct kernel_device *k, const struct nl_link *last)
{
    log_info("%s: ifindex %u is gone", k->device.name, k->ifindex);
    k->ifindex = 0;
    k->ops->went(k, last);
    device_tell(&k->device);
}

static void
link_changed(void *aux, const struct nl_link *now, const struct nl_link *before)
{
    struct kernel_device *k, *next;
    LIST_FOR_SAFE (k, next, link, &members) {
        bool is_ours = !strcmp(k->device.name, now->name);
        if (k->ifindex && k->ifindex == now->ifindex) {
            if (!is_ours)
                let_go(k, now);
            else if (!is_same(&k->now, now)) {
                k->now = *now;
                read_driver(k);
                if (k->ops->moved)
                    k->ops->moved(k);
                device_tell(&k->device);
            }
        } else if (is_ours && !k->ifindex)
            try_to_take(k, now);
    }
}

static void
link_gone(void *aux, const struct nl_link *last)
{
    struct kernel_device *k, *next;
    LIST_FOR_SAFE (k, next, link, &members)
        if (k->ifindex && k->ifindex == last->ifindex)
            let_go(k, last);
}

static const struct netlink_ops ops = {.link_changed = link_changed, .link_gone = link_gone};

int
kernel_join(struct kernel_device *k, const struct kernel_ops *kernel_ops, struct why *why)
{
    int err = nl ? 0 : netlink_open(k->device.loop, &ops, NULL, &nl, why);
    if (err)
        return err;
    k->ops = kernel_ops;
    list_push_back(&members, &k->link);
    return 0;
}

void
kernel_leave(struct kernel_device *k)
{
    if (!k->ops)
        return;
    k->ops = NULL;
    list_remove(&k->link);
    if (list_is_empty(&members)) {
        netlink_close(nl);
        nl = NULL;
    }
}

const struct nl_link *
kernel_look(struct kernel_device *k)
{
    netlink_refresh(nl);
    return netlink_link_by_name(nl, k->device.name);
}

void
kernel_status(const struct kernel_device *k, struct device_status *s)
{
    *s = (struct device_status){0};
    if (!k->ifindex)
        return;
    *s = (struct device_status){
        .is_present = true,
        .is_admin_up = k->now.flags & IFF_UP,
        .is_link_up = (k->now.flags & IFF_UP) && k->now.carrier,
        .ifindex = k->ifindex,
        .mtu = k->now.mtu,
        .link_speed = k->speed,
        .is_full_duplex = k->is_full_duplex,
        .knows_duplex = k->knows_duplex,
        .link_resets = k->now.carrier_changes - k->changes_at_open,
        .driver_name = *k->driver.name ? k->driver.name : NULL,
        .driver_version = *k->driver.name ? k->driver.version : NULL,
        .firmware_version = *k->driver.name ? k->driver.firmware : NULL,
    };
    memcpy(&s->mac, k->now.mac, sizeof s->mac);
}

int
kernel_apply_mac(struct kernel_device *k, struct mac mac, struct why *why)
{
    if (!k->ifindex || mac_is_zero(mac) || !memcmp(&mac, k->now.mac, sizeof mac))
        return 0;
    int err = netlink_set_mac(nl, k->ifindex, mac.b, why);
    return err ? refuse_in(why, err, "%s: address " MAC_FMT, k->device.name, MAC_ARGS(mac)) : 0;
}

int
kernel_apply_mtu(struct kernel_device *k, unsigned mtu, struct why *why)
{
    if (!k->ifindex || !mtu || mtu == k->now.mtu)
        return 0;
    int err = netlink_set_mtu(nl, k->ifindex, mtu, why);
    return err ? refuse_in(why, err, "%s: MTU %u", k->device.name, mtu) : 0;
}

int
kernel_apply_up(struct kernel_device *k, bool up, struct why *why)
{
    if (!k->ifindex || up == !!(k->now.flags & IFF_UP))
        return 0;
    int err = netlink_set_up(nl, k->ifindex, up, why);
    return err ? refuse_in(why, err, "%s: cannot be put %s", k->device.name, up ? "up" : "down") : 0;
}
