/* Which job has which GPU, in the files that existing dashboards read. Written by root on the node, nothing else reads
 * or writes there.
 *
 *   jobstats:       a file for each GPU, named by index or UUID, with "JOB UID"
 *   dcgm-exporter:  a file for each GPU, named by index, with one job id on a line
 */
#ifndef CFSLURM_GPU_MAP_H
#define CFSLURM_GPU_MAP_H

#include <stdint.h>
#include <sys/types.h>

#include "problem.h"

struct gpu_map {
	const char *gpustat_dir; /* NULL: not written */
	const char *dcgm_dir;
};

bool gpu_map_configure(struct gpu_map *map, int count, char *const *arguments,
		       struct problem *problem);

/* `names` are for jobstats (CUDA_VISIBLE_DEVICES), `indexes` for dcgm-exporter (SLURM_JOB_GPUS); lists with commas,
 * of numbers, ranges of numbers, and UUIDs. May be called twice. */
void gpu_map_enter(const struct gpu_map *map, const char *names, const char *indexes, uint32_t job,
		   uid_t uid, struct problem *problem);

/* Removes a job wherever it stands. */
void gpu_map_leave(const struct gpu_map *map, uint32_t job, struct problem *problem);

#endif
