/* plugin.c inside a pretended Slurm: each case in a process of its own, since the plugin lives as long as its process. */
#include <slurm/spank.h>

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition) check((condition), #condition, __LINE__)
#define REV "1111111111111111111111111111111111111111"
#define WRAPPED(NAME) "SLURM_SPANK__SLURM_SPANK_OPTION_cfslurm_" NAME

enum { MOST = 64, ROOM = 8192 };

static spank_context_t context;
static struct spank_option *registered[MOST];
static int options_count, checks, failures, changes;
static char environment[MOST][ROOM];
static char said[ROOM], folder[64];
static int task_id, echo_to = -1;
static uid_t job_uid;

static void check(int is_right, const char *text, int line)
{
	++checks;
	if (!is_right) {
		++failures;
		printf("plugin_test.c:%d: not true: %s\n  said: %s\n", line, text, said);
	}
}

/* The pretended Slurm. */

spank_context_t spank_context(void)
{
	return context;
}

spank_err_t spank_option_register(spank_t spank, struct spank_option *option)
{
	(void)spank;
	registered[options_count++] = option;
	return ESPANK_SUCCESS;
}

static char *find(const char *name)
{
	size_t size = strlen(name);

	for (int i = 0; i < MOST; ++i) {
		if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=')
			return environment[i];
	}
	return NULL;
}

static const char *value_of(const char *name)
{
	const char *entry = find(name);

	return entry ? entry + strlen(name) + 1 : "(absent)";
}

spank_err_t spank_getenv(spank_t spank, const char *name, char *buffer, int room)
{
	const char *entry = find(name);

	(void)spank;
	if (entry == NULL)
		return ESPANK_ENV_NOEXIST;
	return snprintf(buffer, (size_t)room, "%s", entry + strlen(name) + 1) < room ? ESPANK_SUCCESS :
										       ESPANK_NOSPACE;
}

spank_err_t spank_setenv(spank_t spank, const char *name, const char *value, int overwrite)
{
	char *entry = find(name);

	(void)spank;
	if (entry != NULL && !overwrite)
		return ESPANK_ENV_EXISTS;
	for (int i = 0; entry == NULL && i < MOST; ++i) {
		if (environment[i][0] == '\0')
			entry = environment[i];
	}
	++changes;
	snprintf(entry, ROOM, "%s=%s", name, value);
	return ESPANK_SUCCESS;
}

spank_err_t spank_unsetenv(spank_t spank, const char *name)
{
	char *entry = find(name);

	(void)spank;
	if (entry != NULL) {
		++changes;
		entry[0] = '\0';
	}
	return ESPANK_SUCCESS;
}

spank_err_t spank_get_item(spank_t spank, spank_item_t item, ...)
{
	va_list arguments;

	(void)spank;
	va_start(arguments, item);
	switch (item) {
	case S_JOB_UID:
		*va_arg(arguments, uid_t *) = job_uid;
		break;
	case S_TASK_ID:
	case S_TASK_EXIT_STATUS:
		*va_arg(arguments, int *) = task_id;
		break;
	case S_TASK_PID:
		*va_arg(arguments, pid_t *) = 4711;
		break;
	default:
		*va_arg(arguments, uint32_t *) = 7;
	}
	va_end(arguments);
	return ESPANK_SUCCESS;
}

static void say(const char *kind, const char *format, va_list arguments)
{
	size_t used = strlen(said);

	used += (size_t)snprintf(said + used, sizeof(said) - used, "%s", kind);
	used += (size_t)vsnprintf(said + used, sizeof(said) - used, format, arguments);
	snprintf(said + used, sizeof(said) - used, "\n");
	if (echo_to >= 0 && write(echo_to, said, strlen(said)) < 0)
		abort();
}

void slurm_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("error: ", format, arguments);
	va_end(arguments);
}

void slurm_spank_log(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("", format, arguments);
	va_end(arguments);
}

/* What Slurm does with a plugin. */

static int begin(spank_context_t where, const char *argument)
{
	char *arguments[] = { (char *)argument };

	context = where;
	return slurm_spank_init(NULL, argument != NULL, arguments);
}

static int give(const char *name, const char *value)
{
	for (int i = 0; i < options_count; ++i) {
		if (strcmp(registered[i]->name, name) == 0)
			return registered[i]->cb(registered[i]->val, value, context == S_CTX_REMOTE);
	}
	abort();
}

static void step(void)
{
	CHECK(slurm_spank_init_post_opt(NULL, 0, NULL) == 0);
	CHECK(slurm_spank_user_init(NULL, 0, NULL) == 0);
}

/* How a task ends: -1, its program would be started. */
static int task(int number)
{
	int pipes[2], status;
	ssize_t size;
	pid_t pid;

	if (pipe(pipes) != 0)
		abort();
	pid = fork();
	if (pid == 0) {
		echo_to = pipes[1];
		task_id = number;
		said[0] = '\0';
		_exit(slurm_spank_task_init(NULL, 0, NULL) == 0 ? 96 : 98);
	}
	close(pipes[1]);
	waitpid(pid, &status, 0);
	size = read(pipes[0], said, sizeof(said) - 1);
	said[size > 0 ? size : 0] = '\0';
	close(pipes[0]);
	CHECK(slurm_spank_task_post_fork(NULL, 0, NULL) == 0);
	CHECK(slurm_spank_task_exit(NULL, 0, NULL) == 0);
	return WEXITSTATUS(status) == 96 ? -1 : WEXITSTATUS(status);
}

