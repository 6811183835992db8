"""Text and JSON of three Slurm versions, played back: one graph, and it is what was set up by hand.

The cluster behind tests/corpus/slurm-*/rich was built by a person (README.md there says how); every number
below was written from that, not from a parser's output.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cfslurm.adapters.clock import utc_text
from cfslurm.adapters.cluster_auto import AutoReader
from cfslurm.adapters.cluster_json import JsonReader
from cfslurm.adapters.cluster_text import TextReader
from cfslurm.core.hardware.build import build_graph
from cfslurm.core.hardware.graph import HardwareGraph
from cfslurm.core.slurm import json_nodes, json_reservations
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.errors import SlurmOutputError
from tests.builders import CATALOGUE
from tests.slurm_corpus import CORPUS, USER, VERSIONS, Playback

READERS = [TextReader, JsonReader]
BOTH = pytest.mark.parametrize("reader", READERS)


def _graph(playback: Playback, reader: type[TextReader]) -> HardwareGraph:
    """The graph as of a minute after the reservation `class` began."""
    facts = reader(playback, user=USER).read()
    starts = [one.start_time for one in facts.reservations if one.name == "class"]
    moment = utc_text((starts[0] or 0) + 60) if starts else utc_text(0)
    return build_graph(facts, CATALOGUE, {}, harvested_at=moment)


@pytest.mark.parametrize("version", VERSIONS)
def test_text_and_json_are_one_graph(version: str) -> None:
    text = _graph(Playback(version), TextReader)
    from_json = _graph(Playback(version), JsonReader)
    assert (text.backend, from_json.backend) == ("text", "json")
    assert replace(from_json, backend="text") == text
    assert [one for one in text.warnings if "unknown:" in one] == []


@pytest.mark.parametrize("version", VERSIONS)
@BOTH
def test_gpus_whole_shared_untyped_and_split(version: str, reader: type[TextReader]) -> None:
    graph = _graph(Playback(version), reader)
    seen = {
        (node.name, gpus.gpu_type): (gpus.count, gpus.used, gpus.shared, gpus.used_indices, gpus.sockets)
        for node in graph.nodes
        for gpus in node.gpus
    }  # fmt: skip
    assert seen == {
        ("a1", "a100_80"): (4, 2, 0, (0, 2), (0, 1)),
        ("g1", "l40s"): (2, 1, 1, (), ()),  # nobody holds a GPU, but one has shards in use
        ("g2", ""): (4, 1, 0, (), ()),
        ("g3", "v100"): (2, 0, 0, (), ()),
        ("g3", "1g.10gb"): (4, 0, 0, (), ()),
    }
    profiles = {g.gpu_type: g.mig_profile for node in graph.nodes for g in node.gpus}
    assert profiles["1g.10gb"] == "1g.10gb"
    assert profiles["v100"] == ""
    # 22.05 says "shard:l40s:1" with four in use; what accounting tracks is right.
    (shards,) = graph.node("g1").gres
    assert (shards.name, shards.type, shards.count, shards.used) == ("shard", "l40s", 16, 4)


@pytest.mark.parametrize("version", VERSIONS)
@BOTH
def test_nodes_say_why_they_take_no_jobs(version: str, reader: type[TextReader]) -> None:
    graph = _graph(Playback(version), reader)
    drained, reserved = graph.node("g3"), graph.node("g2")
    assert (drained.state, drained.state_flags) == ("IDLE", ("DRAIN",))
    assert (drained.reason, drained.reason_user) == ("fan is loud Weight=9 a=b", "root")
    assert drained.weight == 20  # the reason says otherwise
    kept = next(one for one in graph.reservations if one.name == "class")
    assert abs((drained.reason_time or 0) - (kept.start_time or 0)) < 3
    assert (reserved.reservations, reserved.state_flags) == (("class",), ("RESERVED",))
    assert {node.name for node in graph.nodes if node.takes_jobs} == {"a1", "g1"}
    assert (graph.node("a1").tmp_disk_mib, graph.node("a1").cpus_usable) == (1000, 8)
    assert (graph.node("a1").gpus_free, graph.node("g2").gpus_free) == (2, 0)


@pytest.mark.parametrize("version", VERSIONS)
@BOTH
def test_reservations_and_licences(version: str, reader: type[TextReader]) -> None:
    graph = _graph(Playback(version), reader)
    kept, maintenance = graph.reservations
    assert (kept.name, kept.node_names, kept.accounts, kept.users) == (
        "class",
        ("g2",),
        ("lab-a",),
        (),
    )
    assert kept.flags == ("FLEX", "IGNORE_JOBS", "SPEC_NODES")
    assert (kept.end_time or 0) - (kept.start_time or 0) == 3600
    assert (maintenance.name, maintenance.users) == ("maint", ("root",))
    assert (maintenance.is_maintenance, kept.is_maintenance) == (True, False)
    assert (maintenance.start_time or 0) - (kept.start_time or 0) == 3600
    assert [(one.name, one.total, one.used, one.free) for one in graph.licenses] == [
        ("datamover", 4, 4, 0),
        ("matlab", 10, 0, 10),
    ]


@pytest.mark.parametrize("version", VERSIONS)
@BOTH
def test_partitions_and_their_limits(version: str, reader: type[TextReader]) -> None:
    graph = _graph(Playback(version), reader)
    gpu, short = graph.partitions
    assert (gpu.name, gpu.is_default, gpu.max_cpus_per_node, gpu.max_time_s) == (
        "gpu",
        True,
        7,
        86_400,
    )
    assert (gpu.allow_accounts, gpu.oversubscribe, gpu.exclusive) == (
        ("lab-a", "root"),
        "FORCE:2",
        "NO",
    )
    assert (gpu.preempt_mode, gpu.is_preemptible, gpu.priority_tier) == ("OFF", False, 10)
    assert (short.name, short.deny_accounts, short.exclusive) == ("short", ("lab-b",), "NODE")
    assert (short.default_time_s, short.max_time_s, short.max_nodes) == (600, 3600, 2)
    assert (short.default_memory_per_cpu_mib, short.max_memory_per_node_mib) == (200, 20_000)
    assert (short.preempt_mode, short.grace_time_s, short.priority_job_factor) == ("REQUEUE", 5, 5)
    with_accounting = version != "26.05"
    assert gpu.qos == ("high" if with_accounting else "")
    assert short.allow_qos == (("high", "normal") if with_accounting else ())


@pytest.mark.parametrize("version", VERSIONS)
@BOTH
def test_who_holds_what_until_when(version: str, reader: type[TextReader]) -> None:
    graph = _graph(Playback(version), reader)
    seen = {job.job_id: (job.node_names, job.cpus, job.gpus) for job in graph.running}
    assert seen == {
        "1": (("a1",), 2, {"a100_80": 1}),
        "2": (("g1",), 1, {}),  # shards, no GPU
        "3": (("g2",), 1, {"": 1}),
        "4_3": (("a1",), 1, {"a100_80": 1}),
        "5+0": (("a1",), 1, {}),
        "5+1": (("g1",), 1, {}),
    }
    assert {(job.user, job.account, job.state) for job in graph.running} == {
        ("root", "lab-a", "RUNNING")
    }
    assert [job.reservation for job in graph.running if job.reservation] == ["class"]
    first = graph.reservations[0].start_time or 0
    assert all(1800 <= (job.end_time or 0) - first <= 1802 for job in graph.running)


@pytest.mark.parametrize("version", ["22.05", "24.11"])
@BOTH
def test_limits_of_this_user(version: str, reader: type[TextReader]) -> None:
    graph = _graph(Playback(version), reader)
    high, normal = graph.qos
    assert normal.max_wall_s == 2 * 86_400
    assert normal.max_tres_per_user == {"gres/gpu": 6, "cpu": 20, "mem": 30 * 1024}
    assert (normal.group_tres, normal.max_tres_per_job) == ({"gres/gpu:a100_80": 6}, {"node": 2})
    assert normal.group_tres_minutes == {"gres/gpu": 10_000}
    assert normal.max_tres_minutes_per_job == {"cpu": 500}
    assert (normal.max_jobs_per_user, normal.max_submit_per_user) == (10, 100)
    assert (normal.preempt_mode, high.preempt_mode, high.preempts) == ("", "REQUEUE", ("normal",))
    assert (high.flags, high.grace_time_s, high.priority) == (
        ("DenyOnLimit", "OverPartQOS"),
        10,
        100,
    )
    assert (high.group_jobs, high.group_submit, high.group_wall_s) == (7, 9, 6000)
    assert (high.max_tres_per_account, high.max_jobs_per_account, high.max_submit_per_account) == (
        {"cpu": 100}, 70, 80,
    )  # fmt: skip
    own = next(one for one in graph.associations if (one.account, one.user) == ("lab-a", "root"))
    account = next(one for one in graph.associations if (one.account, one.user) == ("lab-a", ""))
    assert (own.qos, own.default_qos, own.max_jobs, own.max_submit) == (
        ("high", "normal"),
        "normal",
        20,
        40,
    )
    assert (own.max_wall_s, own.max_tres_per_job) == (86_400, {"gres/gpu": 8})
    assert (account.group_tres, account.group_tres_minutes) == ({"cpu": 16}, {"cpu": 1000})
    assert (account.group_jobs, account.group_submit, account.group_wall_s) == (50, 60, 36_000)
    assert account.parent == "root"
    assert [(one.account, one.raw_shares, one.factor) for one in graph.shares] == [
        ("lab-a", None, 1.0),
        ("lab-b", 1, 1.0),
        ("root", 1, 1.0),
    ]


@pytest.mark.parametrize("version", VERSIONS)
@BOTH
def test_one_call_of_each_kind(version: str, reader: type[TextReader]) -> None:
    playback = Playback(version)
    reader(playback, user=USER).read()
    asked = [" ".join(command.argv) for command in playback.asked]
    assert len(asked) == len(set(asked))
    # Settings, nodes, partitions, topology, reservations, licences, jobs; 26.05 has topology.yaml too.
    of_slurmctld = sum(one.startswith(("scontrol", "sinfo", "squeue")) for one in asked)
    assert of_slurmctld == (8 if version == "26.05" else 7)
    assert sum(one.startswith("sacctmgr") for one in asked) == (0 if version == "26.05" else 3)
    assert all(command.environment["LC_ALL"] == "C" for command in playback.asked)
    assert all(command.environment["SLURM_TIME_FORMAT"] == "%s" for command in playback.asked)


@BOTH
def test_topology_yaml_counts_where_the_site_has_it(reader: type[TextReader]) -> None:
    text = (CORPUS / "slurm-26.05" / "topoconf.txt").read_text()
    graph = _graph(Playback("26.05", instead={"topoconf.txt": text}), reader)
    assert [(one.name, one.kind) for one in graph.topologies] == [
        ("ttree", "tree"),
        ("tblk", "block"),
        ("tflat", "flat"),
    ]
    assert [switch.name for switch in graph.switches] == ["spine", "leaf1", "leaf2"]
    broken = _graph(Playback("26.05", instead={"topoconf.txt": "- topology: [\n"}), reader)
    assert broken.topologies == ()
    assert any(one.startswith("the topology is unknown: ") for one in broken.warnings)


# --- what cannot be read -------------------------------------------------------------------------------

_NODES = {version: CORPUS / f"slurm-{version}" / "rich" / "nodes.txt" for version in VERSIONS}


def _text_with(nodes: str) -> HardwareGraph:
    return _graph(Playback("24.11", instead={"nodes.txt": nodes}), TextReader)


def test_node_with_a_strange_gres_is_read_but_for_that() -> None:
    text = (
        _NODES["24.11"]
        .read_text()
        .replace("Gres=gpu:v100:2,gpu:1g.10gb:4", "Gres=gpu:v100:2:zwei:?")
    )
    graph = _text_with(text)
    strange = graph.node("g3")
    assert (strange.gpus, strange.cpus, strange.weight) == ((), 8, 20)
    (note,) = strange.unread
    assert note.startswith("Gres: not a GRES list: 'gpu:v100:2:zwei:?'")
    assert any(one.startswith("node g3: Gres:") for one in graph.warnings)
    assert graph.node("a1").gpu_count == 4


def test_use_that_cannot_be_read_leaves_nothing_free() -> None:
    text = (
        _NODES["24.11"]
        .read_text()
        .replace("GresUsed=gpu:a100_80:2(IDX:0,2)", "GresUsed=gpu:a100_80:(")
    )
    node = _text_with(text).node("a1")
    assert [(gpus.count, gpus.used) for gpus in node.gpus] == [(4, 4)]
    assert node.gpus_free == 0


@pytest.mark.parametrize("state", ["SINGING", "IDLE+SINGING+DANCING"])
def test_node_in_an_unknown_state_takes_no_jobs_and_is_told(state: str) -> None:
    text = _NODES["24.11"].read_text().replace("State=MIXED ", f"State={state} ", 1)
    graph = _text_with(text)
    assert any("state 'SINGING' is unknown" in one for one in graph.warnings)
    assert graph.node("a1").takes_jobs is False


def test_hostlist_bomb_in_a_partition_is_refused_with_its_place() -> None:
    text = (CORPUS / "slurm-24.11" / "rich" / "partitions.txt").read_text()
    bomb = Playback(
        "24.11", instead={"partitions.txt": text.replace("Nodes=g[1-3]", "Nodes=n[0-9999999999]")}
    )
    with pytest.raises(SlurmOutputError) as caught:
        TextReader(bomb, user=USER).read()
    assert (
        "`scontrol -o show partitions`, line 2 (PartitionName=short) has Nodes='n[0-9999999999]'"
        in (caught.value.message)
    )
    assert "scontrol -o show partitions" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "cut", "what"),
    [
        ("nodes.txt", 900, "line 2 .*is cut off"),
        ("nodes.txt", 0, "the answer is empty"),
        ("partitions.txt", 300, "is cut off"),
        ("config.txt", 200, "printed no ClusterName"),
        ("config.txt", 0, "printed no ClusterName"),
    ],
)
def test_answer_that_is_cut_off_is_not_believed(name: str, cut: int, what: str) -> None:
    text = (CORPUS / "slurm-24.11" / "rich" / name).read_text()[:cut]
    with pytest.raises(SlurmOutputError, match=what):
        TextReader(Playback("24.11", instead={name: text}), user=USER).read()


@pytest.mark.parametrize(
    "text", ["", "{", '{"nodes": [{"name": "a1"', "[]", '{"jobs": []}', "knotentabelle"]
)
def test_json_that_is_none_names_the_call_and_the_way_out(text: str) -> None:
    with pytest.raises(SlurmOutputError) as caught:
        JsonReader(Playback("24.11", instead={"nodes.json": text}), user=USER).read()
    assert caught.value.message.startswith("`scontrol show nodes --json` printed no JSON")
    assert "reader: text" in caught.value.remedy


def test_nested_without_end_is_refused() -> None:
    deep = '{"nodes":' + "[" * 200_000
    with pytest.raises(SlurmOutputError, match="no JSON that cfslurm can read"):
        JsonReader(Playback("24.11", instead={"nodes.json": deep}), user=USER).read()


def test_json_value_of_another_kind_names_its_place() -> None:
    document = json.loads((CORPUS / "slurm-24.11" / "rich" / "nodes.json").read_text())
    document["nodes"][1]["cpus"] = "eight"
    with pytest.raises(SlurmOutputError, match=r"nodes\[1\] \(g1\): cpus is 'eight', not a number"):
        JsonReader(
            Playback("24.11", instead={"nodes.json": json.dumps(document)}), user=USER
        ).read()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("qos.txt", "limits of QOS are unknown"),
        ("own.txt", "limits of accounts are unknown"),
        ("shares.txt", "fair shares are unknown"),
        ("running.txt", "running jobs and their ends are unknown"),
        ("reservations.txt", "reservations are unknown"),
    ],
)
def test_what_is_not_vital_is_missing_and_said(name: str, part: str) -> None:
    graph = _graph(Playback("24.11", instead={name: "sacctmgr: 1|2|3\n"}), TextReader)
    assert [one for one in graph.warnings if one.startswith(part)] != []
    assert len(graph.nodes) == 4


def _simple(value: Any) -> Any:
    """What ``DataParserParameters=+complex`` makes of {set, infinite, number}."""
    match value:
        case {"set": bool(known), "infinite": bool(endless), "number": number}:
            return number if known and not endless else None
        case dict():
            return {key: _simple(item) for key, item in value.items()}
        case list():
            return [_simple(item) for item in value]
    return value


@pytest.mark.parametrize("version", ["24.11", "26.05"])
def test_short_numbers_of_the_data_parser_are_the_same_numbers(version: str) -> None:
    folder = CORPUS / f"slurm-{version}" / "rich"
    short = {
        path.name: json.dumps(_simple(json.loads(path.read_text())))
        for path in folder.glob("*.json")
    }
    assert _graph(Playback(version, instead=short), JsonReader) == _graph(
        Playback(version), JsonReader
    )


# --- the reader that chooses ---------------------------------------------------------------------------


def test_auto_takes_the_text_and_asks_for_no_json() -> None:
    playback = Playback("24.11")
    facts = AutoReader(playback, user=USER).read()
    assert (facts.backend, facts.warnings) == ("text", ())
    assert not [command for command in playback.asked if "--json" in command.argv]


def test_auto_takes_json_where_the_text_cannot_be_read_and_says_so() -> None:
    patched = Playback("24.11", instead={"nodes.txt": "HOST  STATE\na1    fine\n"})
    facts = AutoReader(patched, user=USER).read()
    assert (facts.backend, len(facts.nodes)) == ("json", 4)
    assert facts.warnings[0].startswith(
        "read from JSON, since the text cannot be read: `scontrol -d -o"
    )


def test_auto_tells_of_the_text_where_neither_can_be_read() -> None:
    broken = Playback("24.11", instead={"nodes.txt": "HOST\n", "nodes.json": "HOST\n"})
    with pytest.raises(SlurmOutputError, match="line 1 does not begin with NodeName="):
        AutoReader(broken, user=USER).read()


# --- 25.11, which nobody has recorded in both forms at one moment ------------------------------------


def test_json_of_25_11(corpus: Path) -> None:
    folder = corpus / "slurm-25.11"

    def done(name: str) -> Completed:
        command = Command(argv=("scontrol", "show", name, "--json"))
        text = (folder / f"{name}.json").read_text()
        return Completed(command=command, returncode=0, stdout=text, stderr="")

    nodes = json_nodes.read_nodes(done("nodes"))
    assert [(one.name, one.state, one.state_flags, one.cpus) for one in nodes] == [
        ("n1", "MIXED", (), 64),
        ("n2", "MIXED", (), 128),
        ("n3", "MIXED", (), 32),
        ("n4", "MIXED", (), 48),
        ("n5", "MIXED", (), 16),
    ]
    assert [(g.name, g.type, g.count, g.note) for g in nodes[0].gres_used or ()] == [
        ("gpu", "a100", 2, "IDX:0-1")
    ]
    assert nodes[4].alloc_tres["gres/shard"] == 4
    (repair,) = json_reservations.read_reservations(done("reservations"))
    assert (repair.name, repair.node_names, repair.is_maintenance) == ("maint", ("n4",), True)
    (licence,) = json_reservations.read_licenses(done("licenses"))
    assert (licence.name, licence.total, licence.free) == ("datamover", 4, 4)
