/* A problem, as one line that a user can read. */
#ifndef CFSLURM_PROBLEM_H
#define CFSLURM_PROBLEM_H

#include <stdbool.h>

struct problem {
	bool is_there;
	char text[768];
};

/* The first problem stays: what follows is mostly its consequence. Control bytes become `?`. */
void problem_say(struct problem *problem, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
