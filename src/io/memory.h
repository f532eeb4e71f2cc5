/* memory - how much does each subsystem hold?  What memory/show prints, one "name:count" each, sorted by name.
 *
 * Use.     memory_reporter(fn, aux)  once per subsystem; fn calls memory_report("cells", n) for each of its figures; equal names add up.
 */
#ifndef IO_MEMORY_H
#define IO_MEMORY_H 1

#include "base/text.h"

void memory_reporter(void (*fn)(void *aux), void *aux);
void memory_report(const char *name, unsigned long long count);
void memory_show(struct text *);

#endif
