/* What a model cache's folders alone say of a model. */
#ifndef CFSLURM_STORE_H
#define CFSLURM_STORE_H

#include <sys/types.h>

#include "manifest.h"
#include "problem.h"
#include "trust.h"

enum store_result {
	STORE_FOUND,
	STORE_ABSENT, /* the problem says why, for a reader who has looked everywhere */
	STORE_AMBIGUOUS,
};

/* Fills in `variant` for the only published folder of `repo` that fits the words: a 40-digit commit, `none`, or
 * the label of a GGUF quantization. */
enum store_result store_find(const char *cache, const char *repo, const struct words *words,
			     uid_t user, struct variant *variant, struct problem *problem);

#endif
