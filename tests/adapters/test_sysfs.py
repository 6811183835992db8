"""Machines described by the kernel's files: trees laid out as the kernel documents them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfslurm.adapters.amd import has_amd_gpus, read_amd
from cfslurm.adapters.machine import read_machine, read_network
from cfslurm.adapters.sysfs import cpu_list, number_in, text_in
from cfslurm.core.hardware.gpus import Source
from cfslurm.core.hardware.probe import Hugepages, NotKnown, known
from cfslurm.core.hardware.probed import card_of
from tests.builders import CATALOGUE


def _lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def _mi250x(root: Path) -> Path:
    """A module of two dies, joined by xGMI; the second's sensors do not answer."""
    for card, bus in ((0, "0000:83:00.0"), (1, "0000:89:00.0")):
        device = root / "sys/devices" / bus
        _lay(
            device,
            {
                "vendor": "0x1002\n",
                "unique_id": f"9c25b52c8b46{card:04d}\n",
                "product_name": "AMD INSTINCT MI250 (MCM) OAM AC MBA\n",
                "mem_info_vram_total": "68702699520\n",
                "mem_info_vram_used": "10960896\n",
                "numa_node": f"{card - 1}\n",
                "local_cpulist": "0-63,128-191\n",
                "current_link_speed": "16.0 GT/s PCIe\n",
                "max_link_speed": "16.0 GT/s PCIe\n",
                "current_link_width": "16\n",
                "max_link_width": "16\n",
            },
        )
        if card == 0:
            (device / "drm" / "renderD129").mkdir(parents=True)
        drm = root / f"sys/class/drm/card{card}"
        drm.mkdir(parents=True)
        (drm / "device").symlink_to(device)
    _lay(
        root / "sys/devices/0000:83:00.0",
        {
            "ras/umc_err_count": "ue: 0\nce: 4\n",
            "pp_dpm_sclk": "0: 500Mhz *\n1: 800Mhz\n2: 1700Mhz\n",
            "gpu_busy_percent": "7\n",
            "hwmon/hwmon5/temp1_input": "41000\n",
            "hwmon/hwmon5/power1_average": "92000000\n",
            "hwmon/hwmon5/power1_cap": "560000000\n",
        },
    )
    nodes = root / "sys/class/kfd/kfd/topology/nodes"
    for node, location in (("1", 0x8300), ("2", 0x8900)):
        text = f"simd_count 440\nlocation_id {location}\ndomain 0\ngfx_target_version 90010\n"
        _lay(nodes / node, {"properties": text})
    _lay(nodes / "0", {"properties": "cpu_cores_count 64\ngfx_target_version 0\n"})
    _lay(nodes / "1/io_links/0", {"properties": "type 2\nnode_from 1\nnode_to 0\n"})
    _lay(nodes / "1/io_links/1", {"properties": "type 11\nnode_from 1\nnode_to 2\n"})
    return _lay(root, {"sys/module/amdgpu/version": "6.7.0\n"})


def test_amd_dies_from_the_kernels_files(tmp_path: Path) -> None:
    root = _mi250x(tmp_path)
    assert has_amd_gpus(root)
    report = read_amd(node="m1", system=root)
    first, second = report.gpus
    assert (report.library, report.driver) == ("sysfs", "6.7.0")
    assert (first.compute_capability, first.memory_mib, first.pcie.bus_id) == (
        "gfx90a",
        65_520,
        "0000:83:00.0",
    )
    assert (first.ecc.corrected, first.ecc.uncorrected, first.use.temperature_c) == (4, 0, 41)
    assert (first.clocks.sm_mhz, first.clocks.sm_max_mhz, first.pcie.generation) == (500, 1700, 4)
    assert (first.power.draw_w, first.power.limit_w) == (92.0, 560.0)
    assert isinstance(first.numa_node, NotKnown)  # -1: the firmware does not tell
    assert second.numa_node == 0
    assert first.minor == 129
    assert isinstance(second.minor, NotKnown)
    assert first.identity != second.identity
    assert isinstance(second.power.draw_w, NotKnown)
    assert isinstance(second.ecc.corrected, NotKnown)
    (link,) = report.links
    assert (link.nvlinks, link.through) == (1, "direct")
    assert isinstance(link.path, NotKnown)


def test_amd_cards_are_found_in_the_table_by_architecture_and_memory(tmp_path: Path) -> None:
    card = card_of(read_amd(node="m1", system=_mi250x(tmp_path)).gpus[0], CATALOGUE)
    assert (card.key, card.source, card.memory_mib) == ("mi250x", Source.PROBE, 65_520)


def test_a_card_that_tells_no_name_is_the_slower_of_two_alike(tmp_path: Path) -> None:
    root = _mi250x(tmp_path)
    (root / "sys/devices/0000:83:00.0/product_name").unlink()
    card = card_of(read_amd(node="m1", system=root).gpus[0], CATALOGUE)
    assert (card.key, card.note) == ("mi210", "by its chip one of mi210, mi250x")


