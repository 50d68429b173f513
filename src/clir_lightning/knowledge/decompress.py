"""A dump's bytes, whether plain, gzip or bzip2: by a parallel reader, and by the standard library where that fails."""

from __future__ import annotations

import bz2
import fcntl
import logging
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from clir_lightning.errors import ConfigError, DataError

log = logging.getLogger(__name__)

GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"
OTHERS = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
PIECE = 1 << 13  # compressed bytes that the standard library gets at once
CHUNK = 1024  # KiB that a thread decompresses at once: memory grows with it
PIPE = 1 << 20  # bytes on their way from the decompressing program
SKIPPED = 1 << 24  # bytes thrown away at once
CURE = "install it by pip install 'clir-lightning[graph]'"


class Decompressed:
    """The bytes of a file after decompression, from its start to its end or to where it is broken.

    Args:
        path: the file; its first bytes say what it is.
        threads: of the parallel reader.

    Attributes:
        size: bytes of the file as it lies there.
        broken: what is wrong with the file behind the last byte that could be read; empty while nothing is.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.broken = ""
        with open(path, "rb") as stream:
            self._start = stream.read(6)
        for start, name in OTHERS.items():
            if self._start.startswith(start):
                cure = "compress it by gzip or bzip2, or give the plain file"
                raise DataError(f"is {name}; allowed: gzip, bzip2 or plain", path=path, cure=cure)
        self._compressed = self._start.startswith((GZIP, BZIP2))
        self._read = 0
        self._told = 0
        self._ended = False
        self._rest: Pieces | None = None  # of the standard library, once it is at work
        self._stream: Any = self._opened(threads)

    def __enter__(self) -> Decompressed:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer's start; the number of bytes, 0 at the end, and at the first byte that cannot be read."""
        count = 0
        if self._rest is None:
            try:
                count = self._stream.readinto(buffer)
            except Exception as error:  # the parallel readers throw whatever their C++ throws
                self._fall_back(error)
        if self._rest is not None:
            count = self._rest.readinto(buffer)
            self.broken = self._rest.broken
        self._read += count
        self._ended = not count
        if self._ended and not self._read and self._compressed:
            self.broken = self.broken or "broken archive (there is nothing in it)"
        return count

    def skip(self, count: int) -> int:
        """Pass over so many bytes; how many there were."""
        if not self._compressed:
            self._stream.seek(min(count, self.size))
            return min(count, self.size)
        before: int = self._read
        buffer = memoryview(bytearray(min(count, SKIPPED)))
        while (left := count - (self._read - before)) and self.readinto(buffer[:left]):
            pass
        return self._read - before

    def position(self) -> int:
        """How many bytes of the file are behind what was read, nearly."""
        if self._ended:
            return self.size
        if self._rest is not None:
            return self._rest.consumed
        told: int = self._stream.tell_compressed() // 8 if self._compressed else self._stream.tell()
        self._told = min(self.size, max(told, self._told))
        return self._told

    def _opened(self, threads: int) -> Any:
        """The raw stream of the reader that the file's first bytes ask for."""
        try:
            if self._start.startswith(GZIP):
                return Rapidgzip(self.path, threads)
            if self._start.startswith(BZIP2):
                import indexed_bzip2

                return indexed_bzip2._IndexedBzip2FileParallel(os.fspath(self.path), parallelization=threads)
        except ImportError as error:
            raise ConfigError(f"reading {self.path} needs {error.name}; {CURE}") from None
        except Exception as error:
            self._fall_back(error)
        return open(self.path, "rb", buffering=0)

    def _fall_back(self, error: Exception) -> None:
        """Go on by the standard library, which reads up to the very byte where a file is broken."""
        log.info(
            "%s: the parallel reader fails (%s); reading on by the standard library", self.path, error or "no reason"
        )
        decoder: Callable[[], Any] = bz2.BZ2Decompressor if self._start.startswith(BZIP2) else gzip_decoder
        if hasattr(self, "_stream"):
            self._stream.close()
        self._rest = Pieces(self.path, decoder)
        passed = 0
        buffer = memoryview(bytearray(SKIPPED))
        while passed < self._read and (count := self._rest.readinto(buffer[: self._read - passed])):
            passed += count


class Rapidgzip:
    """What rapidgzip's own program writes: its reader for Python holds on to all that it has decompressed.

    Raises `RuntimeError` at the end if the program failed.
    """

    def __init__(self, path: Path, threads: int) -> None:
        if find_spec("rapidgzip") is None:
            raise ModuleNotFoundError(name="rapidgzip")
        told = ["-d", "-c", "-P", str(threads), "--chunk-size", str(CHUNK), os.fspath(path.resolve())]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._program = subprocess.Popen(
            [sys.executable, "-c", "import sys; from rapidgzip import cli; sys.exit(cli())", *told],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
        )
        assert self._program.stdout is not None
        self._output: Any = self._program.stdout
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with suppress(OSError):  # a smaller pipe only means more turns
                fcntl.fcntl(self._output, fcntl.F_SETPIPE_SZ, PIPE)

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer's start; the number of bytes, 0 at the end."""
        count = int(self._output.readinto(buffer) or 0)
        if not count and self._program.wait():
            self._errors.seek(0)
            lines = self._errors.read().decode("utf-8", "replace").split("\n")
            raise RuntimeError(next((line for line in reversed(lines) if line.strip()), "it was ended"))
        return count

    def tell_compressed(self) -> int:
        """How many bits of the file it has read, as far as the system tells."""
        with suppress(OSError, ValueError):
            said = Path(f"/proc/{self._program.pid}/io").read_text(encoding="ascii")
            return 8 * int(said.split()[1])
        return 0

    def close(self) -> None:
        """End the program, if it is still at work."""
        self._output.close()
        self._program.kill()
        self._program.wait()
        self._errors.close()


def gzip_decoder() -> Any:
    """A decoder of one gzip member."""
    return zlib.decompressobj(wbits=31)


class Pieces:
    """The standard library's reading of a compressed file, member after member, up to the end or a defect."""

    def __init__(self, path: Path, decoder: Callable[[], Any]) -> None:
        self.consumed = 0
        self.broken = ""
        self._left = memoryview(b"")
        self._pieces = self._decoded(path, decoder)

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer's start; the number of bytes, 0 at the end."""
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def _decoded(self, path: Path, new: Callable[[], Any]) -> Iterator[bytes]:
        decoder = new()
        try:
            with open(path, "rb") as stream:
                while data := stream.read(PIECE):
                    self.consumed += len(data)
                    while data:
                        if decoder.eof:  # another member follows
                            decoder = new()
                        yield decoder.decompress(data)
                        data = decoder.unused_data
        except (zlib.error, OSError, EOFError) as error:
            self.broken = f"broken archive ({error})"
        if not self.broken and not decoder.eof:
            self.broken = "broken archive (it ends in the middle)"
