#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "manifest.h"

#define VERSION "cfslurm-node-manifest\t1\n"
#define RUN "run\tr1\t/runs/r1\n"
#define NODES "node\tn1\tbig\nnode\tn2\tsmall\n"
#define CLASSES "class\tbig\th100\t4\t81559\nclass\tsmall\trtx4090\t8\t24564\n"
#define MODEL(KEY, CLASS, QUANTIZATION, PATH, SIZE) \
	"model\t" KEY "\t" CLASS "\tacme/tiny\tacme/tiny@" QUANTIZATION "\tacme/tiny-x\t" REV1 "\t" \
	QUANTIZATION "\t" PATH "\t" SIZE "\t8192\t3\t1234\n"
#define BIG MODEL("eval", "big", "none", "/c/big", "4")
#define SMALL MODEL("eval", "small", "awq", "/c/small", "1")

static struct manifest_answer answer;
static struct problem problem;

static bool read_in(const char *text, size_t size, size_t piece, struct manifest_query query)
{
	struct manifest_reader reader;

	memset(&problem, 0, sizeof(problem));
	manifest_begin(&reader, &query, &answer, &problem);
	for (size_t at = 0; at < size; at += piece) {
		if (!manifest_feed(&reader, text + at, at + piece < size ? piece : size - at))
			break;
	}
	return manifest_end(&reader);
}

static struct manifest_query ask(const char *node, const char *key, const char *model)
{
	struct manifest_query query = {
		.node = node, .key = key, .job_name = "", .model = model,
	};
	return query;
}

static bool reads(const char *text, const char *node, const char *key, const char *model)
{
	return read_in(text, strlen(text), 4096, ask(node, key, model));
}

static const char *refusal(const char *text)
{
	return reads(text, "n1", "eval", "") ? "read" : problem.text;
}

static void finds_the_class_and_the_variant_of_a_node(void)
{
	const char *text = VERSION RUN NODES CLASSES BIG SMALL "end\t7\n";

	CHECK(reads(text, "n1", "eval", ""));
	CHECK_TEXT(answer.run_id, "r1");
	CHECK_TEXT(answer.run_dir, "/runs/r1");
	CHECK_TEXT(answer.node_class, "big");
	CHECK(answer.knows_gpus && answer.gpu_count == 4 && answer.gpu_memory_mib == 81559);
	CHECK_TEXT(answer.gpu_type, "h100");
	CHECK(answer.has_model && !answer.is_ambiguous);
	CHECK_TEXT(answer.variant.path, "/c/big");
	CHECK_TEXT(answer.variant.id, "acme/tiny@none");
	CHECK_TEXT(answer.variant.revision, REV1);
	CHECK(answer.variant.tensor_parallel_size == 4 && answer.variant.max_model_len == 8192);
	CHECK(answer.variant.files == 3 && answer.variant.bytes == 1234);
	CHECK(reads(text, "n2", "eval", ""));
	CHECK_TEXT(answer.variant.path, "/c/small");
	CHECK(reads(text, "n3", "eval", "") && answer.node_class[0] == '\0' && !answer.has_model);
	CHECK(reads(text, "n1", "other", "") && answer.asked_for_model && !answer.has_model);
	CHECK(reads(text, "n1", "", "") && !answer.asked_for_model && !answer.has_model);
	CHECK(reads(text, "n2", "", "acme/tiny") && answer.has_model);
	CHECK(reads(text, "n2", "", "acme/tiny-x") && answer.has_model);
	CHECK(reads(text, "n2", "", "acme/tin") && !answer.has_model);
	CHECK(reads(text, "n2", "eval", "acme/tiny") && answer.has_model);
	CHECK(reads(text, "n2", "other", "acme/tiny") && !answer.has_model);
}

static void takes_the_key_from_the_name_of_a_job(void)
{
	const char *text = VERSION RUN NODES CLASSES BIG SMALL "end\t7\n";
	struct manifest_query query = ask("n1", "", "");

	query.job_name = "r1.eval";
	CHECK(read_in(text, strlen(text), 64, query) && answer.has_model);
	query.job_name = "r1.other";
	CHECK(read_in(text, strlen(text), 64, query) && !answer.has_model && !answer.asked_for_model);
	query.job_name = "r11.eval";
	CHECK(read_in(text, strlen(text), 64, query) && !answer.has_model);
	query.job_name = "r1";
	CHECK(read_in(text, strlen(text), 64, query) && !answer.has_model);
}

