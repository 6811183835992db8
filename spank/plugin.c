/* The plugin as Slurm sees it: five options, and what happens with them in each process.
 *
 * Only this file and gpu_map_plugin.c know Slurm. Rules (README.md, "Rules"): never a value other than 0 to
 * Slurm, except from an option's own callback in the user's own srun, sbatch or salloc; no file of the user before
 * `user_init`, where Slurm has taken on the user's identity; nothing at all for a job that asks for nothing. */
#include <slurm/spank.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "node_env.h"
#include "options.h"
#include "read_ahead.h"
#include "resolve.h"
#include "task_record.h"

SPANK_PLUGIN(cfslurm, 1)

enum { EXIT_UNAVAILABLE = 69, VALUE_ROOM = PATH_ROOM + NAME_ROOM };

/* Slurm itself hands options on in such a variable. Slurm 22.05 forgets to look into it after
 * `sbatch --export=NONE`. */
#define HANDED_ON "SLURM_SPANK__SLURM_SPANK_OPTION_cfslurm_"

static struct config config;
static struct options options;
static struct finding finding;
static struct problem wrong_config;
static struct problem wrong_option;
static const char *node = "?";
static int record = -1;

/* The callback of all options; Slurm calls it more than once. Inside a job it hands an option without argument the
 * text "(null)". */
static int take_option(int option, const char *value, int is_remote)
{
	const struct option_text *text = &option_texts[option];
	const char *expected;

	if (text->argument == NULL)
		value = NULL;
	expected = options_set(&options, (enum option)option, value);
	if (expected != NULL)
		problem_say(&wrong_option, "%s%s%.200s: %s", text->option, value ? "=" : "",
			    value ? value : "", expected);
	else if (wrong_config.is_there)
		problem_say(&wrong_option, "%s: the plugin is switched off: %s", text->option,
			    wrong_config.text);
	if (is_remote || !wrong_option.is_there)
		return 0;
	slurm_error("cfslurm: %s", wrong_option.text);
	return -1;
}

static void register_options(spank_t spank)
{
	static struct spank_option registered[OPTIONS];

	for (int i = 0; i < OPTIONS; ++i) {
		const struct option_text *text = &option_texts[i];

		registered[i] = (struct spank_option){
			.name = (char *)text->option + 2,
			.arginfo = (char *)text->argument,
			.usage = (char *)text->usage,
			.has_arg = text->argument != NULL,
			.val = i,
			.cb = take_option,
		};
		if (spank_option_register(spank, &registered[i]) != ESPANK_SUCCESS)
			slurm_error("cfslurm: %s cannot be registered", text->option);
	}
}

int slurm_spank_init(spank_t spank, int ac, char **av)
{
	switch (spank_context()) {
	case S_CTX_LOCAL: /* srun */
	case S_CTX_ALLOCATOR: /* sbatch, salloc */
	case S_CTX_REMOTE: /* slurmstepd */
		config_read(&config, ac, av, &wrong_config);
		register_options(spank);
		break;
	case S_CTX_SLURMD: /* the one place where a sysadmin looks */
		if (!config_read(&config, ac, av, &wrong_config))
			slurm_error("cfslurm: %s; the plugin is switched off", wrong_config.text);
		break;
	default:
		break;
	}
	return ESPANK_SUCCESS;
}

static void take_variable(enum option option, const char *value)
{
	const char *expected = options_set_variable(&options, option, value);

	if (expected != NULL)
		problem_say(&wrong_option, "%s=%.200s: %s", option_texts[option].variable, value,
			    expected);
	else if (wrong_config.is_there)
		problem_say(&wrong_option, "%s: the plugin is switched off: %s",
			    option_texts[option].variable, wrong_config.text);
}

/* In the user's own srun, sbatch or salloc, before anything is submitted. An optional plugin cannot refuse by its return
 * value, so the program ends here. */
int slurm_spank_init_post_opt(spank_t spank, int ac, char **av)
{
	spank_context_t context = spank_context();

	(void)spank, (void)ac, (void)av;
	if (context != S_CTX_LOCAL && context != S_CTX_ALLOCATOR)
		return ESPANK_SUCCESS;
	for (int i = 0; i < OPTIONS; ++i) {
		const char *value = getenv(option_texts[i].variable);

		if (value != NULL && value[0] != '\0')
			take_variable((enum option)i, value);
	}
	if (wrong_option.is_there) {
		slurm_error("cfslurm: %s", wrong_option.text);
		exit(EXIT_FAILURE);
	}
	return ESPANK_SUCCESS;
}

/* A variable of the job; false if it has none. What is too long for any of our values is a problem. */
static bool job_variable(spank_t spank, const char *name, char *value, int room)
{
	int result = spank_getenv(spank, name, value, room);

	if (result == ESPANK_SUCCESS)
		return true;
	value[0] = '\0';
	if (result == ESPANK_NOSPACE)
		problem_say(&wrong_option, "%s is too long", name);
	return false;
}

/* Slurm's name of an option in HANDED_ON: without dashes in front, others as underscores. */
static void handed_on_name(enum option option, char name[NAME_ROOM])
{
	char *c = stpcpy(name, HANDED_ON);

	for (const char *from = option_texts[option].option + 2; *from != '\0'; ++from)
		*c++ = *from == '-' ? '_' : *from;
	*c = '\0';
}

