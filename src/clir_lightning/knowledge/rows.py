"""Rows of a graph before it is merged: parts of four tables each, as lines of fields between tabs."""

from __future__ import annotations

import os
import re
import unicodedata
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Literal

from clir_lightning.data.store.folders import partial_path

Kind = Literal["L", "D", "A", "S"]
LABEL: Kind = "L"
DESCRIPTION: Kind = "D"
ALIAS: Kind = "A"
TITLE: Kind = "S"  # of the article that a site link leads to

# A rank is a number, the higher the more preferred.
RANKS = {"preferred": 2, "normal": 1, "deprecated": 0}

COLUMNS = {
    "entities": ("id", "sitelinks"),
    "terms": ("entity", "language", "kind", "place", "text"),
    "triples": ("subject", "property", "object", "rank"),
    "properties": ("id", "language", "label"),
}

# Line breaks and tabs, which would end a field; other control characters; halves of characters, which no file can hold.
UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def clean(text: str) -> str:
    """A text as a field holds it: NFC, a blank where it has line breaks, tabs or control characters, none around it.

    >>> clean(" 阿拉\\n\\t木图 "), clean("и\\u0306") == "й"
    ('阿拉 木图', True)
    """
    text = unicodedata.normalize("NFC", text)
    return (text if text.isprintable() else UNWRITABLE.sub(" ", text)).strip()


def part_file(folder: Path, number: int, table: str) -> Path:
    """Where a part has a table.

    >>> part_file(Path("parts"), 7, "terms").as_posix()
    'parts/000007.terms.tsv'
    """
    return folder / f"{number:06d}.{table}.tsv"


class Rows:
    """Writes one part of a graph into a folder: `with Rows(folder, number) as rows: rows.entity("Q42", 110)`.

    The four files appear when the block ends without an error, in place of those of an earlier part of this number.
    Fields are cleaned (`clean`); a text of which nothing remains is no row.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self._targets = {table: part_file(folder, number, table) for table in COLUMNS}
        self._partial = {table: partial_path(target) for table, target in self._targets.items()}
        self._files: dict[str, IO[bytes]] = {}
        self._open = ExitStack()

    def __enter__(self) -> Rows:
        for table, path in self._partial.items():
            self._files[table] = self._open.enter_context(open(path, "wb"))
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        try:
            if kind is None:  # on the disk before it has its name
                for file in self._files.values():
                    file.flush()
                    os.fsync(file.fileno())
            self._open.close()
            if kind is None:
                for table, path in self._partial.items():
                    os.replace(path, self._targets[table])
        finally:
            for path in self._partial.values():
                path.unlink(missing_ok=True)

    def entity(self, entity: str, sitelinks: int) -> None:
        """An entity, and to how many sites it has links."""
        self._row("entities", entity, sitelinks)

    def term(self, entity: str, language: str, kind: Kind, place: int, text: str) -> None:
        """A text of an entity; `place` orders those of its language and kind, from 0."""
        if written := clean(text):
            self.add("terms", f"{clean(entity)}\t{language}\t{kind}\t{place}\t{written}\n".encode())

    def triple(self, subject: str, property: str, object: str, rank: int = 1) -> None:  # noqa: A002
        """A statement: two entities and what the second is to the first; `rank` as in `RANKS`."""
        self._row("triples", subject, property, object, rank)

    def property(self, property: str, language: str, label: str) -> None:  # noqa: A002
        """The label of a property in a language."""
        if clean(label):
            self._row("properties", property, language, label)

    def add(self, table: str, lines: bytes) -> None:
        """Ready lines of a table in UTF-8, cleaned, each with its end."""
        self._files[table].write(lines)

    def _row(self, table: str, *fields: str | int) -> None:
        self.add(table, ("\t".join(clean(str(field)) for field in fields) + "\n").encode())
