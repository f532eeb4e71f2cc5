#include "base/log.h"
#include "base/test.h"
#include "switch/host.h"

TEST(host_tells_its_figures)
{
    struct host_figure figures[HOST_FIGURES];
    log_init("test");
    unsigned n = host_statistics(figures);
    bool has_cpu = false, has_memory = false;
    for (unsigned i = 0; i < n; i++) {
        unsigned long long a, b, c;
        has_cpu |= !strcmp(figures[i].key, "cpu") && sscanf(text_str(&figures[i].value), "%llu", &a) == 1 && a > 0;
        has_memory |= !strcmp(figures[i].key, "memory") &&
                      sscanf(text_str(&figures[i].value), "%llu,%llu,%llu,", &a, &b, &c) == 3 && a >= b && b >= c;
        text_fini(&figures[i].value);
    }
    CHECK(has_cpu && has_memory);
}

TEST(host_tells_its_system)
{
    AUTO_TEXT struct text type = TEXT_INIT, version = TEXT_INIT;
    host_system(&type, &version);
    CHECK(type.len && version.len);
    CHECK(!strpbrk(text_str(&type), "\"\n"));
}

TESTS(host_tells_its_figures, host_tells_its_system)
