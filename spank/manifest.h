/* The reader of docs/reference/node-manifest.md: bytes in, one answer out; no file, no memory from the heap. */
#ifndef CFSLURM_MANIFEST_H
#define CFSLURM_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limits.h"
#include "problem.h"
#include "words.h"

/* What is asked. Empty texts are not asked for. */
struct manifest_query {
	const char *node;
	const char *key;
	const char *job_name; /* gives the key if neither it nor a model is asked for */
	const char *model;
	const struct words *variants;
};

/* A variant of a model, where it lies, and how it is served. 0 means: not known. */
struct variant {
	char key[NAME_ROOM];
	char model[REPO_ROOM];
	char id[VARIANT_ROOM];
	char repo[REPO_ROOM];
	char revision[REVISION_ROOM];
	char quantization[QUANTIZATION_ROOM];
	char path[PATH_ROOM];
	unsigned tensor_parallel_size;
	unsigned max_model_len;
	unsigned files;
	uint64_t bytes;
};

struct manifest_answer {
	char run_id[NAME_ROOM]; /* empty: the file of a cache */
	char run_dir[PATH_ROOM];
	char node_class[NAME_ROOM]; /* empty: the node is not known */
	bool knows_gpus;
	char gpu_type[NAME_ROOM];
	unsigned gpu_count;
	unsigned gpu_memory_mib;
	bool asked_for_model;
	bool has_model;
	bool is_ambiguous;
	struct variant variant;
};

/* Where a reader is. Everything in it is the reader's own business. */
struct manifest_reader {
	struct manifest_query query;
	struct manifest_answer *answer;
	struct problem *problem;
	int kind;
	uint64_t lines;
	uint64_t bytes;
	int rank;
	char key[NAME_ROOM];
	char previous[2][NAME_ROOM];
	struct variant candidate;
	size_t used;
	char line[MANIFEST_LINE_BYTES];
};

/* Begin; then feed the file in pieces of any size; then end. `problem` says what is wrong with the file. */
void manifest_begin(struct manifest_reader *reader, const struct manifest_query *query,
		    struct manifest_answer *answer, struct problem *problem);
bool manifest_feed(struct manifest_reader *reader, const char *data, size_t size);
bool manifest_end(struct manifest_reader *reader);

/* The 40 digits of a commit. */
bool manifest_is_revision(const char *text);

#endif
