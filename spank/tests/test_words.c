#include "harness.h"
#include "words.h"

void test_words(void)
{
	struct words words = { .count = 3, .word = { "fp8", "gguf:Q4_K_M", "Q8_0" } };
	struct words family = { .count = 1, .word = { "gguf" } };
	struct words none = { 0 };

	CHECK(words_rank(&words, "fp8") == 0);
	CHECK(words_rank(&words, "gguf:Q4_K_M") == 1);
	CHECK(words_rank(&words, "gguf:Q8_0") == 2);
	CHECK(words_rank(&words, "gguf:Q4_K") == -1);
	CHECK(words_rank(&words, "fp") == -1);
	CHECK(words_rank(&family, "gguf:Q2_K") == 0);
	CHECK(words_rank(&family, "gguf") == 0);
	CHECK(words_rank(&family, "ggufx:Q2_K") == -1);
	CHECK(words_rank(&none, "awq") == 0);
	CHECK(words_rank(0, "awq") == 0);
}
