/* What the sysadmin says: the arguments of the line in plugstack.conf. */
#ifndef CFSLURM_CONFIG_H
#define CFSLURM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "limits.h"
#include "problem.h"

enum { CACHES = 8 };

struct config {
	int caches;
	const char *cache[CACHES];
	const char *runs;
	const char *hf_hub_cache; /* NULL: none */
	bool warns_only;
	bool records_tasks;
	uint64_t read_ahead_bytes;
};

/* Reads the arguments, which must live as long as the config. Says which one is wrong. */
bool config_read(struct config *config, int count, char *const *arguments, struct problem *problem);

#endif
