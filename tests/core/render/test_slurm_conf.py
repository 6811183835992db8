"""Slurm's configuration files, compared whole; and what cannot be written into them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.profile_file import gpu_catalogue, read_profile
from cfslurm.adapters.resources import shipped_text
from cfslurm.core.render.cluster_profile import ClusterProfile, NodeGroup, ProfilePartition
from cfslurm.core.render.slurm_conf import (
    CONF_FILES,
    SLURMDBD_FILE,
    ClusterSettings,
    is_plain_path,
    render,
    render_slurm,
)
from cfslurm.errors import UserInputError
from cfslurm.sandbox import site

# Everything from disk is read here, when the file is imported.
_GOLDEN_FOLDER = Path(__file__).parents[2] / "golden" / "slurm_conf"
_GOLDEN = {path.name: path.read_text() for path in _GOLDEN_FOLDER.iterdir()}
_NAMES = (*CONF_FILES, SLURMDBD_FILE)
_TEMPLATES = {name: shipped_text(f"gres_templates/{name}.j2") for name in _NAMES}
_SITE_TEMPLATE = shipped_text(site.TEMPLATE)
_CATALOGUE = gpu_catalogue()
_LAB = read_profile(shipped_text("gres_templates/profiles/lab.yaml").encode(), "lab.yaml")
_TINY = read_profile(shipped_text("gres_templates/profiles/tiny.yaml").encode(), "tiny.yaml")


def _settings(profile: ClusterProfile) -> ClusterSettings:
    return ClusterSettings(
        cluster_name="sandbox",
        host="login1",
        user="ada",
        folder="/home/ada/box",
        slurm_version=(22, 5),
        slurmctld_port=20000,
        node_ports={name: 20001 + index for index, name in enumerate(profile.node_names)},
    )


def _lab_with_accounting() -> dict[str, str]:
    return render_slurm(_LAB, replace(_settings(_LAB), slurmdbd_port=20099), _TEMPLATES)


@pytest.mark.parametrize("name", CONF_FILES)
def test_file_of_the_lab_is_the_golden_one(name: str) -> None:
    assert render_slurm(_LAB, _settings(_LAB), _TEMPLATES)[name] == _GOLDEN[f"lab.{name}"]


@pytest.mark.parametrize("name", ["slurm.conf", SLURMDBD_FILE])
def test_file_of_the_lab_with_accounting_is_the_golden_one(name: str) -> None:
    assert _lab_with_accounting()[name] == _GOLDEN[f"lab-accounting.{name}"]


def test_slurm_conf_of_tiny_is_the_golden_one() -> None:
    """No switches: the tree plugin and its lines are left out."""
    texts = render_slurm(_TINY, _settings(_TINY), _TEMPLATES)
    assert texts["slurm.conf"] == _GOLDEN["tiny.slurm.conf"]


def test_plugstack_takes_the_place_of_the_folders_own() -> None:
    settings = replace(_settings(_TINY), plugstack="/srv/plugstack.conf")
    text = render_slurm(_TINY, settings, _TEMPLATES)["slurm.conf"]
    own = "PlugStackConfig=/home/ada/box/plugstack.conf"
    assert text == _GOLDEN["tiny.slurm.conf"].replace(own, "PlugStackConfig=/srv/plugstack.conf")


def test_site_config_of_the_lab_is_the_golden_one() -> None:
    text = site.site_text(
        _LAB,
        _CATALOGUE,
        cluster_name="sandbox",
        folder=Path("/home/ada/box"),
        template=_SITE_TEMPLATE,
    )
    assert text == _GOLDEN["lab.site.yaml"]


def test_every_golden_file_is_compared_with_something() -> None:
    compared = {f"lab.{name}" for name in CONF_FILES} | {
        "lab-accounting.slurm.conf", "lab-accounting.slurmdbd.conf", "lab.site.yaml",
        "tiny.slurm.conf",
    }  # fmt: skip
    assert set(_GOLDEN) == compared


def test_without_accounting_there_is_no_slurmdbd_conf() -> None:
    assert tuple(render_slurm(_LAB, _settings(_LAB), _TEMPLATES)) == CONF_FILES


def test_cgroups_are_switched_off_from_slurm_23_11_on() -> None:
    new = replace(_settings(_LAB), slurm_version=(23, 11))
    assert "\nCgroupPlugin=disabled\n" in render_slurm(_LAB, new, _TEMPLATES)["cgroup.conf"]
    old = replace(_settings(_LAB), slurm_version=(23, 2))
    assert "CgroupPlugin" not in render_slurm(_LAB, old, _TEMPLATES)["cgroup.conf"]


def test_cluster_without_gpus_has_no_gres() -> None:
    profile = ClusterProfile(
        name="bare",
        nodes=(NodeGroup(names="n1", cpus=2, real_memory_mib=1000),),
        partitions=(ProfilePartition(name="p", nodes=("n1",)),),
    )
    texts = render_slurm(profile, _settings(profile), _TEMPLATES)
    assert "Gres" not in texts["slurm.conf"]
    assert "NodeName" not in texts["gres.conf"]


@pytest.mark.parametrize(
    "user", ["a b", "a#b", 'a"b', "a'b", "a\nb", "a=b", "a\\b", "", "a;b", "a%n"]
)
def test_value_that_slurm_conf_cannot_carry_is_refused(user: str) -> None:
    with pytest.raises(UserInputError, match=r"cannot be written into slurm\.conf"):
        render_slurm(_LAB, replace(_settings(_LAB), user=user), _TEMPLATES)


def test_missing_value_is_refused() -> None:
    with pytest.raises(UserInputError, match="'nodes' is undefined"):
        render("{{ nodes | conf }}", {}, name="slurm.conf")


def test_value_without_filter_is_refused() -> None:
    with pytest.raises(UserInputError, match="without a filter"):
        render("{{ user }}", {"user": "ada"}, name="slurm.conf")


def test_template_with_a_mistake_names_its_file() -> None:
    with pytest.raises(UserInputError, match=r"the template of gres\.conf cannot be filled in"):
        render("{% if %}", {}, name="gres.conf")


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/home/ada/.local/state/cfslurm-1_x+y", True),
        ("/home/ada lovelace", False),
        ("/home/a,b", False),
        ("/home/a[1]", False),
        ("/home/a%n", False),
        ("/home/ä", False),
        ("/home/a#b", False),
        ("/home/a=b", False),
    ],
)
def test_only_plain_paths_go_into_slurm_conf(path: str, plain: bool) -> None:
    assert is_plain_path(path) is plain


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
