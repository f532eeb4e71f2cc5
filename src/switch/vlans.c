#include "switch/vlans.h"
#include <errno.h>
#include <string.h>

void
vlans_bitmap(const int64_t *vids, size_t n, uint64_t bitmap[VLAN_BITMAP_WORDS])
{
    memset(bitmap, 0, VLAN_BITMAP_WORDS * sizeof *bitmap);
    for (size_t i = 0; i < n; i++)
        if (vids[i] >= 0 && vids[i] < 4096)
            bitmap[vids[i] / 64] |= 1ULL << (vids[i] % 64);
}

static const char *const mode_names[] = {[VLAN_ACCESS] = "access",
                                         [VLAN_TRUNK] = "trunk",
                                         [VLAN_NATIVE_TAGGED] = "native-tagged",
                                         [VLAN_NATIVE_UNTAGGED] = "native-untagged",
                                         [VLAN_DOT1Q_TUNNEL] = "dot1q-tunnel"};

/* Without vlan_mode, a tag makes an access port and no tag a trunk. */
static enum vlan_mode
mode_of(const struct vlan_columns *c)
{
    for (size_t i = 0; c->mode && i < ARRAY_SIZE(mode_names); i++)
        if (!strcmp(c->mode, mode_names[i]))
            return (enum vlan_mode) i;
    return c->tag >= 0 ? VLAN_ACCESS : VLAN_TRUNK;
}

static enum priority_tags
priority_tags_of(const char *word)
{
    if (!word || !strcmp(word, "never") || !strcmp(word, "false"))
        return PRIORITY_TAGS_NEVER;
    return !strcmp(word, "always") ? PRIORITY_TAGS_ALWAYS : PRIORITY_TAGS_IF_NONZERO;
}

int
vlans_from_columns(const struct vlan_columns *c, struct vlan_port *port, struct why *why)
{
    memset(port, 0, sizeof *port);
    port->mode = mode_of(c);
    port->vid = port->mode != VLAN_TRUNK && c->tag >= 0 && c->tag < 4096 ? c->tag : 0;
    port->priority_tags = priority_tags_of(c->priority_tags);
    port->qinq_ethtype = htons(c->qinq_ethtype && !strcmp(c->qinq_ethtype, "802.1q") ? 0x8100 : 0x88a8);

    port->trunks_all = !c->n_trunks;
    vlans_bitmap(c->trunks, c->n_trunks, port->trunks);
    if (port->mode == VLAN_NATIVE_TAGGED || port->mode == VLAN_NATIVE_UNTAGGED) /* always carries its native VLAN */
        port->trunks[port->vid / 64] |= 1ULL << (port->vid % 64);
    port->cvlans_all = !c->n_cvlans;
    vlans_bitmap(c->cvlans, c->n_cvlans, port->cvlans);

    if (port->mode == VLAN_ACCESS && c->n_trunks)
        return refuse(why, -EINVAL, "ignoring trunks in favor of implicit vlan");
    return 0;
}
