#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gpu_map.h"
#include "harness.h"

static struct gpu_map map;
static struct problem problem;

static void enter(const char *names, const char *indexes, uint32_t job)
{
	gpu_map_enter(&map, names, indexes, job, 1000, &problem);
}

static const char *at(const char *name)
{
	return content_of(path_of(name));
}

static void one_job_each(void)
{
	enter("0,1", "0,1", 7);
	enter("0,1", "0,1", 7); /* Slurm may call twice */
	enter("2", "2", 8);
	CHECK_TEXT(problem.text, "");
	CHECK_TEXT(at("gpustat/0"), "7 1000\n");
	CHECK_TEXT(at("gpustat/1"), "7 1000\n");
	CHECK_TEXT(at("gpustat/2"), "8 1000\n");
	CHECK_TEXT(at("dcgm/0"), "7\n");
	CHECK_TEXT(at("dcgm/2"), "8\n");
	gpu_map_leave(&map, 7, &problem);
	CHECK(access(path_of("gpustat/0"), F_OK) != 0 && access(path_of("dcgm/1"), F_OK) != 0);
	CHECK_TEXT(at("gpustat/2"), "8 1000\n");
	gpu_map_leave(&map, 7, &problem);
	gpu_map_leave(&map, 8, &problem);
	CHECK_TEXT(problem.text, "");
}

static void shared_gpus(void)
{
	enter("0", "0", 7);
	enter("0", "0", 77);
	CHECK_TEXT(at("gpustat/0"), "77 1000\n");
	CHECK_TEXT(at("dcgm/0"), "7\n77\n");
	gpu_map_leave(&map, 7, &problem);
	CHECK_TEXT(at("gpustat/0"), "77 1000\n");
	CHECK_TEXT(at("dcgm/0"), "77\n");
	gpu_map_leave(&map, 77, &problem);
	CHECK(access(path_of("dcgm/0"), F_OK) != 0);
}

static void names_of_gpus(void)
{
	enter("MIG-1234abcd-00ff-1,GPU-ab-cd", "4-6,../x,/etc/passwd,,.,..,x,12345", 9);
	CHECK_TEXT(at("gpustat/MIG-1234abcd-00ff-1"), "9 1000\n");
	CHECK_TEXT(at("gpustat/GPU-ab-cd"), "9 1000\n");
	CHECK_TEXT(at("dcgm/4"), "9\n");
	CHECK_TEXT(at("dcgm/6"), "9\n");
	CHECK(access(path_of("dcgm/7"), F_OK) != 0 && access(path_of("x"), F_OK) != 0 &&
	      access(path_of("dcgm/x"), F_OK) != 0 && access(path_of("dcgm/12345"), F_OK) != 0);
	enter("0-4294967295", "9-1", 9);
	gpu_map_leave(&map, 9, &problem);
	CHECK(access(path_of("dcgm/4"), F_OK) != 0);
	CHECK_TEXT(problem.text, "");
}

static void what_others_planted(void)
{
	char expected[256];

	put("victim", "safe", 0600);
	CHECK(symlink(path_of("victim"), path_of("dcgm/3")) == 0);
	CHECK(symlink(path_of("victim"), path_of("dcgm/.cfslurm.new")) == 0);
	enter("3", "3", 9);
	CHECK_TEXT(at("victim"), "safe");
	CHECK_TEXT(at("dcgm/3"), "9\n");
	gpu_map_leave(&map, 9, &problem);
	CHECK_TEXT(problem.text, "");
	chmod(path_of("dcgm"), 0777);
	enter("3", "3", 9);
	snprintf(expected, sizeof(expected), "%s can be written by others", path_of("dcgm"));
	CHECK_TEXT(problem.text, expected);
	CHECK(access(path_of("dcgm/3"), F_OK) != 0);
}

void test_gpu_map(void)
{
	char gpustat[300], dcgm[300];
	char *arguments[] = { gpustat, dcgm }, *wrong[] = { (char *)"x=/y" }, *relative[] = { (char *)"dcgm_dir=y" };

	snprintf(gpustat, sizeof(gpustat), "gpustat_dir=%s", path_of("gpustat"));
	snprintf(dcgm, sizeof(dcgm), "dcgm_dir=%s", path_of("dcgm"));
	CHECK(!gpu_map_configure(&map, 1, wrong, &problem));
	memset(&problem, 0, sizeof(problem));
	CHECK(!gpu_map_configure(&map, 1, relative, &problem));
	memset(&problem, 0, sizeof(problem));
	CHECK(gpu_map_configure(&map, 2, arguments, &problem));
	one_job_each();
	shared_gpus();
	names_of_gpus();
	what_others_planted();
}
