"""Profile files: what is shipped can be read, and every mistake is shown with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cfslurm.adapters.profile_file import load_profile, read_profile, shipped_profiles
from cfslurm.errors import InvalidFileError, UserInputError

_GOOD = """\
schema: cfslurm.cluster-profile/1
name: mine
nodes:
  - names: n[1-2]
    cpus: 4
    real_memory_mib: 4000
    gpus: [{type: rtx4090, count: 2}]
partitions:
  - name: main
    nodes: ["n[1-2]"]
"""


def test_good_profile_is_read() -> None:
    profile = read_profile(_GOOD.encode(), "mine.yaml")
    assert profile.node_names == ("n1", "n2")
    assert profile.gpu_count == 4


@pytest.mark.parametrize("name", shipped_profiles())
def test_shipped_profile_has_no_mistake(name: str) -> None:
    assert load_profile(name).name == name


def test_lab_is_the_lab_of_the_documentation() -> None:
    lab = load_profile("lab")
    seen = [
        (group.names, *((gpus.type, gpus.count, gpus.nvlink) for gpus in group.gpus))
        for group in lab.nodes
    ]
    assert seen == [
        ("a100-1", ("a100_80", 4, True)),
        ("rtx4090-1", ("rtx4090", 8, False)),
        ("ada-[1-2]", ("rtx6000ada", 2, False)),
        ("cpu-[1-2]",),
    ]
    assert lab.scale == 1024


def test_nodes_of_shipped_profiles_have_their_gpu_type_as_feature() -> None:
    """Late binding asks for it: ``--constraint="a100_80|rtx4090"``."""
    for name in shipped_profiles():
        for group in load_profile(name).nodes:
            assert not group.gpus or group.gpus[0].card in (*group.features, "")


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("cpus: 4", "cpu: 4", 5, "unknown key 'cpu'"),
        ("cpus: 4", "cpus: four", 5, "cpus is 'four', not a whole number"),
        ("cpus: 4", "cpus: 4.5", 5, "cpus is 4.5, not a whole number"),
        ("cpus: 4", "cpus: 0", 5, "cpus is 0, not between 1 and 1024"),
        ("    cpus: 4\n", "", 4, "the key 'cpus' is missing"),
        ("cpus: 4", "cpus: 4\n    cpus: 8", 6, "the key 'cpus' stands here twice"),
        ("n[1-2]\n", "[n1, n2]\n", 4, "names is ['n1', 'n2'], not a text"),
        ('["n[1-2]"]', "n1", 10, "nodes is 'n1', not a list"),
        ('["n[1-2]"]', "[n1, n9]", 10, "names the node n9, which is not there"),
        ("type: rtx4090", "type: rtx4900", 7, "no card of the catalogue has the key 'rtx4900'"),
        (
            "type: rtx4090",
            "type: fast, catalog: rtx409",
            7,
            "no card of the catalogue has the key 'rtx409'",
        ),
        ("count: 2", "count: 1000", 7, "count is 1000, not between 1 and 128"),
        ("profile/1", "profile/2", 1, "schema cannot be 'cfslurm.cluster-profile/2'"),
        ("name: mine", "name: [mine", 3, "not YAML"),
    ],
)
def test_mistake_is_shown_with_its_line(old: str, new: str, line: int, message: str) -> None:
    assert old in _GOOD
    with pytest.raises(InvalidFileError) as caught:
        read_profile(_GOOD.replace(old, new, 1).encode(), "mine.yaml")
    seen = [(problem.line, problem.message) for problem in caught.value.problems]
    assert [one for one in seen if one[0] == line and message in one[1]], seen


def test_all_mistakes_are_shown_at_once() -> None:
    bad = _GOOD.replace("cpus: 4", "cpus: 0").replace("count: 2", "count: 0")
    with pytest.raises(InvalidFileError) as caught:
        read_profile(bad.encode(), "mine.yaml")
    assert [problem.line for problem in caught.value.problems] == [5, 7]


def test_unknown_card_is_answered_with_the_nearest() -> None:
    with pytest.raises(InvalidFileError) as caught:
        read_profile(_GOOD.replace("rtx4090", "rtx4091").encode(), "mine.yaml")
    assert caught.value.problems[0].remedy == "Say which card is meant: catalog: rtx4090."


def test_type_of_ones_own_is_fine_with_a_card() -> None:
    text = _GOOD.replace("type: rtx4090", "type: gaming, catalog: rtx4090")
    (gpus,) = read_profile(text.encode(), "mine.yaml").gpu_types
    assert (gpus.type, gpus.card) == ("gaming", "rtx4090")


@pytest.mark.parametrize("raw", [b"", b"# nothing\n", b"- a list\n", b"text", b"\xff\xfe"])
def test_file_that_is_no_profile_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidFileError):
        read_profile(raw, "mine.yaml")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="No such file"):
        load_profile(str(tmp_path / "mine.yaml"))


def test_folder_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="Is a directory"):
        load_profile(f"{tmp_path}/")


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserInputError, match="there is no profile 'tinny'") as caught:
        load_profile("tinny")
    assert caught.value.remedy == "Did you mean tiny?"


def test_name_unlike_any_is_answered_with_all() -> None:
    with pytest.raises(UserInputError) as caught:
        load_profile("zzz")
    assert caught.value.remedy == "Take one of kinds, lab, tiny, or name a file: ./mine.yaml."
