/* memory - see the header. */
#include "io/memory.h"
#include "base/vec.h"

static struct {
    VEC(struct reporter {
        void (*fn)(void *aux);
        void *aux;
    })
    reporters;
    VEC(struct figure {
        const char *name;
        unsigned long long count;
    })
    figures; /* of the memory_show() that is going on */
} memory;

void
memory_reporter(void (*fn)(void *aux), void *aux)
{
    struct reporter r = {fn, aux};
    vec_push(&memory.reporters, r);
}

void
memory_report(const char *name, unsigned long long count)
{
    for (size_t i = 0; i < memory.figures.n; i++)
        if (!strcmp(memory.figures.at[i].name, name)) {
            memory.figures.at[i].count += count;
            return;
        }
    struct figure f = {name, count};
    vec_push(&memory.figures, f);
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(((const struct figure *) a)->name, ((const struct figure *) b)->name);
}

void
memory_show(struct text *out)
{
    for (size_t i = 0; i < memory.reporters.n; i++)
        memory.reporters.at[i].fn(memory.reporters.at[i].aux);
    if (memory.figures.n)
        qsort(memory.figures.at, memory.figures.n, sizeof *memory.figures.at, by_name);
    for (size_t i = 0; i < memory.figures.n; i++)
        text_addf(out, "%s%s:%llu", i ? " " : "", memory.figures.at[i].name, memory.figures.at[i].count);
    text_addc(out, '\n');
    vec_fini(&memory.figures);
}
