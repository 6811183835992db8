"""An agent with a model: answers questions over TCP, one step after the other, and forgets none.

cfslurm gives it a port (CFSLURM_PORT), its variant's files (CFSLURM_MODEL_PATH) and a session.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

from thinking import think
from weights import Gguf, Safetensors, open_weights

from cfslurm import Session


def main(name: str) -> None:
    """Serve until the orchestrator says goodbye, or Slurm wants the node back."""
    weights = open_weights(Path(os.environ["CFSLURM_MODEL_PATH"]))
    with Session.open(name) as session, socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", int(os.environ["CFSLURM_PORT"])))
        listener.listen()
        listener.settimeout(0.2)
        print(
            f"{name} with {os.environ['CFSLURM_VARIANT']}, begins at step {session.get('step', 0)}"
        )
        while serve_one(listener, session, weights, name):
            session.checkpoint_if_due()


def serve_one(
    listener: socket.socket, session: Session, weights: Safetensors | Gguf, name: str
) -> bool:
    """Answer one question; False after the goodbye."""
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        return True
    with connection, connection.makefile("rw") as stream:
        question = json.loads(stream.readline())
        if question["step"] is None:
            return False
        stream.write(json.dumps(answer(question, session, weights, name)) + "\n")
    return True


def answer(
    question: dict[str, object], session: Session, weights: Safetensors | Gguf, name: str
) -> object:
    """The answer to a step: thought once, saved before it is given, given again if it is asked again."""
    step = int(str(question["step"]))
    if step == session.get("step", 0):
        thought = think(weights, f"{name} {question['text']}")
        session["answer"] = {"text": f"{name}-{step}: {thought:+.6f}", "thought": thought}
        session["step"] = step + 1
        session.append(
            {
                "step": step,
                "thought": thought,
                "variant": os.environ["CFSLURM_VARIANT"],
                "node": os.environ["SLURMD_NODENAME"],
            }
        )
        session.checkpoint()
    if step != session["step"] - 1:
        raise SystemExit(f"step {step} was asked, step {session['step']} is next: a step was lost")
    return session["answer"]


if __name__ == "__main__":
    main(sys.argv[1])
