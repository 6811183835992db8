/* A libnvidia-ml.so.1 that tells of the GPUs in a description file ($FAKENVML names it).
 *
 * A value "!15" is NVML's return code 15, "!hang", "!crash" and "!noise" are what broken drivers do;
 * what the file does not mention is "Not Supported" (3). Compiled with -DFAKENVML_OLD it lacks the
 * functions that drivers of 2021 lack. Signatures and structures: NVIDIA's nvml.h. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "description.h"
#include "nvml_types.h"

enum { MOST_GPUS = 32, MOST_INSTANCES = 8 };

struct nvml_device {
    int gpu;
    int instance; /* -1 for the card itself */
};

static struct description machine;
static struct nvml_device devices[MOST_GPUS][1 + MOST_INSTANCES];
static int opened;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void make_noise(void)
{
    char line[1024];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 100 * 1024; i++) /* 100 MiB */
        if (fwrite(line, 1, sizeof line, stdout) != sizeof line)
            return;
}

/* What a value stands for besides itself. */
static nvmlReturn_t outcome(const char *value)
{
    if (value == NULL)
        return NVML_ERROR_NOT_SUPPORTED;
    if (value[0] != '!')
        return NVML_SUCCESS;
    if (strcmp(value, "!hang") == 0)
        for (;;)
            sleep(1);
    if (strcmp(value, "!crash") == 0)
        abort();
    if (strcmp(value, "!noise") == 0) {
        make_noise();
        return NVML_ERROR_UNKNOWN;
    }
    return (nvmlReturn_t)atoi(value + 1);
}