def test_an_apu_shares_the_memory_of_the_cpu(tmp_path: Path) -> None:
    root = _mi250x(tmp_path)
    (root / "sys/devices/0000:83:00.0/mem_info_vram_total").unlink()
    assert isinstance(read_amd(node="m1", system=root).gpus[0].memory_mib, NotKnown)


def test_no_amd_card_and_other_vendors(tmp_path: Path) -> None:
    assert not has_amd_gpus(tmp_path)
    _lay(tmp_path, {"sys/class/drm/card0/device/vendor": "0x10de\n"})
    assert not has_amd_gpus(tmp_path)


_CPUINFO = "processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor\nflags\t: fpu\n"


def _two_sockets(root: Path) -> Path:
    cpus = root / "sys/devices/system/cpu"
    for cpu in range(8):  # two sockets of two cores of two threads
        files = {"physical_package_id": f"{cpu % 4 // 2}\n", "core_id": f"{cpu % 2}\n"}
        _lay(cpus / f"cpu{cpu}/topology", files)
    (cpus / "cpu8").mkdir()  # switched off: no topology
    (cpus / "cpuidle").mkdir()
    return _lay(
        root,
        {
            "proc/cpuinfo": _CPUINFO,
            "proc/meminfo": "MemTotal:       263856108 kB\nMemFree: 1 kB\n",
            "proc/stat": "cpu  1 2 3\nbtime 1790000000\nprocesses 7\n",
            "proc/sys/kernel/osrelease": "5.14.0-427.el9.x86_64\n",
            "proc/sys/kernel/random/boot_id": "6f1c3a52-0000-4000-8000-000000000001\n",
            "etc/os-release": 'NAME="Rocky Linux"\nPRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\n',
            "sys/devices/system/node/node0/cpulist": "0-1",
            "sys/devices/system/node/node1/cpulist": "2-3",
            "sys/devices/system/node/possible": "0-1",
            "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "512\n",
            "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "12\n",
        },
    )


def test_a_machine_of_two_sockets(tmp_path: Path) -> None:
    found = read_machine(_two_sockets(tmp_path))
    assert (found.sockets, found.cores, found.threads, found.numa_nodes) == (2, 4, 8, 2)
    assert (found.cpu_model, found.memory_mib) == ("AMD EPYC 7763 64-Core Processor", 257_671)
    assert (found.kernel, found.os) == ("5.14.0-427.el9.x86_64", "Rocky Linux 9.4 (Blue Onyx)")
    assert found.boot_time_s == 1_790_000_000
    assert found.hugepages == (Hugepages(size_kib=2048, total=512, free=12),)


def test_a_machine_that_tells_nothing_is_unknown_and_not_empty(tmp_path: Path) -> None:
    found = read_machine(tmp_path)
    for fact in (
        found.cpu_model,
        found.sockets,
        found.threads,
        found.memory_mib,
        found.boot_time_s,
    ):
        assert isinstance(fact, NotKnown)
    assert found.hugepages == ()


def test_network(tmp_path: Path) -> None:
    net = tmp_path / "sys/class/net"
    _lay(
        net / "eno1",
        {"type": "1\n", "operstate": "up\n", "speed": "25000\n", "device/numa_node": "1\n"},
    )
    _lay(
        net / "eno2",
        {"type": "1\n", "operstate": "down\n", "speed": "-1\n", "device/numa_node": "-1\n"},
    )
    _lay(net / "ib0", {"type": "32\n", "operstate": "up\n", "device/numa_node": "0\n"})
    _lay(net / "lo", {"type": "772\n"})
    _lay(net / "docker0", {"type": "1\n", "operstate": "up\n"})
    port = "sys/class/infiniband/mlx5_0/ports/1"
    _lay(tmp_path, {f"{port}/state": "4: ACTIVE\n", f"{port}/rate": "200 Gb/sec (4X HDR)\n",
                    "sys/class/infiniband/mlx5_0/device/numa_node": "0\n"})  # fmt: skip
    first, second, fabric = read_network(tmp_path)
    assert (first.name, first.rate_mbit_s, first.numa_node, first.state) == (
        "eno1",
        25_000,
        1,
        "up",
    )
    assert isinstance(second.rate_mbit_s, NotKnown)
    assert isinstance(second.numa_node, NotKnown)
    assert (fabric.name, fabric.kind, fabric.state, fabric.rate_mbit_s) == (
        "mlx5_0", "infiniband", "ACTIVE", 200_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), ("twelve", "not a number"), ("0x10", "not a number")]
)
def test_a_file_without_a_number(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "f").write_text(text)
    fact = number_in(tmp_path / "f")
    assert isinstance(fact, NotKnown)
    assert said in fact.not_known
    missing = text_in(tmp_path / "missing")
    assert isinstance(missing, NotKnown)
    assert "No such file" in missing.not_known


def test_lists_of_cpus() -> None:
    assert cpu_list([]) == ""
    assert cpu_list([3]) == "3"
    assert cpu_list([64, 65, 66, 0, 1, 9]) == "0-1,9,64-66"
    assert known(NotKnown(not_known="x")) is None
