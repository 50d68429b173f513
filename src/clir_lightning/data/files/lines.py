"""Lines of a text file, gzip or plain, with every defect turned into one `DataError`; files written whole or not."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from clir_lightning.data.store.folders import partial_path
from clir_lightning.errors import DataError
from clir_lightning.types import Document, Query

Report = Callable[[DataError], None]  # is told of each defect, and raises it or goes on


def find_one(folder: str | Path, stem: str) -> Path | None:
    """The file `stem` or `stem.gz` in `folder`, if there is one; `DataError` for both, of which one is out of date."""
    files = [path for name in (f"{stem}.gz", stem) if (path := Path(folder) / name).is_file()]
    if len(files) > 1:
        raise DataError(f"{stem}.gz and {stem} are both there", path=folder, cure="remove the wrong one")
    return files[0] if files else None


def find_file(folder: str | Path, stem: str) -> Path:
    """The file `stem` or `stem.gz` in `folder`; `DataError` says what lies there instead."""
    if path := find_one(folder, stem):
        return path
    if not Path(folder).is_dir():
        raise DataError("no such folder", path=folder, cure="give the folder that holds the files")
    there = ", ".join(sorted(path.name for path in Path(folder).iterdir())[:12]) or "nothing"
    raise DataError(f"no file {stem}.gz or {stem}", path=folder, cure=f"put it there (the folder holds: {there})")


def stop(error: DataError) -> None:
    """The plainest `Report`: the first defect ends the reading."""
    raise error


def read_lines(path: str | Path, report: Report = stop) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line without its end) of a UTF-8 file; `.gz` is decompressed.

    `report` is told of a line that is not UTF-8, which is then left out, and of a broken archive, where the
    reading then ends; without it both are raised.
    """
    # Bytes first, decoded line by line: a line that is not UTF-8 does not end the reading.
    number = 0
    try:
        with gzip.open(path, "rb") if str(path).endswith(".gz") else open(path, "rb") as stream:
            for number, line in enumerate(stream, start=1):
                text = _decoded(line, number, path, report)
                if text is not None:
                    yield number, text

    # Of what can be wrong with the file itself, a broken archive alone has lines before it that are worth keeping.
    except FileNotFoundError as error:
        raise DataError("no such file", path=path, cure="check the path") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        cure = "fetch or compress the file again"
        report(DataError(f"broken gzip ({error})", path=path, line=number + 1, cure=cure))
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", path=path, cure="check the path and its rights"
        ) from error


def _decoded(line: bytes, number: int, path: str | Path, report: Report) -> str | None:
    """A line as text, without the mark that may open a file; `None`, once `report` knows, if it is not UTF-8."""
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 (byte {error.object[error.start]:#04x})"
        report(DataError(problem, path=path, line=number, cure="convert the file to UTF-8"))
    return None


def tab_rows(path: str | Path, report: Report = stop) -> Iterator[tuple[int, str, str]]:
    """(line number, id, text) of a file of `id<TAB>text` lines; further tabs belong to the text."""
    for number, line in read_lines(path, report):
        text_id, tab, text = line.partition("\t")
        if not tab:
            cure = "put a tab between the id and the text"
            report(DataError("no 'id<TAB>text'", path=path, line=number, cure=cure))
            continue
        yield number, text_id, text


def tab_texts(path: str | Path) -> dict[str, str]:
    """The texts of a file of `id<TAB>text` lines by id; `DataError` for the first defect, an id twice included."""
    texts: dict[str, str] = {}
    for number, text_id, text in tab_rows(path):
        if text_id in texts:
            raise DataError(f"id {text_id!r} twice", path=path, line=number, cure="keep one of the two")
        texts[text_id] = text
    return texts


def tab_line(record: Query | Document) -> str:
    """A record as an `id<TAB>text` line; line breaks within the text become blanks.

    >>> tab_line(Query("7", "阿拉\\n木图", "zh"))
    '7\\t阿拉 木图\\n'
    """
    return f"{record.id}\t{' '.join(record.text.splitlines())}\n"


@contextmanager
def write_whole(path: str | Path) -> Iterator[IO[str]]:
    """Open `path` for text so that it appears complete or not at all; `.gz` is compressed."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(target)  # beside it, so that the rename below stays within one file system
    try:
        opener = gzip.open if target.suffix == ".gz" else open
        with opener(partial, "wt", encoding="utf-8") as stream:
            yield stream
        os.replace(partial, target)
    except UnicodeEncodeError as error:
        half = error.object[max(0, error.start - 20) : error.end]
        problem = f"cannot be written: half a character (a lone surrogate) at the end of {half!r}"
        raise DataError(problem, path=target, cure="correct the text") from error
    finally:
        partial.unlink(missing_ok=True)
