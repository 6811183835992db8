#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "trust.h"

static struct problem problem;

static bool opens(const char *name)
{
	struct owners owners = { .uid = { geteuid() }, .count = 1 };
	struct stat found;
	int at = open(scratch(), O_PATH | O_DIRECTORY);
	int file;

	memset(&problem, 0, sizeof(problem));
	file = trust_open_file(at, name, &owners, name, &found, &problem);
	close(at);
	if (file >= 0)
		close(file);
	CHECK((file >= 0) != problem.is_there);
	return file >= 0;
}

static bool enters(const char *name, enum sharing sharing)
{
	struct owners owners = { .uid = { geteuid() }, .count = 1 };
	int folder;

	memset(&problem, 0, sizeof(problem));
	folder = trust_open_folder(AT_FDCWD, name, true, &owners, sharing, "it", &problem);
	if (folder >= 0)
		close(folder);
	CHECK((folder >= 0) != problem.is_there);
	return folder >= 0;
}

static void files(void)
{
	put("file", "x", 0600);
	CHECK(opens("file"));
	CHECK(!opens("missing"));
	CHECK_TEXT(problem.text, "missing is not there");
	CHECK(symlink("file", path_of("link")) == 0 && !opens("link"));
	CHECK_TEXT(problem.text, "link is a link, or no folder");
	CHECK(mkfifo(path_of("pipe"), 0600) == 0 && !opens("pipe"));
	CHECK_TEXT(problem.text, "pipe is a link, or no file");
	CHECK(mkdir(path_of("folder"), 0700) == 0 && !opens("folder"));
	put("shared", "x", 0620);
	CHECK(!opens("shared"));
	CHECK_TEXT(problem.text, "shared can be written by others");
	put("public", "x", 0602);
	CHECK(!opens("public"));
	put("readable", "x", 0444);
	CHECK(opens("readable"));
	if (geteuid() == 0) {
		CHECK(chown(path_of("file"), 12345, 12345) == 0 && !opens("file"));
		CHECK_TEXT(problem.text, "file belongs to user 12345");
	}
}

static void folders(void)
{
	const char *folder = path_of("shared-folder");

	CHECK(mkdir(folder, 0700) == 0);
	CHECK(enters(folder, PRIVATE) && enters(folder, SHARED));
	CHECK(chmod(folder, 02775) == 0);
	CHECK(!enters(folder, PRIVATE) && enters(folder, SHARED));
	CHECK(chmod(folder, 0777) == 0);
	CHECK(!enters(folder, SHARED));
	CHECK(chmod(folder, 01777) == 0);
	CHECK(enters(folder, SHARED) && !enters(folder, PRIVATE));
	CHECK(symlink(folder, path_of("folder-link")) == 0);
	CHECK(!enters(path_of("folder-link"), SHARED));
	CHECK(!enters(put("no-folder", "x", 0600), SHARED));
	CHECK(!enters(path_of("nothing"), SHARED));
	if (geteuid() == 0) {
		CHECK(chmod(folder, 0755) == 0 && chown(folder, 12345, 12345) == 0);
		CHECK(!enters(folder, SHARED) && !enters(folder, PRIVATE));
	}
}

void test_trust(void)
{
	files();
	folders();
}
