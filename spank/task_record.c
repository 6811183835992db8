#include "task_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "limits.h"
#include "trust.h"

int task_record_open(const char *run_dir, uid_t user, uint32_t job, uint32_t step, const char *node)
{
	struct owners owners = { .uid = { user }, .count = 1 };
	struct problem ignored = { 0 };
	char name[NAME_ROOM + 32];
	int run, telemetry = -1, file = -1;

	if (strchr(node, '/') != NULL || strlen(node) >= NAME_ROOM)
		return -1;
	run = trust_open_folder(AT_FDCWD, run_dir, false, &owners, PRIVATE, run_dir, &ignored);
	if (run < 0)
		return -1;
	if (mkdirat(run, "telemetry", 0700) == 0 || errno == EEXIST)
		telemetry = trust_open_folder(run, "telemetry", false, &owners, PRIVATE, "telemetry",
					      &ignored);
	close(run);
	if (telemetry < 0)
		return -1;
	snprintf(name, sizeof(name), "%u.%u.%s.tsv", job, step, node);
	/* O_NONBLOCK and the check behind it: a pipe of this name must not hold us. */
	file = openat(telemetry, name,
		      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	close(telemetry);
	if (file >= 0) {
		struct stat found;

		if (fstat(file, &found) != 0 || !trust_file(&found, &owners, name, &ignored)) {
			close(file);
			return -1;
		}
	}
	return file;
}

/* One line by one write; what cannot be written is lost. */
static void write_line(int file, const char *what, uint32_t task, const char *rest)
{
	struct timespec now;
	char line[128];
	int size;

	if (file < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	size = snprintf(line, sizeof(line), "%s\t%u\t%lld.%03ld\t%s\n", what, task,
			(long long)now.tv_sec, now.tv_nsec / 1000000, rest);
	if (write(file, line, (size_t)size) < 0)
		return;
}

void task_record_start(int file, uint32_t task, pid_t pid)
{
	char rest[32];

	snprintf(rest, sizeof(rest), "%ld", (long)pid);
	write_line(file, "start", task, rest);
}

void task_record_end(int file, uint32_t task, int status)
{
	char rest[32];

	snprintf(rest, sizeof(rest), "%d\t%d", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
		 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	write_line(file, "end", task, rest);
}
