#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "resolve.h"

static struct config config;
static struct options options;
static struct finding finding;
static struct place place;
static char cache_path[4096], run_path[4096], runs_path[4096];

static void reset(void)
{
	static const struct place here = { .node = "n1", .job_name = "", .home = "", .user_name = "",
					   .runs = "", .model_cache = "", .gpus = -1 };

	memset(&config, 0, sizeof(config));
	memset(&options, 0, sizeof(options));
	config.runs = "$HOME/runs";
	place = here;
	place.user = geteuid();
}

static const char *problem_of_asking(const char *model, const char *run)
{
	if (model != NULL)
		CHECK(options_set(&options, OPTION_MODEL, model) == NULL);
	if (run != NULL)
		CHECK(options_set(&options, OPTION_RUN, run) == NULL);
	resolve(&config, &options, &place, &finding);
	return finding.problem.is_there ? finding.problem.text : "";
}

static void publish(void)
{
	put("cache/store/acme--tiny/" REV1 "/cfslurm.lock.json", "{}", 0444);
	put("cache/store/acme--tiny/" REV1 "/config.json", "12345", 0444);
	strcpy(cache_path, path_of("cache"));
}

static void write_manifest(const char *place_of_file, const char *run_line, const char *key, int lines)
{
	char text[8192], name[300];

	snprintf(text, sizeof(text),
		 "cfslurm-node-manifest\t1\n%snode\tn1\tbig\nclass\tbig\th100\t4\t81559\n"
		 "model\t%s\tbig\tacme/tiny\tacme/tiny@none\tacme/tiny\t" REV1
		 "\tnone\t%s/store/acme--tiny/" REV1 "\t4\t8192\t1\t5\nend\t%d\n",
		 run_line, key, cache_path, lines);
	snprintf(name, sizeof(name), "%s/node_manifest", place_of_file);
	put(name, text, 0600);
}

static void write_run(void)
{
	char line[4096];

	strcpy(run_path, path_of("runs/r1"));
	strcpy(runs_path, path_of("runs"));
	snprintf(line, sizeof(line), "run\tr1\t%s\n", run_path);
	write_manifest("runs/r1", line, "eval", 4);
	chmod(run_path, 0700);
}

static void a_run_by_its_directory(void)
{
	char typed[4200];

	reset();
	snprintf(typed, sizeof(typed), "%s:eval", run_path);
	CHECK_TEXT(problem_of_asking(NULL, typed), "");
	CHECK(finding.has_run && finding.has_model);
	CHECK_TEXT(finding.answer.node_class, "big");
	reset();
	CHECK_TEXT(problem_of_asking("acme/tiny", run_path), "");
	CHECK(finding.has_model);
	reset();
	CHECK_TEXT(problem_of_asking(NULL, run_path), "");
	CHECK(finding.has_run && !finding.has_model);
	reset();
	place.job_name = "r1.eval";
	CHECK_TEXT(problem_of_asking(NULL, run_path), "");
	CHECK(finding.has_model);
}

static void a_run_by_its_id(void)
{
	char text[8500];

	reset();
	place.home = scratch();
	CHECK_TEXT(problem_of_asking("acme/tiny", "r1"), "");
	CHECK(finding.has_model);
	reset();
	config.runs = "/nowhere";
	place.runs = runs_path;
	CHECK_TEXT(problem_of_asking("acme/tiny", "r1"), "");
	reset();
	CHECK_TEXT(problem_of_asking(NULL, "r1"),
		   "--cf-run=r1: $HOME/runs is no folder here; give the run's directory");
	reset();
	place.runs = runs_path;
	snprintf(text, sizeof(text), "--cf-run=r2: %s/r2 is not there", runs_path);
	CHECK_TEXT(problem_of_asking(NULL, "r2"), text);
	CHECK(!finding.has_run);
}

static void a_run_that_does_not_answer(void)
{
	char typed[4200], text[8600];

	reset();
	place.runs = runs_path;
	CHECK_TEXT(problem_of_asking("acme/other", "r1"),
		   "--cf-run=r1: the run has no variant of acme/other for nodes like n1 (big)");
	reset();
	place.runs = runs_path;
	CHECK_TEXT(problem_of_asking("acme/tiny@awq", "r1"),
		   "--cf-run=r1: the run has no such variant of acme/tiny for nodes like n1 (big)");
	reset();
	place.runs = runs_path;
	place.node = "n9";
	CHECK_TEXT(problem_of_asking("acme/tiny", "r1"),
		   "--cf-run=r1: this run does not know node n9; submit it again");
	CHECK(finding.has_run && !finding.has_model);

	reset();
	chmod(run_path, 0770);
	snprintf(text, sizeof(text), "--cf-run=%s: %s can be written by others", run_path, run_path);
	CHECK_TEXT(problem_of_asking(NULL, run_path), text);
	chmod(run_path, 0700);
	if (geteuid() == 0) {
		reset();
		CHECK(chown(run_path, 12345, 12345) == 0);
		snprintf(text, sizeof(text), "--cf-run=%s: %s belongs to user 12345", run_path, run_path);
		CHECK_TEXT(problem_of_asking(NULL, run_path), text);
		CHECK(chown(run_path, 0, 0) == 0);
	}
	CHECK(symlink("r1", path_of("runs/link")) == 0);
	reset();
	place.runs = runs_path;
	snprintf(text, sizeof(text), "--cf-run=link: %s/link is a link, or no folder", runs_path);
	CHECK_TEXT(problem_of_asking(NULL, "link"), text);
	CHECK(rename(run_path, path_of("runs/r3")) == 0);
	reset();
	place.runs = runs_path;
	snprintf(text, sizeof(text), "--cf-run=r3: %s/r3/node_manifest is of another run", runs_path);
	CHECK_TEXT(problem_of_asking(NULL, "r3"), text);
	CHECK(!finding.has_run && finding.answer.node_class[0] == '\0');
	CHECK(rename(path_of("runs/r3"), run_path) == 0);
	reset();
	put("runs/empty/x", "", 0600);
	snprintf(typed, sizeof(typed), "%s/empty", runs_path);
	snprintf(text, sizeof(text), "--cf-run=%s: %s has no node_manifest", typed, typed);
	CHECK_TEXT(problem_of_asking(NULL, typed), text);
}

