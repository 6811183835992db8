#include "words.h"

#include <string.h>

static int means(const char *word, const char *quantization)
{
	const char *colon = strchr(quantization, ':');

	if (strcmp(word, quantization) == 0)
		return 1;
	if (colon == NULL)
		return 0;
	return strcmp(word, colon + 1) == 0 ||
	       (strlen(word) == (size_t)(colon - quantization) &&
		strncmp(word, quantization, strlen(word)) == 0);
}

int words_rank(const struct words *words, const char *quantization)
{
	if (words == NULL || words->count == 0)
		return 0;
	for (int i = 0; i < words->count; ++i) {
		if (means(words->word[i], quantization))
			return i;
	}
	return -1;
}