static void two_variants_that_fit_are_no_answer(void)
{
	const char *two = VERSION NODES CLASSES MODEL("a", "big", "awq", "/c/1", "1")
		MODEL("b", "big", "fp8", "/c/2", "1") "end\t6\n";
	const char *same = VERSION NODES CLASSES MODEL("a", "big", "awq", "/c/1", "1")
		MODEL("b", "big", "awq", "/c/1", "1") "end\t6\n";
	const char *size = VERSION NODES CLASSES MODEL("a", "big", "awq", "/c/1", "1")
		MODEL("b", "big", "awq", "/c/1", "2") "end\t6\n";
	struct words words = { .count = 2, .word = { "fp8", "awq" } };
	struct manifest_query query = ask("n1", "", "acme/tiny");

	CHECK(reads(two, "n1", "", "acme/tiny") && answer.is_ambiguous);
	CHECK(reads(two, "n1", "b", "acme/tiny") && !answer.is_ambiguous);
	CHECK(reads(same, "n1", "", "acme/tiny") && answer.has_model && !answer.is_ambiguous);
	CHECK(reads(size, "n1", "", "acme/tiny") && answer.is_ambiguous);
	query.variants = &words;
	CHECK(read_in(two, strlen(two), 7, query) && !answer.is_ambiguous);
	CHECK_TEXT(answer.variant.path, "/c/2");
	words.count = 1;
	strcpy(words.word[0], "gptq");
	CHECK(read_in(two, strlen(two), 7, query) && !answer.has_model);
}

static void damage_is_refused(void)
{
	CHECK_TEXT(refusal(""), "line 0: the file ends too early");
	CHECK_TEXT(refusal("x\n"), "line 1: this is no node manifest");
	CHECK_TEXT(refusal("cfslurm-node-manifest\t2\nend\t0\n"),
		   "line 1: another version; this plugin reads 1");
	CHECK_TEXT(refusal("cfslurm-node-manifest\nend\t0\n"), "line 1: a wrong number of fields");
	CHECK_TEXT(refusal(VERSION), "line 1: the file ends too early");
	CHECK_TEXT(refusal(VERSION "end\t0\n"), "read");
	CHECK_TEXT(refusal(VERSION "end\t0"), "line 1: the file ends too early");
	CHECK_TEXT(refusal(VERSION "end\t1\n"), "line 2: lines are missing, or there are too many");
	CHECK_TEXT(refusal(VERSION "end\t0\n\n"), "line 2: something follows the end");
	CHECK_TEXT(refusal(VERSION "end\t0\nx"), "line 2: something follows the end");
	CHECK_TEXT(refusal(VERSION "\nend\t1\n"), "line 2: such a line cannot come here");
	CHECK_TEXT(refusal(VERSION RUN RUN "end\t2\n"), "line 3: such a line cannot come here");
	CHECK_TEXT(refusal(VERSION NODES RUN "end\t3\n"), "line 4: such a line cannot come here");
	CHECK_TEXT(refusal(VERSION CLASSES NODES "end\t4\n"), "line 4: such a line cannot come here");
	CHECK_TEXT(refusal(VERSION VERSION "end\t1\n"), "line 2: such a line cannot come here");
	CHECK_TEXT(refusal(VERSION "run\tr\tno/path\nend\t1\n"), "line 2: no id and directory of a run");
	CHECK_TEXT(refusal(VERSION "node\tn1\nend\t1\n"), "line 2: a wrong number of fields");
	CHECK_TEXT(refusal(VERSION "node\tn1\ta\tb\nend\t1\n"), "line 2: a wrong number of fields");
	CHECK_TEXT(refusal(VERSION "node\t\ta\nend\t1\n"), "line 2: no node and class");
	CHECK_TEXT(refusal(VERSION "node\tn%201\ta\nend\t1\n"), "line 2: no node and class");
	CHECK_TEXT(refusal(VERSION "node\tn2\ta\nnode\tn1\ta\nend\t2\n"), "line 3: nodes are not sorted");
	CHECK_TEXT(refusal(VERSION "node\tn1\ta\nnode\tn1\tb\nend\t2\n"), "line 3: nodes are not sorted");
	CHECK_TEXT(refusal(VERSION "class\ta\t\t0\t0\nend\t1\n"), "read");
	CHECK_TEXT(refusal(VERSION "class\ta\tt\t1025\t0\nend\t1\n"), "line 2: no node class and GPUs");
	CHECK_TEXT(refusal(VERSION "class\ta\tt\t1\t2147483648\nend\t1\n"),
		   "line 2: no node class and GPUs");
	CHECK_TEXT(refusal(VERSION "class\tb\t\t0\t0\nclass\ta\t\t0\t0\nend\t2\n"),
		   "line 3: classes are not sorted");
	CHECK_TEXT(refusal(VERSION SMALL BIG "end\t2\n"), "line 3: models are not sorted");
	CHECK_TEXT(refusal(VERSION MODEL("b", "big", "awq", "/a", "1") MODEL("a", "zzz", "awq", "/a", "1")
			   "end\t2\n"), "line 3: models are not sorted");
	CHECK_TEXT(refusal(VERSION MODEL("a", "big", "awq", "a", "1") "end\t1\n"), "line 2: no path");
	CHECK_TEXT(refusal(VERSION MODEL("a", "big", "awq", "/a/../b", "1") "end\t1\n"),
		   "line 2: no path");
	CHECK_TEXT(refusal(VERSION MODEL("a", "big", "awq", "/a", "-1") "end\t1\n"),
		   "line 2: no numbers of a variant");
	CHECK_TEXT(refusal(VERSION MODEL("a", "big", "aw%20q", "/a", "1") "end\t1\n"),
		   "line 2: no variant of a model");
	CHECK_TEXT(refusal(VERSION "a\tb\tc\td\te\tf\tg\th\ti\tj\tk\tl\tm\tn\n"),
		   "line 2: too many fields");
}

