#include "config.h"

#include <string.h>

#include "encoding.h"

static const char *set_cache(struct config *config, const char *value)
{
	if (config->caches == CACHES)
		return "there are more than 8";
	if (!encoding_is_path(value) || strlen(value) >= PATH_ROOM)
		return "an absolute folder was expected";
	config->cache[config->caches++] = value;
	return NULL;
}

static const char *set_runs(struct config *config, const char *value)
{
	if (value[0] != '/' && strncmp(value, "$HOME/", 6) != 0)
		return "an absolute folder was expected";
	config->runs = value;
	return NULL;
}

static const char *set_on_problem(struct config *config, const char *value)
{
	config->warns_only = strcmp(value, "warn") == 0;
	return config->warns_only || strcmp(value, "fail") == 0 ? NULL : "fail or warn was expected";
}

static const char *set_hf_hub_cache(struct config *config, const char *value)
{
	if (!encoding_is_path(value))
		return "an absolute folder was expected";
	config->hf_hub_cache = value;
	return NULL;
}

static const char *set_read_ahead(struct config *config, const char *value)
{
	uint64_t mib;

	if (!encoding_number(value, strlen(value), 16 << 20, &mib))
		return "a number of MiB was expected";
	config->read_ahead_bytes = mib << 20;
	return NULL;
}

static const char *set_record_tasks(struct config *config, const char *value)
{
	config->records_tasks = strcmp(value, "yes") == 0;
	return config->records_tasks || strcmp(value, "no") == 0 ? NULL : "yes or no was expected";
}

static const struct {
	const char *key;
	const char *(*set)(struct config *config, const char *value);
} setters[] = {
	{ "cache", set_cache },
	{ "runs", set_runs },
	{ "on_problem", set_on_problem },
	{ "hf_hub_cache", set_hf_hub_cache },
	{ "read_ahead_mib", set_read_ahead },
	{ "record_tasks", set_record_tasks },
};

static const char *set(struct config *config, const char *argument)
{
	const char *equals = strchr(argument, '=');

	if (equals == NULL)
		return "key=value was expected";
	for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); ++i) {
		size_t size = strlen(setters[i].key);

		if (size == (size_t)(equals - argument) &&
		    memcmp(setters[i].key, argument, size) == 0)
			return setters[i].set(config, equals + 1);
	}
	return "there is no such argument";
}

bool config_read(struct config *config, int count, char *const *arguments, struct problem *problem)
{
	memset(config, 0, sizeof(*config));
	config->runs = "$HOME/.local/share/cfslurm/runs";
	for (int i = 0; i < count; ++i) {
		const char *wrong = set(config, arguments[i]);

		if (wrong != NULL)
			problem_say(problem, "plugstack.conf: %s: %s", arguments[i], wrong);
	}
	return !problem->is_there;
}
