"""Does a process mean something: its command, environment, resources and session?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cfslurm.core.slurm.units import duration_s, size_mib
from cfslurm.core.workflow import placeholders
from cfslurm.core.workflow.mistakes import check_slurm_name, tried, unknown
from cfslurm.core.workflow.model import Component, Resources, SessionSpec, Task, Workflow
from cfslurm.core.workflow.names import nearest
from cfslurm.errors import Problem

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_GROUP_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,254}")
# A path; 64 hexadecimal digits would be a key that somebody has put into the workflow itself.
_KEY_FILE = re.compile(r"(?![0-9a-fA-F]{64}\Z)[^\0\n]{1,4096}")
_SPANS = {"keep_hourly": "hours", "keep_daily": "days"}
_LONGEST = 10_000
# Characters that only a shell would read; in an argument list they stay letters.
_SHELL = re.compile(r"[|;&<>`]|\$\(")


def check_part(
    path: str, part: Task | Component, workflow: Workflow, *, allowed: tuple[str, ...]
) -> Iterator[Problem]:
    """What a task and a component have in common: everything about one process."""
    yield from _check_command(path, part.command)
    if part.model is not None:
        allowed = (*allowed, *placeholders.WITH_MODEL)
        if part.model not in workflow.models:
            yield unknown(f"{path}.model", "model", part.model, workflow.models)
        if part.resources.gpus:
            yield Problem(
                path=f"{path}.resources.gpus",
                message="the plan chooses the GPUs of work with a model",
                remedy=f"Leave gpus out, or set models.{part.model}.tensor_parallel_size.",
            )
    if part.session is not None:
        allowed = (*allowed, *placeholders.WITH_SESSION)
        yield from _check_session(f"{path}.session", part.session)
    yield from _check_placeholders(path, part.command, allowed)
    yield from _check_resources(f"{path}.resources", part.resources)
    for key, value in part.env.items():
        if not _ENV_NAME.fullmatch(key) or "\0" in value:
            yield Problem(
                path=f"{path}.env.{key}",
                message=f"{key[:40]!r} cannot be an environment variable",
                remedy="Use letters, digits and _, and no NUL in the value.",
            )
        elif key.startswith(("CFSLURM_", "SLURM_")):
            yield Problem(
                path=f"{path}.env.{key}",
                message=f"{key} belongs to {key.split('_')[0].lower()}",
                remedy="Take another name.",
            )


def _check_command(path: str, command: tuple[str, ...]) -> Iterator[Problem]:
    if not command or not command[0].strip():
        yield Problem(
            path=f"{path}.command",
            message="the command is empty",
            remedy="Write a list: [python, work.py, --item, '{item}'].",
        )
    if any("\0" in word for word in command):
        yield Problem(
            path=f"{path}.command",
            message="a word of the command holds a NUL character",
            remedy="Take it out; no program can be given one.",
        )
    if len(command) == 1 and _SHELL.search(command[0]):
        yield Problem(
            path=f"{path}.command",
            message="no shell reads the command, so | ; & < > ` and $( ) would be plain letters",
            remedy="Write [bash, -c, '…'] if a shell should read it.",
        )


def _check_placeholders(
    path: str, command: tuple[str, ...], allowed: tuple[str, ...]
) -> Iterator[Problem]:
    for word in placeholders.used(command):
        if word in allowed or (word.startswith("item.") and "item.*" in allowed):
            continue
        near = nearest(word, allowed)
        hint = f"Did you mean {{{near}}}? " if near else ""
        yield Problem(
            path=f"{path}.command",
            message=f"the placeholder {{{word}}} is not known here",
            remedy=f"{hint}Write {{{{{word}}}}} for the letters {{{word}}} themselves.",
        )


def _check_session(path: str, session: SessionSpec) -> Iterator[Problem]:
    yield from tried(f"{path}.checkpoint", duration_s, session.checkpoint)
    if not 1 <= session.keep <= 1000:
        yield Problem(
            path=f"{path}.keep",
            message=f"keep is {session.keep}",
            remedy="Give the number of generations to keep, from 1 to 1000.",
        )
    for key in ("keep_hourly", "keep_daily"):
        count = getattr(session, key)
        if count is not None and not 0 <= count <= _LONGEST:
            yield Problem(
                path=f"{path}.{key}",
                message=f"{key} is {count}",
                remedy=f"Give the number of {_SPANS[key]} to go back, from 0 to {_LONGEST}.",
            )
    if session.group is not None and not _GROUP_NAME.fullmatch(session.group):
        yield Problem(
            path=f"{path}.group",
            message=f"{session.group[:60]!r} cannot be the name of a group",
            remedy="Take one of those that `id -Gn` prints.",
        )
    if session.key_file is not None and not _KEY_FILE.fullmatch(session.key_file):
        yield Problem(
            path=f"{path}.key_file",
            message="this is no path of a file",  # not shown: it may be the key itself
            remedy="Name the file that holds the key, as ~/.config/coder.key; the key stays there.",
        )


def _check_resources(path: str, resources: Resources) -> Iterator[Problem]:
    yield from tried(f"{path}.mem", size_mib, resources.mem)
    for key, lowest in (("cpus", 1), ("gpus", 0)):
        value = getattr(resources, key)
        if not lowest <= value <= 4096:
            yield Problem(
                path=f"{path}.{key}",
                message=f"{key} is {value}",
                remedy=f"Give a number from {lowest} to 4096.",
            )
    for key in ("gpu_types", "partitions"):
        for index, word in enumerate(getattr(resources, key)):
            yield from check_slurm_name(f"{path}.{key}.{index}", word)
