/* root - the one row of Open_vSwitch: which bridges there are, and the settings of the whole switch. */
#include "switch/model.h"
#include "base/log.h"
#include <string.h>

LOG_MODULE(open_vswitch)

#define FLOW_LIMIT 200000
#define MAX_IDLE_MS 10000
#define STATS_INTERVAL_MS 5000 /* also the least */

static void
read_settings(struct vswitch *v, const struct crow *root)
{
    int64_t vlan_limit = crow_key_int(root, "other_config", "vlan-limit", 1);
    int64_t flow_limit = crow_key_int(root, "other_config", "flow-limit", FLOW_LIMIT);
    int64_t max_idle = crow_key_int(root, "other_config", "max-idle", MAX_IDLE_MS);
    int64_t interval = crow_key_int(root, "other_config", "stats-update-interval", STATS_INTERVAL_MS);

    v->dp_config = (struct dp_config){.lane_cpus = crow_key(root, "other_config", "pmd-cpu-mask"),
                                      .flow_limit = MAX(1000, MIN(flow_limit, UINT32_MAX)),
                                      .max_idle = millis(max_idle < 500 ? 500 : max_idle),
                                      .vlan_limit = vlan_limit == 1 ? 1 : 2};
    v->stats_interval = millis(MAX(STATS_INTERVAL_MS, interval));
    v->wants_host_statistics = crow_key_bool(root, "other_config", "enable-statistics", false);
    for (enum dp_type t = 0; t < DP_N; t++)
        if (v->backers[t])
            dp_configure(backer_datapath(v->backers[t]), &v->dp_config);
}

/* A bridge goes on under another row of its name. */
static void
adopt(struct vbridge *b, const struct crow *row)
{
    b->is_seen = true;
    if (uuid_eq(&b->row, crow_uuid(row)))
        return;
    b->row = *crow_uuid(row);
    b->row_changed = b->is_dirty = true;
}

static void
compare_bridges(struct vswitch *v, const struct crow *root)
{
    crows rows = VEC_INIT;
    struct vbridge *b;

    VBRIDGE_FOR (b, v)
        b->is_seen = false;
    if (root)
        crow_refs(root, "bridges", &rows);
    for (size_t i = 0; i < rows.n; i++) {
        const char *name = crow_str(rows.at[i], "name");
        b = name ? vbridge_find(v, name) : NULL;
        if (b)
            adopt(b, rows.at[i]);
    }
    VBRIDGE_FOR (b, v)
        if (!b->is_seen)
            vbridge_free(b, true);
    for (size_t i = 0; i < rows.n; i++) {
        const char *name = crow_str(rows.at[i], "name");
        if (name && !vbridge_find(v, name))
            vbridge_new(v, rows.at[i]);
    }
    vec_fini(&rows);
}

void
root_reconcile(struct vswitch *v)
{
    const struct crow *root = client_only(v->db, "Open_vSwitch");

    if (!v->root_changed)
        return;
    v->root_changed = false;
    if (root)
        read_settings(v, root);
    compare_bridges(v, root);
    v->applied_cfg = root ? crow_int(root, "next_cfg", 0) : 0;
    write_root(v);
}
