#include "manifest.h"

#include <string.h>

#include "encoding.h"

enum { FIELDS = 13, MOST_GPUS = 1024 };

#define MOST_INT 2147483647u
#define MOST_BYTES ((UINT64_C(1) << 53) - 1)

/* Kinds of lines, in their order. */
enum { BEGIN, VERSION, RUN, NODE, CLASS, MODEL, END };

static const struct {
	const char *word;
	int fields;
} kinds[] = {
	[VERSION] = { "cfslurm-node-manifest", 2 },
	[RUN] = { "run", 3 },
	[NODE] = { "node", 3 },
	[CLASS] = { "class", 5 },
	[MODEL] = { "model", 13 },
	[END] = { "end", 2 },
};

struct field {
	const char *text;
	size_t size;
};

static bool damaged(struct manifest_reader *reader, const char *what)
{
	problem_say(reader->problem, "line %llu: %s", (unsigned long long)reader->lines, what);
	return false;
}

/* A name: bytes that stand for themselves, at least one. */
static bool read_name(const struct field *field, char *to, size_t room)
{
	return field->size > 0 && encoding_is_plain(field->text, field->size) &&
	       encoding_decode(field->text, field->size, to, room) > 0;
}

static bool read_text(const struct field *field, char *to, size_t room)
{
	return encoding_decode(field->text, field->size, to, room) >= 0;
}

static bool read_path(const struct field *field, char *to)
{
	return read_text(field, to, PATH_ROOM) && encoding_is_path(to);
}

static bool read_unsigned(const struct field *field, unsigned most, unsigned *value)
{
	uint64_t number;

	if (!encoding_number(field->text, field->size, most, &number))
		return false;
	*value = (unsigned)number;
	return true;
}

/* Sorted lines, no two of them equal. */
static bool comes_next(struct manifest_reader *reader, const char *first, const char *second)
{
	int order = strcmp(reader->previous[0], first);

	if (order == 0)
		order = strcmp(reader->previous[1], second);
	memcpy(reader->previous[0], first, strlen(first) + 1);
	memcpy(reader->previous[1], second, strlen(second) + 1);
	return order < 0;
}

static bool read_run(struct manifest_reader *reader, const struct field *fields)
{
	struct manifest_answer *answer = reader->answer;
	size_t size;

	if (!read_name(&fields[1], answer->run_id, NAME_ROOM) ||
	    !read_path(&fields[2], answer->run_dir))
		return damaged(reader, "no id and directory of a run");
	size = strlen(answer->run_id);
	if (reader->key[0] == '\0' && reader->query.model[0] == '\0' &&
	    strncmp(reader->query.job_name, answer->run_id, size) == 0 &&
	    reader->query.job_name[size] == '.' &&
	    strlen(reader->query.job_name + size + 1) < NAME_ROOM)
		strcpy(reader->key, reader->query.job_name + size + 1);
	return true;
}

static bool read_node(struct manifest_reader *reader, const struct field *fields)
{
	char node[NAME_ROOM], node_class[NAME_ROOM];

	if (!read_name(&fields[1], node, NAME_ROOM) ||
	    !read_name(&fields[2], node_class, NAME_ROOM))
		return damaged(reader, "no node and class");
	if (!comes_next(reader, node, ""))
		return damaged(reader, "nodes are not sorted");
	if (strcmp(node, reader->query.node) == 0)
		strcpy(reader->answer->node_class, node_class);
	return true;
}

static bool read_class(struct manifest_reader *reader, const struct field *fields)
{
	struct manifest_answer *answer = reader->answer;
	char name[NAME_ROOM], gpu_type[NAME_ROOM];
	unsigned count, memory_mib;

	if (!read_name(&fields[1], name, NAME_ROOM) || !read_text(&fields[2], gpu_type, NAME_ROOM) ||
	    !read_unsigned(&fields[3], MOST_GPUS, &count) ||
	    !read_unsigned(&fields[4], MOST_INT, &memory_mib))
		return damaged(reader, "no node class and GPUs");
	if (!comes_next(reader, name, ""))
		return damaged(reader, "classes are not sorted");
	if (strcmp(name, answer->node_class) != 0)
		return true;
	answer->knows_gpus = true;
	strcpy(answer->gpu_type, gpu_type);
	answer->gpu_count = count;
	answer->gpu_memory_mib = memory_mib;
	return true;
}

bool manifest_is_revision(const char *text)
{
	return strlen(text) == REVISION_ROOM - 1 &&
	       strspn(text, "0123456789abcdef") == REVISION_ROOM - 1;
}

static bool is_same_use(const struct variant *a, const struct variant *b)
{
	return strcmp(a->path, b->path) == 0 &&
	       a->tensor_parallel_size == b->tensor_parallel_size &&
	       a->max_model_len == b->max_model_len;
}

static void consider(struct manifest_reader *reader, const char *node_class)
{
	struct manifest_answer *answer = reader->answer;
	const struct variant *candidate = &reader->candidate;
	const char *model = reader->query.model;
	int rank;

	if (reader->key[0] == '\0' && model[0] == '\0')
		return;
	if (strcmp(node_class, answer->node_class) != 0 ||
	    (reader->key[0] != '\0' && strcmp(candidate->key, reader->key) != 0))
		return;
	if (model[0] != '\0' && strcmp(candidate->model, model) != 0 &&
	    strcmp(candidate->repo, model) != 0)
		return;
	rank = words_rank(reader->query.variants, candidate->quantization);
	if (rank < 0 || (answer->has_model && rank > reader->rank))
		return;
	if (answer->has_model && rank == reader->rank) {
		answer->is_ambiguous |= !is_same_use(&answer->variant, candidate);
		return;
	}
	reader->rank = rank;
	answer->has_model = true;
	answer->is_ambiguous = false;
	answer->variant = *candidate;
}

