/* The commands of ovs-vsctl(8) about controllers, managers, TLS files, and the way back to a clean state. */
#include "cli/vsctl.h"

#include "base/log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

LOG_MODULE(vsctl)

static void
want_columns(struct ctl *ctl, const char *table, const char *const columns[])
{
    ctl_want_rows(ctl, table);
    for (size_t i = 0; columns[i]; i++)
        client_want(ctl->client, table, columns[i], WANT_READ);
}

static void
print_targets(struct text *out, const struct crow *row, const char *column)
{
    VEC(const char *) targets = VEC_INIT;
    crows rows = VEC_INIT;

    crow_refs(row, column, &rows);
    for (size_t i = 0; i < rows.n; i++)
        vec_push(&targets, crow_str(rows.at[i], "target"));
    print_sorted(out, targets.at, targets.n);
    vec_fini(&targets);
    vec_fini(&rows);
}

static void
delete_refs(struct ctl *ctl, struct crow *row, const char *column)
{
    crows rows = VEC_INIT;
    crow_refs(row, column, &rows);
    for (size_t i = 0; i < rows.n; i++)
        ctxn_delete(ctl->txn, rows.at[i]);
    ctxn_set_refs(ctl->txn, row, column, NULL, 0);
    vec_fini(&rows);
}

static bool
is_known_target(const char *target)
{
    static const char *const methods[] = {"tcp:", "unix:", "ssl:", "ptcp:", "punix:", "pssl:"};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (!strncmp(target, methods[i], strlen(methods[i])))
            return true;
    }
    return false;
}

/* Rows of 'table' for targets, put in place of what the column referred to. */
static void
set_targets(struct ctl *ctl, struct ctl_run *run, const char *table, struct crow *row, const char *column,
            char **targets, size_t n)
{
    const char *probe = ctl_option(run, "--inactivity-probe");

    delete_refs(ctl, row, column);
    for (size_t i = 0; i < n; i++) {
        struct crow *t = ctxn_insert(ctl->txn, table);
        if (!is_known_target(targets[i]))
            log_warn("target type \"%s\" is possibly erroneous", targets[i]);
        ctxn_set_str(ctl->txn, t, "target", targets[i]);
        if (probe)
            ctxn_set_int(ctl->txn, t, "inactivity_probe", atoll(probe));
        ctxn_add_ref(ctl->txn, row, column, t);
    }
}

/* ---- Controllers. ---- */

static int
controller_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    want_columns(ctl, "Controller", (const char *const[]){"target", "inactivity_probe", NULL});
    return model_want_bridges(ctl, run, why);
}

static int
get_controller(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_bridge(ctl, run->argv[1], &br, why);
    if (!err)
        print_targets(&run->output, br->row, "controller");
    return err;
}

static int
del_controller(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_real_bridge(ctl, run->argv[1], &br, why);
    if (!err)
        delete_refs(ctl, br->row, "controller");
    return err;
}

static int
set_controller(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_real_bridge(ctl, run->argv[1], &br, why);
    if (!err)
        set_targets(ctl, run, "Controller", br->row, "controller", run->argv + 2, run->argc - 2);
    return err;
}

static int
get_fail_mode(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_bridge(ctl, run->argv[1], &br, why);
    const char *mode = err ? NULL : crow_str(br->row, "fail_mode");
    if (mode && *mode)
        text_addf(&run->output, "%s\n", mode);
    return err;
}

static int
del_fail_mode(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct model_bridge *br;
    int err = find_real_bridge(ctl, run->argv[1], &br, why);
    if (!err)
        ctxn_set_str(ctl->txn, br->row, "fail_mode", NULL);
    return err;
}

static int
set_fail_mode(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const char *mode = run->argv[2];
    struct model_bridge *br;

    int err = find_real_bridge(ctl, run->argv[1], &br, why);
    if (!err && strcmp(mode, "standalone") && strcmp(mode, "secure"))
        err = refuse(why, -EINVAL, "fail-mode must be \"standalone\" or \"secure\"");
    if (!err)
        ctxn_set_str(ctl->txn, br->row, "fail_mode", mode);
    return err;
}

/* ---- Managers. ---- */

static int
manager_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    want_columns(ctl, "Open_vSwitch", (const char *const[]){"manager_options", NULL});
    want_columns(ctl, "Manager", (const char *const[]){"target", "inactivity_probe", NULL});
    return 0;
}

static int
get_manager(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    print_targets(&run->output, vsctl_of(ctl)->ovs, "manager_options");
    return 0;
}

static int
del_manager(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    delete_refs(ctl, vsctl_of(ctl)->ovs, "manager_options");
    return 0;
}

static int
set_manager(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    set_targets(ctl, run, "Manager", vsctl_of(ctl)->ovs, "manager_options", run->argv + 1, run->argc - 1);
    return 0;
}

/* ---- TLS. ---- */

static int
ssl_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    want_columns(ctl, "Open_vSwitch", (const char *const[]){"ssl", NULL});
    want_columns(ctl, "SSL", (const char *const[]){"private_key", "certificate", "ca_cert", "bootstrap_ca_cert", NULL});
    return 0;
}

static int
get_ssl(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    const struct crow *ssl = crow_ref(vsctl_of(ctl)->ovs, "ssl");
    if (ssl) {
        text_addf(&run->output, "Private key: %s\n", crow_str(ssl, "private_key"));
        text_addf(&run->output, "Certificate: %s\n", crow_str(ssl, "certificate"));
        text_addf(&run->output, "CA Certificate: %s\n", crow_str(ssl, "ca_cert"));
        text_addf(&run->output, "Bootstrap: %s\n", crow_bool(ssl, "bootstrap_ca_cert", false) ? "true" : "false");
    }
    return 0;
}

