/* The GPU map as Slurm sees it: a plugin of its own, because slurmd starts a process before and after every job as soon as
 * one plugin has these two callbacks. Runs as root. Never returns an error: that would drain the node. */
#include <slurm/spank.h>

#include <stdlib.h>

#include "gpu_map.h"

SPANK_PLUGIN(cfslurm_gpu_map, 1)

static void say(const struct problem *problem)
{
	if (problem->is_there)
		slurm_error("cfslurm: %s", problem->text);
}

int slurm_spank_job_prolog(spank_t spank, int ac, char **av)
{
	const char *indexes = getenv("SLURM_JOB_GPUS"), *names = getenv("CUDA_VISIBLE_DEVICES");
	struct problem problem = { 0 };
	struct gpu_map map;
	uint32_t job;
	uid_t uid;

	if (indexes == NULL && names == NULL)
		return ESPANK_SUCCESS;
	if (gpu_map_configure(&map, ac, av, &problem) &&
	    spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS &&
	    spank_get_item(spank, S_JOB_UID, &uid) == ESPANK_SUCCESS)
		gpu_map_enter(&map, names ? names : indexes, indexes ? indexes : names, job, uid,
			      &problem);
	say(&problem);
	return ESPANK_SUCCESS;
}

int slurm_spank_job_epilog(spank_t spank, int ac, char **av)
{
	struct problem problem = { 0 };
	struct gpu_map map;
	uint32_t job;

	if (gpu_map_configure(&map, ac, av, &problem) &&
	    spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS)
		gpu_map_leave(&map, job, &problem);
	say(&problem);
	return ESPANK_SUCCESS;
}
