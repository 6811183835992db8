/* A variant in a model cache (docs/reference/model-cache.md): is it published, complete, and its owner's work? */
#ifndef CFSLURM_SNAPSHOT_H
#define CFSLURM_SNAPSHOT_H

#include <sys/types.h>

#include "manifest.h"
#include "problem.h"
#include "trust.h"

/* Opens ROOT, following links: root or the user has named it. Its owner becomes one of the owners. */
int snapshot_open_root(const char *root, struct owners *owners, struct problem *problem);

/* Opens ROOT/store/ORG--NAME; `root` is open already. */
int snapshot_open_repository(int root, const char *shown, const char *folder,
			     const struct owners *owners, struct problem *problem);

/* True if the variant's path may be used by this user. Opens a few folders and looks at the files' sizes; reads no file. */
bool snapshot_check(const struct variant *variant, uid_t user, struct problem *problem);

/* The folder of a variant: its path, or for GGUF the folder that its path lies in. */
void snapshot_folder(const struct variant *variant, char folder[PATH_ROOM]);

#endif
