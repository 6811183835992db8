#include "manifest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_BYTES = 16384 };

bool manifest_file_feed(int file, const struct manifest_query *query,
			struct manifest_answer *answer, struct problem *problem)
{
	struct manifest_reader reader;
	char piece[PIECE_BYTES];

	manifest_begin(&reader, query, answer, problem);
	for (;;) {
		ssize_t got = read(file, piece, sizeof(piece));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			problem_say(problem, "it cannot be read: %s", strerror(errno));
		if (got <= 0 || !manifest_feed(&reader, piece, (size_t)got))
			break;
	}
	return manifest_end(&reader);
}

enum file_result manifest_file_read(int folder, const char *shown, const struct owners *owners,
				    const struct manifest_query *query, struct manifest_answer *answer,
				    struct problem *problem)
{
	struct problem inner = { 0 };
	struct stat found;
	char path[PATH_ROOM];
	bool is_right;
	int file;

	snprintf(path, sizeof(path), "%s/%s", shown, MANIFEST_NAME);
	if (fstatat(folder, MANIFEST_NAME, &found, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
		return FILE_ABSENT;
	file = trust_open_file(folder, MANIFEST_NAME, owners, path, &found, problem);
	if (file < 0)
		return FILE_BAD;
	is_right = manifest_file_feed(file, query, answer, &inner);
	close(file);
	if (!is_right)
		problem_say(problem, "%s: %s", path, inner.text);
	return is_right ? FILE_READ : FILE_BAD;
}