static int
del_ssl(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    delete_refs(ctl, vsctl_of(ctl)->ovs, "ssl");
    return 0;
}

static int
set_ssl(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    struct crow *ovs = vsctl_of(ctl)->ovs;

    delete_refs(ctl, ovs, "ssl");
    struct crow *ssl = ctxn_insert(ctl->txn, "SSL");
    ctxn_set_str(ctl->txn, ssl, "private_key", run->argv[1]);
    ctxn_set_str(ctl->txn, ssl, "certificate", run->argv[2]);
    ctxn_set_str(ctl->txn, ssl, "ca_cert", run->argv[3]);
    ctxn_set_bool(ctl->txn, ssl, "bootstrap_ca_cert", ctl_has_option(run, "--bootstrap"));
    ctxn_set_ref(ctl->txn, ovs, "ssl", ssl);
    return 0;
}

/* ---- emer-reset: what is emptied, and what is destroyed. ---- */

static const struct {
    const char *table, *column;
} reset_columns[] = {
    {"Open_vSwitch", "manager_options"},
    {"Open_vSwitch", "ssl"},
    {"Bridge", "controller"},
    {"Bridge", "fail_mode"},
    {"Bridge", "mirrors"},
    {"Bridge", "netflow"},
    {"Bridge", "sflow"},
    {"Bridge", "ipfix"},
    {"Bridge", "flood_vlans"},
    {"Port", "other_config"},
    {"Interface", "ingress_policing_rate"},
    {"Interface", "ingress_policing_burst"},
    {"Interface", "ingress_policing_kpkts_rate"},
    {"Interface", "ingress_policing_kpkts_burst"},
};

static const char *const reset_tables[] = {"Mirror", "Controller", "Manager", "NetFlow",
                                           "SSL",    "sFlow",      "IPFIX",   "Flow_Sample_Collector_Set"};

static int
emer_reset_want(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    for (size_t i = 0; i < ARRAY_SIZE(reset_columns); i++) {
        ctl_want_rows(ctl, reset_columns[i].table);
        client_want(ctl->client, reset_columns[i].table, reset_columns[i].column, WANT_READ);
    }
    for (size_t i = 0; i < ARRAY_SIZE(reset_tables); i++)
        ctl_want_rows(ctl, reset_tables[i]);
    client_want(ctl->client, "Bridge", "other_config", WANT_READ);
    return 0;
}

/* The hardware address of a bridge is worth keeping: hosts know it. */
static void
reset_other_config(struct ctl *ctl, struct crow *br)
{
    AUTO_DATUM const struct datum *old = datum_ref(crow_value(br, "other_config"));
    for (size_t i = 0; i < old->n; i++) {
        const char *key = datum_key(old, i).string.s;
        if (strcmp(key, "hwaddr"))
            ctxn_del_key(ctl->txn, br, "other_config", key);
    }
}

static int
emer_reset(struct ctl *ctl, struct ctl_run *run, struct why *why)
{
    for (size_t i = 0; i < ARRAY_SIZE(reset_columns); i++) {
        CLIENT_FOR(row, ctl->client, reset_columns[i].table)
        ctxn_clear(ctl->txn, row, reset_columns[i].column);
    }
    CLIENT_FOR(br, ctl->client, "Bridge")
    reset_other_config(ctl, br);
    for (size_t i = 0; i < ARRAY_SIZE(reset_tables); i++) {
        CLIENT_FOR(row, ctl->client, reset_tables[i])
        ctxn_delete(ctl->txn, row);
    }
    model_forget(ctl);
    return 0;
}

const struct ctl_command vsctl_config_commands[] = {
    {"init", 0, 0, "", NULL, NULL, NULL, "", true},
    {"emer-reset", 0, 0, "", emer_reset_want, emer_reset, NULL, "", true},
    {"get-controller", 1, 1, "BRIDGE", controller_want, get_controller, NULL, "", false},
    {"del-controller", 1, 1, "BRIDGE", controller_want, del_controller, NULL, "", true},
    {"set-controller", 1, INT_MAX, "BRIDGE TARGET...", controller_want, set_controller, NULL,
     "--inactivity-probe=", true},
    {"get-fail-mode", 1, 1, "BRIDGE", model_want_bridges, get_fail_mode, NULL, "", false},
    {"del-fail-mode", 1, 1, "BRIDGE", model_want_bridges, del_fail_mode, NULL, "", true},
    {"set-fail-mode", 2, 2, "BRIDGE MODE", model_want_bridges, set_fail_mode, NULL, "", true},
    {"get-manager", 0, 0, "", manager_want, get_manager, NULL, "", false},
    {"del-manager", 0, 0, "", manager_want, del_manager, NULL, "", true},
    {"set-manager", 1, INT_MAX, "TARGET...", manager_want, set_manager, NULL, "--inactivity-probe=", true},
    {"get-ssl", 0, 0, "", ssl_want, get_ssl, NULL, "", false},
    {"del-ssl", 0, 0, "", ssl_want, del_ssl, NULL, "", true},
    {"set-ssl", 3, 3, "PRIVATE-KEY CERTIFICATE CA-CERT", ssl_want, set_ssl, NULL, "--bootstrap", true},
    {NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, false},
};
