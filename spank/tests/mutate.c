/* A fuzzing driver for compilers without libFuzzer: mutates what reached new code, always in the same order.
 *
 * usage: fuzz_own RUNS SEED FOLDER...; the folders hold the first inputs. An input that fails is left in
 * crash-own in the current folder. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
void __sanitizer_cov_trace_pc(void);
void __sanitizer_set_death_callback(void (*callback)(void));

enum { MOST_BYTES = 8192, MOST_KEPT = 20000, EDGES = 1 << 16 };

struct input {
	unsigned char *data;
	size_t size;
};

static unsigned char seen[EDGES], now[EDGES];
static uint16_t touched[EDGES];
static unsigned touched_count, edges;
static uintptr_t last;
static struct input kept[MOST_KEPT];
static unsigned kept_count;
static uint64_t state;
static unsigned char current[MOST_BYTES];
static size_t current_size;

/* The compiler calls this at every edge. */
__attribute__((no_sanitize("address", "undefined"))) void __sanitizer_cov_trace_pc(void)
{
	uintptr_t here = (uintptr_t)__builtin_return_address(0);
	uint16_t edge = (uint16_t)((here >> 1) ^ (last << 3) ^ (here >> 17));

	last = here;
	if (now[edge] == 0)
		touched[touched_count++] = edge;
	if (now[edge] < 255)
		++now[edge];
}

static uint64_t draw(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

/* A count as a power of two: a loop that runs twice is another thing than one that runs a hundred times. */
static unsigned char bucket(unsigned char count)
{
	unsigned char bit = 1;

	while (count >>= 1)
		bit = (unsigned char)(bit << 1);
	return bit;
}

static int is_new(void)
{
	int found = 0;

	for (unsigned i = 0; i < touched_count; ++i) {
		uint16_t edge = touched[i];
		unsigned char bit = bucket(now[edge]);

		if (!(seen[edge] & bit)) {
			edges += seen[edge] == 0;
			seen[edge] |= bit;
			found = 1;
		}
		now[edge] = 0;
	}
	touched_count = 0;
	last = 0;
	return found;
}

static void keep(void)
{
	struct input *input = &kept[kept_count < MOST_KEPT ? kept_count++ : draw(MOST_KEPT)];

	free(input->data);
	input->data = malloc(current_size + 1);
	memcpy(input->data, current, current_size);
	input->size = current_size;
}

static void try_current(void)
{
	LLVMFuzzerTestOneInput(current, current_size);
	if (is_new())
		keep();
}

static void replace(size_t at, size_t old_size, const void *with, size_t size)
{
	if (current_size - old_size + size > MOST_BYTES)
		return;
	memmove(current + at + size, current + at + old_size, current_size - at - old_size);
	memcpy(current + at, with, size);
	current_size += size - old_size;
}

static const char *const pieces[] = {
	"\t", "\n", "%20", "%2F", "%00", "%", "/", "..", "-", "0", "1", "4294967296", "2147483647",
	"9007199254740992", "n1", "big", "eval", "r1", "run\t", "node\t", "class\t", "model\t", "end\t0\n",
	"cfslurm-node-manifest\t1\n", "node\tn1\tbig\n", "class\tbig\th100\t4\t81559\n",
	"gguf:Q4_K_M", "acme/tiny", "@", ",", ":", "--", "store", "GiB", "cache=", "dcgm_dir=", "NoDevFiles",
	"1111111111111111111111111111111111111111",
};

/* The size of a piece of the text from `at` to the next of some bytes. */
static size_t span(size_t at, const char *ends)
{
	size_t size = 0;

	while (at + size < current_size && strchr(ends, current[at + size]) == NULL)
		++size;
	return size;
}

/* Lets the last line tell the truth, so that mutants get past it. */
static void mend_count(void)
{
	size_t lines = 0, at = current_size;
	char end[32];

	if (current_size < 2)
		return;
	for (size_t i = 1; i < current_size; ++i)
		lines += current[i] == '\n';
	for (at = current_size - 1; at > 1 && current[at - 1] != '\n'; --at)
		;
	snprintf(end, sizeof(end), "end\t%zu\n", lines > 2 ? lines - 2 : 0);
	replace(at, current_size - at, end, strlen(end));
}

static void mutate(void)
{
	const struct input *other = &kept[draw(kept_count)];
	size_t at = current_size ? draw(current_size) : 0, from, size;
	const char *piece = pieces[draw(sizeof(pieces) / sizeof(pieces[0]))];
	unsigned char copy[MOST_BYTES], byte = (unsigned char)draw(256);

	switch (draw(12)) {
	case 0:
		if (current_size > 0)
			current[at] ^= (unsigned char)(1u << draw(8));
		break;
	case 1:
		replace(at, current_size > at, &byte, 1);
		break;
	case 2:
		replace(at, 0, &byte, 1);
		break;
	case 3:
		size = draw(16) + 1;
		replace(at, size < current_size - at ? size : current_size - at, "", 0);
		break;
	case 4:
		replace(at, 0, piece, strlen(piece));
		break;
	case 5:
		replace(at, span(at, "\t\n"), piece, strlen(piece));
		break;
	case 6: /* a line twice, or at another place */
		size = span(at, "\n");
		size += at + size < current_size;
		memcpy(copy, current + at, size);
		replace(draw(current_size + 1), 0, copy, size);
		break;
	case 7: /* a line less */
		size = span(at, "\n");
		replace(at, size, "", 0);
		break;
	case 8: /* the rest of another one */
		from = other->size ? draw(other->size) : 0;
		replace(at, current_size - at, other->data + from, other->size - from);
		break;
	case 9: /* something long */
		size = draw(600);
		memset(copy, 'a' + (int)draw(3), size);
		replace(at, 0, copy, size);
		break;
	case 10:
		if (current_size > 0)
			current[0] = "01234cm\xff"[draw(8)];
		break;
	default:
		mend_count();
	}
	if (draw(4) == 0)
		mend_count();
}

static void read_folder(const char *path)
{
	DIR *entries = opendir(path);
	const struct dirent *entry;
	char name[4096];

	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		int file;
		ssize_t size;

		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		file = entry->d_name[0] == '.' ? -1 : open(name, O_RDONLY);
		size = file >= 0 ? read(file, current, MOST_BYTES) : -1;
		if (size > 0) {
			current_size = (size_t)size;
			try_current();
			keep();
		}
		if (file >= 0)
			close(file);
	}
	if (entries != NULL)
		closedir(entries);
}

