"""`Graph`: entities with terms in several languages and the statements between them, read from a folder as asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.store.folders import MANIFEST, read_manifest
from clir_lightning.errors import DataError, one_of
from clir_lightning.knowledge.database import connect, quoted
from clir_lightning.knowledge.merging import FORMAT, TABLES

ORDERS = ("rank", "frequency", "both")
REMEMBERED = 1 << 18  # entities whose neighbours are kept in memory, in each order
BATCH = 1000  # names or entities that are looked up at a time
MAKE = "make it with clir graph build"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entity next to another: by which property, and whether the other's statement names it (`outgoing`)."""

    entity: str
    property: str
    outgoing: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What an entity is called in a language; `title` is its article's. Empty where there is none."""

    label: str = ""
    description: str = ""
    aliases: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """A name under its normal form: of which entity, of which kind (`rows.LABEL`, …), and that entity's site links."""

    key: str
    entity: str
    kind: str
    sitelinks: int


@dataclass(frozen=True)
class Triples:
    """All statements by number: `ids` are the entities in ascending order, the others `[S]` of S statements."""

    ids: NDArray[Any]
    subjects: NDArray[np.int64]
    objects: NDArray[np.int64]
    properties: NDArray[Any]
    ranks: NDArray[np.int64]


@dataclass(eq=False)
class Graph:
    """A graph folder (`knowledge.merging`); look-ups read what they need of it, on a connection of each process.

    Attributes:
        path: the folder.
        manifest: what the folder tells of itself.
    """

    path: Path
    manifest: dict[str, Any]
    _process: int = field(default=-1, repr=False)
    _connection: Any = field(default=None, repr=False)
    _remembered: dict[tuple[str, int], dict[str, list[Neighbour]]] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, path: str | Path) -> Graph:
        """The graph in a folder. Raises `DataError` where there is none, and for a damaged one or of another format."""
        place = Path(path).expanduser()
        if not (place / MANIFEST).is_file():
            raise DataError("there is no graph here" if place.is_dir() else "is missing", path=place, cure=MAKE)
        manifest = read_manifest(place)
        if manifest.get("kind") != "graph" or manifest.get("format") != FORMAT:
            found = f"{manifest.get('kind')} of format {manifest.get('format')}"
            raise DataError(f"holds a {found}, not a graph of format {FORMAT}", path=place, cure=MAKE)
        connect().close()  # says first where DuckDB is missing
        return cls(place, manifest)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those of its terms, the queries' first."""
        return tuple(self.manifest["languages"])

    @property
    def fingerprint(self) -> str:
        """Stands for its content."""
        return str(self.manifest["fingerprint"])

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "manifest": self.manifest, "_process": -1, "_connection": None, "_remembered": {}}

    def __len__(self) -> int:
        return int(self.manifest["rows"]["entities"])

    def __contains__(self, entity: object) -> bool:
        if not isinstance(entity, str):
            return False
        return bool(self.query("SELECT 1 FROM entities WHERE id = ?", [entity]))

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows that an SQL query finds; the folder's tables are there by their names."""
        rows: list[tuple[Any, ...]] = self._database().execute(sql, list(values)).fetchall()
        return rows

    def _database(self) -> Any:
        """This process's connection: one that a fork inherits would be shared."""
        if self._process != os.getpid():
            self._connection = connect(threads=1)
            self._connection.execute("SET parquet_metadata_cache = true")
            for table in TABLES:
                place = quoted(self.path / f"{table}.parquet")
                self._connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet({place})")
            self._process = os.getpid()
        return self._connection

    def entities(self) -> list[str]:
        """All entities with terms or statements, in ascending order."""
        return [entity for (entity,) in self.query("SELECT id FROM entities ORDER BY id")]

    def present(self, entities: Iterable[str]) -> set[str]:
        """Those of `entities` that it has."""
        rows = self._of_many("SELECT id FROM entities WHERE id IN {}", entities)
        return {entity for (entity,) in rows}

    def neighbours(self, entity: str, n: int, order: str = "rank") -> list[Neighbour]:
        """The first `n` neighbours (at most 1,000) in an order; fewer are the beginning of more.

        `rank`: those that preferred statements name before others, an entity's own statements before those that name
        it, then the more frequent; `frequency`: those with the most neighbours; `both`: those with a label in every
        language before others, then as `rank`. Equal ones by id. Deprecated statements make no neighbours.
        """
        return self.neighbours_of([entity], n, order)[entity]

    def neighbours_of(self, entities: Sequence[str], n: int, order: str = "rank") -> dict[str, list[Neighbour]]:
        """`neighbours` of many, read together: a few milliseconds for each thousand."""
        one_of(order, ORDERS, "order")
        known = self._remembered.setdefault((order, n), {})
        missing = [entity for entity in dict.fromkeys(entities) if entity not in known]
        if len(known) + len(missing) > REMEMBERED:
            known.clear()
            missing = list(dict.fromkeys(entities))

        # Those that have none are remembered too.
        known.update((entity, []) for entity in missing)
        place = f"place_{order}"
        columns = "entity, neighbour, property, outgoing"
        sql = f"SELECT {columns} FROM neighbours WHERE entity IN {{}} AND {place} <= ? ORDER BY entity, {place}"
        for entity, *found in self._of_many(sql, missing, n):
            known[entity].append(Neighbour(*found))
        return {entity: known[entity] for entity in entities}

    def terms(self, entities: Sequence[str]) -> dict[str, dict[str, Terms]]:
        """What entities are called, by language; those without any term are left out."""
        rows = self._of_many(
            "SELECT entity, language, kind, text FROM terms WHERE entity IN {} ORDER BY entity, language, place",
            entities,
        )
        found: dict[str, dict[str, dict[str, list[str]]]] = {}
        for entity, language, kind, text in rows:
            found.setdefault(entity, {}).setdefault(language, {}).setdefault(kind, []).append(text)
        return {
            entity: {language: _terms(kinds) for language, kinds in languages.items()}
            for entity, languages in found.items()
        }

    def names(self, keys: Sequence[str], language: str) -> list[Name]:
        """The entities that have these names (`knowledge.normal`) in a language."""
        sql = "SELECT key, entity, kind, sitelinks FROM names WHERE key IN {} AND language = ? ORDER BY ALL"
        return [Name(*row) for row in self._of_many(sql, keys, language)]

    def all_names(self, language: str) -> Iterator[Name]:
        """Every name in a language, by their normal forms in ascending order."""
        cursor = self._database().cursor()
        cursor.execute(
            "SELECT key, entity, kind, sitelinks FROM names WHERE language = ? ORDER BY key, entity, kind", [language]
        )
        while rows := cursor.fetchmany(BATCH):
            yield from (Name(*row) for row in rows)

    def property_label(self, property: str, language: str) -> str:  # noqa: A002
        """What a property is called in a language; in any other, or its id, where it has no label there."""
        rows = self.query(
            "SELECT label FROM properties WHERE id = ? ORDER BY language <> ?, language LIMIT 1", [property, language]
        )
        return str(rows[0][0]) if rows else property

    def triples(self) -> Triples:
        """Every statement, for what needs the whole graph."""
        found = self._database().execute(
            """SELECT s.row AS subject, o.row AS object, t.property, t.rank FROM triples t
            JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS row FROM entities) s ON s.id = t.subject
            JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS row FROM entities) o ON o.id = t.object
            ORDER BY subject, object, property"""
        )
        rows = found.fetchnumpy()
        return Triples(
            np.array(self.entities(), dtype=object),
            rows["subject"].astype(np.int64),
            rows["object"].astype(np.int64),
            rows["property"],
            rows["rank"].astype(np.int64),
        )

    def _of_many(self, sql: str, values: Iterable[str], *more: Any) -> list[tuple[Any, ...]]:
        """Rows for many values, `{}` in the query, some at a time."""
        distinct = sorted(set(values))
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(distinct), BATCH):
            some = distinct[start : start + BATCH]
            marks = f"({', '.join('?' * len(some))})"
            rows += self.query(sql.format(marks), [*some, *more])
        return rows


def _terms(kinds: dict[str, list[str]]) -> Terms:
    """The terms of one language by kind."""
    first = {kind: kinds.get(kind, [""])[0] for kind in "LDS"}
    return Terms(first["L"], first["D"], tuple(kinds.get("A", ())), first["S"])


def open_graph(path: str) -> Graph:
    """The graph in a folder that `clir graph build` or `clir graph reduce` wrote."""
    return Graph.open(path)
