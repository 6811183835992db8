#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "read_ahead.h"

void test_read_ahead(void)
{
	static struct variant variant;

	strcpy(variant.quantization, "none");
	strcpy(variant.path, path_of("nothing"));
	CHECK(read_ahead(&variant, 100) == 0);
	put("variant/a", "1234567890", 0444);
	put("variant/b", "1234567890", 0444);
	put("variant/sub/c", "1234567890", 0444);
	CHECK(mkfifo(path_of("variant/pipe"), 0600) == 0);
	CHECK(symlink("/etc/passwd", path_of("variant/link")) == 0);
	strcpy(variant.path, path_of("variant"));
	CHECK(read_ahead(&variant, 1000) == 20);
	CHECK(read_ahead(&variant, 15) == 15);
	CHECK(read_ahead(&variant, 0) == 0);
}
