"""`Graph`: entities with terms in several languages and the statements between them, read from a folder as asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.store.replacing import identity, unchanged
from clir_lightning.errors import DataError, at_least, one_of
from clir_lightning.knowledge.adjacency import ORDERS, Adjacency, Triples
from clir_lightning.knowledge.database import connect, parquet
from clir_lightning.knowledge.merging import TABLES, read_graph_manifest

AT_ONCE = 1000  # entities or names a query, and rows fetched at a time

_INHERITED: list[Any] = []  # connections of a parent process: to close one would wait for threads that are not here


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entity next to another, by which property, and whether the other's own statement names it (`outgoing`)."""

    entity: str
    property: str
    outgoing: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What an entity is called in a language; `title` is that of its article. Empty where there is none."""

    label: str = ""
    description: str = ""
    aliases: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True, slots=True)
class Name:
    """A normal form that names an entity, the kind of name (`L`, `A`, `S`), and the entity's site links."""

    key: str
    entity: str
    kind: str
    sitelinks: int


@dataclass(eq=False)
class Graph:
    """A graph folder. Nothing of it is in memory: neighbours are mapped, terms and names are looked up by DuckDB.

    It can be pickled, and used in processes that are forked from one that uses it.

    Args:
        path: the folder, as `merge` wrote it.
        manifest: the folder's.
    """

    path: Path
    manifest: dict[str, Any] = field(repr=False)
    _process: int = field(default=-1, init=False, repr=False)
    _database: Any = field(default=None, init=False, repr=False)
    _arrays: Adjacency | None = field(default=None, init=False, repr=False)
    _seen: Any = field(default=None, init=False, repr=False)  # the folder that was found to be the graph's

    @classmethod
    def open(cls, path: str | Path) -> Graph:
        """The graph in a folder. Raises `DataError` where there is none, for a damaged one or one of another format."""
        place = Path(path).expanduser()
        graph = cls(place, unchanged(place, read_graph_manifest))
        connect().close()  # says first where DuckDB is missing
        return graph

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "manifest": self.manifest}  # the rest is opened again

    @property
    def languages(self) -> tuple[str, ...]:
        """Those of its terms, the queries' first."""
        return tuple(self.manifest["languages"])

    @property
    def fingerprint(self) -> str:
        """Stands for the content."""
        return str(self.manifest["fingerprint"])

    def __len__(self) -> int:
        return int(self.manifest["rows"]["entities"])

    def __bool__(self) -> bool:
        return True  # also without entities

    def __contains__(self, entity: object) -> bool:
        return isinstance(entity, str) and self._numbers.number(entity) >= 0

    @property
    def _numbers(self) -> Adjacency:
        if self._arrays is None:
            self._arrays = unchanged(self.path, self._mapped)
        return self._arrays

    def _mapped(self, folder: Path) -> Adjacency:
        self._check()
        return Adjacency.open(folder)

    def _check(self) -> None:
        """`DataError` if another graph stands at the path by now: parts of both would be mixed."""
        now = identity(self.path)
        if now is not None and now == self._seen:
            return
        if unchanged(self.path, read_graph_manifest)["fingerprint"] != self.fingerprint:
            raise DataError("was replaced since it was opened", path=self.path, cure="open it again")
        self._seen = now

    def neighbours(self, entity: str, n: int, order: str = "rank") -> list[Neighbour]:
        """The first `n` neighbours in an order, fewer being the beginning of more; none of what is no entity.

        Each neighbour comes once, with its best statement: preferred before normal rank, the entity's own before the
        neighbour's, then the first property. Deprecated statements make no neighbours.

        Args:
            entity: whose.
            n: how many at most.
            order: `rank`, by that statement's rank, own statements first, then by frequency; `frequency`, by how many
                statements the neighbour has or is named in; `both`, those with a label in each language of the graph
                first, then as `rank`. Ties go by id, in the order of its bytes.
        """
        one_of(order, ORDERS, "order")
        at_least(n, 0, "neighbours")
        number = self._numbers.number(entity)
        if number < 0:
            return []
        rows = self._numbers.of(number, n, order)[:, :2].tolist()
        ids = self._numbers.ids
        codes = self._numbers.codes
        return [Neighbour(ids[other], codes[way // 2], way % 2 == 0) for other, way in rows]

    def numbers(self, entities: Iterable[str]) -> NDArray[np.int64]:
        """The entities' numbers in `triples`, -1 for what is no entity."""
        return np.asarray([self._numbers.number(entity) for entity in entities], np.int64)

    def degrees(self) -> NDArray[np.int64]:
        """How many neighbours each entity has, by number."""
        return np.diff(self._numbers.offsets) // 4

    def triples(self) -> Triples:
        """All statements between entities, deprecated ones too, as arrays of numbers."""
        return self._numbers.triples()

    def terms(self, entities: Sequence[str]) -> dict[str, dict[str, Terms]]:
        """What entities are called, by language; entities without a term are left out, and languages without one."""
        found: dict[str, dict[str, Terms]] = {}
        sql = """
            SELECT entity, language, kind, text FROM terms WHERE entity IN {}
            ORDER BY entity, language, kind, place, text"""
        rows = self._of_many(sql, entities)
        for (entity, language), group in groupby(rows, key=lambda row: (row[0], row[1])):
            kinds: dict[str, list[str]] = {"L": [], "D": [], "A": [], "S": []}
            for *_, kind, text in group:
                kinds[kind].append(text)
            first = {kind: texts[0] if texts else "" for kind, texts in kinds.items()}
            of = Terms(first["L"], first["D"], tuple(kinds["A"]), first["S"])
            found.setdefault(entity, {})[language] = of
        return found

    def names(self, keys: Sequence[str], language: str) -> list[Name]:
        """What normal forms (`knowledge.normal`) name in a language."""
        sql = (
            "SELECT key, entity, kind, sitelinks FROM names WHERE key IN {} AND language = ? ORDER BY key, entity, kind"
        )
        return [Name(*row) for row in self._of_many(sql, keys, language)]

    def all_names(self, language: str) -> Iterator[Name]:
        """All names in a language, by their normal forms in ascending order."""
        sql = "SELECT key, entity, kind, sitelinks FROM names WHERE language = ? ORDER BY file_row_number"
        yield from (Name(*row) for row in self.rows(sql, [language]))

    def property_label(self, property: str, language: str) -> str:  # noqa: A002
        """A property's label in a language; where it has none, in another, else its id."""
        sql = "SELECT label FROM properties WHERE id = ? ORDER BY language <> ?, language LIMIT 1"
        return str(next(iter(self.rows(sql, [property, language])), (property,))[0])

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of an SQL query, in which the folder's tables stand by their names; some at a time."""
        cursor = self._connection().cursor()  # of its own: two queries may be read by turns
        cursor.execute(sql, list(values))
        while some := cursor.fetchmany(AT_ONCE):
            yield from some

    def _of_many(self, sql: str, values: Iterable[str], *more: Any) -> list[tuple[Any, ...]]:
        """Rows for many values, `{}` in the query, some values at a time."""
        distinct = sorted(set(values))
        rows: list[tuple[Any, ...]] = []
        for start in range(0, len(distinct), AT_ONCE):
            some = distinct[start : start + AT_ONCE]
            rows += self.rows(sql.format(f"({', '.join('?' * len(some))})"), [*some, *more])
        return rows

    def _connection(self) -> Any:
        """This process's connection: one that a fork inherits would be shared."""
        self._check()  # each time: it reads the tables anew
        if self._process == os.getpid():
            return self._database
        if self._database is not None:
            _INHERITED.append(self._database)

        # Kept when it is whole: another thread may look at the same time, and then the later one stays.
        database = connect()
        database.execute("SET parquet_metadata_cache = true")
        for table in TABLES:
            source = parquet(self.path.resolve() / f"{table}.parquet")
            database.execute(f"CREATE VIEW {table} AS SELECT * FROM {source}")
        self._database = database
        self._process = os.getpid()
        return database


def open_graph(path: str) -> Graph:
    """The graph in a folder that `clir graph build` or `clir graph reduce` wrote."""
    return Graph.open(path)
