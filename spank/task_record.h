/* Start, end and signal of each task, in RUN_DIR/telemetry/JOB.STEP.NODE.tsv. Off by default.
 *
 * Opened with the user's rights; later lines go through the open file, so that root never names a path of the user. */
#ifndef CFSLURM_TASK_RECORD_H
#define CFSLURM_TASK_RECORD_H

#include <stdint.h>
#include <sys/types.h>

/* Returns the open file, or -1. */
int task_record_open(const char *run_dir, uid_t user, uint32_t job, uint32_t step, const char *node);

void task_record_start(int file, uint32_t task, pid_t pid);

/* `status` is as wait() gives it. */
void task_record_end(int file, uint32_t task, int status);

#endif
