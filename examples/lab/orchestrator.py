"""The orchestrator: has no model; lets the vision agent look and the coding agent write, step by step."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import socket
import time

from cfslurm import Session

PACE_S = 0.1
PATIENCE_S = 20


def main() -> None:
    """Go through all steps; after a preemption, go on with the step that was next."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, required=True)
    steps = parser.parse_args().steps
    peers = json.loads(os.environ["CFSLURM_PEERS"])
    with Session.open("orchestrator") as session:
        first = session.get("step", 0)
        print(f"orchestrator begins at step {first} of {steps}, peers {peers}", flush=True)
        session.append({"began_at": first, "attempt": os.environ["CFSLURM_ATTEMPT"]})
        for step in range(first, steps):
            text = session.get("chain", "begin")
            seen = ask(peers["vision"], step, text, session)
            written = ask(peers["coder"], step, seen, session)
            chain = f"{text}|{seen}|{written}"
            session["chain"] = hashlib.sha256(chain.encode()).hexdigest()
            session["step"] = step + 1
            session.append({"step": step, "seen": seen, "written": written})
            session.checkpoint()
            time.sleep(PACE_S)
            session.checkpoint_if_due()  # if Slurm wants the node back: save, exit 75, come back
        for peer in ("vision", "coder"):
            tell(peers[peer], None, "goodbye")
        print(f"orchestrator done: {steps} steps, chain {session.get('chain')}")


def ask(address: str, step: int, text: str, session: Session) -> str:
    """One question, one answer. A peer may still be starting, or be about to be preempted with us."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return str(json.loads(tell(address, step, text))["text"])
        except (OSError, ValueError):
            if session.interrupted or time.monotonic() > deadline:
                session.stop()
            time.sleep(0.1)


def tell(address: str, step: int | None, text: str) -> str:
    """Send a line, wait for a line."""
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    with connection, connection.makefile("rw") as stream:
        stream.write(json.dumps({"step": step, "text": text}) + "\n")
        stream.flush()
        return stream.readline()


if __name__ == "__main__":
    main()
