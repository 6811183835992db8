/* manifest_lookup FILE NODE KEY [MODEL[@VARIANT,..]]: what the plugin reads from a node manifest. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "encoding.h"
#include "manifest_file.h"
#include "options.h"

enum { FOUND, NOT_FOUND, DAMAGED };

static void print_text(const char *name, const char *value)
{
	char encoded[3 * PATH_ROOM];

	encoding_encode(value, encoded);
	printf("%s=%s\n", name, encoded);
}

static void print_variant(const struct variant *variant)
{
	print_text("MODEL", variant->model);
	print_text("VARIANT", variant->id);
	print_text("MODEL_REPO", variant->repo);
	print_text("MODEL_REVISION", variant->revision);
	print_text("QUANTIZATION", variant->quantization);
	print_text("MODEL_PATH", variant->path);
	printf("TENSOR_PARALLEL_SIZE=%u\nMAX_MODEL_LEN=%u\nFILES=%u\nBYTES=%llu\n",
	       variant->tensor_parallel_size, variant->max_model_len, variant->files,
	       (unsigned long long)variant->bytes);
}

int main(int count, char **arguments)
{
	static struct manifest_answer answer;
	struct options options = { 0 };
	struct problem problem = { 0 };
	struct manifest_query query = { .job_name = "" };
	int file;

	if (count < 4 || count > 5 || (count == 5 && options_set(&options, OPTION_MODEL, arguments[4]))) {
		fprintf(stderr, "usage: manifest_lookup FILE NODE KEY [ORG/NAME[@VARIANT,..]]\n");
		return 64;
	}
	query.node = arguments[2];
	query.key = arguments[3];
	query.model = options.repo;
	query.variants = &options.variants;
	file = open(arguments[1], O_RDONLY | O_CLOEXEC);
	if (file < 0) {
		fprintf(stderr, "%s: %s\n", arguments[1], strerror(errno));
		return DAMAGED;
	}
	if (!manifest_file_feed(file, &query, &answer, &problem)) {
		fprintf(stderr, "%s: %s\n", arguments[1], problem.text);
		return DAMAGED;
	}
	close(file);
	if (answer.run_id[0] != '\0') {
		print_text("RUN_ID", answer.run_id);
		print_text("RUN_DIR", answer.run_dir);
	}
	if (answer.node_class[0] == '\0') {
		fprintf(stderr, "no node %s\n", query.node);
		return NOT_FOUND;
	}
	print_text("NODE_CLASS", answer.node_class);
	print_text("GPU_TYPE", answer.gpu_type);
	printf("GPU_COUNT=%u\nGPU_MEMORY_MIB=%u\n", answer.gpu_count, answer.gpu_memory_mib);
	if (!answer.asked_for_model)
		return FOUND;
	if (!answer.has_model || answer.is_ambiguous) {
		fprintf(stderr, "%s\n", answer.is_ambiguous ? "several variants" : "no variant");
		return NOT_FOUND;
	}
	print_variant(&answer.variant);
	return FOUND;
}
