from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm.core.slurm.gres import Gres, read_gres
from cfslurm.core.slurm.json_values import num
from cfslurm.core.slurm.node_states import read_state
from cfslurm.core.slurm.running import held_gpus, requested_gpus
from cfslurm.core.slurm.tres import read_tres
from cfslurm.errors import SlurmOutputError


@pytest.mark.parametrize(
    ("text", "tres"),
    [
        ("cpu=8,mem=16G,gres/gpu:a100=2", {"cpu": 8, "mem": 16_384, "gres/gpu:a100": 2}),
        ("mem=1.50G", {"mem": 1536}),
        ("mem=1T", {"mem": 1024**2}),
        ("mem=512000", {"mem": 512_000}),  # a bare number is MiB
        ("mem=100K", {"mem": 1}),  # less than a MiB is still some
        ("fs/disk=0,billing=64", {"fs/disk": 0, "billing": 64}),
        ("gres/shard=1K", {"gres/shard": 1024}),
        ("cpu=8,", {"cpu": 8}),
        ("(null)", {}),
        ("", {}),
    ],
)
def test_read_tres(text: str, tres: dict[str, int]) -> None:
    assert read_tres(text) == tres


@pytest.mark.parametrize(
    "text", ["cpu", "cpu=", "=8", "cpu=acht", "cpu=8;mem=1", "mem=-1", "cpu=1e9"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(SlurmOutputError, match="not a TRES list"):
        read_tres(text)


_NAMES = st.from_regex(r"gres/[a-z]{1,6}(:[a-z0-9_.-]{1,8})?|cpu|node|billing", fullmatch=True)


@given(st.dictionaries(_NAMES, st.integers(0, 2**50), max_size=8))
def test_what_is_written_is_read(tres: dict[str, int]) -> None:
    assert read_tres(",".join(f"{name}={amount}" for name, amount in tres.items())) == tres


_WORD = st.from_regex(r"[a-z][a-z0-9_.+-]{0,9}", fullmatch=True)
_GRES = st.builds(
    Gres,
    name=_WORD,
    type=st.one_of(st.just(""), _WORD),
    count=st.integers(0, 10**6),
    note=st.sampled_from(["", "S:0-1", "IDX:0,2-3", "IDX:N/A", "4/8,-/8"]),
)


@given(st.lists(_GRES, max_size=6))
def test_gres_that_is_written_is_read(items: list[Gres]) -> None:
    text = ",".join(
        ":".join(part for part in (one.name, one.type, str(one.count)) if part)
        + (f"({one.note})" if one.note else "")
        for one in items
    )
    assert read_gres(text) == tuple(items)


@given(st.text(alphabet="gres/:gpu=,a10cmKMG.()", max_size=40))
def test_no_text_escapes_the_error_tree(text: str) -> None:
    with contextlib.suppress(SlurmOutputError):
        read_tres(text)
    assert all(count >= 0 for count in requested_gpus(text).values())


@given(st.lists(st.text(alphabet="IDLEMXAOCDRN+*~#$@^-", max_size=12), max_size=5))
def test_any_state_has_an_answer_and_strange_words_close_the_node(words: list[str]) -> None:
    state, _, strange = read_state(words)
    assert state == "UNKNOWN" or not strange


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (None, None),
        (0.25, 0.25),
        ({"set": True, "infinite": False, "number": 5}, 5),
        ({"set": True, "infinite": True, "number": 0}, None),
        ({"set": False, "infinite": False, "number": 0}, None),
    ],
)
def test_number_in_every_form(value: object, number: float | None) -> None:
    assert num(value) == number  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["5", True, [5], {"set": True, "number": "5"}])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a number"):
        num(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("allocated", "requests", "nodes", "tasks", "held"),
    [
        ("cpu=1,gres/gpu=2,gres/gpu:a100=2", {}, 1, 1, {"a100": 2}),
        ("gres/gpu=2", {"node": "gres:gpu:a100:2"}, 1, 1, {"a100": 2}),  # types are not tracked
        ("gres/gpu=2", {}, 1, 1, {"": 2}),
        ("gres/gpu=3,gres/gpu:a100=2", {"node": "gres/gpu:a100:2"}, 1, 1, {"a100": 2, "": 1}),
        ("cpu=1", {"node": "gres/gpu:a100:2"}, 3, 3, {"a100": 6}),  # GPUs are not tracked
        ("cpu=1", {"job": "gres/gpu:4"}, 2, 2, {"": 4}),
        ("cpu=1", {"task": "cpu=8,gres/gpu:v100=1"}, 1, 5, {"v100": 5}),
        ("cpu=1", {"socket": "gres/gpu:1"}, 1, 1, None),  # nobody says how many sockets
        ("cpu=1", {"node": "gres/shard:4"}, 1, 1, {}),
        ("cpu=1", {}, 1, 1, {}),
    ],
)
def test_gpus_that_a_job_holds(
    allocated: str, requests: dict[str, str], nodes: int, tasks: int, held: dict[str, int] | None
) -> None:
    assert held_gpus(read_tres(allocated), requests, nodes=nodes, tasks=tasks) == held
