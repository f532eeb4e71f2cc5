/* log_syslog - by which road lines reach the system's log.
 *
 * Use.     log.c, under its lock.
 * Shape.   One way (libc by default, or what OVS_SYSLOG_METHOD says) and, beside it, an optional UDP target.
 */
#ifndef BASE_LOG_SYSLOG_H
#define BASE_LOG_SYSLOG_H 1

#include "base/why.h"

void syslog_send(int facility, int level, const char *program, const char *line);
int syslog_set_method(const char *, struct why *);
int syslog_set_target(const char *, struct why *);

#endif
