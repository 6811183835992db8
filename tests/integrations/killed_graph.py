"""Run by test_langgraph.py: a graph whose process is killed once in every attempt, after a step."""

from __future__ import annotations

import os
import signal
import sys

from cfslurm import Session
from cfslurm.integrations.langgraph import SessionSaver
from tests.integrations.test_langgraph import THREAD, chain

folder, attempt = sys.argv[1], int(sys.argv[2])
with Session.open("agent", directory=folder, take_over=True) as session:
    graph = chain(6).compile(checkpointer=SessionSaver(session))
    started = graph.get_state(THREAD).values
    for update in graph.stream(
        None if started else {"total": 1, "log": []},
        THREAD,
        stream_mode="updates",
        durability="sync",
    ):
        if f"s{attempt}" in update and attempt < 5:
            # The checkpoint after this step is made when the next update is asked for; the one
            # before, and what the step wrote, are there.
            os.kill(os.getpid(), signal.SIGKILL)
    sys.stdout.write(f"{graph.get_state(THREAD).values}\n")
