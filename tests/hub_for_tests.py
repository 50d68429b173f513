"""A hub on this machine: a model's folder served under the addresses that the Hugging Face hub has for it."""

from __future__ import annotations

import hashlib
import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "c0ffee" + "0" * 34


@contextmanager
def serving(models: dict[str, Path], *, commit: str = COMMIT) -> Iterator[tuple[str, list[str]]]:
    """The address of a hub with these models, hub name → folder, and the requests that it gets, as they come."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            status, body, headers = self.answer()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), "X-Repo-Commit": commit, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def answer(self) -> tuple[int, bytes, dict[str, str]]:
            path = self.path.partition("?")[0]
            for name, folder in models.items():
                if path in (f"/api/models/{name}", f"/api/models/{name}/revision/main"):
                    files = [{"rfilename": file.name} for file in sorted(folder.iterdir())]
                    return 200, json.dumps({"id": name, "sha": commit, "siblings": files}).encode(), {}
                for revision in ("main", commit):
                    start = f"/{name}/resolve/{revision}/"
                    if path.startswith(start):
                        file = folder / path.removeprefix(start)
                        if not file.is_file():
                            return 404, b"", {"X-Error-Code": "EntryNotFound"}
                        body = file.read_bytes()
                        return 200, body, {"ETag": f'"{hashlib.sha256(body).hexdigest()}"'}
            return 404, b"", {"X-Error-Code": "RepoNotFound"}

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=16)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def closed() -> Iterator[str]:
    """An address where nothing listens, nor will: its port is taken meanwhile."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """What is done within waits for threads no longer than so many seconds, as it asks for them; a busy machine may
    take ten times as long to give them."""
    asked: list[float] = []
    join = threading.Thread.join

    def wait(thread: threading.Thread, timeout: float | None = None) -> None:
        asked.append(math.inf if timeout is None else timeout)
        join(thread, timeout)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(threading.Thread, "join", wait)
        start = time.monotonic()
        yield
        assert sum(asked) < seconds
        assert time.monotonic() - start < 10 * seconds
