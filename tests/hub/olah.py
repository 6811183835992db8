"""A second Hub that somebody else wrote: olah (PyPI, MIT) with git repositories of this machine.

It lives in an environment of its own, `.olah`, that `scripts/bootstrap test` makes from
constraints/olah.txt. As a mirror without an upstream it knows files, trees and commits, and neither lists
of models nor ranges, which is how some mirrors of the real Hub are too.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hub.content import Repository, read_repository

PROGRAM = Path(__file__).parents[2] / ".olah" / "bin" / "olah-cli"
_CONFIG = """\
[basic]
host = "127.0.0.1"
port = {port}
repos-path = "{folder}/repos"
mirrors-path = ["{folder}/mirrors"]
[accessibility]
offline = true
"""
_START_S = 60.0


def why_not() -> str:
    """Why olah cannot be started here; empty if it can."""
    if shutil.which("git") is None:
        return "git is not installed"
    if not PROGRAM.is_file():
        return "olah is not installed; `scripts/bootstrap test` does it where PyPI can be reached"
    return ""


def make_mirror(root: Path, repo_id: str, folder: Path) -> str:
    """Write a repository as git has it, large files by their LFS pointers; the commit.

    Source: git-lfs' specification of pointers, and of ``.git/lfs/objects``.
    """
    repository = read_repository(root, repo_id)
    target = folder / "mirrors" / "models" / repo_id
    for file in repository.files.values():
        path = target / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.sha256:
            store = target / ".git/lfs/objects" / file.sha256[:2] / file.sha256[2:4]
            store.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.absolute, store / file.sha256)
            version = "version https://git-lfs.github.com/spec/v1"
            path.write_text(f"{version}\noid sha256:{file.sha256}\nsize {file.size}\n")
        else:
            shutil.copyfile(file.absolute, path)
    return _commit(target, repository)


def _commit(target: Path, repository: Repository) -> str:
    def git(*argv: str) -> str:
        command = [
            "git",
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-C",
            str(target),
            *argv,
        ]
        environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    (target / ".gitattributes").unlink(missing_ok=True)  # would ask for the program git-lfs
    git("add", "--force", "--", *(path for path in repository.files if path != ".gitattributes"))
    git("commit", "--quiet", "--message", "all")
    return git("rev-parse", "HEAD")


@contextmanager
def olah(folder: Path) -> Iterator[str]:
    """Serve the mirrors in a folder; the endpoint."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "olah.toml"
    config.write_text(_CONFIG.format(port=port, folder=folder))
    with (folder / "olah.log").open("wb") as log:
        server = subprocess.Popen(
            [PROGRAM, "--config", config, "--log-path", folder / "logs"],
            cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait(endpoint, server, folder / "olah.log")
        yield endpoint
    finally:
        server.terminate()
        server.wait()


def _wait(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + _START_S
    while time.monotonic() < ends:
        assert server.poll() is None, log.read_text(errors="replace")
        try:
            urllib.request.urlopen(endpoint, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"olah does not answer: {log.read_text(errors='replace')}")
