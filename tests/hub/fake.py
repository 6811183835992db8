"""A Hub without HTTP, for tests of what stands above it.

It may stand in for the real one because both pass tests/contract/test_hub_port.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from cfslurm.adapters.resources import shipped_text
from cfslurm.adapters.weight_headers import read_header
from cfslurm.core.documents import Json
from cfslurm.core.models.headers import WeightsHeader
from cfslurm.core.models.hub import FileRecord, HubSearch, RepoRecord, Security
from cfslurm.core.models.hub_answers import read_files, read_repository, read_security
from cfslurm.core.models.policy import ModelPolicy, Standards
from cfslurm.core.models.quality import read_scores
from cfslurm.core.models.refusal import Refusal
from cfslurm.core.models.variants import ModelFile, Variant
from cfslurm.core.workflow.model import Model
from cfslurm.errors import HubAccessError, HubError
from cfslurm.stages.catalogue import Sources, discover
from tests.hub import answers
from tests.hub.content import Repository, read_all


class FakeHub:
    """Answers for an anonymous user from folders of repositories, and remembers what it was asked.

    ``on_download`` is called before a file is handed out, to make something happen at that moment.
    """

    def __init__(self, root: Path) -> None:
        self.endpoint = "http://fake.invalid"
        self.repositories: dict[str, Repository] = read_all(root)
        self.asked: list[str] = []
        self.downloaded: list[str] = []
        self.on_download: Callable[[ModelFile], None] = lambda file: None

    def ping(self) -> None:
        self.asked.append("ping")

    def repository(self, repo_id: str, revision: str) -> RepoRecord:
        repository = self._repository(repo_id, revision)
        return _record(repository)

    def search(self, query: HubSearch, *, limit: int) -> tuple[RepoRecord, ...]:
        self.asked.append(f"search {query.words}")
        found = [
            _record(repository)
            for repository in self.repositories.values()
            if answers.is_listed(
                repository,
                tags={f"base_model:quantized:{query.quantized_from}"}
                if query.quantized_from
                else set(),
                author=query.author,
                search=query.text,
            )
            and not repository.is_private
        ]
        return tuple(sorted(found, key=lambda record: -record.downloads)[:limit])

    def files(self, repo_id: str, revision: str) -> tuple[FileRecord, ...]:
        repository = self._repository(repo_id, revision)
        found = read_files(answers.tree(repository.files.values(), "", recursive=True))
        assert found is not None
        return found

    def read_json(self, repo_id: str, revision: str, path: str) -> Json:
        content: Json
        text = self._file(repo_id, revision, path).read_bytes()
        try:
            content = json.loads(text)
        except ValueError as error:
            raise HubError(f"{path} is no JSON", remedy="Name another.") from error
        return content

    def read_text(self, repo_id: str, revision: str, path: str) -> str:
        return self._file(repo_id, revision, path).read_text(encoding="utf-8", errors="replace")

    def weights_header(
        self, repo_id: str, revision: str, file: FileRecord
    ) -> WeightsHeader | Refusal:
        self.asked.append(f"header {repo_id} {file.path}")
        path = self._file(repo_id, revision, file.path)

        def read(*, begin: int, end: int) -> bytes:
            with path.open("rb") as opened:
                opened.seek(begin)
                return opened.read(end - begin)

        return read_header(read, file)

    def security(self, repo_id: str, revision: str) -> Security:
        repository = self._repository(repo_id, revision)
        return read_security(answers.model_info(repository, {"securityStatus": ["true"]}))

    def download(
        self, variant: Variant, file: ModelFile, into: Path, *, progress: Callable[[int], None]
    ) -> Path:
        self.on_download(file)
        source = self._file(variant.repo_id, variant.revision, file.path)
        self.downloaded.append(file.path)
        target = into / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        progress(target.stat().st_size)
        return target

    def _repository(self, repo_id: str, revision: str) -> Repository:
        self.asked.append(f"{repo_id}@{revision}")
        renamed: Mapping[str, str] = {
            repository.settings.get("renamed_from", ""): name
            for name, repository in self.repositories.items()
        }
        repository = self.repositories.get(renamed.get(repo_id, repo_id))
        if repository is None or repository.is_private or repository.revision(revision) is None:
            raise HubAccessError(f"{repo_id} is not on the Hub", remedy="Check the name.")
        return repository

    def _file(self, repo_id: str, revision: str, path: str) -> Path:
        repository = self._repository(repo_id, revision)
        if repository.gated:
            raise HubAccessError(f"{repo_id} is gated", remedy="Accept the licence.")
        if path not in repository.files:
            raise HubAccessError(f"{repo_id} has no file {path}", remedy="Name another.")
        return repository.files[path].absolute


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time_s = 1_800_000_000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time_s

    def monotonic(self) -> float:
        return self.time_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time_s += seconds


def shipped_standards(policy: ModelPolicy | None = None) -> Standards:
    """The scores that cfslurm ships, and a policy; by default one that allows everything."""
    scores = read_scores(shipped_text("core/models/quality.csv"))
    return Standards(scores=scores, policy=policy or ModelPolicy())


def tiny_variants(hub: FakeHub) -> dict[str, Variant]:
    """The variants of acme/tiny, by id."""
    catalog = discover(
        {"tiny": Model(repo="acme/tiny")},
        sources=Sources(hub=hub, clock=FakeClock(), progress=lambda text: None),
        standards=shipped_standards(),
        discovered_at="2026-01-01T00:00:00Z",
    )
    return {variant.id: variant for variant in catalog.models["tiny"].variants}


def _record(repository: Repository) -> RepoRecord:
    record = read_repository(answers.model_info(repository, {}))
    assert record is not None
    return record