static void a_snapshot_that_is_damaged(void)
{
	char text[8600];

	reset();
	unlink(path_of("cache/store/acme--tiny/" REV1 "/config.json"));
	snprintf(text, sizeof(text),
		 "acme/tiny@none is not (completely) in the model cache: %s/store/acme--tiny/" REV1
		 " has 0 of 1 files, 0 of 5 bytes", cache_path);
	CHECK_TEXT(problem_of_asking("acme/tiny", run_path), text);
	CHECK(!finding.has_model && finding.has_run);
	publish();
}

static void caches(void)
{
	reset();
	CHECK_TEXT(problem_of_asking("acme/tiny", NULL),
		   "--cf-model=acme/tiny: no model cache is known here; set CFSLURM_MODEL_CACHE, or name a run");
	reset();
	config.caches = 2;
	config.cache[0] = "/nowhere/at/all";
	config.cache[1] = cache_path;
	CHECK_TEXT(problem_of_asking("acme/tiny", NULL), "");
	CHECK(finding.has_model && finding.answer.variant.tensor_parallel_size == 0);
	reset();
	place.model_cache = cache_path;
	CHECK_TEXT(problem_of_asking("acme/tiny", NULL), "");
	CHECK(finding.has_model);
	reset();
	config.caches = 1;
	config.cache[0] = "/nowhere/at/all";
	CHECK_TEXT(problem_of_asking("acme/tiny", NULL),
		   "--cf-model=acme/tiny: not in a model cache: /nowhere/at/all cannot be opened: No such file or directory");

	write_manifest("cache", "", "-", 3);
	reset();
	place.model_cache = cache_path;
	CHECK_TEXT(problem_of_asking("acme/tiny", NULL), "");
	CHECK(finding.has_model && finding.answer.variant.tensor_parallel_size == 4);
	CHECK_TEXT(finding.answer.node_class, "big");
	reset();
	place.model_cache = cache_path;
	place.node = "n9"; /* not in the cache's manifest: the layout answers */
	CHECK_TEXT(problem_of_asking("acme/tiny", NULL), "");
	CHECK(finding.has_model && finding.answer.variant.tensor_parallel_size == 0);
	put("cache/node_manifest", "damaged", 0644);
	reset();
	place.model_cache = cache_path;
	CHECK_TEXT(problem_of_asking("acme/tiny", NULL), "");
	CHECK(finding.has_model && finding.note.is_there);
	unlink(path_of("cache/node_manifest"));
}

static void gpus(void)
{
	reset();
	CHECK(options_set(&options, OPTION_GPU_MIN_MEM, "80G") == NULL);
	CHECK_TEXT(problem_of_asking(NULL, run_path), "");
	reset();
	CHECK(options_set(&options, OPTION_GPU_MIN_MEM, "90G") == NULL);
	CHECK_TEXT(problem_of_asking(NULL, run_path),
		   "--cf-gpu-min-mem: GPUs of n1 (h100) have 81559 MiB, 85830 MiB are asked for");
	reset();
	place.gpus = 0;
	CHECK(options_set(&options, OPTION_GPU_MIN_MEM, "1G") == NULL);
	CHECK_TEXT(problem_of_asking(NULL, run_path), "--cf-gpu-min-mem: this step has no GPU");
	reset();
	CHECK(options_set_variable(&options, OPTION_GPU_MIN_MEM, "1G") == NULL);
	CHECK_TEXT(problem_of_asking(NULL, NULL),
		   "CFSLURM_OPT_GPU_MIN_MEM: nothing says how much memory the GPUs of n1 have; name a run with --cf-run");
	reset();
	place.gpus = 2;
	CHECK_TEXT(problem_of_asking("acme/tiny", run_path), "");
	CHECK_TEXT(finding.note.text, "acme/tiny@none is planned for 4 GPUs, this step has 2");
	reset();
	place.gpus = 4;
	CHECK_TEXT(problem_of_asking("acme/tiny", run_path), "");
	CHECK(!finding.note.is_there);
	CHECK(resolve_gpus(NULL) == -1);
	CHECK(resolve_gpus("") == 0);
	CHECK(resolve_gpus("NoDevFiles") == 0);
	CHECK(resolve_gpus("0") == 1);
	CHECK(resolve_gpus("GPU-a,GPU-b,GPU-c") == 3);
}

static void require_cached(void)
{
	reset();
	CHECK(options_set(&options, OPTION_REQUIRE_CACHED, NULL) == NULL);
	CHECK_TEXT(problem_of_asking("acme/tiny", run_path), "");
	reset();
	CHECK(options_set(&options, OPTION_REQUIRE_CACHED, NULL) == NULL);
	CHECK_TEXT(problem_of_asking(NULL, run_path),
		   "--cf-require-cached: no model is named, with --cf-model or --cf-run=RUN:TASK");
	reset();
	CHECK(options_set(&options, OPTION_SESSION, "s") == NULL);
	CHECK_TEXT(problem_of_asking(NULL, NULL), "");
}

void test_resolve(void)
{
	publish();
	write_run();
	a_run_by_its_directory();
	a_run_by_its_id();
	a_run_that_does_not_answer();
	a_snapshot_that_is_damaged();
	caches();
	gpus();
	require_cached();
}
