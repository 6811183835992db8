"""LangGraph's SQLite saver, measured where somebody has installed it, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from benchmarks import report

_PACKAGE = "langgraph-checkpoint-sqlite"
_PROGRAM = """
import json, sqlite3, statistics, sys, time, uuid
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.sqlite import SqliteSaver

def clocked(work):
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000

base = sqlite3.connect(sys.argv[1], check_same_thread=False)
saver = SqliteSaver(base)
saver.setup()
base.execute("pragma synchronous=full")
found = {}

def save(thread, values):
    one = empty_checkpoint()
    one["channel_values"] = values
    one["channel_versions"] = {name: 1 for name in values}
    config = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
    return saver.put(config, one, {"source": "loop", "step": 1, "parents": {}}, one["channel_versions"])

for name, length, rounds in (("1KB", 10**3, 100), ("1MB", 10**6, 30), ("100MB", 10**8, 3)):
    data = bytes(length)
    times = [clocked(lambda: save(name, {"state": data})) for _ in range(rounds)]
    config = {"configurable": {"thread_id": name, "checkpoint_ns": ""}}
    loads = [clocked(lambda: saver.get_tuple(config)) for _ in range(3)]
    found[name] = statistics.median(times), statistics.median(loads)
messages, times = [], []
for number in range(int(sys.argv[2])):
    messages = [*messages, {"role": "user", "content": "x" * 950, "number": number}]
    times.append(clocked(lambda: save("log", {"messages": messages})))
tenth = max(1, len(times) // 10)
found["message, first tenth"] = statistics.median(times[:tenth]), None
found["message, last tenth"] = statistics.median(times[-tenth:]), None
print(json.dumps(found))
"""
_MOST_MESSAGES = 1000  # each save writes all of them again


def measure(folder: Path, scratch: Path, messages: int) -> report.Table:
    """What it takes there; an empty table with the way to have it where it is missing."""
    python = folder.absolute() / "bin" / "python"
    count = min(messages, _MOST_MESSAGES)
    rows: list[tuple[object, ...]] = []
    note = f"not installed: python3 -m venv {folder} && {folder}/bin/pip install {_PACKAGE}"
    if python.exists():
        words = [str(python), "-c", _PROGRAM, str(scratch / "peer.db"), str(count)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found = json.loads(done.stdout)
            rows = [
                (name, f"{save:.2f}", "-" if load is None else f"{load:.2f}")
                for name, (save, load) in found.items()
            ]
            note = f"bytes as they are; pragma synchronous=full; a log of {count} messages in one channel"
    return report.Table(
        title="LangGraph's SqliteSaver: put and get_tuple",
        header=("STATE", "SAVE ms", "READ ms"),
        rows=rows,
        notes=(note,),
    )
