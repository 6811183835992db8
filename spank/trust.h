/* Opening files that somebody else may have planted: never through a link, never a pipe or device, never what
 * others than a few owners could have written. */
#ifndef CFSLURM_TRUST_H
#define CFSLURM_TRUST_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "problem.h"

struct owners {
	uid_t uid[3];
	int count;
};

void owners_add(struct owners *owners, uid_t uid);

/* Who else may write to a folder without making it untrusted. */
enum sharing {
	SHARED, /* its group; everybody if it is sticky: what stands in it is checked by itself */
	PRIVATE, /* nobody */
};

/* Opens a folder below `at` that belongs to one of the owners, for fstat and openat only, or for reading.
 * `shown` is its name in the problem. Returns -1 after a problem. */
int trust_open_folder(int at, const char *name, bool for_reading, const struct owners *owners,
		      enum sharing sharing, const char *shown, struct problem *problem);

/* Opens a regular file that belongs to one of the owners and that nobody else can write. */
int trust_open_file(int at, const char *name, const struct owners *owners, const char *shown,
		    struct stat *found, struct problem *problem);

/* The same for a file that is not opened. */
bool trust_file(const struct stat *found, const struct owners *owners, const char *shown,
		struct problem *problem);

#endif
