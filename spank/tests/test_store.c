#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "store.h"

static struct problem problem;
static struct variant variant;

static enum store_result find(const char *repo, const char *word)
{
	struct words words = { .count = word != NULL };

	if (word != NULL)
		strcpy(words.word[0], word);
	memset(&problem, 0, sizeof(problem));
	return store_find(path_of("cache"), repo, &words, geteuid(), &variant, &problem);
}

void test_store(void)
{
	CHECK(find("acme/tiny", NULL) == STORE_ABSENT);
	put("cache/store/acme--tiny/" REV1 "/cfslurm.lock.json", "{}", 0444);
	CHECK(find("acme/tiny", NULL) == STORE_FOUND);
	CHECK_TEXT(variant.path, path_of("cache/store/acme--tiny/" REV1));
	CHECK_TEXT(variant.revision, REV1);
	CHECK_TEXT(variant.id, "acme/tiny");
	CHECK_TEXT(variant.quantization, "");
	CHECK(find("acme/tiny", REV1) == STORE_FOUND);
	CHECK(find("acme/tiny", "none") == STORE_FOUND);
	CHECK(find("acme/tiny", REV2) == STORE_ABSENT);
	CHECK(find("acme/tiny", "awq") == STORE_ABSENT);
	CHECK(find("acme/other", NULL) == STORE_ABSENT);
	CHECK_TEXT(problem.text, path_of("cache/store/acme--other is not there"));
	CHECK(find("evil/tiny", NULL) == STORE_ABSENT);

	put("cache/store/acme--tiny/" REV2 "/cfslurm.lock.json", "{}", 0444);
	CHECK(find("acme/tiny", NULL) == STORE_AMBIGUOUS);
	CHECK(strstr(problem.text, "name a commit, as in acme/tiny@") != NULL);
	CHECK(find("acme/tiny", REV2) == STORE_FOUND);
	CHECK_TEXT(variant.revision, REV2);

	put("cache/store/acme--q/" REV1 "--Q4_K_M/tiny-00002-of-00002.gguf", "b", 0444);
	put("cache/store/acme--q/" REV1 "--Q4_K_M/tiny-00001-of-00002.gguf", "a", 0444);
	put("cache/store/acme--q/" REV1 "--Q8_0/README.md", "a", 0444);
	CHECK(find("acme/q", NULL) == STORE_ABSENT);
	CHECK(find("acme/q", "Q4_K_M") == STORE_FOUND);
	CHECK_TEXT(variant.path,
		   path_of("cache/store/acme--q/" REV1 "--Q4_K_M/tiny-00001-of-00002.gguf"));
	CHECK_TEXT(variant.id, "acme/q@gguf:Q4_K_M");
	CHECK(find("acme/q", "gguf:Q4_K_M") == STORE_FOUND);
	CHECK(find("acme/q", "gguf") == STORE_AMBIGUOUS);
	CHECK(find("acme/q", "Q8_0") == STORE_ABSENT);
	CHECK(strstr(problem.text, "has no .gguf file") != NULL);

	put("cache/store/acme--odd/.staging/x", "", 0444);
	put("cache/store/acme--odd/main/x", "", 0444);
	put("cache/store/acme--odd/" REV1 "-x/x", "", 0444);
	put("cache/store/acme--odd/" REV1 "--/x", "", 0444);
	CHECK(find("acme/odd", NULL) == STORE_ABSENT);
	CHECK(find("acme/odd", "gguf") == STORE_ABSENT);
	chmod(path_of("cache/store/acme--tiny"), 0777);
	CHECK(find("acme/tiny", REV1) == STORE_ABSENT);
}
