#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "node_env.h"

static char log_text[16384];

static void note(void *environment, const char *name, const char *value, bool overwrite)
{
	size_t used = strlen(log_text);

	(void)environment;
	snprintf(log_text + used, sizeof(log_text) - used, "%s%s%s%s\n", name,
		 value == NULL ? " removed" : overwrite ? "=" : "?=", value ? value : "", "");
}

static const char *set(const struct config *config, const struct options *options,
		       const struct finding *finding)
{
	log_text[0] = '\0';
	node_env(config, options, finding, note, NULL);
	return log_text;
}

void test_node_env(void)
{
	static struct finding finding;
	static struct options options;
	struct config config = { .hf_hub_cache = NULL };
	struct variant *variant = &finding.answer.variant;

	options_set(&options, OPTION_SESSION, "s1");
	CHECK_TEXT(set(&config, &options, &finding),
		   "CFSLURM_SPANK=" CFSLURM_VERSION "\nCFSLURM_SESSION=s1\n");

	options_set(&options, OPTION_RUN, "r1:eval");
	finding.has_run = finding.has_model = true;
	strcpy(finding.answer.run_id, "r1");
	strcpy(finding.answer.run_dir, "/runs/r1");
	strcpy(finding.answer.node_class, "h100-x4");
	strcpy(variant->path, "/c/store/a--b/1");
	strcpy(variant->id, "a/b@awq");
	strcpy(variant->quantization, "awq");
	strcpy(variant->repo, "a/b");
	strcpy(variant->revision, REV1);
	variant->tensor_parallel_size = 2;
	config.hf_hub_cache = "/hub";
	CHECK_TEXT(set(&config, &options, &finding),
		   "CFSLURM_SPANK=" CFSLURM_VERSION "\n"
		   "CFSLURM_RUN_ID=r1\nCFSLURM_RUN_DIR=/runs/r1\nCFSLURM_NODE_CLASS=h100-x4\n"
		   "HF_HUB_OFFLINE?=1\nHF_HUB_DISABLE_TELEMETRY?=1\nTRANSFORMERS_OFFLINE?=1\n"
		   "VLLM_NO_USAGE_STATS?=1\nHF_HUB_CACHE?=/hub\n"
		   "CFSLURM_MODEL_PATH=/c/store/a--b/1\nCFSLURM_VARIANT=a/b@awq\n"
		   "CFSLURM_QUANTIZATION=awq\nCFSLURM_MODEL_REPO=a/b\nCFSLURM_MODEL_REVISION=" REV1 "\n"
		   "CFSLURM_TENSOR_PARALLEL_SIZE=2\nCFSLURM_MAX_MODEL_LEN removed\n"
		   "CFSLURM_SESSION=s1\nCFSLURM_SESSION_DIR=/runs/r1/sessions/s1\n");

	/* Not found, but only warned: what the step inherits from another node must not stay. */
	memset(&finding, 0, sizeof(finding));
	memset(&options, 0, sizeof(options));
	options_set(&options, OPTION_MODEL, "a/b");
	options_set(&options, OPTION_RUN, "r1");
	CHECK_TEXT(set(&config, &options, &finding),
		   "CFSLURM_SPANK=" CFSLURM_VERSION "\nCFSLURM_NODE_CLASS removed\n"
		   "CFSLURM_MODEL_PATH removed\nCFSLURM_VARIANT removed\nCFSLURM_QUANTIZATION removed\n"
		   "CFSLURM_MODEL_REPO removed\nCFSLURM_MODEL_REVISION removed\n"
		   "CFSLURM_TENSOR_PARALLEL_SIZE removed\nCFSLURM_MAX_MODEL_LEN removed\n");
}