static void variable(const char *name, const char *value)
{
	spank_setenv(NULL, name, value, 1);
}

/* Cases. */

static void a_job_that_asks_for_nothing(void)
{
	struct timespec from, to;
	double microseconds;

	variable("HOME", "/home/ada");
	variable("SLURM_JOB_NAME", "r1.eval");
	variable("CFSLURM_SESSION", "of-somebody-else");
	variable("CFSLURM_RUN_DIR", "/runs/r1");
	changes = 0;
	begin(S_CTX_REMOTE, NULL);
	CHECK(options_count == 5);
	step();
	CHECK(task(0) == -1 && changes == 0 && said[0] == '\0');
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < 10000; ++i)
		slurm_spank_user_init(NULL, 0, NULL);
	clock_gettime(CLOCK_MONOTONIC, &to);
	microseconds = (double)(to.tv_sec - from.tv_sec) * 1e2 + (double)(to.tv_nsec - from.tv_nsec) / 1e7;
	CHECK(microseconds < 200);
	printf("plugin: user_init of a job that asks for nothing: %.1f us\n", microseconds);
}

static void a_session(void)
{
	begin(S_CTX_REMOTE, NULL);
	CHECK(give("cf-session", "s1") == 0 && give("cf-session", "s1") == 0);
	step();
	CHECK(strcmp(value_of("CFSLURM_SESSION"), "s1") == 0);
	CHECK(strcmp(value_of("CFSLURM_SPANK"), CFSLURM_VERSION) == 0);
	CHECK(task(0) == -1);
}

static void a_wrong_value_in_a_client(void)
{
	begin(S_CTX_ALLOCATOR, NULL);
	CHECK(give("cf-model", "x") == -1);
	CHECK(strcmp(said, "error: cfslurm: --cf-model=x: ORG/NAME was expected, as on the Hub\n") == 0);
}

