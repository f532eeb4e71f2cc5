#include "switch/numbers.h"

bool
number_is_valid(int64_t n)
{
    return n >= 1 && n < OFPORT_MAX;
}

bool
numbers_is_free(const struct numbers *numbers, ofport n)
{
    return number_is_valid(n) && !(numbers->taken[n / 64] >> (n % 64) & 1);
}

bool
numbers_take(struct numbers *numbers, ofport n)
{
    if (!numbers_is_free(numbers, n))
        return false;
    numbers->taken[n / 64] |= 1ULL << (n % 64);
    return true;
}

void
numbers_give(struct numbers *numbers, ofport n)
{
    if (number_is_valid(n))
        numbers->taken[n / 64] &= ~(1ULL << (n % 64));
}

ofport
numbers_next(struct numbers *numbers)
{
    for (unsigned tries = 1; tries < OFPORT_MAX; tries++) {
        numbers->last = numbers->last + 1 < OFPORT_MAX ? numbers->last + 1 : 1;
        if (numbers_take(numbers, numbers->last))
            return numbers->last;
    }
    return OFPORT_NONE;
}
