/* dirs - where the field's programs keep their files.
 *
 * OVS_RUNDIR (/var/run/openvswitch), OVS_LOGDIR (/var/log/openvswitch), OVS_DBDIR (OVS_SYSCONFDIR/openvswitch or /etc/openvswitch),
 * OVS_SYSCONFDIR (/etc), OVS_PKGDATADIR (the 'compat' folder of the build, or PREFIX/share/openvswitch) are read once.
 */
#ifndef IO_DIRS_H
#define IO_DIRS_H 1

const char *dir_run(void);
const char *dir_log(void);
const char *dir_db(void);
const char *dir_pkgdata(void);
/* An absolute path as it is, another one under 'dir'; the caller frees it. */
char *dir_file(const char *dir, const char *name);

#endif
