/* The choice between equals inside CTryCopy, for tests and measurements: no user of the accessors has a reason to make it. */
#ifndef CTRYCOPY_VECTORS_H
#define CTRYCOPY_VECTORS_H

#include <stdbool.h>

/*
 * Whether copies and fills of more than 32 bytes use 32-byte vectors: `ctrycopy_install` turns them on where processor
 * and kernel have AVX2. This turns them off, or on again; it is ignored where there is no AVX2.
 * Any thread, any time: either way is right.
 */
void ctrycopy_use_avx2(bool is_used);

#endif
