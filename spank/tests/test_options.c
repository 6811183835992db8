#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "options.h"

static struct options options;

static bool takes(enum option option, const char *value)
{
	memset(&options, 0, sizeof(options));
	if (options_set(&options, option, value) == NULL)
		return options.is_given[option] && options_ask(&options);
	CHECK(!options.is_given[option] && !options_ask(&options));
	return false;
}

static void models(void)
{
	char text[300];

	CHECK(takes(OPTION_MODEL, "acme/tiny") && options.variants.count == 0);
	CHECK_TEXT(options.repo, "acme/tiny");
	CHECK(takes(OPTION_MODEL, "acme/Tiny-1.5_b@fp8,gguf:Q4_K_M,Q8_0"));
	CHECK(options.variants.count == 3);
	CHECK_TEXT(options.repo, "acme/Tiny-1.5_b");
	CHECK_TEXT(options.variants.word[1], "gguf:Q4_K_M");
	CHECK(takes(OPTION_MODEL, "acme/tiny@1,2,3,4,5,6,7,8"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny@1,2,3,4,5,6,7,8,9"));
	CHECK(!takes(OPTION_MODEL, ""));
	CHECK(!takes(OPTION_MODEL, NULL));
	CHECK(!takes(OPTION_MODEL, "tiny"));
	CHECK(!takes(OPTION_MODEL, "/tiny"));
	CHECK(!takes(OPTION_MODEL, "acme/"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny/x"));
	CHECK(!takes(OPTION_MODEL, "acme/../x"));
	CHECK(!takes(OPTION_MODEL, "acme/.."));
	CHECK(!takes(OPTION_MODEL, "../tiny"));
	CHECK(!takes(OPTION_MODEL, "a--b/tiny"));
	CHECK(!takes(OPTION_MODEL, "acme/ti--ny"));
	CHECK(!takes(OPTION_MODEL, "acme/ti ny"));
	CHECK(!takes(OPTION_MODEL, "acme/ti\nny"));
	CHECK(!takes(OPTION_MODEL, "acme/t\303\244"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny@"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny@a,"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny@a,,b"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny@:x"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny@gguf:"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny@a:b:c"));
	CHECK(!takes(OPTION_MODEL, "acme/tiny@a/b"));
	snprintf(text, sizeof(text), "%096d/%096d", 1, 2);
	CHECK(takes(OPTION_MODEL, text) && strlen(options.repo) == 193);
	snprintf(text, sizeof(text), "%097d/%096d", 1, 2);
	CHECK(!takes(OPTION_MODEL, text));
	snprintf(text, sizeof(text), "a/b@%063d", 1);
	CHECK(takes(OPTION_MODEL, text));
	snprintf(text, sizeof(text), "a/b@%064d", 1);
	CHECK(!takes(OPTION_MODEL, text));
}

static void runs(void)
{
	char text[5000];

	CHECK(takes(OPTION_RUN, "20261120-eval") && options.run_dir[0] == '\0');
	CHECK_TEXT(options.run_id, "20261120-eval");
	CHECK(takes(OPTION_RUN, "r1:eval.2"));
	CHECK_TEXT(options.key, "eval.2");
	CHECK(takes(OPTION_RUN, "/scratch/ada/runs/r1:team/server"));
	CHECK_TEXT(options.run_dir, "/scratch/ada/runs/r1");
	CHECK_TEXT(options.key, "team/server");
	CHECK(takes(OPTION_RUN, "/scratch/a b/r1") && options.key[0] == '\0');
	CHECK(!takes(OPTION_RUN, ""));
	CHECK(!takes(OPTION_RUN, "/"));
	CHECK(!takes(OPTION_RUN, "r1/x"));
	CHECK(!takes(OPTION_RUN, "./r1"));
	CHECK(!takes(OPTION_RUN, "../r1"));
	CHECK(!takes(OPTION_RUN, ".."));
	CHECK(!takes(OPTION_RUN, "/a/../b"));
	CHECK(!takes(OPTION_RUN, "/a/"));
	CHECK(!takes(OPTION_RUN, "r1:"));
	CHECK(!takes(OPTION_RUN, ":eval"));
	CHECK(!takes(OPTION_RUN, "r1:a/b/c"));
	CHECK(!takes(OPTION_RUN, "r1:/b"));
	CHECK(!takes(OPTION_RUN, "r1:a/"));
	CHECK(!takes(OPTION_RUN, "r1:-a"));
	CHECK(!takes(OPTION_RUN, "$HOME/r1"));
	snprintf(text, sizeof(text), "/%04094d", 1);
	CHECK(takes(OPTION_RUN, text));
	snprintf(text, sizeof(text), "/%04095d", 1);
	CHECK(!takes(OPTION_RUN, text));
	snprintf(text, sizeof(text), "%0255d", 1);
	CHECK(takes(OPTION_RUN, text));
	snprintf(text, sizeof(text), "%0256d", 1);
	CHECK(!takes(OPTION_RUN, text));
	snprintf(text, sizeof(text), "r:%0256d", 1);
	CHECK(!takes(OPTION_RUN, text));
}

static void others(void)
{
	CHECK(takes(OPTION_SESSION, "eval.12"));
	CHECK_TEXT(options.session, "eval.12");
	CHECK(!takes(OPTION_SESSION, "a/b"));
	CHECK(!takes(OPTION_SESSION, ".."));
	CHECK(!takes(OPTION_SESSION, ""));
	CHECK(takes(OPTION_REQUIRE_CACHED, NULL) && options.require_cached);
	CHECK(takes(OPTION_REQUIRE_CACHED, "1") && options.require_cached);
	CHECK(takes(OPTION_REQUIRE_CACHED, "0") && !options.require_cached);
	CHECK(!takes(OPTION_REQUIRE_CACHED, "yes"));
	CHECK(takes(OPTION_GPU_MIN_MEM, "80G") && options.gpu_min_bytes == UINT64_C(80000000000));
	CHECK(takes(OPTION_GPU_MIN_MEM, "80GB") && options.gpu_min_bytes == UINT64_C(80000000000));
	CHECK(takes(OPTION_GPU_MIN_MEM, "2GiB") && options.gpu_min_bytes == UINT64_C(2147483648));
	CHECK(takes(OPTION_GPU_MIN_MEM, "24000M") && options.gpu_min_bytes == UINT64_C(24000000000));
	CHECK(takes(OPTION_GPU_MIN_MEM, "9999999TiB"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, "10000000TiB"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, "80"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, "0G"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, "080G"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, "-1G"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, "1.5G"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, "80g"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, "G"));
	CHECK(!takes(OPTION_GPU_MIN_MEM, ""));
}

static void an_option_outdoes_its_variable(void)
{
	memset(&options, 0, sizeof(options));
	CHECK(options_set_variable(&options, OPTION_MODEL, "acme/variable") == NULL);
	CHECK_TEXT(options_name(&options, OPTION_MODEL), "CFSLURM_OPT_MODEL");
	CHECK_TEXT(options.repo, "acme/variable");
	CHECK(options_set(&options, OPTION_MODEL, "acme/option") == NULL);
	CHECK_TEXT(options_name(&options, OPTION_MODEL), "--cf-model");
	CHECK(options_set_variable(&options, OPTION_MODEL, "wrong") == NULL);
	CHECK_TEXT(options.repo, "acme/option");
	CHECK(options_set(&options, OPTION_MODEL, "acme/option") == NULL); /* Slurm calls twice */
	CHECK_TEXT(options.repo, "acme/option");
}

void test_options(void)
{
	models();
	runs();
	others();
	an_option_outdoes_its_variable();
	for (int option = 0; option < OPTIONS; ++option)
		CHECK(strncmp(option_texts[option].usage, "[cfslurm] ", 10) == 0);
}
