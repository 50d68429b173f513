"""A `clir` for shells and notebooks that begins at once: a fork of the server of `program.py`.

Folder, environment and streams are those of the command that was typed; so is the status.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any

from program import server, within

CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as way:
    way.connect({address!r})
    socket.send_fds(way, [b"\\n"], [0, 1, 2])
    way.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    status = int(way.makefile().read() or 1)
sys.exit(status if status >= 0 else 128 - status)
"""


class Stream:
    """A descriptor that a process takes over when it is started."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _detached, (DupFd(self.number),)


def _detached(copy: Any) -> int:
    number: int = copy.detach()
    return number


def _lent(arguments: list[str], cwd: Path, environment: dict[str, str], streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    within(arguments, cwd, environment)


def _serve(way: socket.socket) -> None:
    """Run what is asked for, and say with which status it ended."""
    with way:
        _, numbers, *_ = socket.recv_fds(way, 1, 3)
        arguments, cwd, environment = json.loads(way.makefile().readline())
        given: Any = [Stream(number) for number in numbers]
        process = server.Process(target=_lent, args=(arguments, Path(cwd), environment, given))
        process.start()
        for number in numbers:
            os.close(number)
        process.join()
        way.sendall(str(process.exitcode).encode())


@contextmanager
def lent() -> Iterator[Path]:
    """A folder with the program `clir` in it, which works within the block."""
    with tempfile.TemporaryDirectory(prefix="clir-") as folder, socket.socket(socket.AF_UNIX) as asked:
        address = str(Path(folder) / "asked")
        asked.bind(address)
        asked.listen()
        program = Path(folder) / "clir"
        program.write_text(CLIENT.format(python=sys.executable, address=address), encoding="utf-8")
        program.chmod(0o755)

        def listen() -> None:
            with suppress(OSError):  # it is closed
                while True:
                    threading.Thread(target=_serve, args=(asked.accept()[0],), daemon=True).start()

        threading.Thread(target=listen, daemon=True).start()
        yield program.parent
        asked.shutdown(socket.SHUT_RDWR)
