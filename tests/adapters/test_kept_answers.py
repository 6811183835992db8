"""What is kept of Slurm's answers is used only if it is ours, whole, of this cluster and fresh."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.environment import read_environment
from cfslurm.adapters.kept_answers import Cluster, KeptAnswers, this_cluster
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmUnavailableError

NODES = Command(argv=("scontrol", "-d", "-o", "show", "nodes"))
QOS = Command(argv=("sacctmgr", "show", "qos"))
CLUSTER = Cluster(
    name="alps",
    slurm_conf="/etc/slurm/slurm.conf",
    digest="d1",
    program="/usr/bin/scontrol",
    user="ada",
)


class _Slurm:
    """Answers with the number of the call."""

    def __init__(self, returncode: int = 0) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.returncode = returncode

    def __call__(self, command: Command, /) -> Completed:
        self.calls.append(command.argv)
        text = f"answer {len(self.calls)} ü\n"
        return Completed(command=command, returncode=self.returncode, stdout=text, stderr="")


class _Clock:
    seconds = 1_000_000.0

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def slurm() -> _Slurm:
    return _Slurm()


@pytest.fixture
def make(tmp_path: Path, slurm: _Slurm, clock: _Clock) -> Callable[..., KeptAnswers]:
    def one(cluster: Cluster = CLUSTER, *, oldest_s: float = 10.0) -> KeptAnswers:
        return KeptAnswers(
            run=slurm, folder=tmp_path / "cluster", cluster=cluster, uid=os.getuid(), clock=clock,
            oldest_s=lambda _: oldest_s,
        )  # fmt: skip

    return one


Make = Callable[..., KeptAnswers]


def _file(kept: KeptAnswers) -> Path:
    (path,) = (kept.folder / kept.cluster.folder_name).glob("nodes-*")
    return path


def test_one_call_for_many_looks(make: Make, slurm: _Slurm, clock: _Clock) -> None:
    first = make()(NODES).stdout
    clock.sleep(9.0)
    again = make()
    assert again(NODES).stdout == first == "answer 1 ü\n"
    assert again.read_at == {"nodes": 1_000_000.0}
    assert len(slurm.calls) == 1
    clock.sleep(1.5)
    late = make()
    assert late(NODES).stdout == "answer 2 ü\n"
    assert late.read_at == {"nodes": 1_000_010.5}
    assert late.warnings == []


def test_what_must_be_fresh_is_asked_for_and_kept_for_others(make: Make, slurm: _Slurm) -> None:
    make()(NODES)
    assert make(oldest_s=0.0)(NODES).stdout == "answer 2 ü\n"
    assert make()(NODES).stdout == "answer 2 ü\n"


def test_calls_that_read_no_part_are_never_kept(make: Make, slurm: _Slurm) -> None:
    command = Command(argv=("scontrol", "show", "node", "n1"))
    make()(command)
    make()(command)
    assert len(slurm.calls) == 2


def test_a_refusal_is_not_kept(make: Make, slurm: _Slurm) -> None:
    slurm.returncode = 1
    make()(NODES)
    make()(NODES)
    assert len(slurm.calls) == 2


def test_files_are_for_their_owner_only(make: Make) -> None:
    kept = make()
    before = os.umask(0)
    try:
        kept(NODES)
    finally:
        os.umask(before)
    path = _file(kept)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == path.parent.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "other",
    [
        replace(CLUSTER, name="daint"),
        replace(CLUSTER, slurm_conf="/opt/slurm.conf"),
        replace(CLUSTER, user="eve"),
        replace(CLUSTER, program="/opt/bin/scontrol"),
        replace(CLUSTER, digest="d2"),
    ],
    ids=lambda c: str([getattr(c, f) for f in ("name", "slurm_conf", "user", "program", "digest")]),
)
def test_another_cluster_has_answers_of_its_own(make: Make, slurm: _Slurm, other: Cluster) -> None:
    make()(NODES)
    kept = make(other)
    assert kept(NODES).stdout == "answer 2 ü\n"
    assert kept.warnings == []


def _damage_text(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"answer 1", b"answer 9"))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _head(path: Path) -> None:
    path.write_bytes(b"{\n" + path.read_bytes())


def _foreign(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"alps"', b'"eiger"'))


def _other_call(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"-o"', b'"-x"'))


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


def _link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


def _writable(path: Path) -> None:
    path.chmod(0o622)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _huge(path: Path) -> None:
    os.truncate(path, 257 * 1024**2)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_damage_text, "it is damaged"),
        (_cut, "it is damaged"),
        (_head, "it is damaged"),
        (_binary, "it is damaged"),
        (_foreign, "it is of another cluster or user"),
        (_other_call, "it answers another call"),
        (_link, "Too many levels of symbolic links"),
        (_writable, "others may write it"),
        (_fifo, "something else has its name"),
        (_huge, "it has 269484032 bytes"),
    ],
)
def test_a_spoiled_file_is_ignored_with_a_warning_and_written_anew(
    make: Make, slurm: _Slurm, spoil: Callable[[Path], None], why: str
) -> None:
    first = make()
    first(NODES)
    path = _file(first)
    spoil(path)
    second = make()
    assert second(NODES).stdout == "answer 2 ü\n"
    assert second.warnings == [f"{path} is ignored and written anew: {why}"]
    third = make()
    assert third(NODES).stdout == "answer 2 ü\n"
    assert third.warnings == []


def test_a_file_of_another_user_is_ignored(make: Make, slurm: _Slurm) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    first = make()
    first(NODES)
    os.chown(_file(first), 12345, -1)
    second = make()
    assert second(NODES).stdout == "answer 2 ü\n"
    assert "it belongs to user 12345" in second.warnings[0]


def test_a_folder_that_others_may_write_is_not_used(make: Make, slurm: _Slurm) -> None:
    kept = make()
    kept.folder.mkdir()
    kept.folder.chmod(0o777)
    kept(NODES)
    assert kept.warnings == [
        f"{kept.folder / CLUSTER.folder_name} is not used: others may write it"
    ]
    assert list(kept.folder.iterdir()) == []


def test_the_folder_may_be_a_link_to_another_of_ones_own(
    make: Make, slurm: _Slurm, tmp_path: Path
) -> None:
    (tmp_path / "scratch").mkdir()
    kept = make()
    kept.folder.symlink_to("scratch")
    kept(NODES)
    assert make()(NODES).stdout == "answer 1 ü\n"
    assert kept.warnings == []


def test_a_cache_that_cannot_be_written_costs_a_call_and_nothing_else(
    make: Make, slurm: _Slurm
) -> None:
    kept = make()
    kept.folder.write_text("a file is in the way")
    assert kept(NODES).stdout == "answer 1 ü\n"


def test_an_answer_from_the_future_is_not_believed(
    make: Make, slurm: _Slurm, clock: _Clock
) -> None:
    make()(NODES)
    clock.seconds -= 60
    assert make()(NODES).stdout == "answer 2 ü\n"


def test_what_was_said_last_without_asking(make: Make, slurm: _Slurm, clock: _Clock) -> None:
    make()(NODES)
    clock.sleep(1_000_000)
    kept = make(oldest_s=float("inf"))
    assert kept(NODES).stdout == "answer 1 ü\n"
    assert kept.last_read_at() == 1_000_000.0
    with pytest.raises(SlurmUnavailableError, match="nothing that Slurm said about qos is kept"):
        kept(QOS)
    kept.forget()
    assert make().last_read_at() is None
    assert len(slurm.calls) == 1


def _look(folder: Path, count: int) -> None:
    kept = KeptAnswers(
        run=_Slurm(), folder=folder, cluster=CLUSTER, uid=os.getuid(), clock=_Clock(),
        oldest_s=lambda _: 0.0,
    )  # fmt: skip
    for _ in range(count):
        kept(NODES)
    kept.oldest_s = lambda _: 10.0
    assert kept(NODES).stdout.startswith("answer ")
    assert kept.warnings == []


def test_many_processes_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_look, args=(tmp_path / "c", 40)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    (place,) = (tmp_path / "c").iterdir()
    assert len(list(place.iterdir())) == 1


# --- which cluster ---------------------------------------------------------------------------------------


def _here(conf: str, folder: Path, **variables: str) -> Cluster | None:
    path = folder / "slurm.conf"
    path.write_text(conf)
    here = read_environment()
    return this_cluster(
        replace(here, variables={"SLURM_CONF": str(path), **variables}), Path("/usr/bin/scontrol")
    )


def test_cluster_is_known_by_the_content_of_its_file(tmp_path: Path) -> None:
    one = _here("# x\nClusterName=alps\nNodeName=n1\n", tmp_path)
    same = _here("# x\nClusterName=alps\nNodeName=n1\n", tmp_path)
    changed = _here("# x\nclustername = alps # ours\nNodeName=n2\n", tmp_path)
    assert one is not None
    assert one == same
    assert changed is not None
    assert (changed.name, changed.folder_name) == (one.name, one.folder_name)
    assert changed.digest != one.digest


def test_a_change_of_an_included_file_makes_answers_void(tmp_path: Path) -> None:
    (tmp_path / "nodes.conf").write_text("NodeName=n1\nInclude slurm.conf\n")
    (tmp_path / "name.conf").write_text("ClusterName=alps\n")
    conf = "include name.conf\nInclude nodes.conf\nInclude /nowhere\n"
    one = _here(conf, tmp_path)
    (tmp_path / "nodes.conf").write_text("NodeName=n2\n")
    other = _here(conf, tmp_path)
    assert one is not None
    assert other is not None
    assert one.name == other.name == "alps"
    assert one.digest != other.digest


@pytest.mark.parametrize("conf", ["Include cluster.conf\n", "#ClusterName=alps\n", ""])
def test_without_a_name_nothing_is_kept(tmp_path: Path, conf: str) -> None:
    assert _here(conf, tmp_path) is None


def test_a_foreign_cluster_of_slurm_clusters_is_never_kept(tmp_path: Path) -> None:
    assert _here("ClusterName=alps\n", tmp_path, SLURM_CLUSTERS="daint") is None


def test_a_missing_file_keeps_nothing(tmp_path: Path) -> None:
    here = replace(read_environment(), variables={"SLURM_CONF": str(tmp_path / "none")})
    assert this_cluster(here, None) is None


def test_header_is_json_and_names_what_it_answers(make: Make) -> None:
    kept = make()
    kept(NODES)
    head = json.loads(_file(kept).read_bytes().split(b"\n", 1)[0])
    assert head["argv"] == list(NODES.argv)
    assert head["cluster"]["name"] == "alps"
