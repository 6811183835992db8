/* What a job asks for: five options, each with an environment variable of the same meaning. */
#ifndef CFSLURM_OPTIONS_H
#define CFSLURM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"
#include "words.h"

enum option {
	OPTION_MODEL,
	OPTION_RUN,
	OPTION_SESSION,
	OPTION_REQUIRE_CACHED,
	OPTION_GPU_MIN_MEM,
	OPTIONS,
};

struct option_text {
	const char *option; /* with its two dashes */
	const char *variable;
	const char *argument; /* NULL: has none */
	const char *usage;
};

extern const struct option_text option_texts[OPTIONS];

struct options {
	bool is_given[OPTIONS];
	bool is_variable[OPTIONS]; /* given by its variable */
	char repo[REPO_ROOM];
	struct words variants;
	char run_id[NAME_ROOM]; /* this or the next one, not both */
	char run_dir[PATH_ROOM];
	char key[NAME_ROOM];
	char session[NAME_ROOM];
	bool require_cached;
	uint64_t gpu_min_bytes;
};

/* Sets one option; the last value counts. Returns what was expected if the value is wrong, else NULL. An option
 * without an argument has the value NULL, its variable 1 or 0. */
const char *options_set(struct options *options, enum option option, const char *value);

/* Sets one option by its variable, unless it is given as an option. */
const char *options_set_variable(struct options *options, enum option option, const char *value);

/* What the user has typed: `--cf-model` or `CFSLURM_OPT_MODEL`. */
const char *options_name(const struct options *options, enum option option);

/* True if a job asks for anything. */
bool options_ask(const struct options *options);

#endif
