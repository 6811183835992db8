/* The variants that a user names: words, in the order of his preference. */
#ifndef CFSLURM_WORDS_H
#define CFSLURM_WORDS_H

#include "limits.h"

struct words {
	int count;
	char word[WORDS][QUANTIZATION_ROOM];
};

/* The place of the first word that means a quantization: the whole (`gguf:Q4_K_M`), its family
 * (`gguf`) or its label (`Q4_K_M`). -1 if none does; 0 if there are no words at all. */
int words_rank(const struct words *words, const char *quantization);

#endif
