/* rcu - see the header. */
#include "base/rcu.h"

unsigned rcu_checked_word;
