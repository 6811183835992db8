#include "snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DEEPEST = 6, LARGEST_LOCK_BYTES = 16 << 20 };

struct tally {
	const struct owners *owners;
	unsigned most;
	unsigned files;
	uint64_t bytes;
};

void snapshot_folder(const struct variant *variant, char folder[PATH_ROOM])
{
	snprintf(folder, PATH_ROOM, "%s", variant->path);
	if (strncmp(variant->quantization, "gguf", 4) == 0)
		*strrchr(folder, '/') = '\0';
}

int snapshot_open_root(const char *root, struct owners *owners, struct problem *problem)
{
	int folder = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat found;

	if (folder >= 0 && fstat(folder, &found) == 0) {
		owners_add(owners, found.st_uid);
		return folder;
	}
	problem_say(problem, "%s cannot be opened: %s", root, strerror(errno));
	if (folder >= 0)
		close(folder);
	return -1;
}

int snapshot_open_repository(int root, const char *shown, const char *folder,
			     const struct owners *owners, struct problem *problem)
{
	char path[PATH_ROOM];
	int store, repository;

	snprintf(path, sizeof(path), "%s/store", shown);
	store = trust_open_folder(root, "store", false, owners, SHARED, path, problem);
	if (store < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/store/%s", shown, folder);
	repository = trust_open_folder(store, folder, true, owners, SHARED, path, problem);
	close(store);
	return repository;
}

static bool count_files(int folder, int depth, struct tally *tally, const char *shown,
			struct problem *problem);

static bool count_one(int folder, const char *name, int depth, struct tally *tally,
		      const char *shown, struct problem *problem)
{
	struct stat found;
	char path[PATH_ROOM];
	int inner;
	bool is_right;

	snprintf(path, sizeof(path), "%s/%s", shown, name);
	if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
		problem_say(problem, "%s: %s", path, strerror(errno));
		return false;
	}
	if (S_ISDIR(found.st_mode)) {
		inner = trust_open_folder(folder, name, true, tally->owners, PRIVATE, path, problem);
		if (inner < 0)
			return false;
		is_right = count_files(inner, depth + 1, tally, path, problem);
		close(inner);
		return is_right;
	}
	if (!trust_file(&found, tally->owners, path, problem))
		return false;
	if (depth == 0 && strcmp(name, LOCK_NAME) == 0)
		return true;
	tally->files += 1;
	tally->bytes += (uint64_t)found.st_size;
	if (tally->files > tally->most) {
		problem_say(problem, "%s has more files than it should", shown);
		return false;
	}
	return true;
}

static bool count_files(int folder, int depth, struct tally *tally, const char *shown,
			struct problem *problem)
{
	int copy = depth < DEEPEST ? fcntl(folder, F_DUPFD_CLOEXEC, 0) : -1;
	DIR *entries = copy >= 0 ? fdopendir(copy) : NULL;
	unsigned seen = 0;
	bool is_right = true;

	if (entries == NULL) {
		if (copy >= 0)
			close(copy);
		problem_say(problem, "%s cannot be listed", shown);
		return false;
	}
	while (is_right) {
		const struct dirent *entry = readdir(entries);

		if (entry == NULL)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (++seen > VARIANT_FILES + 1) {
			problem_say(problem, "%s has more files than it should", shown);
			is_right = false;
		} else {
			is_right = count_one(folder, entry->d_name, depth, tally, shown, problem);
		}
	}
	closedir(entries);
	return is_right;
}

/* Splits /ROOT/store/ORG--NAME/COMMIT, in place, into three texts. */
static bool split(char *folder, char **repository, char **commit)
{
	char *slash = strrchr(folder, '/');

	if (slash == NULL)
		return false;
	*slash = '\0';
	*commit = slash + 1;
	slash = strrchr(folder, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	*repository = slash + 1;
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder || strcmp(slash, "/store") != 0)
		return false;
	*slash = '\0';
	return true;
}

/* The folder is open and its owner's: are the lock and all files there? */
static bool check_content(int folder, const char *shown, const struct variant *variant,
			  const struct owners *owners, struct problem *problem)
{
	struct tally tally = { .owners = owners, .most = variant->files };
	struct stat found;
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "%s/%s", shown, LOCK_NAME);
	if (fstatat(folder, LOCK_NAME, &found, AT_SYMLINK_NOFOLLOW) != 0) {
		problem_say(problem, "%s is not there", path);
		return false;
	}
	if (!trust_file(&found, owners, path, problem))
		return false;
	if (found.st_size == 0 || found.st_size > LARGEST_LOCK_BYTES) {
		problem_say(problem, "%s has %lld bytes", path, (long long)found.st_size);
		return false;
	}
	if (strcmp(shown, variant->path) != 0) {
		if (fstatat(folder, strrchr(variant->path, '/') + 1, &found, AT_SYMLINK_NOFOLLOW) != 0) {
			problem_say(problem, "%s is not there", variant->path);
			return false;
		}
		if (!trust_file(&found, owners, variant->path, problem))
			return false;
	}
	if (variant->files == 0)
		return true;
	if (!count_files(folder, 0, &tally, shown, problem))
		return false;
	if (tally.files != variant->files || tally.bytes != variant->bytes) {
		problem_say(problem, "%s has %u of %u files, %llu of %llu bytes", shown, tally.files,
			    variant->files, (unsigned long long)tally.bytes,
			    (unsigned long long)variant->bytes);
		return false;
	}
	return true;
}

bool snapshot_check(const struct variant *variant, uid_t user, struct problem *problem)
{
	struct owners owners = { .uid = { 0, user }, .count = 2 };
	char shown[PATH_ROOM], root_path[PATH_ROOM];
	char *repository_name, *commit;
	int root = -1, repository = -1, folder = -1;
	bool is_right = false;

	snapshot_folder(variant, shown);
	strcpy(root_path, shown);
	if (!split(root_path, &repository_name, &commit)) {
		problem_say(problem, "%s is not in a model cache", variant->path);
		return false;
	}
	root = snapshot_open_root(root_path, &owners, problem);
	if (root >= 0)
		repository = snapshot_open_repository(root, root_path, repository_name, &owners, problem);
	if (repository >= 0)
		folder = trust_open_folder(repository, commit, true, &owners, PRIVATE, shown, problem);
	if (folder >= 0)
		is_right = check_content(folder, shown, variant, &owners, problem);
	if (folder >= 0)
		close(folder);
	if (repository >= 0)
		close(repository);
	if (root >= 0)
		close(root);
	return is_right;
}
