from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cfslurm.adapters.config import find_site_file, load_settings
from cfslurm.adapters.environment import Environment, read_environment
from cfslurm.adapters.site_file import load_site
from cfslurm.errors import InvalidFileError, UserInputError


def _environment(home: Path, **variables: str) -> Environment:
    return replace(read_environment(), home=home, user="ada", variables=variables)


def test_order_is_environment_user_site_built_in(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "schema: cfslurm.site/1\nsite: {name: lab}\nstorage:\n  runs: /site/$USER\n  model_cache: {path: /site/models}\n"
        "network: {hf_endpoint: http://mirror}\n"
    )
    user = tmp_path / ".config" / "cfslurm" / "config.yaml"
    user.parent.mkdir(parents=True)
    user.write_text("model_cache: /mine/models\nhf_endpoint: http://mine\n")
    settings = load_settings(_environment(tmp_path, HF_ENDPOINT="http://env"), str(site))
    assert settings.text("runs") == "/site/ada"
    assert settings.origin("runs") == f"{site}:4"
    assert (settings.text("model_cache"), settings.origin("model_cache")) == (
        "/mine/models",
        f"{user}:1",
    )
    assert (settings.text("hf_endpoint"), settings.origin("hf_endpoint")) == (
        "http://env",
        "$HF_ENDPOINT",
    )
    assert settings.origin("prefetch_on") == "built-in"


def test_without_any_file_everything_is_built_in(tmp_path: Path) -> None:
    settings = load_settings(_environment(tmp_path), None)
    assert {entry.origin for entry in settings.entries} == {"built-in"}
    assert settings.text("runs") == f"{tmp_path}/.local/share/cfslurm/runs"


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_site_file_that_is_not_there_is_no_silent_default(tmp_path: Path, how: str) -> None:
    missing = str(tmp_path / "no.yaml")
    environment = _environment(tmp_path, **({"CFSLURM_SITE": missing} if how == "variable" else {}))
    with pytest.raises(UserInputError, match="which is no file"):
        find_site_file(environment, missing if how == "flag" else None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run: /x\n", "unknown key 'run'"),
        ("runs: 3\n", "runs is '3'"),
        ("runs: [a]\n", "runs is"),
        ("runs: relative\n", "not an absolute path"),
        ("runs: /a\nruns: /b\n", "twice"),
    ],
)
def test_mistake_in_the_users_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / ".config" / "cfslurm" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(UserInputError) as error:
        load_settings(_environment(tmp_path), None)
    problems = error.value.problems if isinstance(error.value, InvalidFileError) else ()
    assert message in " ".join([error.value.message, *(p.message for p in problems)])


def test_site_file_is_validated_whole(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("site: {nmae: x}\ngpu_types:\n  a100: {memory_mib: many}\nengnes: {}\n")
    with pytest.raises(InvalidFileError) as error:
        load_site(path)
    assert [(p.line, p.message) for p in error.value.problems] == [
        (1, "unknown key 'nmae'"),
        (3, "memory_mib is 'many', not a whole number"),
        (4, "unknown key 'engnes'"),
    ]
