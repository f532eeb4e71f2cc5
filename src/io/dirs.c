/* dirs - see the header. */
#include "io/dirs.h"
#include "base/mem.h"
#include <limits.h>
#include <string.h>
#include <unistd.h>

#ifndef SLUICE_PKGDATADIR
#define SLUICE_PKGDATADIR "/usr/share/openvswitch"
#endif

static const char *
from_env(const char *variable, const char *otherwise)
{
    const char *value = getenv(variable);
    return value && *value ? value : otherwise;
}

const char *
dir_run(void)
{
    static const char *dir;
    if (!dir)
        dir = xstrdup(from_env("OVS_RUNDIR", "/var/run/openvswitch"));
    return dir;
}

const char *
dir_log(void)
{
    static const char *dir;
    if (!dir)
        dir = xstrdup(from_env("OVS_LOGDIR", "/var/log/openvswitch"));
    return dir;
}

const char *
dir_db(void)
{
    static const char *dir;
    if (!dir) {
        const char *db = from_env("OVS_DBDIR", NULL);
        dir = db ? xstrdup(db) : dir_file(from_env("OVS_SYSCONFDIR", "/etc"), "openvswitch");
    }
    return dir;
}

/* A build that was not installed keeps its data beside its programs: BUILD/compat/NAME, or NAME in BUILD itself, next to
 * BUILD/compat/vswitch.ovsschema; an installed one has PREFIX/bin/NAME and PREFIX/share/openvswitch. */
static char *
pkgdata_near_program(void)
{
    static const char *const places[] = {"", "compat", "../compat", "../share/openvswitch", "../../compat"};
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return NULL;
    exe[n] = 0;
    *strrchr(exe, '/') = 0;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        AUTO_STR char *dir = xasprintf("%s/%s", exe, places[i]);
        AUTO_STR char *schema = dir_file(dir, "vswitch.ovsschema");
        if (!access(schema, R_OK))
            return MOVE(dir);
    }
    return NULL;
}

const char *
dir_pkgdata(void)
{
    static const char *dir;
    if (!dir) {
        const char *set = from_env("OVS_PKGDATADIR", NULL);
        dir = set ? xstrdup(set) : pkgdata_near_program();
        if (!dir)
            dir = SLUICE_PKGDATADIR;
    }
    return dir;
}

char *
dir_file(const char *dir, const char *name)
{
    return name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
}
