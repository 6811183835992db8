/* The longest texts, with their NUL: docs/reference/node-manifest.md. */
#ifndef CFSLURM_LIMITS_H
#define CFSLURM_LIMITS_H

enum {
	NAME_ROOM = 256,
	REPO_ROOM = 201,
	VARIANT_ROOM = 301,
	REVISION_ROOM = 41,
	QUANTIZATION_ROOM = 64,
	PATH_ROOM = 4096,

	MANIFEST_LINE_BYTES = 16384,
	MANIFEST_LINES = 200000,
	MANIFEST_BYTES = 8 << 20,

	VARIANT_FILES = 4096,
	WORDS = 8,
};

#define MANIFEST_NAME "node_manifest"
#define LOCK_NAME "cfslurm.lock.json"

#endif
