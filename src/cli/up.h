/* up - 'sluice up' and 'sluice down': database and switch under one small supervisor.
 *
 * Shape.  sluice_up() returns when both programs answer, or says why they do not; the supervisor lives on in a process of its own
 *         (cli/supervise.h).  Both commands are harmless when there is nothing to do.
 */
#ifndef CLI_UP_H
#define CLI_UP_H 1

int sluice_up(int argc, char *argv[]);
int sluice_down(int argc, char *argv[]);

#endif
