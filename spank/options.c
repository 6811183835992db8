#include "options.h"

#include <string.h>

#include "encoding.h"
#include "manifest.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

const struct option_text option_texts[OPTIONS] = {
	[OPTION_MODEL] = {
		"--cf-model", "CFSLURM_OPT_MODEL", "ORG/NAME[@VARIANT,..]",
		"[cfslurm] set CFSLURM_MODEL_PATH and others for the variant of this model that each node uses (plugin " CFSLURM_VERSION ")",
	},
	[OPTION_RUN] = {
		"--cf-run", "CFSLURM_OPT_RUN", "RUN[:KEY]",
		"[cfslurm] the run (its id or directory) whose plan says which variant a node uses",
	},
	[OPTION_SESSION] = {
		"--cf-session", "CFSLURM_OPT_SESSION", "NAME",
		"[cfslurm] set CFSLURM_SESSION and, with --cf-run, CFSLURM_SESSION_DIR",
	},
	[OPTION_REQUIRE_CACHED] = {
		"--cf-require-cached", "CFSLURM_OPT_REQUIRE_CACHED", NULL,
		"[cfslurm] end the job's tasks if the model is not completely in a model cache",
	},
	[OPTION_GPU_MIN_MEM] = {
		"--cf-gpu-min-mem", "CFSLURM_OPT_GPU_MIN_MEM", "SIZE",
		"[cfslurm] end the job's tasks on nodes whose GPUs have less memory; 80G means 80*10^9 bytes",
	},
};

/* A letter or digit, then also dots, dashes, underscores. */
static bool is_name(const char *text, size_t size)
{
	if (size == 0 || strchr("._-", text[0]) != NULL)
		return false;
	for (size_t i = 0; i < size; ++i) {
		if (text[i] == '\0' || strchr(LETTERS DIGITS "._-", text[i]) == NULL)
			return false;
	}
	return true;
}

static bool has_two_dashes(const char *text, size_t size)
{
	for (size_t i = 0; i + 1 < size; ++i) {
		if (text[i] == '-' && text[i + 1] == '-')
			return true;
	}
	return false;
}

/* ORG/NAME, each a name that the model cache has a folder for. */
static bool is_repo(const char *text, size_t size)
{
	const char *slash = memchr(text, '/', size);
	size_t org, name;

	if (slash == NULL)
		return false;
	org = (size_t)(slash - text);
	name = size - org - 1;
	return org <= 96 && name <= 96 && is_name(text, org) && is_name(slash + 1, name) &&
	       !has_two_dashes(text, org) && !has_two_dashes(slash + 1, name);
}

static bool set_words(struct words *words, const char *text)
{
	words->count = 0;
	for (;;) {
		size_t size = strcspn(text, ",");
		const char *colon = memchr(text, ':', size);
		size_t first = colon ? (size_t)(colon - text) : size;

		if (words->count == WORDS || size >= QUANTIZATION_ROOM || !is_name(text, first) ||
		    (colon != NULL && !is_name(colon + 1, size - first - 1)))
			return false;
		memcpy(words->word[words->count], text, size);
		words->word[words->count++][size] = '\0';
		if (text[size] == '\0')
			return true;
		text += size + 1;
	}
}

static const char *set_model(struct options *options, const char *value)
{
	size_t size = strcspn(value, "@");

	options->repo[0] = '\0';
	options->variants.count = 0;
	if (!is_repo(value, size))
		return "ORG/NAME was expected, as on the Hub";
	if (value[size] == '@' && !set_words(&options->variants, value + size + 1))
		return "up to 8 variants were expected behind the @, as in @fp8,awq or @gguf:Q4_K_M";
	memcpy(options->repo, value, size);
	options->repo[size] = '\0';
	return NULL;
}

/* A key of the manifest: KEY, or GANG/COMPONENT. */
static bool is_key(const char *text)
{
	size_t size = strcspn(text, "/");

	return strlen(text) < NAME_ROOM && is_name(text, size) &&
	       (text[size] == '\0' || is_name(text + size + 1, strlen(text + size + 1)));
}

