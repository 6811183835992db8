"""An agent that writes a story, one chapter after the other, with a model that another node serves."""

import json
import sys
import time
import urllib.error
import urllib.request

from cfslurm import Session

CHAPTERS = 50


def main(server: str) -> None:
    """Write all chapters; after a preemption go on with the one that was next."""
    wait_for(server)
    with Session.open("agent") as session:
        for chapter in range(session.get("chapter", 0), CHAPTERS):
            # Never asked twice for one chapter: the answer is recorded before it counts.
            text = session.once(f"chapter-{chapter}", lambda: ask(server, session.events[-4:]))
            session.append({"role": "assistant", "content": text})
            session["chapter"] = chapter + 1
            session.checkpoint()
            session.checkpoint_if_due()  # if Slurm wants the node back: save, and come back later


def wait_for(server: str) -> None:
    """A server needs minutes to load its model."""
    while True:
        try:
            urllib.request.urlopen(f"{server}/health", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(2)


def ask(server: str, messages: list[dict[str, str]]) -> str:
    """One completion from an OpenAI-compatible server."""
    with urllib.request.urlopen(f"{server}/v1/models", timeout=60) as answer:
        model = json.load(answer)["data"][0]["id"]
    body = {
        "model": model,
        "messages": [*messages, {"role": "user", "content": "Write the next chapter."}],
    }
    request = urllib.request.Request(
        f"{server}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=600) as answer:
        return str(json.load(answer)["choices"][0]["message"]["content"])


if __name__ == "__main__":
    main(sys.argv[1])
