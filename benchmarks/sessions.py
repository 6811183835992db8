"""How fast sessions are saved and read: ``python -m benchmarks.sessions [--quick] [--json FILE]``.

What is compared takes turns in one loop on one disk, so that a disturbance hits all alike. Figures of
large states are ratios of the best times, others of medians. The limit is a plain file of the same
bytes: write and fsync, or read. Reading is measured with the file out of the page cache, as after a
restart on another node.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import peers, report, session_peers, world
from benchmarks.session_ways import APPENDED, RAW, RENAMED, Way, ways
from cfslurm import Session

KB, MB, GB = 10**3, 10**6, 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured: rounds by the bytes of the state, and lengths of logs."""

    rounds: dict[int, int]
    messages: int
    events: int


QUICK = Size(rounds={KB: 40, MB: 15, 100 * MB: 5}, messages=1500, events=20_000)
FULL = Size(rounds={KB: 300, MB: 60, 100 * MB: 15, 2 * GB: 3}, messages=10_000, events=100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Of one way and size: seconds of every save and every read."""

    save_s: list[float]
    load_s: list[float]

    @property
    def save(self) -> float:
        """The middle one, seconds."""
        return statistics.median(self.save_s)

    @property
    def load(self) -> float:
        """The middle one, seconds."""
        return statistics.median(self.load_s)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table; 0 if every aim is reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="within 50 s; no 2 GB, wider spread")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    parser.add_argument(
        "--peers", type=Path, default=peers.FOLDER, metavar="FOLDER",
        help="a virtual environment with other projects in it; default: %(default)s",
    )  # fmt: skip
    options = parser.parse_args(argv)
    about = report.machine()
    began = time.monotonic()
    size = QUICK if options.quick else FULL
    with world.scratch() as folder:
        os.environ["CFSLURM_SESSION_KEEP"] = "1"
        found = {length: measure(folder, length, n) for length, n in size.rounds.items()}
        log = measure_log(folder, size.messages)
        opened = measure_open(folder, size.events)
        peer = session_peers.measure(options.peers, folder, size.messages)
    about["took_s"] = round(time.monotonic() - began)
    figures, tables = told(found, log, opened, size)
    tables.append(peer)
    print(report.text(figures, tables, about))
    if options.json is not None:
        report.write_json(options.json, report.document("sessions", figures, tables, about))
    return 0 if all(figure.holds for figure in figures) else 1


def measure(folder: Path, length: int, rounds: int) -> dict[str, Times]:
    """All ways for a state of one size, in turn."""
    import numpy as np

    state = np.random.default_rng(1).integers(0, 256, length, np.uint8)
    chosen = [way for way in ways(folder / str(length)) if length <= way.most_bytes]
    times = {way.name: Times(save_s=[], load_s=[]) for way in chosen}
    for turn in range(rounds + 1):
        state += 1  # every byte is another one each time
        for way in turned(chosen, turn):
            save_s = clocked(partial(way.save, state))
            if turn:  # the first one makes folders and imports libraries
                times[way.name].save_s.append(save_s)
    for turn in range(max(3, rounds // 5) + 1):
        for way in turned(chosen, turn):
            forget(way)
            load_s = clocked(partial(check, way, state))
            if turn:
                times[way.name].load_s.append(load_s)
    for way in chosen:
        way.close()
    return times


def turned(chosen: list[Way], turn: int) -> list[Way]:
    """Another one begins each time: what a way leaves to the disk is paid by whoever comes next."""
    start = turn % len(chosen)
    return chosen[start:] + chosen[:start]


def check(way: Way, state: object) -> None:
    """Read it back. Whether it is right is seen at its ends; the comparison would cost as much."""
    found = way.load()
    assert (found[0], found[-1], len(found)) == (state[0], state[-1], len(state))  # type: ignore[index, arg-type]


def forget(way: Way) -> None:
    """Take a way's files out of the page cache."""
    for path in way.folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def clocked(work: Callable[[], object]) -> float:
    """How long something takes, in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log that grows by messages of 1 KB, each durable: what one costs early and late, by way."""

    first_ms: dict[str, float]
    last_ms: dict[str, float]
    bytes_each: dict[str, float]


def measure_log(folder: Path, messages: int) -> Log:
    """Append messages in every way that has a log."""
    message = {"role": "user", "content": "x" * 950}
    first, last, each = {}, {}, {}
    logs = [way.log() for way in ways(folder / "log") if way.log is not None]
    times: dict[str, list[float]] = {one.name: [] for one in logs}
    before = {one.name: one.written() for one in logs}
    for number in range(messages):
        for one in logs:
            times[one.name].append(clocked(partial(one.append, {**message, "number": number})))
    tenth = messages // 10
    for one in logs:
        first[one.name] = statistics.median(times[one.name][:tenth]) * 1000
        last[one.name] = statistics.median(times[one.name][-tenth:]) * 1000
        each[one.name] = (one.written() - before[one.name]) / messages
        one.close()
    return Log(first_ms=first, last_ms=last, bytes_each=each)


def measure_open(folder: Path, events: int) -> dict[str, float]:
    """Seconds to open a session with so many events of 1 KB, and to look at the last one."""
    place = folder / "open"
    with Session.open("s", directory=place, signals=False) as session:
        for number in range(events):
            session.append({"role": "user", "content": "x" * 950, "number": number})
    times = []
    for _ in range(5):

        def work() -> None:
            with Session.open("s", directory=place, signals=False) as session:
                assert session.events[-1]["number"] == events - 1

        times.append(clocked(work))
    return {"open": min(times), "events": events}


def told(
    found: dict[int, dict[str, Times]], log: Log, opened: dict[str, float], size: Size
) -> tuple[list[report.Figure], list[report.Table]]:
    """Figures with aims, and tables."""
    small, ours = found[KB], "session checkpoint"
    large = [length for length in found if length >= 100 * MB]
    figures = [
        report.Figure(
            name="save_1kb", value=small[ours].save / small[RENAMED].save,
            unit="x", aim=2, says="checkpoint of 1 KB against one file, fsync, rename, fsync of the folder",
        ),
        *(
            report.Figure(
                name=f"save_{human(length)}", unit="%", aim=85, bound="at least",
                value=100 * limit(found[length]).save / min(found[length][ours].save_s),
                says=f"checkpoint of {human(length)} against write + fsync of the same bytes",
            )
            for length in large
        ),
        *(
            report.Figure(
                name=f"load_{human(length)}", unit="%", aim=80, bound="at least",
                value=100 * limit(found[length]).load / min(found[length][ours].load_s),
                says=f"reading {human(length)} back, verified, against a plain read; both not in the cache",
            )
            for length in large[-1:]
        ),
        report.Figure(
            name="append_late", value=beyond(log.last_ms) / beyond(log.first_ms), unit="x", aim=1.5,
            says=f"a durable message, in plain appends of the same moment: the last of {size.messages} "
            "against the first ones",
        ),
        report.Figure(
            name="open_events", value=opened["open"], unit="s", aim=1,
            says=f"open and close a session with {opened['events']} events of 1 KB",
        ),
    ]  # fmt: skip
    tables = [table(length, times) for length, times in found.items()]
    tables.append(
        report.Table(
            title=f"A log of {size.messages} messages of 1 KB, each durable before the next",
            header=("WAY", "FIRST ms", "LAST ms", "BYTES EACH"),
            rows=[
                (name, f"{log.first_ms[name]:.2f}", f"{log.last_ms[name]:.2f}", f"{each:.0f}")
                for name, each in log.bytes_each.items()
            ],
            notes=("medians of the first and last tenth; bytes as counted by the system for this process",),
        )
    )  # fmt: skip
    return figures, tables


@dataclass(frozen=True, slots=True)
class Limit:
    """The best that a plain file does, in seconds: of both plain ways, as disks have favourites."""

    save: float
    load: float


def limit(times: dict[str, Times]) -> Limit:
    """The limit for one size."""
    plain = [times[name] for name in (RAW, RENAMED)]
    return Limit(min(min(p.save_s) for p in plain), min(min(p.load_s) for p in plain))


def beyond(ms: dict[str, float]) -> float:
    """A message in a session against a plain one."""
    return ms["session commit"] / ms[APPENDED]


def table(length: int, times: dict[str, Times]) -> report.Table:
    """All ways for one size."""
    raw, best = times[RAW], limit(times)
    return report.Table(
        title=f"State of {human(length)}, all of it another one each time",
        header=(
            "WAY",
            "SAVE ms",
            "BEST",
            "MB/s",
            "% LIMIT",
            "READ ms",
            "BEST",
            "READ MB/s",
            "% READ",
        ),
        rows=[
            (
                name,
                f"{one.save * 1000:.2f}",
                f"{min(one.save_s) * 1000:.2f}",
                f"{length / MB / min(one.save_s):.0f}",
                f"{100 * best.save / min(one.save_s):.0f}",
                f"{one.load * 1000:.2f}",
                f"{min(one.load_s) * 1000:.2f}",
                f"{length / MB / min(one.load_s):.0f}",
                f"{100 * best.load / min(one.load_s):.0f}",
            )
            for name, one in times.items()
        ],
        notes=(
            f"{len(raw.save_s)} saves and {len(raw.load_s)} reads of each, in turn; rates of the best ones",
        ),
    )


def human(length: int) -> str:
    """A size in a word: ``100MB``."""
    for unit, name in ((GB, "GB"), (MB, "MB")):
        if length >= unit:
            return f"{length // unit}{name}"
    return f"{length // KB}KB"


if __name__ == "__main__":
    sys.exit(main())
