/* instance - see the header. */
#include "cli/instance.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/dirs.h"
#include "io/pidfile.h"
#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const part_names[N_PARTS] = {[PART_DB] = "ovsdb-server", [PART_SWITCH] = "ovs-vswitchd"};

struct instance *
instance_new(void)
{
    struct instance *in = xzalloc(sizeof *in);
    in->run = dir_run();
    in->log = dir_log();
    in->db = dir_db();
    in->conf = dir_file(in->db, "conf.db");
    in->socket = dir_file(in->run, "db.sock");
    in->pidfile = dir_file(in->run, "sluice.pid");
    in->output = dir_file(in->run, "sluice.out");
    for (enum part p = 0; p < N_PARTS; p++) {
        in->parts[p].name = part_names[p];
        in->parts[p].pidfile = xasprintf("%s/%s.pid", in->run, part_names[p]);
    }
    return in;
}

void
instance_free(struct instance *in)
{
    if (!in)
        return;
    free(in->conf);
    free(in->socket);
    free(in->pidfile);
    free(in->output);
    for (enum part p = 0; p < N_PARTS; p++)
        free(in->parts[p].pidfile);
    free(in);
}

/* mkdir -p */
static int
make_dir(const char *path, struct why *why)
{
    AUTO_STR char *partial = xstrdup(path);
    for (char *slash = partial; slash;) {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = 0;
        if (mkdir(partial, 0755) < 0 && errno != EEXIST)
            return refuse(why, -errno, "%s: cannot make this directory: %s", partial, strerror(errno));
        if (slash)
            *slash = '/';
    }
    return 0;
}

int
instance_make_dirs(const struct instance *in, struct why *why)
{
    int err = make_dir(in->run, why);
    if (!err)
        err = make_dir(in->db, why);
    return err ? err : make_dir(in->log, why);
}

static pid_t
owner(const char *pidfile)
{
    pid_t pid = pidfile_read(pidfile);
    return MAX(pid, 0);
}

pid_t
instance_supervisor(const struct instance *in)
{
    return owner(in->pidfile);
}

pid_t
instance_part(const struct instance *in, enum part p)
{
    return owner(in->parts[p].pidfile);
}

static bool
accepts(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(path) >= sizeof to.sun_path)
        return false;
    strcpy(to.sun_path, path);
    return !connect(fd, (struct sockaddr *) &to, sizeof to);
}

bool
instance_answers(const struct instance *in, enum part p, pid_t pid)
{
    AUTO_STR char *ctl = xasprintf("%s/%s.%d.ctl", in->run, in->parts[p].name, (int) pid);
    return instance_part(in, p) == pid && accepts(ctl) && (p != PART_DB || accepts(in->socket));
}

void
instance_sweep(const struct instance *in)
{
    static const char *const leftovers[] = {
        "ovsdb-server.*.ctl", "ovs-vswitchd.*.ctl", "*.mgmt",     "*.snoop", "ovsdb-server.pid",
        "ovs-vswitchd.pid",   "sluice.pid",         "sluice.out", "db.sock"};
    for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
        AUTO_STR char *pattern = dir_file(in->run, leftovers[i]);
        glob_t found;
        if (!glob(pattern, 0, NULL, &found)) {
            for (size_t j = 0; j < found.gl_pathc; j++)
                unlink(found.gl_pathv[j]);
            globfree(&found);
        }
    }
}
