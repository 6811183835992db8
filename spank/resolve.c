#include "resolve.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "encoding.h"
#include "manifest_file.h"
#include "snapshot.h"
#include "store.h"

int resolve_gpus(const char *visible)
{
	int count = 1;

	if (visible == NULL)
		return -1;
	if (visible[0] == '\0' || strcmp(visible, "NoDevFiles") == 0)
		return 0;
	for (; *visible != '\0'; ++visible)
		count += *visible == ',';
	return count;
}

/* A path with $HOME and $USER filled in. */
static bool fill_in(const char *text, const struct place *place, char path[PATH_ROOM])
{
	size_t used = 0;

	while (*text != '\0') {
		const char *from = text;
		size_t size = 1;

		if (strncmp(text, "$HOME", 5) == 0) {
			from = place->home;
			text += 5;
			size = strlen(from);
		} else if (strncmp(text, "$USER", 5) == 0) {
			from = place->user_name;
			text += 5;
			size = strlen(from);
		} else {
			text += 1;
		}
		if (size == 0 || used + size >= PATH_ROOM)
			return false;
		memcpy(path + used, from, size);
		used += size;
	}
	path[used] = '\0';
	return encoding_is_path(path);
}

static bool run_directory(const struct config *config, const struct options *options,
			  const struct place *place, char path[PATH_ROOM], struct problem *problem)
{
	const char *runs = place->runs[0] == '/' ? place->runs : config->runs;
	char folder[PATH_ROOM];

	if (options->run_dir[0] != '\0') {
		strcpy(path, options->run_dir);
		return true;
	}
	if (fill_in(runs, place, folder) &&
	    snprintf(path, PATH_ROOM, "%s/%s", folder, options->run_id) < PATH_ROOM)
		return true;
	problem_say(problem, "%s=%s: %s is no folder here; give the run's directory",
		    options_name(options, OPTION_RUN), options->run_id, runs);
	return false;
}

static struct manifest_query query_of(const struct options *options, const struct place *place)
{
	struct manifest_query query = {
		.node = place->node,
		.key = options->key,
		.job_name = place->job_name,
		.model = options->repo,
		.variants = &options->variants,
	};
	return query;
}

/* What was asked for, for a sentence: the model, else the task. */
static const char *wanted(const struct options *options)
{
	return options->repo[0] != '\0' ? options->repo : options->key;
}

static void say_answer(const struct options *options, const struct place *place,
		       const char *asked, const struct manifest_answer *answer,
		       struct problem *problem)
{
	if (answer->node_class[0] == '\0')
		problem_say(problem, "%s: this run does not know node %s; submit it again", asked,
			    place->node);
	else if (answer->is_ambiguous)
		problem_say(problem, "%s: nodes like %s (%s) use several variants; name a task, as in %s=RUN:TASK",
			    asked, place->node, answer->node_class, option_texts[OPTION_RUN].option);
	else if (answer->asked_for_model && !answer->has_model)
		problem_say(problem, "%s: the run has no %s%s for nodes like %s (%s)", asked,
			    options->variants.count ? "such variant of " : "variant of ",
			    wanted(options), place->node, answer->node_class);
}

static void ask_run(const struct config *config, const struct options *options,
		    const struct place *place, struct finding *finding)
{
	struct owners owners = { .uid = { place->user }, .count = 1 };
	struct manifest_query query = query_of(options, place);
	struct manifest_answer *answer = &finding->answer;
	struct problem *problem = &finding->problem, inner = { 0 };
	char path[PATH_ROOM], asked[PATH_ROOM];
	enum file_result result;
	int folder;

	if (!run_directory(config, options, place, path, problem))
		return;
	snprintf(asked, sizeof(asked), "%s=%s", options_name(options, OPTION_RUN),
		 options->run_id[0] ? options->run_id : path);
	folder = trust_open_folder(AT_FDCWD, path, false, &owners, PRIVATE, path, &inner);
	if (folder < 0) {
		problem_say(problem, "%s: %s", asked, inner.text);
		return;
	}
	result = manifest_file_read(folder, path, &owners, &query, answer, &inner);
	close(folder);
	if (result == FILE_ABSENT)
		problem_say(problem, "%s: %s has no %s", asked, path, MANIFEST_NAME);
	else if (result == FILE_BAD)
		problem_say(problem, "%s: %s", asked, inner.text);
	else if (answer->run_id[0] == '\0' ||
		 (options->run_id[0] != '\0' && strcmp(options->run_id, answer->run_id) != 0))
		problem_say(problem, "%s: %s/%s is of another run", asked, path, MANIFEST_NAME);
	if (problem->is_there) {
		memset(answer, 0, sizeof(*answer));
		return;
	}
	finding->has_run = true;
	say_answer(options, place, asked, answer, problem);
	finding->has_model = answer->has_model && !answer->is_ambiguous;
}

