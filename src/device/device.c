/* device - classes, references and the way a change is told. */
#include "device/dummy.h"
#include "base/mem.h"
#include "packet/gso.h"
#include <errno.h>
#include <string.h>

static const struct device_class *const real_classes[] = {&internal_class, &system_class, &tap_class, NULL};
static const struct device_class *const dummy_classes[] = {&dummy_class, &dummy_internal_class, &dummy_pmd_class};
static const struct device_class *const bench_classes[] = {&bench_source_class, &bench_sink_class};

enum override { OVERRIDE_NONE, OVERRIDE_SYSTEM, OVERRIDE_ALL };
static bool has_dummies;
static enum override overridden;

void
device_enable_dummy(struct loop *loop, const char *override)
{
    has_dummies = true;
    overridden = !override || !*override         ? OVERRIDE_NONE
                 : !strcmp(override, "override") ? OVERRIDE_ALL
                                                 : OVERRIDE_SYSTEM;
    dummy_register_commands();
}

const struct device_class *
device_class_find(const char *type)
{
    if (!*type)
        type = "system";
    for (size_t i = 0; real_classes[i]; i++)
        if (!strcmp(real_classes[i]->type, type)) {
            bool is_dummy = overridden == OVERRIDE_ALL || (overridden == OVERRIDE_SYSTEM && !strcmp(type, "system"));
            return is_dummy ? &dummy_class : real_classes[i];
        }
    for (size_t i = 0; has_dummies && i < ARRAY_SIZE(dummy_classes); i++)
        if (!strcmp(dummy_classes[i]->type, type))
            return dummy_classes[i];
    for (size_t i = 0; has_dummies && i < ARRAY_SIZE(bench_classes); i++)
        if (!strcmp(bench_classes[i]->type, type))
            return bench_classes[i];
    return NULL;
}

const char *const *
device_types(void)
{
    static const char *const all[] = {"dummy", "dummy-internal", "dummy-pmd", "internal", "system", "tap", NULL};
    return has_dummies ? all : all + ARRAY_SIZE(dummy_classes);
}

static void
tell(void *device_)
{
    struct device *device = device_;
    if (device->changed)
        device->changed(device->aux, device);
}

void
device_tell(struct device *device)
{
    if (device->changed)
        task_soon(&device->tell);
}

int
device_open(struct loop *loop, const char *name, const char *type, const struct device_config *config,
            void (*changed)(void *aux, struct device *), void *aux, struct device **out, struct why *why)
{
    const struct device_class *class = device_class_find(type);
    if (!class)
        return refuse(why, -EAFNOSUPPORT, "could not open network device %s (Address family not supported by protocol)",
                      name);
    if (!*name || strlen(name) > DEVICE_NAME_MAX || strchr(name, '/'))
        return refuse(why, -EINVAL, "could not open network device %s (%s)", name,
                      strerror(strlen(name) > DEVICE_NAME_MAX ? ENAMETOOLONG : EINVAL));

    struct device *device = xzalloc_line(class->size);
    device->class = class;
    device->loop = loop;
    strcpy(device->name, name);
    atomic_init(&device->n_refs, 1);
    task_init(&device->tell, loop, tell, device);
    int err = class->open(device, config, why);
    if (err) {
        task_cancel(&device->tell);
        free(device);
        return err;
    }
    device->changed = changed;
    device->aux = aux;
    *out = device;
    return 0;
}

struct device *
device_get(struct device *device)
{
    atomic_fetch_add_explicit(&device->n_refs, 1, memory_order_relaxed);
    return device;
}

static void
release(rcu_later *later)
{
    struct device *device = CONTAINER_OF(later, struct device, later);
    if (device->class->release)
        device->class->release(device);
    free(device);
}

void
device_put(struct device *device)
{
    if (device && atomic_fetch_sub_explicit(&device->n_refs, 1, memory_order_acq_rel) == 1)
        rcu_free_later(&device->later, release);
}

void
device_close(struct device *device, bool destroy)
{
    if (!device)
        return;
    device->changed = NULL;
    task_cancel(&device->tell);
    device->class->close(device, destroy);
    device_put(device);
}

int
device_set_up(struct device *device, bool up, struct why *why)
{
    if (!device->class->set_up)
        return refuse(why, -EOPNOTSUPP, "%s: devices of type %s cannot be put up or down", device->name,
                      device->class->type);
    return device->class->set_up(device, up, why);
}

const char *
device_option(const struct device_options *options, const char *key)
{
    for (size_t i = 0; options && i < options->n; i++)
        if (!strcmp(options->at[i].key, key))
            return options->at[i].value;
    return NULL;
}

int
options_known(const struct device_options *options, const char *const known[], struct why *why)
{
    for (size_t i = 0; options && i < options->n; i++) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], options->at[i].key))
            k++;
        if (!known[k])
            return refuse(why, -EINVAL, "unknown option \"%s\"", options->at[i].key);
    }
    return 0;
}

int
options_number(const struct device_options *options, const char *key, unsigned min, unsigned max, unsigned otherwise,
               unsigned *out, struct why *why)
{
    const char *value = device_option(options, key);
    char *end;
    if (!value) {
        *out = otherwise;
        return 0;
    }
    unsigned long n = strtoul(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || n < min || n > max)
        return refuse(why, -EINVAL, "option %s: \"%s\" is not a number from %u to %u", key, value, min, max);
    *out = n;
    return 0;
}

void
counters_read(const struct counters *c, struct device_stats *s)
{
#define READ(member) s->member = atomic_load_explicit(&c->member, memory_order_relaxed)
    READ(rx_packets);
    READ(rx_bytes);
    READ(rx_dropped);
    READ(rx_errors);
    READ(tx_packets);
    READ(tx_bytes);
    READ(tx_dropped);
    READ(tx_errors);
}

unsigned
door_fit(struct packet *p, unsigned caps, struct packet *out[])
{
    uint8_t gso = p->offload.gso_type & ~OFFLOAD_GSO_ECN;
    if (gso && !(caps & (gso == OFFLOAD_GSO_UDP_L4 ? DOOR_USO : DOOR_TSO))) {
        int n = offload_is_sane(p) ? packet_segment(p, out, SEGMENTS_MAX) : 0;
        packet_put(p);
        return MAX(n, 0);
    }
    if ((p->offload.flags & OFFLOAD_NEEDS_CSUM) && (!(caps & DOOR_CSUM) || packet_owes_crc(p))) {
        p = packet_own(p);
        if (p && !offload_is_sane(p)) {
            packet_put(p);
            return 0;
        }
        if (p)
            packet_finish_csum(p);
    }
    out[0] = p;
    return p ? 1 : 0;
}
