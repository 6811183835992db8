from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfslurm import (
    Array,
    Budget,
    Component,
    Gang,
    Goal,
    Model,
    Need,
    Priority,
    Resources,
    SessionSpec,
    Task,
    Weights,
    Work,
    Workflow,
    dump_workflow,
    load_workflow,
)
from cfslurm.adapters.workflow_file import read_workflow, workflow_schema
from cfslurm.errors import InvalidFileError, UserInputError

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def _read(text: str) -> Workflow:
    return read_workflow(text.encode(), "w.yaml")


def _problems(text: str) -> list[tuple[int, int, str, str]]:
    with pytest.raises(InvalidFileError) as error:
        _read(text)
    return [(p.line, p.column, p.message, p.remedy) for p in error.value.problems]


def test_every_mistake_has_file_line_column_reason_and_remedy() -> None:
    assert _problems(
        "schema: cfslurm.workflow/1\n"
        "name: w\n"
        "models:\n"
        "  m: {repo: a/b, max_model_len: 8k}\n"
        "tasks:\n"
        "  t:\n"
        "    command: python x.py\n"
        "    time: 90\n"
        "    gpu: 2\n"
        "  u: {comand: [a]}\n"
        "objective: fats\n"
    ) == [
        (
            4,
            18,
            "max_model_len is '8k', not a whole number",
            "Write a whole number: max_model_len: 8192.",
        ),
        (
            8,
            5,
            "time is the number 90, without a unit",
            "Write 90s, 90m or 90h: Slurm would read 90 as minutes.",
        ),
        (
            9,
            5,
            "unknown key 'gpu'",
            "Known here: array, command, env, model, needs, preemptible, priority, resources, retries, session, time, work, workdir.",
        ),
        (10, 3, "the key 'command' is missing", "Add command: here."),
        (10, 7, "unknown key 'comand'", "Did you mean 'command'?"),
        (
            11,
            1,
            "objective cannot be 'fats'",
            "Write one of 'fast', 'cheap' or 'best_quality'; or: Write keys and values below objective:.",
        ),
    ]


def test_words_of_a_command_that_yaml_reads_as_numbers_are_told_with_their_quotes() -> None:
    assert _problems("name: w\ntasks: {t: {command: [sleep, 60, true]}}\n") == [
        (2, 30, "item 1 of command is 60, not a text", 'Write it in quotes: "60".'),
        (2, 34, "item 2 of command is True, not a text", 'Write it in quotes: "true".'),
    ]


def test_meaning_is_checked_at_the_same_places() -> None:
    problems = _problems(
        "name: w\ntasks:\n  t:\n    command: echo {itme}\n    needs: [u]\n    time: 1:30\n"
    )
    assert [(line, column) for line, column, _, _ in problems] == [(4, 5), (5, 5), (6, 5)]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python work.py --q 'a b'", ("python", "work.py", "--q", "a b")),
        ("[bash, -c, 'a | b; $(c)']", ("bash", "-c", "a | b; $(c)")),
        ("echo 'a;b' \"c|d\" e\\&f", ("echo", "a;b", "c|d", "e&f")),
    ],
)
def test_command_as_text_becomes_words(command: str, words: tuple[str, ...]) -> None:
    assert (
        _read(
            f"name: w\ntasks: {{t: {{command: {json.dumps(command) if command[0] != '[' else command}}}}}\n"
        )
        .tasks["t"]
        .command
        == words
    )


@pytest.mark.parametrize("command", ["a | b", "a; b", "a && b", "a > f", "a <f", "a &"])
def test_command_that_wants_a_shell_says_so(command: str) -> None:
    ((_, _, message, remedy),) = _problems(f"name: w\ntasks:\n  t:\n    command: {command}\n")
    assert "no shell reads the command" in message
    assert "bash, -c" in remedy


def test_unclosed_quote_says_so() -> None:
    ((line, _, message, _),) = _problems('name: w\ntasks:\n  t:\n    command: echo "a\n')
    assert (line, "cannot be split" in message or "not YAML" in message) == (4, True)


def test_needs_as_a_list_means_afterok() -> None:
    workflow = _read("name: w\ntasks:\n  a: {command: [a]}\n  b: {command: [b], needs: [a]}\n")
    assert dict(workflow.tasks["b"].needs) == {"a": Need.AFTEROK}


_NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,10}", fullmatch=True)
_WORDS = st.lists(
    st.text(
        alphabet=st.characters(codec="utf-8", exclude_characters="\0{}"), min_size=1, max_size=12
    ),
    min_size=1,
    max_size=3,
).filter(
    lambda words: (
        words[0].strip() != "" and not (len(words) == 1 and any(c in words[0] for c in "|;&<>`$"))
    )
)
_TASKS = st.builds(
    Task,
    command=_WORDS.map(tuple),
    array=st.none()
    | st.builds(Array, range=st.just("0-9"))
    | st.builds(
        Array,
        values=st.lists(
            st.integers()
            | st.text(max_size=5)
            | st.dictionaries(st.text(max_size=3), st.none() | st.booleans(), max_size=2),
            min_size=1,
            max_size=3,
        ).map(tuple),
    ),
    work=st.none() | st.builds(Work, tokens_in=st.integers(0, 10**6)),
    resources=st.builds(
        Resources, cpus=st.integers(1, 64), partitions=st.lists(_NAMES, max_size=2).map(tuple)
    ),
    time=st.sampled_from(["90s", "1d", "02:00:00"]),
    retries=st.integers(0, 100),
    session=st.none()
    | st.builds(
        SessionSpec,
        keep=st.integers(1, 9),
        keep_daily=st.none() | st.integers(0, 9),
        compression=st.sampled_from([None, "zip", "none"]),
        key_file=st.none() | st.just("~/a.key"),
    ),
    env=st.dictionaries(
        st.from_regex(r"[A-Z]{1,4}", fullmatch=True),
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=9),
        max_size=2,
    ),
    preemptible=st.booleans(),
    priority=st.none() | st.sampled_from(Priority),
)
_WORKFLOWS = st.builds(
    Workflow,
    name=_NAMES,
    description=st.text(
        alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=30
    ),
    models=st.dictionaries(
        _NAMES, st.builds(Model, repo=st.just("a/b"), min_quality=st.floats(0, 100)), max_size=2
    ),
    tasks=st.dictionaries(_NAMES.map(lambda n: f"t{n}"), _TASKS, min_size=1, max_size=2),
    gangs=st.dictionaries(
        _NAMES.map(lambda n: f"g{n}"),
        st.builds(
            Gang,
            components=st.dictionaries(
                _NAMES, st.builds(Component, command=_WORDS.map(tuple)), min_size=1, max_size=2
            ),
        ),
        max_size=1,
    ),
    objective=st.sampled_from(Goal)
    | st.builds(Weights, time=st.floats(0.1, 9), quality=st.floats(0, 9)),
    budget=st.none() | st.builds(Budget, gpu_hours=st.floats(0.01, 1e6)),
    deadline=st.none() | st.just("6h"),
)


@given(_WORKFLOWS)
def test_yaml_and_python_are_the_same(workflow: Workflow) -> None:
    assert read_workflow(dump_workflow(workflow).encode("utf-8", "surrogatepass"), "w") == workflow


def test_python_file_gives_the_same_as_yaml(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text(
        "from cfslurm import Array, Task, Workflow\n"
        "workflow = Workflow(name='w', objective='cheap', tasks={'t': Task(command=['echo', '{item}'], array=Array(range='0-9'))})\n"
    )
    assert load_workflow(path) == _read(
        "name: w\nobjective: cheap\ntasks:\n  t: {command: [echo, '{item}'], array: {range: 0-9}}\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "defines no Workflow"),
        ("from cfslurm import *\nworkflow = Workflow(name='a b', tasks={})\n", "2 errors"),
        (
            "from cfslurm import *\nworkflow = Workflow(name='a', tasks={'t': Task(command=('a',), env={'A': object()})})\n",
            "YAML cannot carry",
        ),
        (
            "from cfslurm import *\nworkflow = Workflow(name='a', tasks={'t': Task(command=('a',), retries='3')})\n",
            "1 error",
        ),
    ],
)
def test_mistakes_in_python_are_told_too(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "flow.py"
    path.write_text(text)
    with pytest.raises(UserInputError, match=message):
        load_workflow(path)


def test_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="No such file") as error:
        load_workflow(tmp_path / "nothing.yaml")
    assert "cfslurm init" in error.value.remedy


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.glob("*/workflow.yaml")), ids=lambda path: path.parent.name
)
def test_every_example_is_sound_and_survives_a_round_trip(path: Path) -> None:
    workflow = load_workflow(path)
    assert _read(dump_workflow(workflow)) == workflow


def test_schema_is_published_for_editors() -> None:
    schema = workflow_schema()
    assert isinstance(schema, dict)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "cfslurm workflow, version 1"
    assert schema["additionalProperties"] is False
    command = schema["$defs"]["Task"]["properties"]["command"]  # type: ignore[index,call-overload]
    assert {"type": "string"} in command["anyOf"]  # type: ignore[index,call-overload,operator]
