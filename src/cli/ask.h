/* ask - the short commands of a person that ask the running switch one question: sluice trace, sluice drops. */
#ifndef CLI_ASK_H
#define CLI_ASK_H 1

int sluice_trace(int argc,
                 char *argv[]); /* BRIDGE FLOW [-generate | FRAME]: what would happen to this frame, step by step */
int sluice_drops(int argc, char *argv[]); /* [--last]: how many frames were dropped, by reason; the last ones */

#endif
