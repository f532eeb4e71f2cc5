/* unserved - see unserved.def. */
#include "switch/model.h"
#include <string.h>

void
unserved(const struct crow *row, struct text *t)
{
    const char *table = crow_table(row);

#define UNSERVED(TABLE, WORD, ASKED)                                                                                   \
    if (!strcmp(table, #TABLE) && (ASKED))                                                                             \
        text_addf(t, "%s%s", t->len ? " " : "", WORD);
#include "switch/unserved.def"
}
