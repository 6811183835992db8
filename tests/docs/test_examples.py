"""Workflows, Python and JSON in the pages are right; what is shown as a site's file is one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cfslurm.adapters.item_files import load_items
from cfslurm.adapters.profile_file import load_profile
from cfslurm.adapters.validated import validate
from cfslurm.adapters.workflow_file import load_workflow
from cfslurm.adapters.yaml_file import read_yaml
from cfslurm.core.site.model import SCHEMA as SITE
from cfslurm.core.site.model import Site
from cfslurm.core.site.settings import USER_NAMES
from tests.docs.pages import Block, blocks, pages

BLOCKS = [block for page in pages() for block in blocks(page)]
YAML = [block for block in BLOCKS if block.kind == "yaml"]
ITEMS = {".jsonl": '{"question": "Why?"}\n', ".csv": "checkpoint,metric\na,b\n", ".txt": "a\n"}


def _of(kind: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind == kind]


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_is_what_it_seems(block: Block, tmp_path: Path) -> None:
    document = read_yaml(block.text.encode(), str(block))
    keys = document.data
    assert isinstance(keys, dict)
    if {"tasks", "gangs"} & set(keys):
        named = block.text if "name" in keys else f"name: fragment\n{block.text}"
        workflow = tmp_path / "workflow.yaml"
        workflow.write_text(named)
        for task in load_workflow(workflow).tasks.values():
            if task.array and task.array.file:
                (tmp_path / task.array.file).write_text(ITEMS[Path(task.array.file).suffix])
        assert load_items(load_workflow(workflow), tmp_path) is not None
    elif keys.get("schema") == SITE:
        validate(Site, document)
    elif keys.get("schema") == "cfslurm.cluster-profile/1":
        profile = tmp_path / "profile.yaml"
        profile.write_text(block.text)
        load_profile(str(profile))
    else:
        assert set(keys) <= set(USER_NAMES), f"{block} is no kind of file that cfslurm reads"


@pytest.mark.parametrize("block", _of("python"), ids=str)
def test_python_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


def test_workflows_in_python_load(tmp_path: Path) -> None:
    shown = [b for b in _of("python") if "\nworkflow = Workflow(" in b.text]
    assert shown
    for block in shown:
        file = tmp_path / "flow.py"
        file.write_text(block.text)
        load_workflow(file)


def test_dumped_workflow_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [block] = [b for b in _of("python") if "dump_workflow(" in b.text]
    exec(compile(block.text, str(block), "exec"), {})


@pytest.mark.parametrize("block", _of("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    json.loads(block.text)


def test_most_kinds_of_blocks_are_looked_at() -> None:
    assert len(YAML) >= 12
    assert {block.kind for block in BLOCKS} <= {
        "", "console", "json", "python", "sh", "text", "yaml",
    }  # fmt: skip
