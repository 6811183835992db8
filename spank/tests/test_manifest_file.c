#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "manifest_file.h"

#define RIGHT "cfslurm-node-manifest\t1\nnode\tn1\tbig\nend\t1\n"

static struct problem problem;

static enum file_result read_it(void)
{
	static struct manifest_answer answer;
	struct manifest_query query = { .node = "n1", .key = "", .job_name = "", .model = "" };
	struct owners owners = { .uid = { geteuid() }, .count = 1 };
	int folder = open(scratch(), O_PATH | O_DIRECTORY);
	enum file_result result;

	memset(&problem, 0, sizeof(problem));
	result = manifest_file_read(folder, "RUN", &owners, &query, &answer, &problem);
	close(folder);
	CHECK((result == FILE_BAD) == problem.is_there);
	return result;
}

void test_manifest_file(void)
{
	size_t size = MANIFEST_BYTES + 1;
	char *huge = malloc(size);

	CHECK(read_it() == FILE_ABSENT);
	put(MANIFEST_NAME, RIGHT, 0600);
	CHECK(read_it() == FILE_READ);
	put(MANIFEST_NAME, RIGHT "x", 0600);
	CHECK(read_it() == FILE_BAD);
	CHECK_TEXT(problem.text, "RUN/node_manifest: line 3: something follows the end");
	put(MANIFEST_NAME, RIGHT, 0660);
	CHECK(read_it() == FILE_BAD);
	CHECK_TEXT(problem.text, "RUN/node_manifest can be written by others");
	put(MANIFEST_NAME, "", 0600);
	CHECK(read_it() == FILE_BAD);
	memset(huge, 'x', size);
	put_bytes(MANIFEST_NAME, huge, size, 0600);
	CHECK(read_it() == FILE_BAD);
	memset(huge, '\n', size);
	put_bytes(MANIFEST_NAME, huge, size, 0600);
	CHECK(read_it() == FILE_BAD);
	free(huge);
	unlink(path_of(MANIFEST_NAME));
	CHECK(mkfifo(path_of(MANIFEST_NAME), 0600) == 0 && read_it() == FILE_BAD);
	unlink(path_of(MANIFEST_NAME));
	CHECK(symlink("/dev/zero", path_of(MANIFEST_NAME)) == 0 && read_it() == FILE_BAD);
	unlink(path_of(MANIFEST_NAME));
	CHECK(mkdir(path_of(MANIFEST_NAME), 0700) == 0 && read_it() == FILE_BAD);
	rmdir(path_of(MANIFEST_NAME));
	put(MANIFEST_NAME, RIGHT, 0600);
	if (geteuid() == 0) {
		CHECK(chown(path_of(MANIFEST_NAME), 12345, 12345) == 0 && read_it() == FILE_BAD);
		CHECK_TEXT(problem.text, "RUN/node_manifest belongs to user 12345");
	}
}