static nvmlReturn_t text_of(const char *key, char *text, unsigned int length)
{
    if (!opened)
        return NVML_ERROR_UNINITIALIZED;
    if (text == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    const char *value = description_find(&machine, key);
    nvmlReturn_t result = outcome(value);
    if (result != NVML_SUCCESS)
        return result;
    if (strlen(value) >= length)
        return NVML_ERROR_INSUFFICIENT_SIZE;
    strcpy(text, value);
    return NVML_SUCCESS;
}

static nvmlReturn_t number_of(const char *key, long long *number)
{
    if (!opened)
        return NVML_ERROR_UNINITIALIZED;
    const char *value = description_find(&machine, key);
    nvmlReturn_t result = outcome(value);
    if (result == NVML_SUCCESS)
        *number = strtoll(value, NULL, 0);
    return result;
}

/* The key of a fact of a device: "gpu.2.NAME", "gpu.2.mig.0.NAME". */
static nvmlReturn_t key_of(nvmlDevice_t device, const char *name, char key[LONGEST_KEY])
{
    if (device == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    int length = device->instance < 0
                     ? snprintf(key, LONGEST_KEY, "gpu.%d.%s", device->gpu, name)
                     : snprintf(key, LONGEST_KEY, "gpu.%d.mig.%d.%s", device->gpu, device->instance, name);
    return length < LONGEST_KEY ? NVML_SUCCESS : NVML_ERROR_INVALID_ARGUMENT;
}

static nvmlReturn_t device_text(nvmlDevice_t device, const char *name, char *text, unsigned int length)
{
    char key[LONGEST_KEY];
    nvmlReturn_t result = key_of(device, name, key);
    return result == NVML_SUCCESS ? text_of(key, text, length) : result;
}

static nvmlReturn_t device_number(nvmlDevice_t device, const char *name, long long *number)
{
    char key[LONGEST_KEY];
    nvmlReturn_t result = key_of(device, name, key);
    return result == NVML_SUCCESS ? number_of(key, number) : result;
}

static nvmlReturn_t device_uint(nvmlDevice_t device, const char *name, unsigned int *number)
{
    long long wide = 0;
    if (number == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = device_number(device, name, &wide);
    if (result == NVML_SUCCESS)
        *number = (unsigned int)wide;
    return result;
}

static nvmlReturn_t link_uint(nvmlDevice_t device, unsigned int link, const char *name, unsigned int *number)
{
    char full[LONGEST_KEY];
    unsigned int links = 0;
    nvmlReturn_t result = device_uint(device, "nvlinks", &links);
    if (result != NVML_SUCCESS)
        return result;
    if (link >= links)
        return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(full, sizeof full, "nvlink.%u.%s", link, name);
    return device_uint(device, full, number);
}

/* $FAKENVML names a description, or a folder that has one for each Slurm node: NODE.txt. */
static bool find_description(char *path, size_t size)
{
    const char *given = getenv("FAKENVML"), *node = getenv("SLURMD_NODENAME");
    struct stat status;
    if (given == NULL || stat(given, &status) != 0)
        return false;
    int length = S_ISDIR(status.st_mode) ? snprintf(path, size, "%s/%s.txt", given, node == NULL ? "none" : node)
                                         : snprintf(path, size, "%s", given);
    return length >= 0 && (size_t)length < size;
}

EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned int flags)
{
    (void)flags;
    char path[4096];
    nvmlReturn_t result = NVML_ERROR_DRIVER_NOT_LOADED;
    pthread_mutex_lock(&lock);
    if (find_description(path, sizeof path) && description_read(&machine, path)) {
        opened++;
        for (int gpu = 0; gpu < MOST_GPUS; gpu++)
            for (int i = 0; i <= MOST_INSTANCES; i++)
                devices[gpu][i] = (struct nvml_device){.gpu = gpu, .instance = i - 1};
        const char *init = description_find(&machine, "system.init");
        result = init == NULL ? NVML_SUCCESS : outcome(init);
        if (result != NVML_SUCCESS)
            opened--;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT nvmlReturn_t nvmlShutdown(void)
{
    pthread_mutex_lock(&lock);
    nvmlReturn_t result = opened > 0 ? NVML_SUCCESS : NVML_ERROR_UNINITIALIZED;
    if (opened > 0)
        opened--;
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length)
{
    return text_of("system.driver", version, length);
}

EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *version, unsigned int length)
{
    return text_of("system.nvml", version, length);
}

static nvmlReturn_t cuda_version(int *version)
{
    long long number = 0;
    if (version == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = number_of("system.cuda", &number);
    if (result == NVML_SUCCESS)
        *version = (int)number;
    return result;
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version)
{
    return cuda_version(version);
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count)
{
    long long number = 0;
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = number_of("gpus", &number);
    if (result == NVML_SUCCESS)
        *count = (unsigned int)number;
    return result;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device)
{
    unsigned int count = 0;
    char key[LONGEST_KEY];
    nvmlReturn_t result = nvmlDeviceGetCount_v2(&count);
    if (result != NVML_SUCCESS)
        return result;
    if (device == NULL || index >= count || index >= MOST_GPUS)
        return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(key, sizeof key, "gpu.%u.handle", index);
    const char *handle = description_find(&machine, key);
    if (handle != NULL)
        return outcome(handle);
    *device = &devices[index][0];
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length)
{
    return device_text(device, "name", name, length);
}

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length)
{
    return device_text(device, "uuid", uuid, length);
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, nvmlPciInfo_t *pci)
{
    if (pci == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    memset(pci, 0, sizeof *pci);
    return device_text(device, "bus_id", pci->busId, sizeof pci->busId);
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory)
{
    long long total = 0, reserved = 0, used = 0;
    if (memory == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = device_number(device, "memory_mib", &total);
    if (result != NVML_SUCCESS)
        return result;
    (void)device_number(device, "memory_reserved_mib", &reserved);
    (void)device_number(device, "memory_used_mib", &used);
    memory->total = (unsigned long long)total << 20;
    memory->used = (unsigned long long)(used + reserved) << 20; /* this version counts both */
    memory->free = memory->total - memory->used;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor)
{
    char text[16];
    if (major == NULL || minor == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = device_text(device, "compute_capability", text, sizeof text);
    if (result != NVML_SUCCESS)
        return result;
    return sscanf(text, "%d.%d", major, minor) == 2 ? NVML_SUCCESS : NVML_ERROR_UNKNOWN;
}

EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    nvmlReturn_t result = device_uint(device, "mig_mode", current);
    if (result == NVML_SUCCESS && pending != NULL)
        *pending = *current;
    return result;
}

EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count)
{
    return device_uint(device, "mig_most", count);
}

EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index, nvmlDevice_t *mig)
{
    char key[LONGEST_KEY];
    if (device == NULL || mig == NULL || device->instance >= 0 || index >= MOST_INSTANCES)
        return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(key, sizeof key, "gpu.%d.mig.%u.slices", device->gpu, index);
    const char *value = description_find(&machine, key);
    if (value == NULL)
        return NVML_ERROR_NOT_FOUND;
    *mig = &devices[device->gpu][1 + index];
    return outcome(value);
}

EXPORT nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned int *minor)
{
    return device_uint(device, "minor", minor);
}

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned int *id)
{
    return device_uint(device, "gpu_instance", id);
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned int *id)
{
    return device_uint(device, "compute_instance", id);
}

static nvmlReturn_t attributes(nvmlDevice_t device, nvmlDeviceAttributes_t *found)
{
    long long memory = 0;
    if (device == NULL || found == NULL || device->instance < 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    memset(found, 0, sizeof *found);
    nvmlReturn_t result = device_uint(device, "slices", &found->gpuInstanceSliceCount);
    if (result == NVML_SUCCESS)
        result = device_number(device, "memory_mib", &memory);
    if (result == NVML_SUCCESS)
        result = device_uint(device, "multiprocessors", &found->multiprocessorCount);
    found->computeInstanceSliceCount = found->gpuInstanceSliceCount;
    found->memorySizeMB = (unsigned long long)memory;
    return result;
}

EXPORT nvmlReturn_t nvmlDeviceGetCurrPcieLinkGeneration(nvmlDevice_t device, unsigned int *generation)
{
    return device_uint(device, "pcie_generation", generation);
}

EXPORT nvmlReturn_t nvmlDeviceGetMaxPcieLinkGeneration(nvmlDevice_t device, unsigned int *generation)
{
    return device_uint(device, "pcie_generation_max", generation);
}

EXPORT nvmlReturn_t nvmlDeviceGetCurrPcieLinkWidth(nvmlDevice_t device, unsigned int *width)
{
    return device_uint(device, "pcie_width", width);
}

EXPORT nvmlReturn_t nvmlDeviceGetMaxPcieLinkWidth(nvmlDevice_t device, unsigned int *width)
{
    return device_uint(device, "pcie_width_max", width);
}

EXPORT nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t device, unsigned int words, unsigned long *set)
{
    long long mask = 0;
    if (set == NULL || words == 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = device_number(device, "cpu_mask", &mask);
    if (result == NVML_SUCCESS) {
        memset(set, 0, words * sizeof *set);
        set[0] = (unsigned long)mask;
    }
    return result;
}

EXPORT nvmlReturn_t nvmlDeviceGetEccMode(nvmlDevice_t device, unsigned int *current, unsigned int *pending)
{
    nvmlReturn_t result = device_uint(device, "ecc_mode", current);
    if (result == NVML_SUCCESS && pending != NULL)
        *pending = *current;
    return result;
}

EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, int kind, int since, unsigned long long *count)
{
    long long number = 0;
    if (count == NULL || since != 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = device_number(device, kind == 0 ? "ecc_corrected" : "ecc_uncorrected", &number);
    if (result == NVML_SUCCESS)
        *count = (unsigned long long)number;
    return result;
}

EXPORT nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, int type, unsigned int *clock)
{
    return device_uint(device, type == 1 ? "sm_clock" : "memory_clock", clock);
}

EXPORT nvmlReturn_t nvmlDeviceGetMaxClockInfo(nvmlDevice_t device, int type, unsigned int *clock)
{
    return device_uint(device, type == 1 ? "sm_clock_max" : "memory_clock_max", clock);
}

EXPORT nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *milliwatts)
{
    return device_uint(device, "power_mw", milliwatts);
}

