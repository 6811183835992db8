#include "problem.h"

#include <stdarg.h>
#include <stdio.h>

void problem_say(struct problem *problem, const char *format, ...)
{
	va_list arguments;

	if (problem->is_there)
		return;
	problem->is_there = true;
	va_start(arguments, format);
	vsnprintf(problem->text, sizeof(problem->text), format, arguments);
	va_end(arguments);
	for (char *c = problem->text; *c != '\0'; ++c) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	}
}
