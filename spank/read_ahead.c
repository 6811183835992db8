#include "read_ahead.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "snapshot.h"

enum { PIECE_BYTES = 16 << 20, LONGEST_MS = 200 };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t ask_file(int folder, const char *name, uint64_t most_bytes, int64_t until_ms)
{
	int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat found;
	uint64_t asked = 0, size = 0;

	if (file >= 0 && fstat(file, &found) == 0 && S_ISREG(found.st_mode))
		size = (uint64_t)found.st_size < most_bytes ? (uint64_t)found.st_size : most_bytes;
	while (asked < size && now_ms() < until_ms) {
		uint64_t piece = size - asked < PIECE_BYTES ? size - asked : PIECE_BYTES;

		if (posix_fadvise(file, (off_t)asked, (off_t)piece, POSIX_FADV_WILLNEED) != 0)
			break;
		asked += piece;
	}
	if (file >= 0)
		close(file);
	return asked;
}

uint64_t read_ahead(const struct variant *variant, uint64_t most_bytes)
{
	int64_t until_ms = now_ms() + LONGEST_MS;
	uint64_t asked = 0;
	unsigned seen = 0;
	char path[PATH_ROOM];
	DIR *entries;
	int folder;

	snapshot_folder(variant, path);
	folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	entries = folder >= 0 ? fdopendir(folder) : NULL;
	if (entries == NULL) {
		if (folder >= 0)
			close(folder);
		return 0;
	}
	while (asked < most_bytes && ++seen <= VARIANT_FILES && now_ms() < until_ms) {
		const struct dirent *entry = readdir(entries);

		if (entry == NULL)
			break;
		asked += ask_file(folder, entry->d_name, most_bytes - asked, until_ms);
	}
	closedir(entries);
	return asked;
}
