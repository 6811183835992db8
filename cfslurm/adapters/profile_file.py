"""Cluster profiles: a shipped name or a file in, a checked `ClusterProfile` out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cfslurm.adapters.resources import shipped, shipped_text
from cfslurm.adapters.validated import validate
from cfslurm.adapters.yaml_file import KeyPath, YamlDocument, read_yaml
from cfslurm.core.hardware.gpus import GpuCatalogue, read_catalogue
from cfslurm.core.render.cluster_profile import ClusterProfile
from cfslurm.core.render.cluster_profile_check import problems
from cfslurm.core.workflow.names import nearest
from cfslurm.errors import InvalidFileError, Problem, UserInputError

_FOLDER = "gres_templates/profiles"


def shipped_profiles() -> tuple[str, ...]:
    """The names of the profiles that come with cfslurm."""
    files = shipped(_FOLDER).iterdir()
    return tuple(
        sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))
    )


def load_profile(name_or_path: str) -> ClusterProfile:
    """Read and check a profile: a name without a slash and a suffix is one that is shipped.

    Raises:
        UserInputError: there is no such profile, or the file cannot be read.
        InvalidFileError: everything that is wrong with it.
    """
    if "/" not in name_or_path and not name_or_path.endswith((".yaml", ".yml")):
        known = shipped_profiles()
        if name_or_path not in known:
            near = nearest(name_or_path, known)
            raise UserInputError(
                f"there is no profile {name_or_path!r}",
                remedy=f"Did you mean {near}?" if near
                else f"Take one of {', '.join(known)}, or name a file: ./mine.yaml.",
            )  # fmt: skip
        text = shipped_text(f"{_FOLDER}/{name_or_path}.yaml")
        return read_profile(text.encode(), f"{name_or_path}.yaml")
    path = Path(name_or_path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserInputError(
            f"cannot read the profile {path}: {error.strerror}",
            remedy="Check the name; docs/reference/sandbox-profile.md explains the file.",
        ) from error
    return read_profile(raw, str(path))


def read_profile(raw: bytes, source: str) -> ClusterProfile:
    """Read and check the bytes of a profile.

    Raises:
        InvalidFileError: everything that is wrong with it.
    """
    document = read_yaml(raw, source)
    if document.data is None:
        empty = Problem(
            path="",
            message="the file is empty",
            remedy="docs/how-to/sandbox.md shows a small profile to start from.",
        )
        raise InvalidFileError(source, (empty,), text=document.text)
    profile = validate(ClusterProfile, document)
    found = (*problems(profile), *_unknown_cards(profile, gpu_catalogue()))
    if found:
        placed = sorted((_placed(problem, document) for problem in found), key=_place)
        raise InvalidFileError(source, tuple(placed), text=document.text)
    return profile


def gpu_catalogue() -> GpuCatalogue:
    """The shipped catalogue of cards."""
    return read_catalogue(shipped_text("core/hardware/gpus.csv"))


def _unknown_cards(profile: ClusterProfile, catalogue: GpuCatalogue) -> Iterator[Problem]:
    for index, group in enumerate(profile.nodes):
        for number, gpus in enumerate(group.gpus):
            unnamed = not gpus.card or (gpus.mig and not gpus.catalog)
            if unnamed or gpus.card in catalogue.cards:
                continue
            near = nearest(gpus.card, catalogue.cards)
            yield Problem(
                path=f"nodes.{index}.gpus.{number}.{'catalog' if gpus.catalog else 'type'}",
                message=f"no card of the catalogue has the key {gpus.card[:60]!r}",
                remedy=f"Say which card is meant: catalog: {near or 'a100_80'}.",
            )


def _placed(problem: Problem, document: YamlDocument) -> Problem:
    path: KeyPath = tuple(int(p) if p.isdigit() else p for p in problem.path.split("."))
    line, column = document.place(path)
    return replace(problem, line=line, column=column)


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column
