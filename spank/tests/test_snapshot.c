#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "snapshot.h"

#define PLAIN "cache/store/acme--tiny/" REV1
#define GGUF "cache/store/acme--tiny-GGUF/" REV2 "--Q4_K_M"

static struct problem problem;
static struct variant variant;

static bool is_right(void)
{
	bool found;

	memset(&problem, 0, sizeof(problem));
	found = snapshot_check(&variant, geteuid(), &problem);
	CHECK(found != problem.is_there);
	return found;
}

static void publish(void)
{
	put(PLAIN "/cfslurm.lock.json", "{}", 0444);
	put(PLAIN "/config.json", "12345", 0444);
	put(PLAIN "/sub/model.safetensors", "1234567890", 0444);
	memset(&variant, 0, sizeof(variant));
	strcpy(variant.quantization, "none");
	strcpy(variant.path, path_of(PLAIN));
	variant.files = 2;
	variant.bytes = 15;
}

static const char *reason(void)
{
	return is_right() ? "right" : problem.text + strlen(scratch());
}

static void a_plain_variant(void)
{
	publish();
	CHECK(is_right());
	variant.files = 0;
	CHECK(is_right());
	variant.files = 3;
	CHECK_TEXT(reason(), "/" PLAIN " has 2 of 3 files, 15 of 15 bytes");
	variant.files = 1;
	CHECK_TEXT(reason(), "/" PLAIN " has more files than it should");
	variant.files = 2;
	variant.bytes = 14;
	CHECK_TEXT(reason(), "/" PLAIN " has 2 of 2 files, 15 of 14 bytes");
	variant.bytes = 15;
	unlink(path_of(PLAIN "/sub/model.safetensors"));
	CHECK_TEXT(reason(), "/" PLAIN " has 1 of 2 files, 5 of 15 bytes");
	publish();
	unlink(path_of(PLAIN "/cfslurm.lock.json"));
	CHECK_TEXT(reason(), "/" PLAIN "/cfslurm.lock.json is not there");
	put(PLAIN "/cfslurm.lock.json", "", 0444);
	CHECK_TEXT(reason(), "/" PLAIN "/cfslurm.lock.json has 0 bytes");
	publish();
	CHECK(symlink("/etc/passwd", path_of(PLAIN "/tokenizer.json")) == 0);
	variant.files = 3;
	CHECK_TEXT(reason(), "/" PLAIN "/tokenizer.json is a link, or no file");
	unlink(path_of(PLAIN "/tokenizer.json"));
	publish();
}

static void other_writers(void)
{
	publish();
	chmod(path_of(PLAIN), 0775);
	CHECK_TEXT(reason(), "/" PLAIN " can be written by others");
	chmod(path_of(PLAIN), 0755);
	chmod(path_of(PLAIN "/sub"), 0777);
	CHECK_TEXT(reason(), "/" PLAIN "/sub can be written by others");
	chmod(path_of(PLAIN "/sub"), 0755);
	chmod(path_of(PLAIN "/config.json"), 0664);
	CHECK_TEXT(reason(), "/" PLAIN "/config.json can be written by others");
	chmod(path_of(PLAIN "/config.json"), 0444);
	chmod(path_of("cache/store"), 02775);
	CHECK(is_right());
	chmod(path_of("cache/store"), 0777);
	CHECK_TEXT(reason(), "/cache/store can be written by everybody");
	chmod(path_of("cache/store"), 0755);
	if (geteuid() != 0)
		return;
	CHECK(chown(path_of(PLAIN "/config.json"), 12345, 12345) == 0);
	CHECK_TEXT(reason(), "/" PLAIN "/config.json belongs to user 12345");
	CHECK(chown(path_of("cache"), 12345, 12345) == 0); /* the cache's owner */
	CHECK(is_right());
	CHECK(chown(path_of("cache"), 0, 0) == 0);
	publish();
}

static void links(void)
{
	publish();
	CHECK(rename(path_of(PLAIN), path_of("elsewhere")) == 0);
	CHECK(symlink(path_of("elsewhere"), path_of(PLAIN)) == 0);
	CHECK_TEXT(reason(), "/" PLAIN " is a link, or no folder");
	unlink(path_of(PLAIN));
	CHECK(rename(path_of("elsewhere"), path_of(PLAIN)) == 0);
	CHECK(rename(path_of("cache/store"), path_of("other-store")) == 0);
	CHECK(symlink(path_of("other-store"), path_of("cache/store")) == 0);
	CHECK_TEXT(reason(), "/cache/store is a link, or no folder");
	unlink(path_of("cache/store"));
	CHECK(rename(path_of("other-store"), path_of("cache/store")) == 0);
	CHECK(is_right());
	CHECK(symlink("cache", path_of("cache-link")) == 0); /* the root itself may be one */
	strcpy(variant.path, path_of("cache-link/store/acme--tiny/" REV1));
	CHECK(is_right());
}

static void paths_that_are_no_cache(void)
{
	static const char *const paths[] = { "/etc", "/etc/passwd", "/a/b/c", "/store/a/b", "/x/stores/a/b" };

	publish();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); ++i) {
		strcpy(variant.path, paths[i]);
		CHECK(!is_right());
	}
	CHECK_TEXT(problem.text, "/x/stores/a/b is not in a model cache");
	strcpy(variant.quantization, "gguf:Q4_K_M");
	strcpy(variant.path, "/a");
	CHECK(!is_right());
}

static void a_gguf_variant(void)
{
	put(GGUF "/cfslurm.lock.json", "{}", 0444);
	put(GGUF "/tiny.gguf", "1234", 0444);
	memset(&variant, 0, sizeof(variant));
	strcpy(variant.quantization, "gguf:Q4_K_M");
	strcpy(variant.path, path_of(GGUF "/tiny.gguf"));
	CHECK(is_right());
	variant.files = 1;
	variant.bytes = 4;
	CHECK(is_right());
	strcpy(variant.path, path_of(GGUF "/other.gguf"));
	CHECK_TEXT(reason(), "/" GGUF "/other.gguf is not there");
}

static void depth_and_number_are_limited(void)
{
	char name[512] = PLAIN;

	publish();
	for (int i = 0; i < 12; ++i)
		strcat(name, "/d");
	strcat(name, "/f");
	put(name, "x", 0444);
	variant.files = 3;
	variant.bytes = 16;
	CHECK(!is_right());
	CHECK(strstr(problem.text, "cannot be listed") != NULL);
}

void test_snapshot(void)
{
	a_plain_variant();
	other_writers();
	links();
	paths_that_are_no_cache();
	a_gguf_variant();
	depth_and_number_are_limited();
}
