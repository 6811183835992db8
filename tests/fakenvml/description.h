/* A machine's GPUs, described in a file of "key = value" lines. */
#ifndef FAKENVML_DESCRIPTION_H
#define FAKENVML_DESCRIPTION_H

#include <stdbool.h>
#include <stddef.h>

enum { MOST_LINES = 1024, LONGEST_KEY = 64, LONGEST_VALUE = 128 };

struct description {
    size_t lines;
    struct {
        char key[LONGEST_KEY];
        char value[LONGEST_VALUE];
    } line[MOST_LINES];
};

/* Reads a file; false if it cannot be read or a line has no '=', is too long, or is one too many. */
bool description_read(struct description *description, const char *path);

/* The value of a key, or NULL. A number in the key is also found as '*': "gpu.3.name" finds "gpu.*.name"
 * where there is no line of its own; the line with the fewest stars wins, and of those the last. */
const char *description_find(const struct description *description, const char *key);

#endif
