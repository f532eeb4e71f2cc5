#include "switch/host.h"
#include "base/log.h"
#include "base/own.h"
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The value of KEY=value or KEY="value" in a file of such lines. */
static bool
os_release(const char *key, struct text *value)
{
    FILE *f = fopen("/etc/os-release", "re");
    char line[512];
    size_t n = strlen(key);
    bool found = false;

    while (f && !found && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, n) || line[n] != '=')
            continue;
        const char *from = line + n + 1;
        from += *from == '"';
        text_addn(value, from, strcspn(from, "\"\n"));
        found = value->len > 0;
    }
    if (f)
        fclose(f);
    return found;
}

void
host_system(struct text *type, struct text *version)
{
    if (!os_release("ID", type))
        text_add(type, "unknown");
    if (!os_release("VERSION_ID", version))
        text_add(version, "unknown");
}

static void
cpu(struct text *t)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (n > 0)
        text_addf(t, "%ld", n);
}

static void
load_average(struct text *t)
{
    double load[3];
    if (getloadavg(load, 3) == 3)
        text_addf(t, "%.2f,%.2f,%.2f", load[0], load[1], load[2]);
}

static bool
meminfo(const char *line, const char *key, unsigned long long *kb)
{
    size_t n = strlen(key);
    return !strncmp(line, key, n) && line[n] == ':' && sscanf(line + n + 1, "%llu", kb) == 1;
}

/* total RAM, RAM in use, RAM in use less caches, total swap, swap in use: MiB */
static void
memory(struct text *t)
{
    unsigned long long total = 0, free_kb = 0, buffers = 0, cached = 0, swap = 0, swap_free = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    char line[256];

    if (!f)
        return;
    while (fgets(line, sizeof line, f))
        (void) (meminfo(line, "MemTotal", &total) || meminfo(line, "MemFree", &free_kb) ||
                meminfo(line, "Buffers", &buffers) || meminfo(line, "Cached", &cached) ||
                meminfo(line, "SwapTotal", &swap) || meminfo(line, "SwapFree", &swap_free));
    fclose(f);
    unsigned long long used = total - free_kb;
    text_addf(t, "%llu,%llu,%llu,%llu,%llu", total / 1024, used / 1024, (used - MIN(used, buffers + cached)) / 1024,
              swap / 1024, (swap - swap_free) / 1024);
}

/* virtual KiB, resident KiB, CPU ms, crashes, ms since booted, ms since started */
static void
process(struct text *t)
{
    unsigned long long vsize, start, utime, stime;
    long rss;
    FILE *f = fopen("/proc/self/stat", "re");
    char line[1024];
    double uptime = 0;

    const char *rest = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (f)
        fclose(f);
    if (!rest ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu %llu %ld",
               &utime, &stime, &start, &vsize, &rss) != 5)
        return;
    if ((f = fopen("/proc/uptime", "re"))) {
        if (fscanf(f, "%lf", &uptime) != 1)
            uptime = 0;
        fclose(f);
    }
    long hz = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    unsigned long long age = (unsigned long long) (uptime * 1000) - start * 1000 / hz;
    text_addf(t, "%llu,%llu,%llu,0,%llu,%llu", vsize / 1024, (unsigned long long) rss * page / 1024,
              (utime + stime) * 1000 / hz, age, age);
}

/* mount point, total KiB, used KiB; of devices that are writable, separated by spaces */
static void
file_systems(struct text *t)
{
    FILE *f = setmntent("/proc/mounts", "re");
    struct mntent *m;
    struct statvfs s;

    while (f && (m = getmntent(f))) {
        if (strncmp(m->mnt_fsname, "/dev", 4) || hasmntopt(m, MNTOPT_RO) || strpbrk(m->mnt_dir, " ,") ||
            statvfs(m->mnt_dir, &s))
            continue;
        text_addf(t, "%s%s,%llu,%llu", t->len ? " " : "", m->mnt_dir,
                  (unsigned long long) s.f_blocks * s.f_frsize / 1024,
                  (unsigned long long) (s.f_blocks - s.f_bfree) * s.f_frsize / 1024);
    }
    if (f)
        endmntent(f);
}

unsigned
host_statistics(struct host_figure figures[HOST_FIGURES])
{
    static char process_key[64];
    static const struct {
        const char *key;
        void (*tell)(struct text *);
    } sources[HOST_FIGURES] = {{"cpu", cpu},
                               {"file_systems", file_systems},
                               {"load_average", load_average},
                               {"memory", memory},
                               {process_key, process}};
    unsigned n = 0;

    snprintf(process_key, sizeof process_key, "process_%s", log_program());
    for (unsigned i = 0; i < HOST_FIGURES; i++) {
        figures[n] = (struct host_figure){sources[i].key, TEXT_INIT};
        sources[i].tell(&figures[n].value);
        if (figures[n].value.len)
            n++;
    }
    return n;
}
