"""Parts of rows that a build has finished, and up to where in the dump: what a killed build goes on from."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from clir_lightning.knowledge.rows import COLUMNS, part_file

JOURNAL = "finished.jsonl"


@dataclass(frozen=True)
class Finished:
    """What some parts hold together with all before them.

    Args:
        parts: numbers of the parts.
        end: bytes of the decompressed dump that they are of.
        counts: of lines and of what the lines were.
        defects: the first of the lines that were left out, each with its number and what is wrong with it.
        sizes: bytes of the parts' files, by name.
        whole: whether nothing of the dump comes behind them.
    """

    parts: list[int]
    end: int
    counts: dict[str, int]
    defects: list[tuple[int, str]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    whole: bool = False


class Parts:
    """A folder of parts with its journal, one line for each time that all rows so far were on the disk.

    What lies there without being in the journal is removed: a killed build's beginnings. `last` is what the journal
    ends with, `None` where nothing is finished.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        entries = list(self._entries())
        self.last = entries[-1] if entries else None
        self.next = 1 + max((number for entry in entries for number in entry.parts), default=-1)

        # Lines behind a broken one go too: parts follow one another.
        kept = {JOURNAL, *(name for entry in entries for name in entry.sizes)}
        with open(folder / JOURNAL, "w", encoding="utf-8") as journal:
            journal.writelines(_line(entry) for entry in entries)
        for path in folder.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def finish(self, entry: Finished) -> None:
        """Write down that an entry's parts are finished; their files are there."""
        files = [part_file(self.folder, number, table) for number in entry.parts for table in COLUMNS]
        self.last = replace(entry, sizes={path.name: path.stat().st_size for path in files})
        self.next = max([self.next - 1, *entry.parts]) + 1
        with open(self.folder / JOURNAL, "a", encoding="utf-8") as journal:
            journal.write(_line(self.last))
            journal.flush()
            os.fsync(journal.fileno())

    def _entries(self) -> Iterable[Finished]:
        """The journal's lines up to the first that is broken or whose files are not as they were."""
        path = self.folder / JOURNAL
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else ():
            try:
                values: dict[str, Any] = json.loads(line)
                values["defects"] = [(int(number), str(what)) for number, what in values["defects"]]
                entry = Finished(**values)
                whole = all((self.folder / name).stat().st_size == size for name, size in entry.sizes.items())
            except (ValueError, TypeError, KeyError, OSError):
                return
            if not whole:
                return
            yield entry


def _line(entry: Finished) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False) + "\n"
