/* Calls every function with good and bad arguments, for a run under AddressSanitizer and UBSan. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvml_types.h"

nvmlReturn_t nvmlInitWithFlags(unsigned int);
nvmlReturn_t nvmlShutdown(void);
nvmlReturn_t nvmlSystemGetDriverVersion(char *, unsigned int);
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *);
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int, nvmlDevice_t *);
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t, char *, unsigned int);
nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t, nvmlPciInfo_t *);
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t, nvmlMemory_t *);
nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t, unsigned int *);
nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t, unsigned int *);
nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t, unsigned int *);
nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t, unsigned int *);
nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t, unsigned int, nvmlDevice_t *);
nvmlReturn_t nvmlDeviceGetCpuAffinity(nvmlDevice_t, unsigned int, unsigned long *);
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t, unsigned int *, nvmlProcessInfo_t *);
nvmlReturn_t nvmlDeviceGetTopologyCommonAncestor(nvmlDevice_t, nvmlDevice_t, unsigned int *);
nvmlReturn_t nvmlDeviceGetNvLinkState(nvmlDevice_t, unsigned int, unsigned int *);
nvmlReturn_t nvmlDeviceGetNvLinkRemotePciInfo_v2(nvmlDevice_t, unsigned int, nvmlPciInfo_t *);

static void ask_all_of(nvmlDevice_t device, nvmlDevice_t other)
{
    char text[96];
    unsigned int number = 0;
    unsigned long cpus[2];
    nvmlPciInfo_t pci;
    nvmlMemory_t memory;
    nvmlProcessInfo_t list[4];
    nvmlDevice_t instance = NULL;

    for (unsigned int length = 0; length <= sizeof text; length++)
        (void)nvmlDeviceGetName(device, text, length);
    (void)nvmlDeviceGetName(device, NULL, sizeof text);
    (void)nvmlDeviceGetPciInfo_v3(device, &pci);
    (void)nvmlDeviceGetMemoryInfo(device, &memory);
    (void)nvmlDeviceGetCpuAffinity(device, 2, cpus);
    (void)nvmlDeviceGetCpuAffinity(device, 0, cpus);
    for (number = 0; number < 5; number++) {
        unsigned int count = number < 4 ? number : 4;
        (void)nvmlDeviceGetComputeRunningProcesses_v2(device, &count, count == 0 ? NULL : list);
    }
    (void)nvmlDeviceGetTopologyCommonAncestor(device, other, &number);
    (void)nvmlDeviceGetMinorNumber(device, &number);
    (void)nvmlDeviceGetMinorNumber(device, NULL);
    for (unsigned int link = 0; link < 40; link++) {
        (void)nvmlDeviceGetNvLinkState(device, link, &number);
        (void)nvmlDeviceGetNvLinkRemotePciInfo_v2(device, link, &pci);
    }
    for (unsigned int i = 0; i < 20; i++)
        if (nvmlDeviceGetMigDeviceHandleByIndex(device, i, &instance) == NVML_SUCCESS) {
            (void)nvmlDeviceGetName(instance, text, sizeof text);
            (void)nvmlDeviceGetGpuInstanceId(instance, &number);
            (void)nvmlDeviceGetComputeInstanceId(instance, &number);
        }
}

int main(int count, char **profiles)
{
    for (int i = 1; i < count; i++) {
        unsigned int gpus = 0;
        char text[80];
        nvmlDevice_t first = NULL, device = NULL;
        setenv("FAKENVML", profiles[i], 1);
        assert(nvmlSystemGetDriverVersion(text, sizeof text) == NVML_ERROR_UNINITIALIZED);
        if (nvmlInitWithFlags(0) != NVML_SUCCESS) {
            printf("%s: not opened\n", profiles[i]);
            continue;
        }
        (void)nvmlDeviceGetCount_v2(&gpus);
        (void)nvmlDeviceGetHandleByIndex_v2(0, &first);
        for (unsigned int gpu = 0; gpu < gpus + 2; gpu++)
            if (nvmlDeviceGetHandleByIndex_v2(gpu, &device) == NVML_SUCCESS)
                ask_all_of(device, first);
        ask_all_of(NULL, first);
        assert(nvmlShutdown() == NVML_SUCCESS);
        assert(nvmlShutdown() == NVML_ERROR_UNINITIALIZED);
        printf("%s: %u GPUs\n", profiles[i], gpus);
    }
    return 0;
}