EXPORT nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned int *milliwatts)
{
    return device_uint(device, "power_limit_mw", milliwatts);
}

EXPORT nvmlReturn_t nvmlDeviceGetPowerManagementDefaultLimit(nvmlDevice_t device, unsigned int *milliwatts)
{
    return device_uint(device, "power_default_mw", milliwatts);
}

EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates)
{
    if (rates == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    rates->memory = 0;
    return device_uint(device, "utilization", &rates->gpu);
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned int *degrees)
{
    return sensor == 0 ? device_uint(device, "temperature", degrees) : NVML_ERROR_INVALID_ARGUMENT;
}

static nvmlReturn_t processes(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *list)
{
    unsigned int running = 0;
    if (count == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    nvmlReturn_t result = device_uint(device, "processes", &running);
    if (result != NVML_SUCCESS)
        return result;
    if (*count < running || (list == NULL && running > 0)) {
        *count = running;
        return NVML_ERROR_INSUFFICIENT_SIZE;
    }
    for (unsigned int i = 0; i < running; i++)
        list[i] = (nvmlProcessInfo_t){.pid = 1000 + i, .usedGpuMemory = 1ULL << 30};
    *count = running;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *count,
                                                            nvmlProcessInfo_t *list)
{
    return processes(device, count, list);
}

EXPORT nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t first, nvmlDevice_t second, unsigned int *level)
{
    char name[LONGEST_KEY];
    if (second == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(name, sizeof name, "path.%d", second->gpu);
    return device_uint(first, name, level);
}

EXPORT nvmlReturn_t nvmlDeviceGetP2PStatus(nvmlDevice_t first, nvmlDevice_t second, int index, unsigned int *status)
{
    char name[LONGEST_KEY];
    if (second == NULL || index != 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    snprintf(name, sizeof name, "p2p.%d", second->gpu);
    return device_uint(first, name, status);
}

EXPORT nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t device, unsigned int link, unsigned int *active)
{
    return link_uint(device, link, "active", active);
}

EXPORT nvmlReturn_t nvmlDeviceGetNvLinkVersion(nvmlDevice_t device, unsigned int link, unsigned int *version)
{
    return link_uint(device, link, "version", version);
}

EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t device, unsigned int link, nvmlPciInfo_t *pci)
{
    char name[LONGEST_KEY];
    if (pci == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    memset(pci, 0, sizeof *pci);
    snprintf(name, sizeof name, "nvlink.%u.remote", link);
    return device_text(device, name, pci->busId, sizeof pci->busId);
}

#ifndef FAKENVML_OLD
EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion_v2(int *version)
{
    return cuda_version(version);
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t *memory)
{
    nvmlMemory_t both = {0};
    long long reserved = 0;
    if (memory == NULL)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (memory->version != (sizeof *memory | 2U << 24))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    nvmlReturn_t result = nvmlDeviceGetMemoryInfo(device, &both);
    if (result != NVML_SUCCESS)
        return result;
    (void)device_number(device, "memory_reserved_mib", &reserved);
    memory->total = both.total;
    memory->free = both.free;
    memory->reserved = (unsigned long long)reserved << 20;
    memory->used = both.used - memory->reserved;
    return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, nvmlDeviceAttributes_t *found)
{
    return attributes(device, found);
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
                                                            nvmlProcessInfo_t *list)
{
    return processes(device, count, list);
}

EXPORT nvmlReturn_t nvmlDeviceGetNvLinkRemoteDeviceType(nvmlDevice_t device, unsigned int link, unsigned int *type)
{
    return link_uint(device, link, "remote_type", type);
}

EXPORT nvmlReturn_t nvmlDeviceGetNumaNodeId(nvmlDevice_t device, unsigned int *node)
{
    return device_uint(device, "numa_node", node);
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, nvmlTemperature_t *temperature)
{
    unsigned int degrees = 0;
    if (temperature == NULL || temperature->sensorType != 0)
        return NVML_ERROR_INVALID_ARGUMENT;
    if (temperature->version != (sizeof *temperature | 1U << 24))
        return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    nvmlReturn_t result = device_uint(device, "temperature", &degrees);
    temperature->temperature = (int)degrees;
    return result;
}
#else
EXPORT nvmlReturn_t nvmlDeviceGetAttributes(nvmlDevice_t device, nvmlDeviceAttributes_t *found)
{
    return attributes(device, found);
}
#endif
