"""The file in which an attempt tells how its work goes; only this attempt writes it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cfslurm.core.documents import Json
from cfslurm.core.run.names import OUTCOMES
from cfslurm.core.run.outcomes import Event, file_name, line, parse_file_name, read_lines
from cfslurm.errors import CfslurmError, RunError
from cfslurm.ports import Clock


class OutcomeFile:
    """Events of one attempt, each on stable storage when `tell` returns."""

    def __init__(self, run: Path, *, job_key: str, name: str, attempt: int, clock: Clock) -> None:
        self._folder = run / OUTCOMES / job_key
        self._name = name
        self._attempt = attempt
        self._clock = clock
        self._folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        try:
            self._file = os.open(self._folder / file_name(name, attempt), flags, 0o600)
        except OSError as error:
            raise RunError(
                f"cannot write into {self._folder}: {error.strerror}",
                remedy="Check the space and the rights of the run's directory.",
            ) from error

    def tell(self, event: Event, **fields: Json) -> None:
        """Write an event.

        Raises:
            RunError: it is not on stable storage: the disk is full, or the quota is used up.
        """
        data = line(event, at=self._clock.now(), **fields).encode()
        try:
            while data:
                data = data[os.write(self._file, data) :]
            os.fdatasync(self._file)
        except OSError as error:
            raise RunError(
                f"cannot write into {self._folder}: {error.strerror}",
                remedy="Make room for the run's directory, then submit the workflow again: what was "
                "not written down counts as not done.",
            ) from error

    @contextmanager
    def telling_errors(self) -> Iterator[None]:
        """Write down an error that ends the attempt, so that `status` knows it too."""
        try:
            yield
        except CfslurmError as error:
            with suppress(RunError):
                self.tell(Event.END, exit=error.exit_code, reason=error.message)
            raise

    def close(self) -> None:
        """No more events."""
        os.close(self._file)

    def earlier_events(self) -> tuple[Mapping[str, Any], ...]:
        """What older attempts at the same work have told, oldest first."""
        older = [file for file in self._attempts() if file[0] < self._attempt]
        texts = [path.read_text(encoding="utf-8", errors="replace") for _, path in sorted(older)]
        return tuple(event for text in texts for event in read_lines(text))

    def is_superseded(self) -> bool:
        """True if a newer attempt has begun: Slurm took this one for dead, and must stay right."""
        return any(attempt > self._attempt for attempt, _ in self._attempts())

    def _attempts(self) -> list[tuple[int, Path]]:
        # A listing, not exists(): NFS remembers for half a minute that a name was not there.
        found = []
        for path in self._folder.iterdir():
            parsed = parse_file_name(path.name)
            if parsed is not None and parsed.name == self._name:
                found.append((parsed.attempt, path))
        return found