static void a_wrong_variable_in_a_client(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		setenv("CFSLURM_OPT_SESSION", "-", 1);
		begin(S_CTX_LOCAL, NULL);
		slurm_spank_init_post_opt(NULL, 0, NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	begin(S_CTX_LOCAL, NULL);
	CHECK(slurm_spank_init_post_opt(NULL, 0, NULL) == 0 && said[0] == '\0');
}

static void a_wrong_value_on_a_node_ends_only_the_task(void)
{
	begin(S_CTX_REMOTE, NULL);
	CHECK(give("cf-model", "../x") == 0); /* an error here would drain the node */
	step();
	CHECK(task(0) == 69);
	CHECK(strcmp(said, "error: cfslurm: n1: --cf-model=../x: ORG/NAME was expected, as on the Hub\n") == 0);
	CHECK(task(1) == 69 && said[0] == '\0');
}

static void a_wrong_variable_on_a_node(void)
{
	static char longest[ROOM - 32];

	variable("CFSLURM_OPT_MODEL", "a/b\nc");
	begin(S_CTX_REMOTE, NULL);
	step();
	CHECK(task(0) == 69);
	memset(longest, 'x', sizeof(longest) - 1);
	variable("CFSLURM_OPT_MODEL", longest);
	CHECK(slurm_spank_user_init(NULL, 0, NULL) == 0 && task(0) == 69);
}

static void an_empty_variable_asks_for_nothing(void)
{
	variable("CFSLURM_OPT_MODEL", "");
	variable("CFSLURM_OPT_REQUIRE_CACHED", "");
	changes = 0;
	begin(S_CTX_REMOTE, NULL);
	step();
	CHECK(task(0) == -1 && changes == 0);
}

static void what_slurm_hands_on_is_taken(void)
{
	variable(WRAPPED("cf_session"), "s2");
	variable(WRAPPED("cf_require_cached"), "(null)");
	variable("CFSLURM_OPT_SESSION", "weaker");
	begin(S_CTX_REMOTE, NULL);
	step();
	CHECK(task(0) == 69);
	CHECK(strstr(said, "--cf-require-cached: no model is named") != NULL);
}

static void a_wrong_plugstack_line(void)
{
	begin(S_CTX_REMOTE, "cach=/x");
	step();
	CHECK(task(0) == -1 && said[0] == '\0');
	CHECK(give("cf-session", "s1") == 0);
	step();
	CHECK(task(0) == 69);
	begin(S_CTX_LOCAL, "cach=/x");
	CHECK(give("cf-session", "s1") == -1);
	CHECK(strstr(said, "switched off: plugstack.conf: cach=/x: there is no such argument") != NULL);
	said[0] = '\0';
	CHECK(begin(S_CTX_SLURMD, "cach=/x") == 0 && strstr(said, "cach=/x") != NULL);
}

static void a_process_that_is_not_the_users(void)
{
	job_uid = geteuid() + 1;
	begin(S_CTX_REMOTE, NULL);
	give("cf-run", folder);
	step();
	CHECK(task(0) == 69 && strcmp(value_of("CFSLURM_RUN_ID"), "(absent)") == 0);
}

static void put(const char *name, const char *content)
{
	char path[ROOM];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	fputs(content, file);
	fclose(file);
	chmod(path, 0600);
}

static void write_run(int files)
{
	char text[ROOM], path[ROOM];

	snprintf(path, sizeof(path), "mkdir -p %s/store/acme--tiny/" REV, folder);
	if (system(path) != 0)
		abort();
	put("store/acme--tiny/" REV "/cfslurm.lock.json", "{}");
	put("store/acme--tiny/" REV "/config.json", "12345");
	snprintf(text, sizeof(text),
		 "cfslurm-node-manifest\t1\nrun\tr1\t%s\nnode\tn1\tbig\nnode\tn2\tsmall\n"
		 "class\tbig\th100\t1\t81559\n"
		 "model\teval\tbig\tacme/tiny\tacme/tiny@none\tacme/tiny\t" REV
		 "\tnone\t%s/store/acme--tiny/" REV "\t1\t8192\t%d\t5\nend\t5\n", folder, folder, files);
	put("node_manifest", text);
}

static void the_variant_of_this_node(void)
{
	char run[128];

	write_run(1);
	variable("SLURMD_NODENAME", "n2"); /* what a nested srun inherits */
	variable("HF_HUB_OFFLINE", "0");
	variable("CUDA_VISIBLE_DEVICES", "0");
	begin(S_CTX_REMOTE, "record_tasks=yes");
	snprintf(run, sizeof(run), "%s:eval", folder);
	give("cf-run", run);
	step();
	CHECK(strcmp(value_of("CFSLURM_NODE_CLASS"), "big") == 0);
	CHECK(strcmp(value_of("CFSLURM_VARIANT"), "acme/tiny@none") == 0);
	CHECK(strcmp(value_of("HF_HUB_OFFLINE"), "0") == 0);
	CHECK(strcmp(value_of("TRANSFORMERS_OFFLINE"), "1") == 0);
	CHECK(task(0) == -1 && said[0] == '\0');
	snprintf(run, sizeof(run), "%s/telemetry/7.7.n1.tsv", folder);
	CHECK(access(run, R_OK) == 0);
}

static void a_variant_that_is_damaged(void)
{
	char run[128];

	write_run(2);
	begin(S_CTX_REMOTE, NULL);
	snprintf(run, sizeof(run), "%s:eval", folder);
	give("cf-run", run);
	step();
	CHECK(task(0) == 69 && strcmp(value_of("CFSLURM_SPANK"), "(absent)") == 0);
}

static void a_site_that_only_warns(void)
{
	char run[128];

	write_run(2);
	variable("CFSLURM_MODEL_PATH", "/of/another/node");
	begin(S_CTX_REMOTE, "on_problem=warn");
	snprintf(run, sizeof(run), "%s:eval", folder);
	give("cf-run", run);
	step();
	CHECK(strcmp(value_of("CFSLURM_MODEL_PATH"), "(absent)") == 0);
	CHECK(strcmp(value_of("CFSLURM_NODE_CLASS"), "big") == 0);
	CHECK(strcmp(value_of("HF_HUB_OFFLINE"), "(absent)") == 0);
	CHECK(task(0) == -1);
	CHECK(strstr(said, "cfslurm: warning: n1: acme/tiny@none is not (completely) in the model cache") == said);
	CHECK(task(1) == -1 && said[0] == '\0');
	give("cf-require-cached", NULL);
	step();
	CHECK(task(0) == 69);
}

static void (*const cases[])(void) = {
	a_job_that_asks_for_nothing,
	a_session,
	a_wrong_value_in_a_client,
	a_wrong_variable_in_a_client,
	a_wrong_value_on_a_node_ends_only_the_task,
	a_wrong_variable_on_a_node,
	an_empty_variable_asks_for_nothing,
	what_slurm_hands_on_is_taken,
	a_wrong_plugstack_line,
	a_process_that_is_not_the_users,
	the_variant_of_this_node,
	a_variant_that_is_damaged,
	a_site_that_only_warns,
};

int main(void)
{
	int failed = 0;
	int count = (int)(sizeof(cases) / sizeof(cases[0]));

	setenv("SLURMD_NODENAME", "n1", 1); /* as slurmd does */
	for (int i = 0; i < count; ++i) {
		char clean[128];
		int status;
		pid_t pid;

		strcpy(folder, "/tmp/cfslurm-plugin-XXXXXX");
		if (mkdtemp(folder) == NULL)
			abort();
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			job_uid = geteuid();
			cases[i]();
			fflush(stdout);
			_exit(failures > 0);
		}
		waitpid(pid, &status, 0);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
			printf("plugin: case %d failed\n", i);
			++failed;
		}
		snprintf(clean, sizeof(clean), "rm -rf %s", folder);
		if (system(clean) != 0)
			abort();
	}
	printf("plugin: %d cases, %d failed\n", count, failed);
	return failed > 0;
}
