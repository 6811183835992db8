"""The files of a private Slurm, compared whole; and files that no sandbox can be made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.profile_file import gpu_catalogue, read_profile
from cfslurm.adapters.resources import shipped_text
from cfslurm.adapters.site_templates import sandbox_templates, site_templates
from cfslurm.core.render.cluster_profile import ClusterProfile, NodeGroup, ProfilePartition
from cfslurm.core.render.profile_lines import profile_lines
from cfslurm.core.render.site_files import SiteSettings, render_site
from cfslurm.core.render.slurm_conf import (
    SLURMDBD_FILE,
    ClusterSettings,
    devices,
    node_names,
    profile_of_files,
    render_slurm,
)
from cfslurm.errors import UserInputError
from cfslurm.sandbox import site

# Everything from disk is read here, when the file is imported.
_GOLDEN_FOLDER = Path(__file__).parents[2] / "golden" / "slurm_conf"
_GOLDEN = {path.name: path.read_text() for path in _GOLDEN_FOLDER.iterdir()}
_OF_LAB = (
    "slurm.conf", "nodes.conf", "partitions.conf", "gres.conf", "topology.conf", "cgroup.conf",
)  # fmt: skip
_SITE_TEMPLATES = site_templates()
_TEMPLATES = sandbox_templates()
_SITE_CONFIG = shipped_text(site.TEMPLATE)
_CATALOGUE = gpu_catalogue()


def _profile(name: str) -> ClusterProfile:
    return read_profile(shipped_text(f"gres_templates/profiles/{name}.yaml").encode(), name)


_LAB = _profile("lab")
_TINY = _profile("tiny")
_KINDS = _profile("kinds")


def _settings(profile: ClusterProfile, version: tuple[int, int] = (22, 5)) -> ClusterSettings:
    return ClusterSettings(
        cluster_name="sandbox",
        host="login1",
        user="ada",
        folder="/home/ada/box",
        slurm_version=version,
        slurmctld_port=20000,
        node_ports={name: 20001 + index for index, name in enumerate(profile.node_names)},
    )


def _site(profile: ClusterProfile, version: tuple[int, int] = (22, 5)) -> dict[str, str]:
    settings = SiteSettings(slurm_version=version, by="cfslurm sandbox up")
    return render_site(profile_lines(profile, _CATALOGUE), settings, _SITE_TEMPLATES)


def _texts(
    profile: ClusterProfile,
    settings: ClusterSettings | None = None,
    version: tuple[int, int] = (22, 5),
) -> dict[str, str]:
    return render_slurm(
        _site(profile, version), settings or _settings(profile, version), _TEMPLATES
    )


_WITH_ACCOUNTING = replace(_settings(_LAB), slurmdbd_port=20099)


@pytest.mark.parametrize("name", _OF_LAB)
def test_file_of_the_lab_is_the_golden_one(name: str) -> None:
    assert _texts(_LAB)[name] == _GOLDEN[f"lab.{name}"]


@pytest.mark.parametrize("name", ["slurm.conf", SLURMDBD_FILE])
def test_file_of_the_lab_with_accounting_is_the_golden_one(name: str) -> None:
    assert _texts(_LAB, _WITH_ACCOUNTING)[name] == _GOLDEN[f"lab-accounting.{name}"]


def test_slurm_conf_of_tiny_is_the_golden_one() -> None:
    """No switches: the tree plugin and its lines are left out."""
    texts = _texts(_TINY)
    assert texts["slurm.conf"] == _GOLDEN["tiny.slurm.conf"]
    assert "topology.conf" not in texts


def test_plugstack_takes_the_place_of_the_folders_own() -> None:
    text = _texts(_TINY, replace(_settings(_TINY), plugstack="/srv/plugstack.conf"))["slurm.conf"]
    own = "PlugStackConfig=/home/ada/box/plugstack.conf"
    assert text == _GOLDEN["tiny.slurm.conf"].replace(own, "PlugStackConfig=/srv/plugstack.conf")


def test_site_config_of_the_lab_is_the_golden_one() -> None:
    text = site.site_text(
        _LAB,
        _CATALOGUE,
        cluster_name="sandbox",
        folder=Path("/home/ada/box"),
        template=_SITE_CONFIG,
    )
    assert text == _GOLDEN["lab.site.yaml"]


def test_every_golden_file_is_compared_with_something() -> None:
    compared = {f"lab.{name}" for name in _OF_LAB} | {
        "lab-accounting.slurm.conf", "lab-accounting.slurmdbd.conf", "lab.site.yaml",
        "tiny.slurm.conf",
    }  # fmt: skip
    assert set(_GOLDEN) == compared


def test_without_accounting_there_is_no_slurmdbd_conf() -> None:
    assert set(_texts(_LAB)) == set(_OF_LAB)


def test_cgroups_are_switched_off_from_slurm_23_11_on() -> None:
    assert "\nCgroupPlugin=disabled\n" in _texts(_LAB, version=(23, 11))["cgroup.conf"]
    assert "CgroupPlugin" not in _texts(_LAB, version=(23, 2))["cgroup.conf"]


def test_topology_is_yaml_from_slurm_25_05_on() -> None:
    texts = _texts(_LAB, version=(25, 5))
    assert "topology.yaml" in texts
    assert "topology.conf" not in texts
    assert "TopologyPlugin=topology/tree" in texts["slurm.conf"]


def test_cluster_without_gpus_has_no_gres() -> None:
    profile = ClusterProfile(
        name="bare",
        nodes=(NodeGroup(names="n1", cpus=2, real_memory_mib=1000),),
        partitions=(ProfilePartition(name="p", nodes=("n1",)),),
    )
    texts = _texts(profile)
    assert "Gres" not in texts["nodes.conf"].replace("Gres, Weight", "")
    assert "\nNodeName=" not in texts["gres.conf"]


def test_device_files_of_all_kinds_are_moved_below_the_folder() -> None:
    text = _texts(_KINDS)["gres.conf"]
    assert "=/dev/" not in text
    assert ",/dev/" not in text
    assert (
        "MultipleFiles=/home/ada/box/dev/nvidia2,/home/ada/box/dev/nvidia-caps/nvidia-cap336,"
        in text
    )
    assert "File=/home/ada/box/dev/dri/renderD[128-131]" in text


def test_value_that_slurm_conf_cannot_carry_is_refused() -> None:
    with pytest.raises(UserInputError, match=r"cannot be written into Slurm's files"):
        _texts(_LAB, replace(_settings(_LAB), user="a b"))


def test_all_device_files_are_found() -> None:
    found = devices(_site(_KINDS)["gres.conf"])
    assert {"/dev/nvidia0", "/dev/nvidia7", "/dev/nvidia-caps/nvidia-cap337"} <= set(found)
    assert "/dev/dri/renderD135" in found


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("NodeName=n1 AutoDetect=nvml", "a pretend GPU cannot be detected"),
        ("NodeName=n1 Name=gpu File=/etc/passwd", "is no file below /dev"),
        ("NodeName=n1 Name=gpu File=/dev/../etc/passwd", "is no file below /dev"),
    ],
)
def test_devices_that_no_sandbox_has_are_refused(line: str, message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        devices(line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 nodes, not between 1 and 64"),
        ("NodeName=n[1-65] CPUs=1", "65 nodes"),
        ("NodeName=n[1-99999999] CPUs=1", "more than"),
        ("NodeName=n[1-40] CPUs=1\nNodeName=m[1-40] CPUs=1", "80 nodes"),
        ("NodeName=n1 CPUs=1\nNodeName=n1 CPUs=1", "n1 stands there twice"),
        ("NodeName=n[1- CPUs=1", "not a hostlist"),
    ],
)
def test_nodes_that_no_sandbox_has_are_refused(text: str, message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        node_names(text)


def test_rendered_files_tell_nodes_and_gpus() -> None:
    profile = profile_of_files(_site(_KINDS), "rendered")
    assert profile.node_names == _KINDS.node_names
    assert profile.gpu_count == _KINDS.gpu_count


def test_rendered_line_without_memory_is_refused() -> None:
    with pytest.raises(UserInputError, match="no CPUs= or no RealMemory="):
        profile_of_files({"nodes.conf": "NodeName=n1 CPUs=4"}, "rendered")


def test_pretend_memory_and_speed_are_in_scale() -> None:
    seen = {card.type: (card.memory_mib, card.fp16_tflops, card.fp8_tflops)
            for card in site.pretend_cards(_LAB, _CATALOGUE)}  # fmt: skip
    assert seen == {
        "a100_80": (80, 0.3047, 0.0),
        "rtx4090": (24, 0.1611, 0.3223),
        "rtx6000ada": (48, 0.3555, 0.7119),
    }


def test_pretend_memory_is_never_nothing() -> None:
    cards = site.pretend_cards(replace(_TINY, scale=1_000_000), _CATALOGUE)
    assert [card.memory_mib for card in cards] == [1]