static void take_job_variables(spank_t spank)
{
	char value[VALUE_ROOM], name[NAME_ROOM];

	for (int i = 0; i < OPTIONS; ++i) {
		const struct option_text *text = &option_texts[i];

		handed_on_name((enum option)i, name);
		if (!options.is_given[i] && job_variable(spank, name, value, sizeof(value)))
			take_option(i, value, true);
		if (job_variable(spank, text->variable, value, sizeof(value)) && value[0] != '\0')
			take_variable((enum option)i, value);
	}
}

static void set_variable(void *spank, const char *name, const char *value, bool overwrite)
{
	if (value == NULL)
		spank_unsetenv(spank, name);
	else
		spank_setenv(spank, name, value, overwrite);
}

static void find_all(spank_t spank, uid_t user)
{
	char job_name[NAME_ROOM * 2], home[PATH_ROOM], user_name[NAME_ROOM], runs[PATH_ROOM];
	char model_cache[PATH_ROOM], gpus[PATH_ROOM];
	bool has_gpus = job_variable(spank, "CUDA_VISIBLE_DEVICES", gpus, sizeof(gpus)) ||
			job_variable(spank, "ROCR_VISIBLE_DEVICES", gpus, sizeof(gpus)) ||
			job_variable(spank, "ZE_AFFINITY_MASK", gpus, sizeof(gpus));
	struct place place = {
		.node = node,
		.user = user,
		.job_name = job_name,
		.home = home,
		.user_name = user_name,
		.runs = runs,
		.model_cache = model_cache,
		.gpus = resolve_gpus(has_gpus ? gpus : NULL),
	};

	job_variable(spank, "SLURM_JOB_NAME", job_name, sizeof(job_name));
	job_variable(spank, "HOME", home, sizeof(home));
	if (!job_variable(spank, "USER", user_name, sizeof(user_name)))
		job_variable(spank, "SLURM_JOB_USER", user_name, sizeof(user_name));
	job_variable(spank, "CFSLURM_RUNS", runs, sizeof(runs));
	job_variable(spank, "CFSLURM_MODEL_CACHE", model_cache, sizeof(model_cache));
	resolve(&config, &options, &place, &finding);
}

static bool task_must_end(void)
{
	return finding.problem.is_there && (!config.warns_only || options.require_cached);
}

static void open_record(spank_t spank, uid_t user)
{
	uint32_t job, step;

	if (config.records_tasks && finding.has_run &&
	    spank_get_item(spank, S_JOB_ID, &job) == ESPANK_SUCCESS &&
	    spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS)
		record = task_record_open(finding.answer.run_dir, user, job, step, node);
}

/* Once for a step on a node. Slurm has taken on the user's identity, for files too. */
int slurm_spank_user_init(spank_t spank, int ac, char **av)
{
	const char *name = getenv("SLURMD_NODENAME"); /* slurmstepd's own: the job's may be another node's */
	uid_t user = (uid_t)-1;

	(void)ac, (void)av;
	take_job_variables(spank);
	if (!options_ask(&options) && !wrong_option.is_there)
		return ESPANK_SUCCESS;
	node = name ? name : "?";
	if (wrong_option.is_there)
		finding.problem = wrong_option;
	else if (spank_get_item(spank, S_JOB_UID, &user) != ESPANK_SUCCESS || geteuid() != user)
		problem_say(&finding.problem, "this is not the user's process; nothing was looked at");
	else if (name == NULL)
		problem_say(&finding.problem, "slurmd does not say which node this is");
	else
		find_all(spank, user);
	if (task_must_end())
		return ESPANK_SUCCESS;
	node_env(&config, &options, &finding, set_variable, spank);
	open_record(spank, user);
	return ESPANK_SUCCESS;
}

/* In the task's own process, which has become the user and is about to start the program. */
int slurm_spank_task_init(spank_t spank, int ac, char **av)
{
	int task = 0;
	bool is_first;

	(void)ac, (void)av;
	if (!options_ask(&options) && !wrong_option.is_there)
		return ESPANK_SUCCESS;
	is_first = spank_get_item(spank, S_TASK_ID, &task) != ESPANK_SUCCESS || task == 0;
	if (task_must_end()) {
		if (is_first)
			slurm_error("cfslurm: %s: %s", node, finding.problem.text);
		_exit(EXIT_UNAVAILABLE); /* as Slurm does when a required plugin fails here */
	}
	if (!is_first)
		return ESPANK_SUCCESS;
	if (finding.problem.is_there)
		slurm_spank_log("cfslurm: warning: %s: %s", node, finding.problem.text);
	if (finding.note.is_there)
		slurm_spank_log("cfslurm: warning: %s: %s", node, finding.note.text);
	if (finding.has_model && config.read_ahead_bytes > 0)
		read_ahead(&finding.answer.variant, config.read_ahead_bytes);
	return ESPANK_SUCCESS;
}

int slurm_spank_task_post_fork(spank_t spank, int ac, char **av)
{
	uint32_t task;
	pid_t pid;

	(void)ac, (void)av;
	if (record >= 0 && spank_get_item(spank, S_TASK_GLOBAL_ID, &task) == ESPANK_SUCCESS &&
	    spank_get_item(spank, S_TASK_PID, &pid) == ESPANK_SUCCESS)
		task_record_start(record, task, pid);
	return ESPANK_SUCCESS;
}

int slurm_spank_task_exit(spank_t spank, int ac, char **av)
{
	uint32_t task;
	int status;

	(void)ac, (void)av;
	if (record >= 0 && spank_get_item(spank, S_TASK_GLOBAL_ID, &task) == ESPANK_SUCCESS &&
	    spank_get_item(spank, S_TASK_EXIT_STATUS, &status) == ESPANK_SUCCESS)
		task_record_end(record, task, status);
	return ESPANK_SUCCESS;
}
