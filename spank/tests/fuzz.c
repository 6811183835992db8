/* What the fuzzers call. The first byte chooses what is tried: the reader of manifests, options, arguments. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "encoding.h"
#include "gpu_map.h"
#include "manifest.h"
#include "options.h"
#include "resolve.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void must(bool is_right, const char *what)
{
	if (!is_right) {
		fprintf(stderr, "not true: %s\n", what);
		abort();
	}
}

static bool read_in(const char *text, size_t size, size_t piece, const char *model,
		    struct manifest_answer *answer)
{
	static struct manifest_reader reader;
	struct manifest_query query = {
		.node = "n1", .key = model[0] ? "" : "eval", .job_name = "r1.eval", .model = model,
	};
	struct problem problem = { 0 };

	manifest_begin(&reader, &query, answer, &problem);
	for (size_t at = 0; at < size; at += piece) {
		if (!manifest_feed(&reader, text + at, at + piece < size ? piece : size - at))
			break;
	}
	must(manifest_end(&reader) != problem.is_there, "a problem or an answer");
	return !problem.is_there;
}

static void is_text(const char *text, size_t room)
{
	char encoded[3 * PATH_ROOM], back[PATH_ROOM];
	size_t size = strnlen(text, room);

	must(size < room, "a text ends");
	encoding_encode(text, encoded);
	must(encoding_decode(encoded, strlen(encoded), back, sizeof(back)) == (int)size &&
	     strcmp(back, text) == 0, "a text can be written and read");
}

static void try_manifest(const char *text, size_t size, size_t piece)
{
	static struct manifest_answer answer, again;
	bool is_right = read_in(text, size, size + 1, "", &answer);

	must(read_in(text, size, piece, "", &again) == is_right, "pieces make no difference");
	if (!is_right)
		return;
	must(strcmp(again.node_class, answer.node_class) == 0 &&
	     strcmp(again.variant.path, answer.variant.path) == 0, "pieces make no difference");
	is_text(answer.run_id, NAME_ROOM);
	is_text(answer.run_dir, PATH_ROOM);
	is_text(answer.node_class, NAME_ROOM);
	is_text(answer.gpu_type, NAME_ROOM);
	is_text(answer.variant.path, PATH_ROOM);
	is_text(answer.variant.id, VARIANT_ROOM);
	must(answer.run_dir[0] == '\0' || encoding_is_path(answer.run_dir), "a path");
	must(!answer.has_model || (encoding_is_path(answer.variant.path) &&
				   manifest_is_revision(answer.variant.revision) &&
				   answer.node_class[0] != '\0'), "a variant is whole");
	must(!read_in(text, size - 1, piece, "", &again), "a cut is noticed");
	read_in(text, size, piece, "acme/tiny", &again);
}

static void try_option(enum option option, const char *text)
{
	struct options options = { 0 };

	if (options_set(&options, option, text) != NULL)
		return;
	must(options.is_given[option], "given");
	is_text(options.repo, REPO_ROOM);
	is_text(options.key, NAME_ROOM);
	is_text(options.session, NAME_ROOM);
	must((option == OPTION_RUN) == (options.run_id[0] != '\0' || options.run_dir[0] != '\0'), "a run");
	must(options.run_dir[0] == '\0' || encoding_is_path(options.run_dir), "a path");
	must(strstr(options.repo, "..") != options.repo && options.repo[0] != '/', "a repository");
	for (int i = 0; i < options.variants.count; ++i)
		is_text(options.variants.word[i], QUANTIZATION_ROOM);
	must(options_set_variable(&options, option, "///") == NULL, "an option outdoes a variable");
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char text[1 << 16];
	struct problem problem = { 0 };
	struct config config;
	struct gpu_map map;
	char *argument = text;

	if (size == 0 || size > sizeof(text))
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (data[0] >= '0' && data[0] < '0' + OPTIONS) {
		try_option((enum option)(data[0] - '0'), text);
	} else if (data[0] == 'c') {
		config_read(&config, 1, &argument, &problem);
		gpu_map_configure(&map, 1, &argument, &problem);
		resolve_gpus(text);
		for (const char *c = problem.text; *c != '\0'; ++c)
			must((unsigned char)*c >= 0x20 && *c != 0x7f, "a problem is one line");
	} else {
		try_manifest(text, size - 1, (size_t)data[0] % 61 + 1);
	}
	return 0;
}
