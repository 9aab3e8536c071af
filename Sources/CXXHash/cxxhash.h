// xxHash, of Debian's libxxhash-dev: the checksums of streams and snapshots.
#include <xxhash.h>
