"""A real HTTP Hub on the loopback device: ``python -m tests.hub.server ROOT [--port N]``.

Two sockets: the Hub on 127.0.0.1, its CDN on ``localhost``. Clients tell the two apart by host name
(huggingface_hub 1.x) or by origin (2.x), and must not take their token from the one to the other.
"""

from __future__ import annotations

import argparse
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.hub.content import read_all
from tests.hub.faults import Fault, Faults
from tests.hub.routes import Answer, Request, Routes, error

_IDLE_S = 30.0
_PAGE = b"<!DOCTYPE html><html><body>Please log in to the proxy</body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request in the log, as it was answered."""

    method: str
    target: str
    status: int
    has_token: bool
    range: str


class HubServer:
    """The Hub, its faults and its log. ``page`` is the largest page of a listing."""

    def __init__(self, root: Path, *, port: int = 0, page: int = 1000) -> None:
        self.root = root
        self.faults = Faults()
        self.log: list[Seen] = []
        self.is_closing = threading.Event()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._hub = _Server(("127.0.0.1", port), handler)
        self._cdn = _Server(("127.0.0.1", 0), handler)
        self.endpoint = f"http://127.0.0.1:{self._hub.server_port}"
        self._page = page
        self.reload()
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            for server in (self._hub, self._cdn)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def port(self) -> int:
        """Where the Hub listens."""
        return self._hub.server_port

    def reload(self) -> None:
        """Read the repositories again."""
        cdn = f"http://localhost:{self._cdn.server_port}"
        self.routes = Routes(read_all(self.root), cdn=cdn, page=self._page)

    def commit(self, repo_id: str) -> str:
        """The commit of a repository."""
        return self.routes.repositories[repo_id].commit

    def requests(self, pattern: str) -> list[Seen]:
        """The requests so far whose ``METHOD /path?query`` the pattern is found in."""
        return [seen for seen in self.log if re.search(pattern, f"{seen.method} {seen.target}")]

    def forget(self) -> None:
        """Empty the log and take all faults back."""
        self.log.clear()
        self.faults.clear()

    def close(self) -> None:
        """Stop listening; requests that wait on purpose end at once."""
        self.is_closing.set()
        for server in (self._hub, self._cdn):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()


@contextmanager
def serving(root: Path, *, port: int = 0, page: int = 1000) -> Iterator[HubServer]:
    """A Hub for the length of a block."""
    server = HubServer(root, port=port, page=page)
    try:
        yield server
    finally:
        server.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    disable_nagle_algorithm = True  # headers and body are two writes
    hub: HubServer

    def log_message(self, format: str, *args: object) -> None:
        """Keep the terminal clean."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.hub.faults.take(f"{self.command} {self.path}")
        if fault and fault.kind == "slow":
            self.hub.is_closing.wait(fault.seconds)
        if fault and fault.kind == "drop":
            self._hang_up()
            return
        request = Request(
            method=self.command,
            target=self.path,
            base=self.hub.endpoint,
            token=(self.headers.get("authorization") or "").removeprefix("Bearer "),
            body=body,
        )
        answer = self.hub.routes.answer(request)
        if fault and fault.kind == "status":
            answer = error(fault.status, "", "Injected")
            answer = Answer(
                status=fault.status, headers={**answer.headers, **fault.headers}, body=answer.body
            )
        if fault and fault.kind == "page":
            answer = Answer(headers={"Content-Type": "text/html"}, body=_PAGE)
        if fault and fault.kind == "circle":
            answer = Answer(status=302, headers={"Location": self.path})
        self._send(request, answer, fault)

    do_GET = do_HEAD = do_POST = _serve  # noqa: N815 - the names that http.server looks for

    def _send(self, request: Request, answer: Answer, fault: Fault | None) -> None:
        status, headers, data = answer.status, dict(answer.headers), answer.body
        if answer.file:
            headers["Accept-Ranges"] = "bytes"
            asked = self.headers.get("range") if not fault or fault.kind != "whole" else None
            status, data, extra = _part(answer.file, asked)
            headers |= extra
        seen = Seen(
            method=self.command,
            target=self.path,
            status=status,
            has_token=bool(request.token),
            range=self.headers.get("range") or "",
        )
        self.hub.log.append(seen)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and fault.kind == "corrupt" and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        if fault and fault.kind == "truncate":
            self.wfile.write(data[: fault.bytes])
            self._hang_up()
            return
        if fault and fault.kind == "drip":
            for byte in data:
                self.wfile.write(bytes([byte]))
                if self.hub.is_closing.wait(fault.seconds):
                    return
            return
        self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _part(file: Path, asked: str | None) -> tuple[int, bytes, dict[str, str]]:
    """Status, bytes and headers for a Range; the whole file where there is none."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked or "")
    if match is None or not (match[1] or match[2]):
        return 200, file.read_bytes(), {}
    size = file.stat().st_size
    last = size - 1
    start = int(match[1]) if match[1] else max(0, size - int(match[2]))
    end = min(int(match[2]), last) if match[1] and match[2] else last
    if start > end:
        return 416, b"", {"Content-Range": f"bytes */{size}"}
    with file.open("rb") as stream:
        stream.seek(start)
        data = stream.read(end - start + 1)
    return 206, data, {"Content-Range": f"bytes {start}-{end}/{size}"}


def main(argv: Sequence[str] | None = None) -> int:
    """Serve a folder of repositories until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub.server", description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="written when the server answers")
    arguments = parser.parse_args(argv)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with serving(arguments.root, port=arguments.port) as server:
        if arguments.port_file:
            temporary = arguments.port_file.with_suffix(".tmp")
            temporary.write_text(f"{server.port}\n", encoding="utf-8")
            temporary.replace(arguments.port_file)
        sys.stdout.write(f"HF_ENDPOINT={server.endpoint}\n")
        sys.stdout.flush()
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
