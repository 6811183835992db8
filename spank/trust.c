#include "trust.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void owners_add(struct owners *owners, uid_t uid)
{
	if (owners->count < (int)(sizeof(owners->uid) / sizeof(owners->uid[0])))
		owners->uid[owners->count++] = uid;
}

static bool is_owner(const struct owners *owners, uid_t uid)
{
	for (int i = 0; i < owners->count; ++i) {
		if (owners->uid[i] == uid)
			return true;
	}
	return false;
}

static bool belongs(const struct stat *found, const struct owners *owners, const char *shown,
		    struct problem *problem)
{
	if (!is_owner(owners, found->st_uid)) {
		problem_say(problem, "%s belongs to user %u", shown, (unsigned)found->st_uid);
		return false;
	}
	return true;
}

static bool is_private(const struct stat *found, const char *shown, struct problem *problem)
{
	if (found->st_mode & (S_IWGRP | S_IWOTH)) {
		problem_say(problem, "%s can be written by others", shown);
		return false;
	}
	return true;
}

static void cannot_open(const char *shown, struct problem *problem)
{
	switch (errno) {
	case ENOENT:
		problem_say(problem, "%s is not there", shown);
		break;
	case ELOOP:
	case ENOTDIR:
		problem_say(problem, "%s is a link, or no folder", shown);
		break;
	default:
		problem_say(problem, "%s cannot be opened: %s", shown, strerror(errno));
	}
}

int trust_open_folder(int at, const char *name, bool for_reading, const struct owners *owners,
		      enum sharing sharing, const char *shown, struct problem *problem)
{
	int how = for_reading ? O_RDONLY : O_PATH;
	int folder = openat(at, name, how | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat found;

	if (folder < 0 || fstat(folder, &found) != 0) {
		cannot_open(shown, problem);
		goto fail;
	}
	if (!belongs(&found, owners, shown, problem))
		goto fail;
	if (sharing == PRIVATE && !is_private(&found, shown, problem))
		goto fail;
	if ((found.st_mode & S_IWOTH) && !(found.st_mode & S_ISVTX)) {
		problem_say(problem, "%s can be written by everybody", shown);
		goto fail;
	}
	return folder;
fail:
	if (folder >= 0)
		close(folder);
	return -1;
}

bool trust_file(const struct stat *found, const struct owners *owners, const char *shown,
		struct problem *problem)
{
	if (!S_ISREG(found->st_mode)) {
		problem_say(problem, "%s is a link, or no file", shown);
		return false;
	}
	return belongs(found, owners, shown, problem) && is_private(found, shown, problem);
}

int trust_open_file(int at, const char *name, const struct owners *owners, const char *shown,
		    struct stat *found, struct problem *problem)
{
	/* O_NONBLOCK: a pipe that somebody has planted must not hold us. */
	int file = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (file < 0 || fstat(file, found) != 0)
		cannot_open(shown, problem);
	else if (trust_file(found, owners, shown, problem))
		return file;
	if (file >= 0)
		close(file);
	return -1;
}
