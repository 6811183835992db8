#include <string.h>

#include "config.h"
#include "harness.h"

static struct config config;
static struct problem problem;

static bool reads(int count, const char **arguments)
{
	memset(&problem, 0, sizeof(problem));
	return config_read(&config, count, (char *const *)arguments, &problem);
}

static const char *refusal(const char *argument)
{
	return reads(1, &argument) ? "read" : problem.text;
}

void test_config(void)
{
	const char *all[] = { "cache=/a", "cache=/b", "runs=/scratch/$USER/runs", "on_problem=warn",
			      "hf_hub_cache=/hub", "read_ahead_mib=64", "record_tasks=yes" };
	const char *nine[9];

	CHECK(reads(0, NULL) && config.caches == 0 && !config.warns_only && !config.records_tasks);
	CHECK_TEXT(config.runs, "$HOME/.local/share/cfslurm/runs");
	CHECK(config.hf_hub_cache == NULL && config.read_ahead_bytes == 0);
	CHECK(reads(7, all) && config.caches == 2 && config.warns_only && config.records_tasks);
	CHECK_TEXT(config.cache[1], "/b");
	CHECK_TEXT(config.hf_hub_cache, "/hub");
	CHECK(config.read_ahead_bytes == 64 << 20);
	for (int i = 0; i < 9; ++i)
		nine[i] = "cache=/a";
	CHECK(reads(8, nine) && config.caches == 8);
	CHECK(!reads(9, nine));
	CHECK_TEXT(refusal("cach=/a"), "plugstack.conf: cach=/a: there is no such argument");
	CHECK_TEXT(refusal("cache"), "plugstack.conf: cache: key=value was expected");
	CHECK_TEXT(refusal("cache=a"), "plugstack.conf: cache=a: an absolute folder was expected");
	CHECK_TEXT(refusal("runs=x"), "plugstack.conf: runs=x: an absolute folder was expected");
	CHECK_TEXT(refusal("on_problem=ignore"),
		   "plugstack.conf: on_problem=ignore: fail or warn was expected");
	CHECK_TEXT(refusal("read_ahead_mib=1G"),
		   "plugstack.conf: read_ahead_mib=1G: a number of MiB was expected");
	CHECK_TEXT(refusal("record_tasks=1"),
		   "plugstack.conf: record_tasks=1: yes or no was expected");
	CHECK_TEXT(refusal("=x"), "plugstack.conf: =x: there is no such argument");
	CHECK_TEXT(refusal("a\nb=x"), "plugstack.conf: a?b=x: there is no such argument");
}
