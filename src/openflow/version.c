/* version - see the header. */
#include "openflow/version.h"
#include "base/mem.h"
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <string.h>

static const char *const names[OF_N] = {NULL,         "OpenFlow10", "OpenFlow11", "OpenFlow12",
                                        "OpenFlow13", "OpenFlow14", "OpenFlow15"};

const char *
of_version_name(enum of_version v)
{
    return v >= OF10 && v < OF_N ? names[v] : "unknown version";
}

bool
of_version_parse(const char *text, enum of_version *out)
{
    if (!strncasecmp(text, "OpenFlow", 8))
        text += 8;
    bool dotted = text[0] == '1' && text[1] == '.';
    const char *minor = dotted ? text + 2 : text + 1;
    if (text[0] != '1' || minor[0] < '0' || minor[0] > '5' || minor[1])
        return false;
    *out = OF10 + (minor[0] - '0');
    return true;
}

int
of_versions_parse(const char *text, uint32_t *bitmap, struct why *why)
{
    AUTO_STR char *copy = xstrdup(text);
    uint32_t set = 0;
    char *save = NULL;
    for (char *w = strtok_r(copy, ", \t", &save); w; w = strtok_r(NULL, ", \t", &save)) {
        enum of_version v;
        if (!of_version_parse(w, &v))
            return refuse(why, -EINVAL, "unknown OpenFlow version: \"%s\"", w);
        set |= 1u << v;
    }
    *bitmap = set;
    return 0;
}

void
of_versions_format(uint32_t bitmap, struct text *out)
{
    const char *between = "";
    for (int v = OF10; v < OF_N; v++)
        if (bitmap >> v & 1) {
            text_addf(out, "%s%s", between, names[v]);
            between = ", ";
        }
}

enum of_version
of_version_highest(uint32_t bitmap)
{
    for (int v = OF_N - 1; v >= OF10; v--)
        if (bitmap >> v & 1)
            return v;
    return 0;
}
