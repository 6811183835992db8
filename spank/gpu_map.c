#include "gpu_map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "encoding.h"
#include "trust.h"

enum {
	MOST_GPUS = 1024,
	MOST_ENTRIES = 4096,
	GPU_NAME_ROOM = 64,
	CONTENT_ROOM = 4096,
	LOCK_TRIES = 20,
	LOCK_WAIT_MS = 5,
};

#define TEMPORARY ".cfslurm.new"

bool gpu_map_configure(struct gpu_map *map, int count, char *const *arguments,
		       struct problem *problem)
{
	memset(map, 0, sizeof(*map));
	for (int i = 0; i < count; ++i) {
		const char **target = NULL;
		const char *value = strchr(arguments[i], '=');

		if (strncmp(arguments[i], "gpustat_dir=", 12) == 0)
			target = &map->gpustat_dir;
		else if (strncmp(arguments[i], "dcgm_dir=", 9) == 0)
			target = &map->dcgm_dir;
		if (target == NULL)
			problem_say(problem, "plugstack.conf: %s: there is no such argument", arguments[i]);
		else if (!encoding_is_path(value + 1))
			problem_say(problem, "plugstack.conf: %s: an absolute folder was expected",
				    arguments[i]);
		else
			*target = value + 1;
	}
	return !problem->is_there;
}

/* Opens a folder of ours and locks it; makes it if it is missing, as after a boot. */
static int open_map(const char *path, struct problem *problem)
{
	struct owners owners = { .uid = { 0, geteuid() }, .count = 2 };
	struct timespec wait = { .tv_nsec = LOCK_WAIT_MS * 1000000L };
	int folder;

	if (mkdir(path, 0755) == 0 && chmod(path, 0755) != 0)
		return -1;
	folder = trust_open_folder(AT_FDCWD, path, true, &owners, PRIVATE, path, problem);
	if (folder < 0)
		return -1;
	for (int i = 0; i < LOCK_TRIES; ++i) {
		if (flock(folder, LOCK_EX | LOCK_NB) == 0)
			return folder;
		nanosleep(&wait, NULL);
	}
	problem_say(problem, "%s is locked", path);
	close(folder);
	return -1;
}

/* Reads a file of ours. Returns its length, -1 if it is not there or no such file. */
static ssize_t read_small(int folder, const char *name, char content[CONTENT_ROOM])
{
	int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat found;
	ssize_t size = -1;

	if (file < 0)
		return -1;
	if (fstat(file, &found) == 0 && S_ISREG(found.st_mode))
		size = read(file, content, CONTENT_ROOM - 1);
	close(file);
	if (size >= 0)
		content[size] = '\0';
	return size;
}

