#include "node_env.h"

#include <stdio.h>

static void set_number(node_env_set set, void *environment, const char *name, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	set(environment, name, number ? text : NULL, true);
}

/* A text that is not known is removed: what a step inherits was true on another node. */
static void set_text(node_env_set set, void *environment, const char *name, const char *text)
{
	set(environment, name, text[0] ? text : NULL, true);
}

static void set_model(const struct variant *variant, node_env_set set, void *environment)
{
	set_text(set, environment, "CFSLURM_MODEL_PATH", variant->path);
	set_text(set, environment, "CFSLURM_VARIANT", variant->id);
	set_text(set, environment, "CFSLURM_QUANTIZATION", variant->quantization);
	set_text(set, environment, "CFSLURM_MODEL_REPO", variant->repo);
	set_text(set, environment, "CFSLURM_MODEL_REVISION", variant->revision);
	set_number(set, environment, "CFSLURM_TENSOR_PARALLEL_SIZE", variant->tensor_parallel_size);
	set_number(set, environment, "CFSLURM_MAX_MODEL_LEN", variant->max_model_len);
}

static void set_offline(const struct config *config, node_env_set set, void *environment)
{
	set(environment, "HF_HUB_OFFLINE", "1", false);
	set(environment, "HF_HUB_DISABLE_TELEMETRY", "1", false);
	set(environment, "TRANSFORMERS_OFFLINE", "1", false);
	set(environment, "VLLM_NO_USAGE_STATS", "1", false);
	if (config->hf_hub_cache != NULL)
		set(environment, "HF_HUB_CACHE", config->hf_hub_cache, false);
}

void node_env(const struct config *config, const struct options *options,
	      const struct finding *finding, node_env_set set, void *environment)
{
	static const struct variant none;
	const struct manifest_answer *answer = &finding->answer;
	char folder[PATH_ROOM + NAME_ROOM + sizeof("/sessions/")];

	set(environment, "CFSLURM_SPANK", CFSLURM_VERSION, true);
	if (finding->has_run) {
		set(environment, "CFSLURM_RUN_ID", answer->run_id, true);
		set(environment, "CFSLURM_RUN_DIR", answer->run_dir, true);
	}
	if (options->is_given[OPTION_RUN] || answer->node_class[0] != '\0')
		set_text(set, environment, "CFSLURM_NODE_CLASS", answer->node_class);
	if (finding->has_model)
		set_offline(config, set, environment);
	if (finding->has_model || options->is_given[OPTION_MODEL] || options->key[0] != '\0')
		set_model(finding->has_model ? &answer->variant : &none, set, environment);
	if (options->is_given[OPTION_SESSION]) {
		set(environment, "CFSLURM_SESSION", options->session, true);
		if (finding->has_run) {
			snprintf(folder, sizeof(folder), "%s/sessions/%s", answer->run_dir,
				 options->session);
			set(environment, "CFSLURM_SESSION_DIR", folder, true);
		}
	}
}