static void save_failure(void)
{
	int file = open("crash-own", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (file >= 0 && write(file, current, current_size) == (ssize_t)current_size)
		fprintf(stderr, "the input is in crash-own\n");
}

static void on_abort(int number)
{
	(void)number;
	save_failure();
	_exit(1);
}

int main(int count, char **arguments)
{
	uint64_t runs = count > 2 ? strtoull(arguments[1], NULL, 10) : 0;
	time_t begin = time(NULL);

	if (count < 4) {
		fprintf(stderr, "usage: fuzz_own RUNS SEED FOLDER...\n");
		return 64;
	}
	state = strtoull(arguments[2], NULL, 10) * UINT64_C(0x9e3779b97f4a7c15) + 1;
	signal(SIGABRT, on_abort);
	__sanitizer_set_death_callback(save_failure);
	for (int i = 3; i < count; ++i)
		read_folder(arguments[i]);
	if (kept_count == 0) {
		fprintf(stderr, "no inputs to begin with\n");
		return 64;
	}
	for (uint64_t run = 1; run <= runs; ++run) {
		const struct input *input = &kept[draw(kept_count)];

		memcpy(current, input->data, input->size);
		current_size = input->size;
		for (uint64_t i = draw(6) + 1; i > 0; --i)
			mutate();
		try_current();
		if (run % 1000000 == 0 || run == runs)
			printf("%llu inputs, %u edges, %u kept, %lld s\n", (unsigned long long)run,
			       edges, kept_count, (long long)(time(NULL) - begin));
	}
	return 0;
}
