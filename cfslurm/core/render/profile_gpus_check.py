"""Are the GPUs of a cluster profile ones that gres.conf can say?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cfslurm.core.render.cluster_profile import NodeGroup, ProfileGpus
from cfslurm.core.render.devices import core_ranges
from cfslurm.errors import Problem

# More than any single machine has; gres.conf(5) takes up to 1024 files for each node.
MAX_GPUS = 128
MAX_SHARED = 100_000
RESERVED = frozenset({"ALL", "DEFAULT"})  # words that slurm.conf reads in another way
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
# A MIG instance is a type too, and its name begins with a digit: 1g.10gb, 1g.10gb+me.
_GPU_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}")
_MIG_PROFILE = re.compile(r"[1-7]g\.[0-9]{1,3}gb(\+me)?")
_CORES = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")
_LINKS = re.compile(r"-?[0-9]{1,3}(,-?[0-9]{1,3})*")
_FILES = re.compile(r"/dev/[A-Za-z0-9_./-]+(,/dev/[A-Za-z0-9_./-]+)*")


def gpu_problems(path: str, group: NodeGroup) -> Iterator[Problem]:
    """Everything wrong with the GPUs of one group of nodes."""
    types = [gpus.type for gpus in group.gpus]
    for number, gpus in enumerate(group.gpus):
        here = f"{path}.gpus.{number}"
        if gpus.type and (not _GPU_TYPE.fullmatch(gpus.type) or gpus.type.upper() in RESERVED):
            yield problem(
                f"{here}.type",
                f"{gpus.type[:60]!r} cannot be a GPU type in Slurm's files",
                "Use up to 63 letters, digits, dots, dashes and underscores.",
            )
        if types.index(gpus.type) != number:
            yield problem(
                f"{here}.type",
                f"the type {gpus.type or '(none)'} stands twice on one node",
                "Add the counts up.",
            )
        yield from between(f"{here}.count", gpus.count, 1, MAX_GPUS)
        yield from _lists(here, gpus)
        yield from _sockets(here, gpus, group)
        yield from _mig(here, gpus)
    yield from _shares(path, group)


def _lists(path: str, gpus: ProfileGpus) -> Iterator[Problem]:
    for key, texts, pattern, example in (
        ("cores", gpus.cores, _CORES, '["0-31", "32-63"]'),
        ("links", gpus.links, _LINKS, '["-1,4", "4,-1"]'),
        ("files", gpus.files, _FILES, "[/dev/nvidia0]"),
    ):
        for number, text in enumerate(texts):
            if not pattern.fullmatch(text):
                yield problem(
                    f"{path}.{key}.{number}",
                    f"{text[:60]!r} is not what gres.conf takes for {key}",
                    f"Write {key}: {example}.",
                )
    for key, count in (("links", len(gpus.links)), ("files", len(gpus.files))):
        if count not in (0, gpus.count):
            yield problem(
                f"{path}.{key}",
                f"{count} {key} for {gpus.count} GPUs",
                "Give one for each GPU, or none.",
            )
    if gpus.cores and gpus.count % len(gpus.cores):
        yield problem(
            f"{path}.cores",
            f"{gpus.count} GPUs cannot be shared out evenly to {len(gpus.cores)} ranges of cores",
            "Give one range for each GPU, or for each equal share of them.",
        )


def _sockets(path: str, gpus: ProfileGpus, group: NodeGroup) -> Iterator[Problem]:
    """Slurm takes whole sockets: 24.11 and 26.05 drain a node whose GPUs have a part of one (tried)."""
    each = group.cores_per_socket if group.sockets > 0 and group.threads_per_core > 0 else 0
    for number, text in enumerate(gpus.cores):
        if not each or not _CORES.fullmatch(text):
            continue
        for part in text.split(","):
            first, _, last = part.partition("-")
            begin, end = int(first), int(last or first) + 1
            if begin >= end or begin % each or end % each or end > each * group.sockets:
                yield problem(
                    f"{path}.cores.{number}",
                    f"the cores {part} are no whole sockets of {each} cores",
                    f"Name whole sockets: {', '.join(core_ranges(group.sockets, each))}.",
                )


def _mig(path: str, gpus: ProfileGpus) -> Iterator[Problem]:
    if gpus.mig and not _MIG_PROFILE.fullmatch(gpus.mig):
        yield problem(
            f"{path}.mig",
            f"{gpus.mig[:60]!r} is no MIG profile",
            "Write it as `nvidia-smi mig -lgip` does: 1g.10gb.",
        )
    if not gpus.mig and len(gpus.cards) not in (0, gpus.count):
        yield problem(
            f"{path}.cards",
            f"{len(gpus.cards)} cards for {gpus.count} GPUs",
            "Name one card for each GPU, or none.",
        )
    if gpus.mig and gpus.count > 7 * max(1, len(gpus.cards)):
        yield problem(
            f"{path}.cards",
            f"{gpus.count} MIG instances on {max(1, len(gpus.cards))} GPU(s): 7 are the most on each",
            "Name the numbers of all GPUs that are split: cards: [0, 1].",
        )
    for number, card in enumerate(gpus.cards):
        yield from between(f"{path}.cards.{number}", card, 0, MAX_GPUS - 1)


def _shares(path: str, group: NodeGroup) -> Iterator[Problem]:
    whole = sum(gpus.count for gpus in group.gpus)
    for key, count in (("shards", group.shards), ("mps", group.mps)):
        yield from between(f"{path}.{key}", count, 0, MAX_SHARED)
        if count and (not whole or count % whole):
            yield problem(
                f"{path}.{key}",
                f"{count} {key} cannot be shared out evenly to {whole} GPUs",
                "Give a multiple of the node's GPUs.",
            )
    if group.shards and group.mps:
        yield problem(
            f"{path}.mps", "a GPU has shards or MPS, not both", "Take one of the two out."
        )


def word(path: str, text: str) -> Iterator[Problem]:
    """A name that all of Slurm's files take."""
    if not _WORD.fullmatch(text) or text.upper() in RESERVED:
        yield problem(
            path,
            f"{text[:60]!r} cannot be a name in Slurm's files",
            "Use up to 63 letters, digits, dashes, dots and underscores, a letter first.",
        )


def between(path: str, number: int, least: int, most: int) -> Iterator[Problem]:
    """A number within bounds."""
    if not least <= number <= most:
        parts = [part for part in path.split(".") if not part.isdigit()]
        yield problem(
            path,
            f"{parts[-1]} is {number}, not between {least} and {most}",
            f"Give a number from {least} to {most}.",
        )


def problem(path: str, message: str, remedy: str) -> Problem:
    """A mistake at a key path."""
    return Problem(path=path, message=message, remedy=remedy)
