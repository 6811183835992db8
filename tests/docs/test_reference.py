"""The pages of reference say what the code says: every key, option, variable, code and file name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import cfslurm as package
from cfslurm import Session, errors
from cfslurm.adapters.schemas import schema
from cfslurm.adapters.workflow_file import workflow_schema
from cfslurm.cli.main import cfslurm
from cfslurm.core.report import reasons
from cfslurm.core.run import names
from cfslurm.core.run.ledger import Told
from cfslurm.core.run.outcomes import Event, ItemState
from cfslurm.core.run.status import _ORDER, JobStatus, PartStatus, RunStatus, State
from cfslurm.core.site.settings import NAMES, USER_NAMES
from cfslurm.core.slurm.sbatch import EXPORTED
from cfslurm.core.workflow import placeholders
from cfslurm.core.workflow.check_models import FAMILIES
from tests.docs.pages import DOCS, ROOT, code, rows, sections

REFERENCE = DOCS / "reference"


def _page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


# --- workflow.md -------------------------------------------------------------------------------------

_BLOCKS = {
    "Workflow": "Top level",
    "Model": "`models.NAME`",
    "Task": "`tasks.NAME`",
    "Array": "`array`",
    "Work": "`work`",
    "Resources": "`resources`",
    "SessionSpec": "`session`",
    "Gang": "`gangs.NAME`",
    "Component": "`gangs.NAME.components.NAME`",
    "Weights": "`objective`",
    "Budget": "`budget`",
}
_FACTORIES: dict[str, object] = {"array": [], "object": {}}


def _definitions() -> dict[str, Any]:
    found: Any = workflow_schema()
    return {"Workflow": found, **found["$defs"]}


def _default(key: str, property_: Any, definition: Any) -> object:
    if key in definition.get("required", ()):
        return "required"
    return property_.get("default", {})  # a block or a mapping made anew


@pytest.mark.parametrize("block", _BLOCKS)
def test_every_key_of_the_workflow_stands_in_its_table_with_its_default(block: str) -> None:
    definition = _definitions()[block]
    text = sections(REFERENCE / "workflow.md")[_BLOCKS[block]]
    told = {
        code(row[0])[0]: "required" if row[2] == "required" else yaml.safe_load(code(row[2])[0])
        for row in rows(text)
        if len(row) == 4
    }
    expected = {k: _default(k, p, definition) for k, p in definition["properties"].items()}
    assert told == expected


def test_no_block_of_the_workflow_is_left_out() -> None:
    with_keys = {name for name, found in _definitions().items() if found.get("properties")}
    assert with_keys == set(_BLOCKS)


def test_words_and_limits_of_the_workflow_are_told() -> None:
    text = _page("workflow.md")
    words = [w for d in _definitions().values() for w in d.get("enum", ())]
    assert [w for w in (*words, *FAMILIES) if f"`{w}`" not in text] == []


# --- cli.md ------------------------------------------------------------------------------------------


def _commands() -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(cfslurm)
    for name in cfslurm.list_commands(ctx):
        command = cfslurm.get_command(ctx, name)
        assert command is not None
        yield f"cfslurm {name}", command
        if isinstance(command, click.Group):
            for inner in command.list_commands(ctx):
                found = command.get_command(ctx, inner)
                assert found is not None
                yield f"cfslurm {name} {inner}", found


def _options(command: click.Command) -> set[str]:
    options = [p for p in command.params if isinstance(p, click.Option)]
    return {name for p in options for name in (*p.opts, *p.secondary_opts)}


def _told_options(text: str) -> set[str]:
    return {word.split()[0] for row in rows(text) for word in code(row[0])}


def _command_of(heading: str) -> str:
    words = heading.strip("`").split()
    return " ".join(word for word in words if re.fullmatch(r"[a-z]+", word))


def test_every_command_has_a_section_with_exactly_its_options() -> None:
    told = {
        _command_of(heading): _told_options(text)
        for heading, text in sections(REFERENCE / "cli.md").items()
        if heading.startswith("`cfslurm ")
    }
    shared = told["cfslurm sandbox"]
    real = {}
    for name, command in _commands():
        options = _options(command)
        if name.startswith("cfslurm sandbox "):
            assert shared <= options, name
            options -= shared
        real[name] = options
    real["cfslurm sandbox"] = shared  # of its commands, told once
    assert told == real


def test_options_before_the_command_are_told() -> None:
    text = sections(REFERENCE / "cli.md")["Commands"]
    ctx = click.Context(cfslurm, help_option_names=["-h", "--help"])
    assert _told_options(text) == _options(cfslurm) | set(ctx.help_option_names)


def test_choices_of_arguments_are_told() -> None:
    page = sections(REFERENCE / "cli.md")
    for heading, text in page.items():
        command = dict(_commands()).get(_command_of(heading)) if "`" in heading else None
        for parameter in command.params if command else ():
            if isinstance(parameter.type, click.Choice):
                missing = [c for c in parameter.type.choices if str(c) not in heading + text]
                assert missing == [], heading


# --- json-output.md ----------------------------------------------------------------------------------


def test_every_schema_of_json_is_told() -> None:
    printed: set[str] = set()
    for source in (ROOT / "cfslurm" / "cli").rglob("*.py"):
        printed |= set(re.findall(r'"(cfslurm\.[a-z_]+/\d+)"', source.read_text(encoding="utf-8")))
    table = sections(REFERENCE / "json-output.md")["Answers"]
    told = {word for row in rows(table) for word in code(row[1]) if word.startswith("cfslurm.")}
    assert told == printed


def test_every_command_with_json_is_told() -> None:
    table = sections(REFERENCE / "json-output.md")["Answers"]
    told = {_command_of(call) for row in rows(table) for call in code(row[0])}
    assert told == {name for name, command in _commands() if "--json" in _options(command)}


def test_keys_of_runs_and_items_are_told() -> None:
    page = sections(REFERENCE / "json-output.md")
    for kind, heading in ((RunStatus, "A run"), (JobStatus, "A run"), (PartStatus, "A run"), (ItemState, "An item")):  # fmt: skip
        words = re.findall(r"\w+", page[heading])
        assert [key for key in kind.__dataclass_fields__ if key not in words] == [], kind
    assert [state for state in State if f"`{state}`" not in page["A run"]] == []


# --- settings.md -------------------------------------------------------------------------------------


def test_every_setting_is_told_with_its_sources() -> None:
    first, second = _tables(sections(REFERENCE / "settings.md")["All settings"])
    told = {
        code(row[0])[0]: tuple(code(cell)[0] if code(cell) else "" for cell in row[1:])
        for row in first
    }
    assert told == {
        name: (variable, name if name in USER_NAMES else "", key, value if value else "")
        for name, (key, variable, value) in NAMES.items()
    }
    assert {word for row in second for word in code(row[0])} == set(NAMES)


def _tables(text: str) -> list[list[list[str]]]:
    return [found for part in re.split(r"\n\n", text) if (found := rows(part))]


def test_every_key_of_the_sites_file_is_told() -> None:
    text = sections(REFERENCE / "settings.md")["The site's file"]
    site: Any = schema("site")
    keys = [k for d in (site, *site["$defs"].values()) for k in d["properties"]]
    words = re.findall(r"\w+", text)
    assert [key for key in keys if key not in words] == []


# --- exit-codes.md -----------------------------------------------------------------------------------


def test_exit_codes_are_those_of_the_errors() -> None:
    text = sections(REFERENCE / "exit-codes.md")["Of `cfslurm`"]
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.CfslurmError)
    ]
    codes = {kind.exit_code for kind in kinds}
    codes |= {errors.OK, errors.ANSWER_IS_NO, errors.BUG, errors.INTERRUPTED}
    assert {int(row[0]) for row in rows(text)} == codes
    assert {kind.exit_code for kind in kinds if kind.transient} == {75}


# --- run-directory.md --------------------------------------------------------------------------------


def test_every_file_of_a_run_is_told() -> None:
    text = _page("run-directory.md")
    files = [value for key, value in vars(names).items() if key.isupper()]
    told = {word.rstrip("/") for row in rows(text) for word in code(row[0])}
    folders = {word.split("/")[0] for word in told}
    assert [name for name in files if name not in told and name not in folders] == []


@pytest.mark.parametrize(("heading", "kind"), [("Ledger", Told), ("Outcomes", Event)])
def test_every_event_is_told(heading: str, kind: type[Told] | type[Event]) -> None:
    table = rows(sections(REFERENCE / "run-directory.md")[heading])
    assert [code(row[0])[0] for row in table] == [event.value for event in kind]


# --- environment.md ----------------------------------------------------------------------------------


def _variables_on_nodes() -> set[str]:
    source = (ROOT / "cfslurm" / "node" / "surroundings.py").read_text(encoding="utf-8")
    found = set(re.findall(r'"(CFSLURM_[A-Z_]*[A-Z])"', source))
    return found | {f"CFSLURM_{name.upper()}" for name in placeholders.WITH_MODEL}


def test_every_variable_that_programs_get_is_told_and_no_other() -> None:
    text = sections(REFERENCE / "environment.md")["What programs get on nodes"]
    told = {word for row in rows(text) for word in code(row[0])}
    assert told == _variables_on_nodes() | {"CFSLURM_PEER_NAME"}


def test_every_placeholder_is_told_and_no_other() -> None:
    text = sections(REFERENCE / "environment.md")["What programs get on nodes"]
    told = {word.strip("{}") for row in rows(text) for word in code(row[1])}
    known = {
        *placeholders.COMMON, *placeholders.IN_TASK, *placeholders.IN_GANG,
        *placeholders.WITH_MODEL, *placeholders.WITH_SESSION,
    }  # fmt: skip
    assert told == known | {"item", "item.KEY", "host.NAME", "port.NAME"}


def test_what_jobs_take_over_is_told() -> None:
    text = sections(REFERENCE / "environment.md")["What jobs take over from your shell"]
    assert tuple(w for w in code(text) if w.isupper() or "_" in w)[: len(EXPORTED)] == EXPORTED


def test_variables_that_cfslurm_reads_are_told() -> None:
    text = sections(REFERENCE / "environment.md")["What `cfslurm` reads"]
    told = {word for row in rows(text) for word in code(row[0])}
    read = {"SLURM_CONF"} | {variable for _, variable, _ in NAMES.values() if variable}
    for folder in ("adapters", "wiring", "sandbox"):
        for source in (ROOT / "cfslurm" / folder).glob("*.py"):
            read |= set(re.findall(r'environment\.get\("([A-Z_]+)"\)', source.read_text()))
    jobs_own = {"SLURM_RESTART_COUNT", "SLURM_CLUSTER_NAME", "SLURM_JOB_ID"}
    assert read - jobs_own - told - {"SHELL", "PATH"} == set()


# --- python-api.md -----------------------------------------------------------------------------------


def test_every_public_name_is_told() -> None:
    text = _page("python-api.md")
    public = set(package.__all__) - {"__version__"}
    assert [name for name in sorted(public) if not re.search(rf"`{name}\b", text)] == []


def test_every_method_of_a_session_is_told() -> None:
    text = sections(REFERENCE / "python-api.md")["`Session`"]
    own = [name for name in vars(Session) if not name.startswith("_")]
    assert [name for name in own if not re.search(rf"`[^`]*\.{name}\b", text)] == []


# --- how-to pages that repeat a list of the code ---------------------------------------------------------


def test_states_are_explained_in_their_order() -> None:
    page = DOCS / "how-to" / "watch-and-fix-runs.md"
    text = sections(page)["States"]
    assert {code(row[0])[0] for row in rows(text)} == {state.value for state in State}
    assert ", ".join(state.value for state in _ORDER) in " ".join(text.split())


def test_pending_reasons_in_the_page_are_known_to_explain() -> None:
    page = Path(DOCS / "how-to" / "watch-and-fix-runs.md")
    told = [w for row in rows(sections(page)["Why does it wait?"]) for w in code(row[0])]
    unknown = [w for w in told if reasons.reason_words(w.replace("…", "X")) == w.replace("…", "X")]
    assert unknown == []
