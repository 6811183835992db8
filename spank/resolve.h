/* From what a job asks for to what it gets on this node. Runs with the user's rights. */
#ifndef CFSLURM_RESOLVE_H
#define CFSLURM_RESOLVE_H

#include <sys/types.h>

#include "config.h"
#include "manifest.h"
#include "options.h"
#include "problem.h"

/* Where we are. Texts may be empty: not known. `gpus` is -1 if nothing says how many the step has. */
struct place {
	const char *node;
	uid_t user;
	const char *job_name;
	const char *home;
	const char *user_name;
	const char *runs;
	const char *model_cache;
	int gpus;
};

/* What was found. With a problem the rest is what is known in spite of it. */
struct finding {
	struct problem problem;
	struct problem note; /* never ends a task */
	bool has_run;
	bool has_model; /* published and complete */
	struct manifest_answer answer;
};

void resolve(const struct config *config, const struct options *options, const struct place *place,
	     struct finding *finding);

/* The GPUs that a visible-devices variable lists; -1 without a value. */
int resolve_gpus(const char *visible);

#endif