/* What one cache knows: its own manifest, then its folders. */
static bool ask_cache(const char *cache, const struct options *options, const struct place *place,
		      struct finding *finding, struct problem *why_not)
{
	struct owners owners = { .uid = { 0, place->user }, .count = 2 };
	struct manifest_query query = query_of(options, place);
	struct manifest_answer *answer = &finding->answer, found;
	enum file_result result;
	int root = snapshot_open_root(cache, &owners, why_not);

	if (root < 0)
		return false;
	query.key = query.job_name = "";
	result = manifest_file_read(root, cache, &owners, &query, &found, &finding->note);
	close(root);
	if (result == FILE_READ && found.run_id[0] == '\0' && found.node_class[0] != '\0') {
		if (found.is_ambiguous)
			problem_say(&finding->problem, "%s=%s: %s/%s has several variants for nodes like %s",
				    options_name(options, OPTION_MODEL), options->repo, cache,
				    MANIFEST_NAME, place->node);
		if (answer->node_class[0] == '\0' || found.has_model)
			*answer = found;
		if (found.has_model)
			return true;
	}
	if (options->repo[0] == '\0')
		return false;
	switch (store_find(cache, options->repo, &options->variants, place->user, &answer->variant,
			   why_not)) {
	case STORE_FOUND:
		answer->has_model = true;
		return true;
	case STORE_AMBIGUOUS:
		problem_say(&finding->problem, "%s=%s: %s", options_name(options, OPTION_MODEL),
			    options->repo, why_not->text);
		return true;
	default:
		return false;
	}
}

static void ask_caches(const struct config *config, const struct options *options,
		       const struct place *place, struct finding *finding)
{
	const char *asked = options_name(options, OPTION_MODEL);
	char own[PATH_ROOM] = "";
	struct problem why_not = { 0 };
	int caches = config->caches;

	if (strlen(place->model_cache) < PATH_ROOM && encoding_is_path(place->model_cache))
		strcpy(own, place->model_cache);
	caches += own[0] != '\0';
	for (int i = 0; i < caches; ++i) {
		const char *cache = i < config->caches ? config->cache[i] : own;
		struct problem reason = { 0 };

		if (ask_cache(cache, options, place, finding, &reason))
			break;
		if (reason.is_there)
			problem_say(&why_not, "%s", reason.text);
	}
	finding->has_model = finding->answer.has_model && !finding->problem.is_there;
	if (options->repo[0] == '\0' || finding->has_model)
		return;
	if (caches == 0)
		problem_say(&finding->problem, "%s=%s: no model cache is known here; set CFSLURM_MODEL_CACHE, or name a run",
			    asked, options->repo);
	problem_say(&finding->problem, "%s=%s: not in a model cache: %s", asked, options->repo,
		    why_not.text);
}

static void check_gpus(const struct options *options, const struct place *place,
		       struct finding *finding)
{
	const struct manifest_answer *answer = &finding->answer;
	const char *asked = options_name(options, OPTION_GPU_MIN_MEM);
	uint64_t has = (uint64_t)answer->gpu_memory_mib << 20;

	if (finding->has_model && place->gpus >= 0 &&
	    answer->variant.tensor_parallel_size > (unsigned)place->gpus)
		problem_say(&finding->note, "%s is planned for %u GPUs, this step has %d",
			    answer->variant.id, answer->variant.tensor_parallel_size, place->gpus);
	if (options->gpu_min_bytes == 0)
		return;
	if (place->gpus == 0 || (answer->knows_gpus && answer->gpu_count == 0))
		problem_say(&finding->problem, "%s: this step has no GPU", asked);
	else if (!answer->knows_gpus || answer->gpu_memory_mib == 0)
		problem_say(&finding->problem, "%s: nothing says how much memory the GPUs of %s have; name a run with %s",
			    asked, place->node, option_texts[OPTION_RUN].option);
	else if (has < options->gpu_min_bytes)
		problem_say(&finding->problem, "%s: GPUs of %s (%s) have %llu MiB, %llu MiB are asked for",
			    asked, place->node, answer->gpu_type,
			    (unsigned long long)answer->gpu_memory_mib,
			    (unsigned long long)(options->gpu_min_bytes >> 20));
}

void resolve(const struct config *config, const struct options *options, const struct place *place,
	     struct finding *finding)
{
	struct problem reason = { 0 };

	memset(finding, 0, sizeof(*finding));
	if (options->is_given[OPTION_RUN])
		ask_run(config, options, place, finding);
	else if (options->is_given[OPTION_MODEL] || options->is_given[OPTION_GPU_MIN_MEM])
		ask_caches(config, options, place, finding);
	if (finding->has_model && !snapshot_check(&finding->answer.variant, place->user, &reason)) {
		problem_say(&finding->problem, "%s is not (completely) in the model cache: %s",
			    finding->answer.variant.id, reason.text);
		finding->has_model = false;
	}
	check_gpus(options, place, finding);
	if (options->is_given[OPTION_REQUIRE_CACHED] && options->require_cached &&
	    !finding->has_model)
		problem_say(&finding->problem, "%s: no model is named, with --cf-model or --cf-run=RUN:TASK",
			    options_name(options, OPTION_REQUIRE_CACHED));
}
