#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static int checks, failures;
static char folder[64];

bool check(bool is_right, const char *text, const char *file, int line)
{
	++checks;
	if (!is_right) {
		++failures;
		printf("%s:%d: not true: %s\n", file, line, text);
	}
	return is_right;
}

bool check_text(const char *found, const char *expected, const char *file, int line)
{
	++checks;
	if (strcmp(found, expected) == 0)
		return true;
	++failures;
	printf("%s:%d: found    \"%s\"\n%*sexpected \"%s\"\n", file, line, found,
	       (int)strlen(file) + 4, "", expected);
	return false;
}

static int remove_one(const char *path, const struct stat *found, int kind, struct FTW *where)
{
	(void)found, (void)kind, (void)where;
	return remove(path);
}

const char *scratch(void)
{
	return folder;
}

const char *path_of(const char *name)
{
	static char paths[10][8192];
	static int next;

	next = (next + 1) % 10;
	snprintf(paths[next], sizeof(paths[next]), "%s/%s", folder, name);
	return paths[next];
}

const char *put_bytes(const char *name, const char *content, size_t size, unsigned mode)
{
	const char *path = path_of(name);
	char part[8192];
	int file;

	for (const char *slash = strchr(path + strlen(folder) + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0755) == 0)
			chmod(part, 0755);
	}
	unlink(path);
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (file < 0 || write(file, content, size) != (ssize_t)size || fchmod(file, mode) != 0)
		abort();
	close(file);
	return path;
}

const char *put(const char *name, const char *content, unsigned mode)
{
	return put_bytes(name, content, strlen(content), mode);
}

const char *content_of(const char *path)
{
	static char content[65536];
	int file = open(path, O_RDONLY);
	ssize_t size = file >= 0 ? read(file, content, sizeof(content) - 1) : 0;

	if (file >= 0)
		close(file);
	content[size > 0 ? size : 0] = '\0';
	return content;
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "encoding", test_encoding },
	{ "words", test_words },
	{ "manifest", test_manifest },
	{ "options", test_options },
	{ "config", test_config },
	{ "trust", test_trust },
	{ "manifest_file", test_manifest_file },
	{ "snapshot", test_snapshot },
	{ "store", test_store },
	{ "resolve", test_resolve },
	{ "node_env", test_node_env },
	{ "read_ahead", test_read_ahead },
	{ "task_record", test_task_record },
	{ "gpu_map", test_gpu_map },
};

int main(void)
{
	umask(077);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); ++i) {
		int before = checks, failed = failures;

		strcpy(folder, "/tmp/cfslurm-spank-XXXXXX");
		if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
			abort();
		tests[i].run();
		nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
		printf("%-14s %3d checks%s\n", tests[i].name, checks - before,
		       failures > failed ? ", FAILED" : "");
	}
	printf("%d checks, %d failed\n", checks, failures);
	return failures > 0;
}
