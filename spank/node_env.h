/* What a task finds in its environment; the names are those of docs/reference/environment.md. */
#ifndef CFSLURM_NODE_ENV_H
#define CFSLURM_NODE_ENV_H

#include "resolve.h"

/* Sets a variable, or removes it if `value` is NULL. Without `overwrite` a value that is there stays. */
typedef void (*node_env_set)(void *environment, const char *name, const char *value, bool overwrite);

void node_env(const struct config *config, const struct options *options,
	      const struct finding *finding, node_env_set set, void *environment);

#endif
