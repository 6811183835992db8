/* Checks that count. A failed one prints where and goes on; main() then ends with 1. */
#ifndef CFSLURM_TESTS_HARNESS_H
#define CFSLURM_TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
#define CHECK_TEXT(found, expected) check_text((found), (expected), __FILE__, __LINE__)

bool check(bool is_right, const char *text, const char *file, int line);
bool check_text(const char *found, const char *expected, const char *file, int line);

/* A folder of this test, empty, removed at the end. */
const char *scratch(void);

/* Writes a file below the scratch folder with the folders above it (0755, whatever the umask). Returns its path,
 * valid until the tenth next call. */
const char *put(const char *name, const char *content, unsigned mode);
const char *put_bytes(const char *name, const char *content, size_t size, unsigned mode);
const char *path_of(const char *name);

/* The content of a small file, "" if there is none. */
const char *content_of(const char *path);

#define REV1 "1111111111111111111111111111111111111111"
#define REV2 "2222222222222222222222222222222222222222"

void test_encoding(void);
void test_words(void);
void test_manifest(void);
void test_options(void);
void test_config(void);
void test_trust(void);
void test_manifest_file(void);
void test_snapshot(void);
void test_store(void);
void test_resolve(void);
void test_node_env(void);
void test_read_ahead(void);
void test_task_record(void);
void test_gpu_map(void);

#endif
