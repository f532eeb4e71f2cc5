/* types - the words of datapath_type and Interface.type, and what stands behind each. */
#include "switch/model.h"
#include <string.h>

const char *const dp_type_names[DP_N] = {[DP_SYSTEM] = "system", [DP_NETDEV] = "netdev", [DP_DUMMY] = "dummy"};

bool
dp_type_is_offered(const struct vswitch *v, enum dp_type type)
{
    switch (type) {
    case DP_SYSTEM:
        return !v->options.disable_system || dp_type_is_dummy(v, DP_SYSTEM);
    case DP_DUMMY:
        return v->options.dummy != NULL;
    default:
        return true;
    }
}

bool
dp_type_is_dummy(const struct vswitch *v, enum dp_type type)
{
    const char *dummy = v->options.dummy;

    if (type == DP_DUMMY)
        return true;
    return dummy && (!strcmp(dummy, "override") || (type == DP_SYSTEM && !strcmp(dummy, "system")));
}

bool
dp_type_parse(const struct vswitch *v, const char *text, enum dp_type *type, struct why *why)
{
    if (!text || !*text)
        text = "system";
    for (enum dp_type t = 0; t < DP_N; t++)
        if (!strcmp(text, dp_type_names[t])) {
            if (!dp_type_is_offered(v, t))
                return refuse(why, 0, "datapath type %s is disabled", text);
            *type = t;
            return true;
        }
    return refuse(why, 0, "unknown datapath type %s", text);
}

const char *
device_type_of(const struct vswitch *v, enum dp_type dp, const char *type)
{
    if (!strcmp(type, "internal") && dp_type_is_dummy(v, dp))
        type = "dummy-internal";
    const struct device_class *class = device_class_find(type);
    return class ? class->type : NULL;
}

const char *
type_shown(const struct vswitch *v, enum dp_type dp, const char *type)
{
    if (!*type)
        return "system";
    if (strcmp(type, "internal"))
        return type;
    return dp_type_is_dummy(v, dp) ? "dummy-internal" : dp == DP_NETDEV ? "tap" : "internal";
}