static void every_cut_is_noticed(void)
{
	const char *text = VERSION RUN NODES CLASSES BIG SMALL "end\t7\n";

	for (size_t size = 0; size < strlen(text); ++size)
		CHECK(!read_in(text, size, 11, ask("n1", "eval", "")));
}

static void every_missing_line_is_noticed(void)
{
	const char *text = VERSION RUN NODES CLASSES BIG SMALL "end\t7\n";
	char without[4096];

	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		snprintf(without, sizeof(without), "%.*s%s", (int)(line - text), text,
			 strchr(line, '\n') + 1);
		CHECK(!reads(without, "n1", "eval", ""));
	}
}

static void pieces_make_no_difference(void)
{
	const char *text = VERSION RUN NODES CLASSES BIG SMALL "end\t7\n";

	for (size_t piece = 1; piece < 300; piece += 13) {
		CHECK(read_in(text, strlen(text), piece, ask("n2", "eval", "")));
		CHECK_TEXT(answer.variant.path, "/c/small");
	}
}

static void limits_hold(void)
{
	static char line[2 * MANIFEST_LINE_BYTES];
	char *text = malloc(MANIFEST_BYTES + 1000), *end;
	int count;

	memset(line, 'x', sizeof(line) - 1);
	end = stpcpy(text, VERSION);
	end += sprintf(end, "node\t%s", line);
	CHECK_TEXT(refusal(text), "line 1: the next line is too long");

	sprintf(text, VERSION "node\t%.255s\tc\nend\t1\n", line);
	CHECK_TEXT(refusal(text), "read");
	sprintf(text, VERSION "node\t%.256s\tc\nend\t1\n", line);
	CHECK_TEXT(refusal(text), "line 2: no node and class");
	sprintf(text, VERSION "run\tr\t/%.4094s\nend\t1\n", line);
	CHECK_TEXT(refusal(text), "read");
	sprintf(text, VERSION "run\tr\t/%.4095s\nend\t1\n", line);
	CHECK_TEXT(refusal(text), "line 2: no id and directory of a run");

	end = stpcpy(text, VERSION);
	for (count = 0; count < MANIFEST_LINES - 2; ++count)
		end += sprintf(end, "node\tn%06d\tc\n", count);
	sprintf(end, "end\t%d\n", count);
	CHECK_TEXT(refusal(text), "read");
	end += sprintf(end, "node\tn%06d\tc\n", count++);
	sprintf(end, "end\t%d\n", count);
	CHECK_TEXT(refusal(text), "line 200001: too many lines");

	end = stpcpy(text, VERSION);
	for (count = 0; end < text + MANIFEST_BYTES; ++count)
		end += sprintf(end, "node\tn%06d\t%.200s\n", count, line);
	CHECK_TEXT(refusal(text) + strlen("line 38836: "), "the file is too large");
	free(text);
}

static void a_nul_is_a_byte_like_others(void)
{
	char text[] = VERSION "node\tn1\0\tbig\nend\t1\n";

	CHECK(!read_in(text, sizeof(text) - 1, 64, ask("n1", "", "")));
}

static void reads_the_example_of_the_reference(void)
{
	const char *text = content_of("tests/corpus/manifest/example");

	CHECK(reads(text, "gl01", "eval", "") && answer.has_model);
	CHECK_TEXT(answer.variant.path + strlen(answer.variant.path) - 12, "tiny q4.gguf");
	CHECK(reads(text, "gn02", "team/server", "") && answer.variant.tensor_parallel_size == 2);
}

void test_manifest(void)
{
	finds_the_class_and_the_variant_of_a_node();
	takes_the_key_from_the_name_of_a_job();
	two_variants_that_fit_are_no_answer();
	damage_is_refused();
	every_cut_is_noticed();
	every_missing_line_is_noticed();
	pieces_make_no_difference();
	limits_hold();
	a_nul_is_a_byte_like_others();
	reads_the_example_of_the_reference();
}
