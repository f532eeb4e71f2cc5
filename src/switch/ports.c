/* ports - rows of Interface, and the devices that stand for them.
 *
 * A port goes through these states; its row may change in any of them.
 *     new       vport_new(): knows its name, nothing else.
 *     open      vport_open(): device and dp are set (patch ports: peer), 'error' is NULL.
 *     failed    vport_fail(): 'error' is a sentence, there is no device.  'retry' tells what could cure it without a change of the row.
 *     absent    open, but the device behind the name has gone: 'error' is set as if it had failed and ofport is -1 in the database; the
 *               device room takes it up again when it comes back, and the port's number waits for it.
 *     leaving   is_leaving: the next configuration of the bridge is without it; then vport_close().
 */
#include "switch/model.h"
#include "base/log.h"
#include "ovsdb/value.h"
#include "switch/identity.h"
#include <errno.h>
#include <string.h>

LOG_MODULE(iface)

struct vport *
vport_find(const struct vswitch *v, const struct uuid *row)
{
    struct vport *p;
    HMAP_FOR_HASH (p, by_row, uuid_hash(row), &v->ports_by_row)
        if (uuid_eq(&p->row, row))
            return p;
    return NULL;
}

struct vport *
vport_named(const struct vswitch *v, const char *name)
{
    struct vport *p;
    HMAP_FOR_HASH (p, by_name, hash_str(name), &v->ports_by_name)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

struct vport *
vport_numbered(const struct vbridge *b, ofport number)
{
    for (size_t i = 0; i < b->bundles.n; i++)
        for (size_t j = 0; j < b->bundles.at[i]->ports.n; j++)
            if (b->bundles.at[i]->ports.at[j]->number == number)
                return b->bundles.at[i]->ports.at[j];
    return NULL;
}

static struct vswitch *
switch_of(const struct vport *p)
{
    return p->bundle->bridge->v;
}

struct vport *
vport_new(struct vbundle *bundle, const struct crow *row)
{
    struct vswitch *v = bundle->bridge->v;
    struct vport *p = xzalloc(sizeof *p);
    const char *name = row ? crow_str(row, "name") : bundle->name;

    p->bundle = bundle;
    p->name = xstrdup(name ? name : "");
    p->type = xstrdup("");
    p->is_local = !strcmp(p->name, bundle->bridge->name);
    p->dp = DPPORT_NONE;
    p->number = p->request = p->stored = OFPORT_NONE;
    p->row_changed = true;
    list_init(&p->to_write);
    if (row) {
        p->row = *crow_uuid(row);
        int64_t stored = crow_int(row, "ofport", -1);
        p->stored = number_is_valid(stored) ? (ofport) stored : OFPORT_NONE;
        hmap_insert(&v->ports_by_row, &p->by_row, uuid_hash(&p->row));
    }
    vec_push(&bundle->ports, p);
    return p;
}

void
vport_adopt(struct vport *p, const struct crow *row)
{
    struct hmap *map = &switch_of(p)->ports_by_row;

    if (!uuid_is_zero(&p->row))
        hmap_remove(map, &p->by_row);
    p->row = *crow_uuid(row);
    hmap_insert(map, &p->by_row, uuid_hash(&p->row));
    p->row_changed = true;
    write_port(p);
}

static void
give_name(struct vport *p)
{
    if (p->is_name_ours)
        hmap_remove(&switch_of(p)->ports_by_name, &p->by_name);
    p->is_name_ours = false;
}

void
vport_free(struct vport *p)
{
    struct vswitch *v = switch_of(p);

    ASSERT(!p->device && p->dp == DPPORT_NONE);
    give_name(p);
    openflow_port_free(p);
    if (!uuid_is_zero(&p->row))
        hmap_remove(&v->ports_by_row, &p->by_row);
    list_remove(&p->to_write);
    numbers_give(&p->bundle->bridge->numbers, p->number);
    for (size_t i = 0; i < p->bundle->ports.n; i++)
        if (p->bundle->ports.at[i] == p) {
            vec_remove(&p->bundle->ports, i);
            break;
        }
    free(p->name);
    free(p->type);
    free(p->peer);
    free(p->error);
    free(p);
}

static bool
is_patch(const struct vport *p)
{
    return !strcmp(p->type, "patch");
}

bool
vport_is_live(const struct vport *p)
{
    return !p->is_leaving && p->number != OFPORT_NONE && (p->device || p->peer);
}

bool
vport_status(const struct vport *p, struct device_status *s)
{
    *s = (struct device_status){0};
    if (!p->device)
        return false;
    p->device->class->status(p->device, s);
    return true;
}

static void
set_error(struct vport *p, const char *sentence)
{
    char *copy = sentence ? xstrdup(sentence) : NULL;
    free(p->error);
    p->error = copy;
    write_port(p);
}

void
vport_fail(struct vport *p, enum retry retry, const char *sentence)
{
    p->retry = retry;
    if (p->error && !strcmp(p->error, sentence))
        return;
    log_warn("%s", sentence);
    set_error(p, sentence);
}

bool
vport_should_retry(const struct vport *p)
{
    switch (p->retry) {
    case RETRY_WHEN_DEVICE_COMES:
        return netlink_link_by_name(switch_of(p)->netlink, p->name) != NULL;
    case RETRY_WHEN_NAME_IS_FREE:
        return !vport_named(switch_of(p), p->name);
    default:
        return false;
    }
}

void
vport_options_format(const struct vport *p, struct text *t)
{
    if (p->peer)
        text_addf(t, ": peer=%s", p->peer);
}

/* The device's status is another one: called by the device room. */
static void
device_changed(void *aux, struct device *device)
{
    struct vport *p = aux;

    if (device != p->device)
        return;
    p->bundle->bridge->is_dirty = true;
    if (p->dp != DPPORT_NONE)
        dp_port_changed(backer_datapath(switch_of(p)->backers[p->bundle->bridge->type]), p->dp);
    write_port(p);
    vswitch_kick(switch_of(p));
}

static const char *
wanted_type(const struct vport *p, const struct crow *row)
{
    const char *type = row && !p->is_local ? crow_str(row, "type") : "internal";
    return type ? type : "";
}

void
vport_compare(struct vport *p)
{
    const struct crow *row = client_row(switch_of(p)->db, "Interface", &p->row);
    if (p->row_changed && (p->device || p->peer) && strcmp(wanted_type(p, row), p->type))
        p->is_leaving = true;
}

/* The pairs of the options column, as the device room wants them; they live till the scratch arena is reset. */
static struct device_options
options_of(struct arena *scratch, const struct crow *row)
{
    const struct datum *d = row ? crow_value(row, "options") : NULL;
    struct device_options o = {.n = d ? d->n : 0};
    struct device_option *at = arena_alloc(scratch, (o.n + 1) * sizeof *at);

    for (size_t i = 0; i < o.n; i++)
        at[i] = (struct device_option){datum_key(d, i).string.s, datum_value(d, i).string.s};
    o.at = at;
    return o;
}

/* What the row asks for, but for the device's own options. */
static void
read_row(struct vport *p, const struct crow *row)
{
    const char *type = wanted_type(p, row);

    if (strcmp(type, p->type)) {
        free(p->type);
        p->type = xstrdup(type);
    }
    int64_t request = row ? crow_int(row, "ofport_request", -1) : -1;
    p->request = number_is_valid(request) && !p->is_local ? (ofport) request : OFPORT_NONE;
    p->mtu_request = row ? crow_int(row, "mtu_request", 0) : 0;

    const char *mac = row ? crow_str(row, "mac") : NULL;
    bool is_internal = !strcmp(p->type, "internal");
    if (p->is_local) {
        p->mac = p->bundle->bridge->mac;
        if (mac)
            log_info("%s: the mac of the local port is set in its Bridge, not here", p->name);
    } else if (is_internal && mac) {
        if (!hwaddr_parse(mac, &p->mac))
            log_warn("interface %s: cannot set MAC to %s", p->name, mac);
    } else {
        p->mac = is_patch(p) ? hwaddr_of_row(&p->row) : (struct mac){{0}}; /* controllers want to see one */
    }
}

static void
open_patch(struct vport *p, const struct crow *row)
{
    const char *peer = crow_key(row, "options", "peer");
    struct why why;

    free(p->peer);
    p->peer = NULL;
    if (!peer || !*peer)
        refuse(&why, -EINVAL, "%s: patch type requires valid 'peer' argument", p->name);
    else if (!strcmp(peer, p->name))
        refuse(&why, -EINVAL, "%s: patch peer must not be self", p->name);
    else {
        p->peer = xstrdup(peer);
        set_error(p, NULL);
        return;
    }
    vport_fail(p, RETRY_NEVER, why.text);
}

/* The number a test expects in a dummy datapath: the digits of the name, counted from 100 for names that begin with "br". */
static dpport
dummy_number(const char *name)
{
    unsigned start = strncmp(name, "br", 2) ? 0 : 100;
    const char *digits = strpbrk(name, "0123456789");
    unsigned long n = start + (digits ? strtoul(digits, NULL, 10) : 0);
    return n > 0 && n < 0xffff && (digits || start) ? (dpport) n : DPPORT_NONE;
}

/* Up or down is the business of whoever owns the device on the host, as everywhere in the field: we never touch it. */
static struct device_config
device_config_of(const struct vport *p, const struct device_options *options)
{
    unsigned mtu = p->mtu_request;
    if (!mtu && !strcmp(p->type, "internal"))
        mtu = p->bundle->bridge->min_mtu;
    return (struct device_config){.options = options, .mac = p->mac, .mtu = mtu, .is_admin_up = false};
}

static bool
take_name(struct vport *p)
{
    struct vswitch *v = switch_of(p);
    const struct vport *owner = p->is_name_ours ? p : vport_named(v, p->name);
    struct why why;

    if (owner && owner != p) {
        refuse(&why, -EEXIST, "could not add network device %s to bridge %s: it is in use by bridge %s", p->name,
               p->bundle->bridge->name, owner->bundle->bridge->name);
        vport_fail(p, RETRY_WHEN_NAME_IS_FREE, why.text);
        return false;
    }
    if (!owner) {
        hmap_insert(&v->ports_by_name, &p->by_name, hash_str(p->name));
        p->is_name_ours = true;
    }
    return true;
}

static void
open_device(struct vport *p, const struct device_config *config)
{
    struct vbridge *b = p->bundle->bridge;
    const char *type = device_type_of(b->v, b->type, p->type);
    dpport want = dp_type_is_dummy(b->v, b->type) ? dummy_number(p->name) : DPPORT_NONE;
    struct why why;

    if (!type) {
        refuse(&why, -EAFNOSUPPORT, "could not open network device %s (%s)", p->name, strerror(EAFNOSUPPORT));
        log_warn("%s: interface type %s is not served by this switch", p->name, p->type);
        vport_fail(p, RETRY_NEVER, why.text);
        return;
    }
    int err = device_open(b->v->loop, p->name, type, config, device_changed, p, &p->device, &why);
    if (err) {
        p->device = NULL;
        vport_fail(p, err == -ENODEV ? RETRY_WHEN_DEVICE_COMES : RETRY_NEVER, why.text);
        return;
    }
    err = dp_port_add(backer_datapath(b->v->backers[b->type]), p->device, want, &p->dp, &why);
    if (err) {
        p->dp = DPPORT_NONE;
        device_close(p->device, true);
        p->device = NULL;
        vport_fail(p, RETRY_NEVER, why.text);
        return;
    }
    p->retry = RETRY_NEVER;
    set_error(p, NULL);
}

/* A device that has gone is an error in the database until it is back. */
static void
tell_absence(struct vport *p)
{
    struct device_status s;
    struct why why;

    if (!vport_status(p, &s))
        return;
    if (!s.is_present) {
        refuse(&why, -ENODEV, "could not open network device %s (%s)", p->name, strerror(ENODEV));
        vport_fail(p, RETRY_NEVER, why.text);
    } else if (p->error && p->retry == RETRY_NEVER && !p->row_changed) {
        log_info("%s: its network device is back", p->name);
        set_error(p, NULL);
    }
}

void
vport_open(struct vport *p)
{
    struct vswitch *v = switch_of(p);
    const struct crow *row = client_row(v->db, "Interface", &p->row);
    struct why why;

    if (!p->row_changed) {
        tell_absence(p);
        return;
    }
    read_row(p, row);
    if (!p->bundle->bridge->run) {
        vport_fail(p, RETRY_NEVER, p->bundle->bridge->error);
        return;
    }
    p->row_changed = false;
    if (!take_name(p))
        return;
    if (is_patch(p)) {
        open_patch(p, row);
        return;
    }
    struct device_options options = options_of(&v->scratch, row);
    struct device_config config = device_config_of(p, &options);
    if (!p->device)
        open_device(p, &config);
    else if (p->device->class->configure(p->device, &config, &why))
        vport_fail(p, RETRY_NEVER, why.text);
    else
        set_error(p, NULL);
    tell_absence(p);
}

/* Takes a new address or MTU without a look at the row. */
static void
configure_again(struct vport *p)
{
    struct vswitch *v = switch_of(p);
    struct device_options options = options_of(&v->scratch, client_row(v->db, "Interface", &p->row));
    struct device_config config = device_config_of(p, &options);
    struct why why;

    if (p->device && p->device->class->configure(p->device, &config, &why))
        log_warn("%s: %s", p->name, why.text);
}

void
vport_set_mac(struct vport *p, struct mac mac)
{
    struct device_status s;
    p->mac = mac;
    if (vport_status(p, &s) && !mac_equal(s.mac, mac))
        configure_again(p);
}

void
vport_set_mtu(struct vport *p, unsigned mtu)
{
    struct device_status s;
    if (!p->mtu_request && vport_status(p, &s) && s.mtu != mtu)
        configure_again(p);
}

void
vport_close(struct vport *p, bool destroy)
{
    struct vbridge *b = p->bundle->bridge;

    if (p->dp != DPPORT_NONE)
        dp_port_del(backer_datapath(b->v->backers[b->type]), p->dp);
    p->dp = DPPORT_NONE;
    if (p->device)
        device_close(p->device, destroy);
    p->device = NULL;
    free(p->peer);
    p->peer = NULL;
    give_name(p);
    p->is_leaving = false;
    p->row_changed = true;
    write_port(p);
}
