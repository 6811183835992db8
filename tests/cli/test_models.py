"""cfslurm models, as somebody types it, against a Hub over HTTP."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cfslurm.adapters.known_models import FILE, remember
from cfslurm.adapters.model_store import DirectoryStore
from cfslurm.cli.models import SUBCOMMANDS
from cfslurm.core.models.variants import PARTS, Variant
from tests.cli.conftest import Call, Completed
from tests.docs.pages import DOCS, code, rows, sections
from tests.hub.fake import FakeHub
from tests.hub.faults import Fault
from tests.hub.routes import MEMBER
from tests.hub.server import HubServer

pytest_plugins = ("tests.hub.fixtures",)

Models = Callable[..., Completed]


@pytest.fixture
def models(cfslurm: Call, hub_server: HubServer, tmp_path: Path) -> Models:
    """Run a subcommand with its own caches, as somebody without a token and without a site."""
    return partial(
        cfslurm, "models", HF_ENDPOINT=hub_server.endpoint, HOME=str(tmp_path), HF_TOKEN="",
        XDG_CACHE_HOME=str(tmp_path / "kept"), CFSLURM_MODEL_CACHE=str(tmp_path / "cache"),
        NO_PROXY="127.0.0.1,localhost", COLUMNS="100",
    )  # fmt: skip


def test_every_subcommand_has_help_with_an_example(cfslurm: Call) -> None:
    for name in SUBCOMMANDS["Commands"]:
        done = cfslurm("models", name, "-h")
        assert done.returncode == 0, done.stderr
        assert f"cfslurm models {name}" in done.stdout


def test_an_unknown_subcommand_is_answered_with_the_nearest(cfslurm: Call) -> None:
    done = cfslurm("models", "fnd")
    assert done.returncode == 2
    assert "Did you mean 'find'?" in done.stderr


class TestFind:
    def test_the_table_has_the_best_first_and_says_what_was_not_taken(self, models: Models) -> None:
        done = models("find", "acme/tiny-preview")
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert lines[0].startswith("acme/tiny  ")
        assert lines[1] == "note: acme/tiny-preview is now acme/tiny"
        assert lines[3].split() == [
            "MODEL",
            "QUANTIZATION",
            "SIZE",
            "BITS",
            "QUALITY",
            "LICENCE",
            "COMMIT",
        ]
        assert lines[4].split()[:3] == ["acme/tiny", "none", "624.9K"]
        assert re.search(r"quantco/tiny-GGUF +gguf:Q4_K_M +241\.3K +6\.25", done.stdout)
        assert "Not taken (6)" in done.stdout
        assert (
            "quantco/tiny-exl           cfslurm does not know the quantization method"
            in done.stdout
        )
        assert max(len(line) for line in lines) <= 100

    def test_json_has_what_the_page_tells(self, models: Models) -> None:
        answer = json.loads(models("find", "acme/tiny", "--json").stdout)
        assert answer["meta"]["schema"] == "cfslurm.models_found/1"
        assert len(answer["variants"]) == 7
        assert {"repo_id", "quantization", "reason"} == set(answer["rejected"][0])
        row = answer["variants"][0]
        page = sections(DOCS / "reference" / "json-output.md")["A variant"]
        told = [word for cells in rows(page) for word in code(cells[0])]
        assert set(told) == set(row)
        assert [part for part in PARTS if f"`{part}`" not in page] == []
        assert sum(row["bytes_by_part"].values()) < row["weights_bytes"] < row["total_bytes"]

    def test_the_second_time_the_hub_is_not_asked(
        self, models: Models, hub_server: HubServer
    ) -> None:
        first = models("find", "quantco/tiny-AWQ")
        asked = len(hub_server.log)
        assert models("find", "quantco/tiny-AWQ").stdout == first.stdout
        assert all("tiny-gated" in seen.target for seen in hub_server.log[asked:])
        models("find", "quantco/tiny-AWQ", "--fresh")
        assert len(hub_server.log) > asked + 10

    @pytest.mark.parametrize(
        ("repo", "code", "said"),
        [
            ("acme/none", 69, "acme/none is not on the Hub, or it is private"),
            ("acme/gated", 69, "acme/gated is gated"),
            ("tiny", 2, "is no name of a model"),
            ("a/b/c", 2, "is no name of a model"),
            ("../..", 69, "is not on the Hub"),
        ],
    )
    def test_what_cannot_be_had(self, models: Models, repo: str, code: int, said: str) -> None:
        done = models("find", repo)
        assert (done.returncode, done.stdout) == (code, "")
        assert said in done.stderr
        assert "try: " in done.stderr

    def test_a_model_without_variants_is_exit_1(self, models: Models) -> None:
        done = models("find", "acme/old")
        assert done.returncode == 1
        assert "there is no variant that can be used" in done.stdout
        assert "only as pickles" in done.stdout

    def test_the_sites_and_the_users_rules_are_named(self, models: Models, tmp_path: Path) -> None:
        site, user = tmp_path / "site.yaml", tmp_path / ".config/cfslurm/config.yaml"
        site.write_text("schema: cfslurm.site/1\nmodels:\n  organizations: [quantco]\n")
        user.parent.mkdir(parents=True)
        user.write_text("my_formats: [safetensors]\n")
        done = models("find", "acme/tiny", CFSLURM_SITE=str(site))
        told = " ".join(done.stdout.split())
        assert f"acme is not among those allowed: quantco ({site}:3)" in told
        assert f"the format gguf is not among those allowed: safetensors ({user}:1)" in told
        taken = [line.split()[0] for line in done.stdout.splitlines()[3:5]]
        assert taken == ["quantco/tiny-AWQ", "quantco/tiny-GPTQ"]

    def test_a_rule_that_is_none_is_refused(self, models: Models, tmp_path: Path) -> None:
        site = tmp_path / "site.yaml"
        site.write_text("schema: cfslurm.site/1\nmodels: {formats: [pickle]}\n")
        done = models("find", "acme/tiny", CFSLURM_SITE=str(site))
        assert done.returncode == 2
        assert "'pickle' is no format of models" in done.stderr

    def test_the_token_is_written_nowhere(self, models: Models, tmp_path: Path) -> None:
        done = models("find", "acme/gated", HF_TOKEN=MEMBER)
        assert "acme/gated" in done.stdout
        assert MEMBER not in done.stdout + done.stderr
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert kept
        assert [path for path in kept if MEMBER.encode() in path.read_bytes()] == []

    def test_a_part_that_fails_is_said_and_the_rest_is_shown(
        self, models: Models, hub_server: HubServer
    ) -> None:
        hub_server.faults.add(
            Fault(match="tiny-AWQ/resolve/.*config", kind="truncate", bytes=9, times=9)
        )
        hub_server.faults.add(Fault(match="tiny-GPTQ/tree", kind="page", times=9))
        done = models("find", "acme/tiny")
        told = " ".join(done.stdout.split())
        assert done.returncode == 0
        assert "gave no usable answer about config.json of quantco/tiny-AWQ" in told
        assert "quantco/tiny-GPTQ is no JSON that can be read" in told
        assert told.count("apache-2.0") == 5


class TestShow:
    def test_everything_of_a_variant(self, models: Models) -> None:
        done = models("show", "quantco/tiny-GGUF@q4_k_m")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("variant       quantco/tiny-GGUF@gguf:Q4_K_M\n")
        assert "\nweights       241.3K, 316K parameters: 168K in Q5_0, 81.9K in Q8_0" in done.stdout
        assert re.search(r"experts +124\.0K +52\.5%", done.stdout)
        assert re.search(r"weights +241\.3K +sha256:[0-9a-f]{16}… +tiny-Q4_K_M\.gguf", done.stdout)

    def test_json(self, models: Models) -> None:
        answer = json.loads(models("show", "quantco/tiny-AWQ", "--json").stdout)
        base = json.loads(models("show", "acme/tiny", "--json").stdout)
        assert answer["variant"]["parameters"] == base["variant"]["parameters"]
        assert answer["variant"]["parameters_by_dtype"].keys() == {"BF16", "I32"}
        assert (
            sum(file["size_bytes"] for file in answer["files"]) == answer["variant"]["total_bytes"]
        )

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("quantco/tiny-GGUF", "has 3 variants"),
            ("quantco/tiny-GGUF@Q2_K", "has no variant 'Q2_K'"),
            ("quantco/tiny-exl", "does not know the quantization method 'exl9'"),
            ("liar/tiny-AWQ", "it is another model"),
        ],
    )
    def test_what_is_no_variant(self, models: Models, name: str, said: str) -> None:
        done = models("show", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr

    def test_few_repositories_are_looked_at(self, models: Models, hub_server: HubServer) -> None:
        models("show", "quantco/tiny-AWQ")
        assert hub_server.requests("/api/models\\?") == []
        assert hub_server.requests("GPTQ") == []


class TestLs:
    def test_an_empty_cache(self, models: Models, tmp_path: Path) -> None:
        assert models("ls").stdout == f"{tmp_path}/cache  (empty)\n"

    def test_what_lies_there_and_what_is_wrong_with_it(
        self, models: Models, tmp_path: Path, fake_hub: FakeHub, tiny: dict[str, Variant]
    ) -> None:
        store = DirectoryStore(tmp_path / "cache")
        for name in ("acme/tiny-FP8@fp8", "quantco/tiny-GGUF@gguf:Q8_0"):
            folder = store.fetch(tiny[name], fake_hub, progress=lambda file, count: None)
        assert folder.name.endswith("--Q8_0")
        (folder / "tiny-Q8_0.gguf").chmod(0o600)
        (folder / "tiny-Q8_0.gguf").write_bytes(b"short")
        lines = models("ls").stdout.splitlines()
        assert lines[0].startswith(f"{tmp_path}/cache  (2 variants, ")
        assert lines[2].split()[:3] == ["acme/tiny-FP8", "fp8", "396.8K"]
        assert lines[4].startswith("! quantco/tiny-GGUF@gguf:Q8_0: tiny-Q8_0.gguf has 5 bytes")
        answer = json.loads(models("ls", "fp8", "--json").stdout)
        assert [v["repo_id"] for v in answer["variants"]] == ["acme/tiny-FP8"]
        assert answer["variants"][0]["problem"] == ""
        assert "in cache" in models("find", "acme/tiny").stdout

    @pytest.mark.parametrize(
        "text", ["", "{", '{"schema": "x"}', '{"schema": "cfslurm.variant/1", "files": [{"path": "../x", "size_bytes": 1}]}']
    )  # fmt: skip
    def test_a_manifest_that_is_damaged_is_a_problem(
        self, models: Models, tmp_path: Path, text: str
    ) -> None:
        folder = tmp_path / "cache/store/acme--odd" / ("1" * 40)
        folder.mkdir(parents=True)
        (folder / "cfslurm.lock.json").write_text(text)
        (variant,) = json.loads(models("ls", "--json").stdout)["variants"]
        assert variant["repo_id"] == "acme/odd"
        assert variant["problem"]


class TestNames:
    def test_bash_completes_what_was_looked_at(
        self, models: Models, cfslurm: Call, tmp_path: Path
    ) -> None:
        models("show", "quantco/tiny-AWQ")
        done = completed(cfslurm, tmp_path / "kept", "cfslurm models show quantco/")
        assert done == "quantco/tiny-AWQ"

    def test_no_name_is_run(self, cfslurm: Call, tmp_path: Path) -> None:
        folder = tmp_path / "kept/cfslurm"
        remember(folder, ["acme/tiny", "a/$(touch pwned)", "a/`id`", "--help", "é/x"])
        assert (folder / FILE).read_text() == "acme/tiny\n"
        (folder / FILE).write_text("acme/tiny\n$(touch${IFS}pwned)\na/x;id\n")
        assert completed(cfslurm, tmp_path / "kept", "cfslurm models show a") == "acme/tiny"
        assert not (tmp_path / "pwned").exists()

    def test_the_newest_come_first_and_old_ones_go(self, tmp_path: Path) -> None:
        remember(tmp_path, [f"acme/m{number}" for number in range(600)])
        remember(tmp_path, ["acme/new", "acme/m3"])
        names = (tmp_path / FILE).read_text().split()
        assert names[:3] == ["acme/new", "acme/m3", "acme/m0"]
        assert len(names) == 500

    def test_a_file_that_cannot_be_read_is_no_error(self, tmp_path: Path) -> None:
        (tmp_path / FILE).write_bytes(b"\xff\xfe")
        remember(tmp_path, ["acme/x"])
        remember(tmp_path / FILE, ["acme/x"])


def completed(cfslurm: Call, cache: Path, line: str) -> str:
    script = cfslurm("completion", "bash").stdout
    probe = f'{script}\nCOMP_WORDS=({line}); COMP_CWORD=3; _cfslurm; echo "${{COMPREPLY[*]}}"'
    done = subprocess.run(
        ["bash", "-c", probe], env={"XDG_CACHE_HOME": str(cache), "PATH": "/usr/bin:/bin"},
        cwd=cache.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()
