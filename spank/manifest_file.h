/* A node manifest on a disk. */
#ifndef CFSLURM_MANIFEST_FILE_H
#define CFSLURM_MANIFEST_FILE_H

#include "manifest.h"
#include "trust.h"

enum file_result {
	FILE_READ, /* and right: look into the answer */
	FILE_ABSENT,
	FILE_BAD, /* see the problem */
};

/* Looks into `folder`/node_manifest. `shown` is the folder's name in the problem. */
enum file_result manifest_file_read(int folder, const char *shown, const struct owners *owners,
				    const struct manifest_query *query, struct manifest_answer *answer,
				    struct problem *problem);

/* The same for a file that is open already. */
bool manifest_file_feed(int file, const struct manifest_query *query,
			struct manifest_answer *answer, struct problem *problem);

#endif