static const char *set_run(struct options *options, const char *value)
{
	const char *colon = strrchr(value, ':');
	size_t size = colon ? (size_t)(colon - value) : strlen(value);

	options->run_id[0] = options->run_dir[0] = options->key[0] = '\0';
	if (colon != NULL && !is_key(colon + 1))
		return "the name of a task, or GANG/COMPONENT, was expected behind the colon";
	if (value[0] == '/') {
		if (size >= PATH_ROOM)
			return "the directory's name is too long";
		memcpy(options->run_dir, value, size);
		options->run_dir[size] = '\0';
		if (!encoding_is_path(options->run_dir)) {
			options->run_dir[0] = '\0';
			return "an absolute directory without // . .. and a slash at its end was expected";
		}
	} else {
		if (size >= NAME_ROOM || !is_name(value, size))
			return "the id of a run, or its absolute directory, was expected";
		memcpy(options->run_id, value, size);
		options->run_id[size] = '\0';
	}
	if (colon != NULL)
		strcpy(options->key, colon + 1);
	return NULL;
}

static const char *set_session(struct options *options, const char *value)
{
	options->session[0] = '\0';
	if (strlen(value) >= NAME_ROOM || !is_name(value, strlen(value)))
		return "letters, digits, dots, dashes and underscores were expected, a letter or digit first";
	strcpy(options->session, value);
	return NULL;
}

static const char *set_require_cached(struct options *options, const char *value)
{
	options->require_cached = false;
	if (value != NULL && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
		return "0 or 1 was expected";
	options->require_cached = value == NULL || value[0] == '1';
	return NULL;
}

static const char *set_gpu_min_mem(struct options *options, const char *value)
{
	static const struct {
		const char *unit;
		uint64_t bytes;
	} units[] = {
		{ "M", 1000000 },	    { "MB", 1000000 },	     { "MiB", UINT64_C(1) << 20 },
		{ "G", 1000000000 },	    { "GB", 1000000000 },    { "GiB", UINT64_C(1) << 30 },
		{ "T", 1000000000000 },	    { "TB", 1000000000000 }, { "TiB", UINT64_C(1) << 40 },
	};
	size_t size = strspn(value, DIGITS);
	uint64_t number;

	options->gpu_min_bytes = 0;
	if (encoding_number(value, size, 9999999, &number) && number > 0) {
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); ++i) {
			if (strcmp(value + size, units[i].unit) == 0) {
				options->gpu_min_bytes = number * units[i].bytes;
				return NULL;
			}
		}
	}
	return "a number with a unit was expected, as in 80G, 80GB (10^9 bytes) or 79GiB (2^30 bytes)";
}

static const char *(*const setters[OPTIONS])(struct options *options, const char *value) = {
	[OPTION_MODEL] = set_model,
	[OPTION_RUN] = set_run,
	[OPTION_SESSION] = set_session,
	[OPTION_REQUIRE_CACHED] = set_require_cached,
	[OPTION_GPU_MIN_MEM] = set_gpu_min_mem,
};

const char *options_set(struct options *options, enum option option, const char *value)
{
	const char *expected;

	options->is_given[option] = options->is_variable[option] = false;
	if (value == NULL && option_texts[option].argument != NULL)
		return "a value was expected";
	expected = setters[option](options, value);
	options->is_given[option] = expected == NULL;
	return expected;
}

const char *options_set_variable(struct options *options, enum option option, const char *value)
{
	const char *expected;

	if (options->is_given[option] && !options->is_variable[option])
		return NULL;
	expected = options_set(options, option, value);
	options->is_variable[option] = true;
	return expected;
}

const char *options_name(const struct options *options, enum option option)
{
	return options->is_variable[option] ? option_texts[option].variable :
					      option_texts[option].option;
}

bool options_ask(const struct options *options)
{
	for (int option = 0; option < OPTIONS; ++option) {
		if (options->is_given[option])
			return true;
	}
	return false;
}
