/* slow - system calls that wait for a grace period of the kernel (10 to 30 ms each), on a thread of their own.
 *
 * Use.     slow_run(fn, arg)       for what nobody needs the answer of, e.g. taking a device away: soon, in the order they were given.
 *          slow_run_idle(fn, arg)  for what can wait: after 0.2 s in which nothing was asked, since such a call also holds the kernel's lock
 *                                  over all network devices and would make the next add-port wait.
 *          slow_wait()             before anything that must find the soon ones done.
 * End.     The process does not exit before the soon ones are done; idle ones may never run.
 * Threads. The control thread asks; fn runs on the other thread and may log, nothing else of ours.
 */
#ifndef DEVICE_SLOW_H
#define DEVICE_SLOW_H 1

void slow_run(void (*fn)(void *arg), void *arg);
void slow_run_idle(void (*fn)(void *arg), void *arg);
void slow_wait(void);

#endif
