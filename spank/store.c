#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snapshot.h"

enum { MOST_ENTRIES = 1000, COMMIT = REVISION_ROOM - 1 };

/* The folder of a repository: ORG/NAME becomes ORG--NAME. */
static void folder_of(const char *repo, char *folder, size_t room)
{
	const char *slash = strchr(repo, '/');

	snprintf(folder, room, "%.*s--%s", (int)(slash - repo), repo, slash + 1);
}

/* COMMIT or COMMIT--LABEL; the label goes to `label`, empty if there is none. */
static bool is_published_name(const char *name, char revision[REVISION_ROOM],
			      char label[QUANTIZATION_ROOM])
{
	snprintf(revision, REVISION_ROOM, "%s", name);
	if (!manifest_is_revision(revision))
		return false;
	name += COMMIT;
	label[0] = '\0';
	if (name[0] == '\0')
		return true;
	if (strncmp(name, "--", 2) != 0 || name[2] == '\0' || strlen(name + 2) > 58)
		return false;
	strcpy(label, name + 2);
	return true;
}

/* The place of the first word that means this folder, 0 without words, -1 for none. */
static int rank_of(const struct words *words, const char *revision, const char *label)
{
	char quantization[QUANTIZATION_ROOM];

	if (words->count == 0)
		return label[0] == '\0' ? 0 : -1;
	for (int i = 0; i < words->count; ++i) {
		if (label[0] == '\0' && strcmp(words->word[i], revision) == 0)
			return i;
	}
	snprintf(quantization, sizeof(quantization), label[0] ? "gguf:%s" : "none%s", label);
	return words_rank(words, quantization);
}

/* The best folder of an open repository. */
static enum store_result choose(DIR *entries, const struct words *words, char chosen[NAME_ROOM])
{
	char revision[REVISION_ROOM], label[QUANTIZATION_ROOM];
	const struct dirent *entry;
	bool is_ambiguous = false;
	int best = -1, seen = 0;

	chosen[0] = '\0';
	while ((entry = readdir(entries)) != NULL && ++seen <= MOST_ENTRIES) {
		int rank;

		if (!is_published_name(entry->d_name, revision, label))
			continue;
		rank = rank_of(words, revision, label);
		if (rank < 0 || (best >= 0 && rank > best))
			continue;
		is_ambiguous = rank == best;
		best = rank;
		strcpy(chosen, entry->d_name);
	}
	return best < 0 ? STORE_ABSENT : is_ambiguous ? STORE_AMBIGUOUS : STORE_FOUND;
}

/* The first .gguf file in byte order: of a split model the one that engines are given. */
static bool first_gguf(int repository, const char *name, char file[NAME_ROOM])
{
	int folder = openat(repository, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *entries = folder >= 0 ? fdopendir(folder) : NULL;
	const struct dirent *entry;
	int seen = 0;

	file[0] = '\0';
	if (entries == NULL) {
		if (folder >= 0)
			close(folder);
		return false;
	}
	while ((entry = readdir(entries)) != NULL && ++seen <= MOST_ENTRIES) {
		size_t size = strlen(entry->d_name);

		if (size > 5 && strcmp(entry->d_name + size - 5, ".gguf") == 0 &&
		    (file[0] == '\0' || strcmp(entry->d_name, file) < 0))
			strcpy(file, entry->d_name);
	}
	closedir(entries);
	return file[0] != '\0';
}

static bool describe(int repository, const char *cache, const char *repo, const char *folder,
		     const char *name, struct variant *variant, struct problem *problem)
{
	char label[QUANTIZATION_ROOM], file[NAME_ROOM];
	int size;

	memset(variant, 0, sizeof(*variant));
	is_published_name(name, variant->revision, label);
	snprintf(variant->repo, sizeof(variant->repo), "%s", repo);
	snprintf(variant->model, sizeof(variant->model), "%s", repo);
	size = snprintf(variant->path, PATH_ROOM, "%s/store/%s/%s", cache, folder, name);
	if (label[0] == '\0') {
		snprintf(variant->id, VARIANT_ROOM, "%s", repo);
	} else {
		snprintf(variant->quantization, QUANTIZATION_ROOM, "gguf:%s", label);
		snprintf(variant->id, VARIANT_ROOM, "%s@gguf:%s", repo, label);
		if (!first_gguf(repository, name, file)) {
			problem_say(problem, "%s has no .gguf file", variant->path);
			return false;
		}
		size += snprintf(variant->path + size, size < PATH_ROOM ? PATH_ROOM - (size_t)size : 0,
				 "/%s", file);
	}
	if (size >= PATH_ROOM) {
		problem_say(problem, "%s/store/%s: the path is too long", cache, folder);
		return false;
	}
	return true;
}

enum store_result store_find(const char *cache, const char *repo, const struct words *words,
			     uid_t user, struct variant *variant, struct problem *problem)
{
	struct owners owners = { .uid = { 0, user }, .count = 2 };
	enum store_result result = STORE_ABSENT;
	char folder[NAME_ROOM], chosen[NAME_ROOM];
	int root, repository = -1;
	DIR *entries = NULL;

	folder_of(repo, folder, sizeof(folder));
	root = snapshot_open_root(cache, &owners, problem);
	if (root < 0)
		return STORE_ABSENT;
	repository = snapshot_open_repository(root, cache, folder, &owners, problem);
	close(root);
	if (repository < 0)
		return STORE_ABSENT;
	entries = fdopendir(repository);
	if (entries == NULL) {
		close(repository);
		problem_say(problem, "%s/store/%s cannot be listed", cache, folder);
		return STORE_ABSENT;
	}
	result = choose(entries, words, chosen);
	if (result == STORE_AMBIGUOUS)
		problem_say(problem, "%s/store/%s has several that fit: name a commit, as in %s@%.*s",
			    cache, folder, repo, COMMIT, chosen);
	else if (result == STORE_ABSENT)
		problem_say(problem, "%s/store/%s has none that fits", cache, folder);
	else if (!describe(repository, cache, repo, folder, chosen, variant, problem))
		result = STORE_ABSENT;
	closedir(entries);
	return result;
}
