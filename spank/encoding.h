/* How fields are written: docs/reference/node-manifest.md. */
#ifndef CFSLURM_ENCODING_H
#define CFSLURM_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True if all bytes stand for themselves. */
bool encoding_is_plain(const char *text, size_t size);

/* Decodes a field into `to`, with a NUL behind it. Returns the length, or -1: there is another way to
 * write it, it holds a control byte, or it does not fit. */
int encoding_decode(const char *text, size_t size, char *to, size_t room);

/* The opposite; `to` has room for three times the text and a NUL. */
void encoding_encode(const char *text, char *to);

/* Decimal digits without leading zeros, up to `most`. */
bool encoding_number(const char *text, size_t size, uint64_t most, uint64_t *value);

/* An absolute path without empty, `.` and `..` parts and without a slash at its end. */
bool encoding_is_path(const char *path);

#endif