static bool read_model(struct manifest_reader *reader, const struct field *fields)
{
	struct variant *to = &reader->candidate;
	char node_class[NAME_ROOM];

	if (!read_name(&fields[1], to->key, NAME_ROOM) ||
	    !read_name(&fields[2], node_class, NAME_ROOM))
		return damaged(reader, "no key and node class");
	if (!comes_next(reader, to->key, node_class))
		return damaged(reader, "models are not sorted");
	if (!read_text(&fields[3], to->model, REPO_ROOM) || fields[4].size == 0 ||
	    !read_text(&fields[4], to->id, VARIANT_ROOM) || fields[5].size == 0 ||
	    !read_text(&fields[5], to->repo, REPO_ROOM) ||
	    !read_name(&fields[6], to->revision, REVISION_ROOM) ||
	    !manifest_is_revision(to->revision) ||
	    !read_name(&fields[7], to->quantization, QUANTIZATION_ROOM))
		return damaged(reader, "no variant of a model");
	if (!read_path(&fields[8], to->path))
		return damaged(reader, "no path");
	if (!read_unsigned(&fields[9], MOST_GPUS, &to->tensor_parallel_size) ||
	    !read_unsigned(&fields[10], MOST_INT, &to->max_model_len) ||
	    !read_unsigned(&fields[11], VARIANT_FILES, &to->files) ||
	    !encoding_number(fields[12].text, fields[12].size, MOST_BYTES, &to->bytes))
		return damaged(reader, "no numbers of a variant");
	consider(reader, node_class);
	return true;
}

static bool read_end(struct manifest_reader *reader, const struct field *fields)
{
	uint64_t count;

	if (!encoding_number(fields[1].text, fields[1].size, MANIFEST_LINES, &count) ||
	    count != reader->lines - 2)
		return damaged(reader, "lines are missing, or there are too many");
	return true;
}

static bool read_fields(struct manifest_reader *reader, const struct field *fields)
{
	switch (reader->kind) {
	case VERSION:
		if (fields[1].size != 1 || fields[1].text[0] != '1')
			return damaged(reader, "another version; this plugin reads 1");
		return true;
	case RUN:
		return read_run(reader, fields);
	case NODE:
		return read_node(reader, fields);
	case CLASS:
		return read_class(reader, fields);
	case MODEL:
		return read_model(reader, fields);
	default:
		return read_end(reader, fields);
	}
}

/* The kind of a line that may come now; 0 if none does. */
static int next_kind(int kind, const struct field *word)
{
	for (int next = VERSION; next <= END; ++next) {
		bool may_come = kind == BEGIN ? next == VERSION :
				next == kind  ? next >= NODE && next <= MODEL :
						next > kind;

		if (may_come && word->size == strlen(kinds[next].word) &&
		    memcmp(word->text, kinds[next].word, word->size) == 0)
			return next;
	}
	return BEGIN;
}

static bool read_line(struct manifest_reader *reader)
{
	struct field fields[FIELDS];
	const char *text = reader->line, *end = text + reader->used;
	int count = 0, kind;

	if (++reader->lines > MANIFEST_LINES)
		return damaged(reader, "too many lines");
	for (;;) {
		const char *tab = memchr(text, '\t', (size_t)(end - text));

		if (count == FIELDS)
			return damaged(reader, "too many fields");
		fields[count].text = text;
		fields[count].size = (size_t)((tab ? tab : end) - text);
		++count;
		if (tab == NULL)
			break;
		text = tab + 1;
	}
	kind = next_kind(reader->kind, &fields[0]);
	if (kind == BEGIN)
		return damaged(reader, reader->kind == BEGIN ? "this is no node manifest" :
							       "such a line cannot come here");
	if (count != kinds[kind].fields)
		return damaged(reader, "a wrong number of fields");
	if (kind != reader->kind) {
		reader->kind = kind;
		reader->previous[0][0] = reader->previous[1][0] = '\0';
	}
	return read_fields(reader, fields);
}

void manifest_begin(struct manifest_reader *reader, const struct manifest_query *query,
		    struct manifest_answer *answer, struct problem *problem)
{
	reader->query = *query;
	reader->answer = answer;
	reader->problem = problem;
	reader->kind = BEGIN;
	reader->lines = 0;
	reader->bytes = 0;
	reader->rank = 0;
	reader->used = 0;
	reader->key[0] = '\0';
	if (strlen(query->key) < NAME_ROOM)
		strcpy(reader->key, query->key);
	memset(answer, 0, sizeof(*answer));
	answer->asked_for_model = query->key[0] != '\0' || query->model[0] != '\0';
}

bool manifest_feed(struct manifest_reader *reader, const char *data, size_t size)
{
	if (reader->problem->is_there)
		return false;
	reader->bytes += size;
	if (reader->bytes > MANIFEST_BYTES)
		return damaged(reader, "the file is too large");
	while (size > 0) {
		const char *newline = memchr(data, '\n', size);
		size_t piece = newline ? (size_t)(newline - data) : size;

		if (reader->kind == END)
			return damaged(reader, "something follows the end");
		if (reader->used + piece >= sizeof(reader->line))
			return damaged(reader, "the next line is too long");
		memcpy(reader->line + reader->used, data, piece);
		reader->used += piece;
		if (newline == NULL)
			return true;
		if (!read_line(reader))
			return false;
		reader->used = 0;
		data = newline + 1;
		size -= piece + 1;
	}
	return true;
}

bool manifest_end(struct manifest_reader *reader)
{
	if (reader->problem->is_there)
		return false;
	if (reader->kind != END || reader->used > 0)
		return damaged(reader, "the file ends too early");
	return true;
}
