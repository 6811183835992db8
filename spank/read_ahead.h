/* Asks the kernel to bring a variant's files into the page cache. Off by default. */
#ifndef CFSLURM_READ_AHEAD_H
#define CFSLURM_READ_AHEAD_H

#include <stdint.h>

#include "manifest.h"

/* Reads nothing itself. Stops after `most_bytes`, or after a fifth of a second. Returns the bytes asked for. */
uint64_t read_ahead(const struct variant *variant, uint64_t most_bytes);

#endif
