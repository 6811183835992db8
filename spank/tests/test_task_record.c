#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "task_record.h"

void test_task_record(void)
{
	const char *run = path_of("run");
	char kind[3][16];
	unsigned task[3];
	double at[3];
	int pid, code[2], signal[2];
	int record;

	CHECK(task_record_open(run, geteuid(), 7, 0, "n1") == -1);
	CHECK(mkdir(run, 0700) == 0);
	CHECK(task_record_open(run, geteuid(), 7, 0, "../n1") == -1);
	record = task_record_open(run, geteuid(), 7, 0, "n1");
	CHECK(record >= 0);
	task_record_start(record, 3, 4711);
	task_record_end(record, 3, 69 << 8);
	task_record_end(record, 4, 15);
	close(record);
	CHECK(sscanf(content_of(path_of("run/telemetry/7.0.n1.tsv")),
		     "%15s %u %lf %d %15s %u %lf %d %d %15s %u %lf %d %d", kind[0], &task[0], &at[0], &pid,
		     kind[1], &task[1], &at[1], &code[0], &signal[0], kind[2], &task[2], &at[2], &code[1],
		     &signal[1]) == 14);
	CHECK_TEXT(kind[0], "start");
	CHECK_TEXT(kind[1], "end");
	CHECK(task[0] == 3 && pid == 4711 && at[0] > 1.7e9 && at[1] >= at[0]);
	CHECK(code[0] == 69 && signal[0] == 0 && code[1] == -1 && signal[1] == 15);
	record = task_record_open(run, geteuid(), 7, 0, "n1"); /* a requeued job */
	CHECK(record >= 0);
	task_record_start(record, 3, 1);
	close(record);
	CHECK(strlen(content_of(path_of("run/telemetry/7.0.n1.tsv"))) > 100);
	task_record_start(-1, 0, 0);

	CHECK(mkfifo(path_of("run/telemetry/7.1.n1.tsv"), 0600) == 0);
	CHECK(task_record_open(run, geteuid(), 7, 1, "n1") == -1);
	CHECK(symlink("/tmp/x", path_of("run/telemetry/7.2.n1.tsv")) == 0);
	CHECK(task_record_open(run, geteuid(), 7, 2, "n1") == -1);
	chmod(path_of("run/telemetry"), 0777);
	CHECK(task_record_open(run, geteuid(), 7, 0, "n1") == -1);
}
