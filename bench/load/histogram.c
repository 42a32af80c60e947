/* Values counted in cells of a bounded relative width, as HdrHistogram does it: exact below 64, and
 * 64 cells for each doubling from there on (1.6 % wide). */
#include "load.h"

enum { BITS = 6 };

static unsigned cell_of(uint64_t value)
{
    if (value < 1u << BITS) return (unsigned)value;
    unsigned doublings = 63 - __builtin_clzll(value) - BITS;
    unsigned cell = ((doublings + 1) << BITS) + (unsigned)(value >> doublings) - (1u << BITS);
    return cell < HISTOGRAM_CELLS ? cell : HISTOGRAM_CELLS - 1;
}

static uint64_t least_in(unsigned cell)
{
    if (cell < 1u << BITS) return cell;
    unsigned doublings = (cell >> BITS) - 1;
    return (uint64_t)((cell & ((1u << BITS) - 1)) + (1u << BITS)) << doublings;
}

void note(struct histogram *h, uint64_t value)
{
    h->cells[cell_of(value)]++;
    h->count++;
    if (value > h->most) h->most = value;
}

/* The least value that `share` of all are not above, to a cell's width; 0 of none. */
uint64_t percentile(const struct histogram *h, double share)
{
    uint64_t seen = 0;
    for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++) {
        seen += h->cells[cell];
        if (h->cells[cell] && seen >= share * h->count) return least_in(cell);
    }
    return h->most;
}
