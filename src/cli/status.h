/* status - 'sluice status': what is connected, what was learned, how fast, and what was dropped.
 *
 * Exit codes.  0; 1: it cannot be read; 2: wrong usage; 3: nothing runs, or a part of it does not.
 */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H 1

int sluice_status(int argc, char *argv[]);

#endif
