"""Errors as people see them: what, where, why, and what to type next."""

from __future__ import annotations

from cfslurm.errors import CfslurmError, InfeasibleError, InvalidFileError, Problem

_MOST_SHOWN = 20


def describe(error: CfslurmError) -> str:
    """The text for standard error; what strangers have named cannot move the cursor in it."""
    from cfslurm.core.report.tables import printable  # only where something went wrong

    text = _describe_file(error) if isinstance(error, InvalidFileError) else _describe(error)
    return "\n".join(printable(line) for line in text.split("\n"))


def _describe(error: CfslurmError) -> str:
    lines = [f"error: {error.message}"]
    if isinstance(error, InfeasibleError):
        lines += [f"   {reason}" for reason in error.reasons]
    lines.append(f"  try: {error.remedy}")
    return "\n".join(lines)


def _describe_file(error: InvalidFileError) -> str:
    source_lines = error.text.split("\n")
    parts = [
        _describe_problem(problem, error.source, source_lines)
        for problem in error.problems[:_MOST_SHOWN]
    ]
    more = len(error.problems) - _MOST_SHOWN
    if more > 0:
        parts.append(f"… and {more} more")
    parts.append(f"{error.message}; nothing was submitted")
    return "\n".join(parts)


def _describe_problem(problem: Problem, source: str, source_lines: list[str]) -> str:
    lines = [f"error: {problem.message}"]
    if not problem.line:
        lines.append(f" --> {source}: {problem.path}" if problem.path else f" --> {source}")
    else:
        lines.append(f" --> {source}:{problem.line}:{problem.column}  ({problem.path})")
        if problem.line <= len(source_lines):
            text = source_lines[problem.line - 1].rstrip("\r")[:160].replace("\t", " ")
            gutter = str(problem.line)
            lines.append(f"{gutter} | {text}")
            if problem.column <= len(text) + 1:
                lines.append(f"{' ' * len(gutter)} | {' ' * (problem.column - 1)}^")
    lines.append(f"  try: {problem.remedy}")
    return "\n".join(lines)
