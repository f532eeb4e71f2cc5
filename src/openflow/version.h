/* version - which OpenFlow is spoken on a connection.
 *
 * Sets of versions are bitmaps with bit N for wire version N (0x01 is OpenFlow 1.0 ... 0x06 is 1.5), as in the HELLO message.
 */
#ifndef OPENFLOW_VERSION_H
#define OPENFLOW_VERSION_H 1

#include "base/compiler.h"
#include "base/text.h"
#include "base/why.h"

enum of_version { OF10 = 1, OF11, OF12, OF13, OF14, OF15, OF_N };

#define OF_ALL 0x7e /* every version there is */

const char *of_version_name(enum of_version); /* "OpenFlow10" */
/* "OpenFlow13", "OpenFlow1.3" or "1.3", in any case; false: none of them. */
bool of_version_parse(const char *, enum of_version *);
/* "OpenFlow10,OpenFlow13"; the names are those of the 'protocols' column and of -O. */
int of_versions_parse(const char *, uint32_t *bitmap, struct why *);
void of_versions_format(uint32_t bitmap, struct text *);
/* The highest of a set, 0 when it is empty. */
enum of_version of_version_highest(uint32_t bitmap);

#endif