static void write_small(int folder, const char *name, const char *content, struct problem *problem)
{
	size_t size = strlen(content);
	int file;

	unlinkat(folder, TEMPORARY, 0);
	file = openat(folder, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (file < 0 || fchmod(file, 0644) != 0 || write(file, content, size) != (ssize_t)size ||
	    renameat(folder, TEMPORARY, folder, name) != 0)
		problem_say(problem, "GPU map: %s: %s", name, strerror(errno));
	if (file >= 0)
		close(file);
}

/* Digits, or a UUID as NVIDIA writes it. Nothing that could leave the folder. */
static bool is_gpu_name(const char *name, size_t size)
{
	if (size == 0 || size >= GPU_NAME_ROOM)
		return false;
	if (strspn(name, "0123456789") >= size)
		return size <= 4;
	if (strncmp(name, "GPU-", 4) != 0 && strncmp(name, "MIG-", 4) != 0)
		return false;
	return strspn(name, "0123456789abcdefABCDEF-GPUMI") >= size;
}

typedef void (*enter_one)(int folder, const char *gpu, uint32_t job, uid_t uid,
			  struct problem *problem);

static void enter_jobstats(int folder, const char *gpu, uint32_t job, uid_t uid,
			   struct problem *problem)
{
	char content[64];

	snprintf(content, sizeof(content), "%u %u\n", job, (unsigned)uid);
	write_small(folder, gpu, content, problem);
}

/* Copies the lines that are not this job's. */
static void without_job(const char *content, uint32_t job, char kept[CONTENT_ROOM])
{
	char id[16];
	size_t used = 0;

	snprintf(id, sizeof(id), "%u", job);
	while (*content != '\0') {
		size_t size = strcspn(content, "\n");

		if (size > 0 && !(size == strlen(id) && memcmp(content, id, size) == 0)) {
			memcpy(kept + used, content, size);
			used += size;
			kept[used++] = '\n';
		}
		content += size + (content[size] == '\n');
	}
	kept[used] = '\0';
}

static void enter_dcgm(int folder, const char *gpu, uint32_t job, uid_t uid, struct problem *problem)
{
	char content[CONTENT_ROOM], kept[CONTENT_ROOM + 16];
	size_t used;

	(void)uid;
	if (read_small(folder, gpu, content) < 0)
		content[0] = '\0';
	without_job(content, job, kept);
	used = strlen(kept);
	snprintf(kept + used, sizeof(kept) - used, "%u\n", job);
	write_small(folder, gpu, kept, problem);
}

static void enter_list(const char *path, const char *list, enter_one enter, uint32_t job, uid_t uid,
		       struct problem *problem)
{
	int folder, entered = 0;

	if (path == NULL || list == NULL || list[0] == '\0')
		return;
	folder = open_map(path, problem);
	if (folder < 0)
		return;
	while (*list != '\0' && entered < MOST_GPUS) {
		size_t size = strcspn(list, ",");
		size_t first = strspn(list, "0123456789");
		unsigned from, to;
		char name[GPU_NAME_ROOM];

		if (first > 0 && first < size && first <= 4 && sscanf(list, "%4u-%4u", &from, &to) == 2) {
			for (; from <= to && entered < MOST_GPUS; ++from, ++entered) {
				snprintf(name, sizeof(name), "%u", from);
				enter(folder, name, job, uid, problem);
			}
		} else if (is_gpu_name(list, size)) {
			memcpy(name, list, size);
			name[size] = '\0';
			enter(folder, name, job, uid, problem);
			++entered;
		}
		list += size + (list[size] == ',');
	}
	close(folder);
}

void gpu_map_enter(const struct gpu_map *map, const char *names, const char *indexes, uint32_t job,
		   uid_t uid, struct problem *problem)
{
	enter_list(map->gpustat_dir, names, enter_jobstats, job, uid, problem);
	enter_list(map->dcgm_dir, indexes, enter_dcgm, job, uid, problem);
}

static void leave_jobstats(int folder, const char *gpu, uint32_t job, struct problem *problem)
{
	char content[CONTENT_ROOM];

	(void)problem;
	if (read_small(folder, gpu, content) > 0 && strtoul(content, NULL, 10) == job)
		unlinkat(folder, gpu, 0);
}

static void leave_dcgm(int folder, const char *gpu, uint32_t job, struct problem *problem)
{
	char content[CONTENT_ROOM], kept[CONTENT_ROOM + 16];

	if (read_small(folder, gpu, content) < 0)
		return;
	without_job(content, job, kept);
	if (kept[0] == '\0')
		unlinkat(folder, gpu, 0);
	else if (strcmp(kept, content) != 0)
		write_small(folder, gpu, kept, problem);
}

static void leave_all(const char *path, uint32_t job,
		      void (*leave)(int folder, const char *gpu, uint32_t job, struct problem *problem),
		      struct problem *problem)
{
	char names[MOST_GPUS][GPU_NAME_ROOM];
	const struct dirent *entry;
	int folder, copy, count = 0, seen = 0;
	DIR *entries;

	if (path == NULL)
		return;
	folder = open_map(path, problem);
	if (folder < 0)
		return;
	copy = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	entries = copy >= 0 ? fdopendir(copy) : NULL;
	while (entries != NULL && count < MOST_GPUS && ++seen <= MOST_ENTRIES &&
	       (entry = readdir(entries)) != NULL) {
		if (is_gpu_name(entry->d_name, strlen(entry->d_name)))
			strcpy(names[count++], entry->d_name);
	}
	if (entries != NULL)
		closedir(entries);
	else if (copy >= 0)
		close(copy);
	for (int i = 0; i < count; ++i)
		leave(folder, names[i], job, problem);
	close(folder);
}

void gpu_map_leave(const struct gpu_map *map, uint32_t job, struct problem *problem)
{
	leave_all(map->gpustat_dir, job, leave_jobstats, problem);
	leave_all(map->dcgm_dir, job, leave_dcgm, problem);
}
