"""Statements and neighbours as arrays of numbers, mapped into memory: a look-up reads a page or two.

An entity's number is its place among the ids in ascending order; a property's, among those of the statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clir_lightning.data.store.columns import ArrayWriter, StringColumn, StringWriter, map_array
from clir_lightning.knowledge.database import parquet

ORDERS = ("rank", "frequency", "both")
BLOCK = 1 << 18  # entities whose neighbours are in memory at a time
ROWS = 1 << 16  # rows fetched at a time
FILES = ("ids", "codes", "statements", "neighbours")

Ints = NDArray[np.int64]
Numbers = NDArray[np.int32]

# What is between entities of the graph, by number: the direct statements, then each pair of neighbours once with its
# best statement. `way` orders them, 1 << 40 for each rank below the highest, 1 << 32 for one that names the entity.
STATEMENTS = """
    SELECT s.file_row_number::INTEGER AS subject, o.file_row_number::INTEGER AS object,
        p.number::INTEGER AS property, rank::INTEGER AS rank
    FROM {triples} AS t JOIN {entities} AS s ON s.id = t.subject JOIN {entities} AS o ON o.id = t.object
    JOIN codes AS p ON p.id = t.property ORDER BY subject, object, property"""
CODES = """
    CREATE TABLE codes AS SELECT property AS id, row_number() OVER (ORDER BY property) - 1 AS number
    FROM (SELECT DISTINCT property FROM {triples})"""
NEIGHBOURS = """
    WITH ways AS (
        SELECT subject AS entity, object AS other, ((2 - rank)::BIGINT << 40) + property AS way FROM {statements}
        WHERE rank > 0 AND subject <> object
        UNION ALL SELECT object, subject, ((2 - rank)::BIGINT << 40) + (1::BIGINT << 32) + property FROM {statements}
        WHERE rank > 0 AND subject <> object
    ), often AS (SELECT entity, count(*) AS often FROM ways GROUP BY entity),
    complete AS (
        SELECT file_row_number AS entity, true AS complete FROM {entities} WHERE id IN (
            SELECT entity FROM {terms} WHERE kind = 'L' GROUP BY entity HAVING count(DISTINCT language) >= {languages}
        )
    ), pairs AS (SELECT entity, other, min(way) AS way FROM ways GROUP BY entity, other)
    SELECT pairs.entity, other, way, often, coalesce(complete, false) AS complete
    FROM pairs JOIN often ON often.entity = other LEFT JOIN complete ON complete.entity = other
    ORDER BY pairs.entity, other"""


@dataclass(frozen=True)
class Triples:
    """All statements between entities of a graph, S of them; numbers are places in `ids` and in `codes`."""

    ids: Sequence[str]  # entities, ascending
    codes: Sequence[str]  # properties, ascending
    subjects: Numbers  # [S]
    objects: Numbers  # [S]
    properties: Numbers  # [S]
    ranks: Numbers  # [S] 2 preferred, 1 normal, 0 deprecated


@dataclass(frozen=True)
class Adjacency:
    """The arrays of a graph folder. A neighbour is four numbers: entity, way, and its places in the other orders."""

    ids: StringColumn
    codes: StringColumn
    statements: Numbers  # [4S] subject, object, property, rank
    neighbours: Numbers  # [4N] entity, 2·property + 1 for one that names the entity, which is the r-th by frequency, …
    offsets: Ints  # [E + 1] of entities in `neighbours`

    @classmethod
    def open(cls, folder: Path) -> Adjacency:
        """What `write` wrote."""
        columns = [StringColumn.open(folder, name) for name in ("ids", "codes")]
        arrays = [map_array(folder / f"{name}.npy") for name in ("statements", "neighbours", "neighbours.offsets")]
        return cls(columns[0], columns[1], arrays[0], arrays[1], arrays[2])

    def number(self, entity: str) -> int:
        """An entity's number, -1 if there is none; its ids are searched as sorted bytes."""
        low = 0
        high = len(self.ids)
        while low < high:
            middle = (low + high) // 2
            found = self.ids[middle]
            if found == entity:
                return middle
            if found < entity:
                low = middle + 1
            else:
                high = middle
        return -1

    def of(self, number: int, n: int, order: str) -> Numbers:
        """The first `n` neighbours of an entity in an order: `[≤ n, 4]`, entity and way first."""
        rows = self.neighbours[self.offsets[number] : self.offsets[number + 1]].reshape(-1, 4)
        if order == "rank":
            return rows[:n]
        return rows[rows[:n, 1 + ORDERS.index(order)]]

    def triples(self) -> Triples:
        """The statements, mapped."""
        columns = self.statements.reshape(-1, 4)
        return Triples(self.ids, self.codes, columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3])


def write(database: Any, folder: Path, scratch: Path, languages: int) -> dict[str, int]:
    """Write the arrays of a folder that has its tables; returns how many statements and neighbours there are."""
    places = {name: parquet(folder / f"{name}.parquet") for name in ("entities", "triples", "terms")}
    places["statements"] = parquet(scratch / "statements.parquet")
    database.execute(CODES.format(**places))
    _strings(database, folder, "ids", f"SELECT id FROM {places['entities']} ORDER BY file_row_number")
    _strings(database, folder, "codes", "SELECT id FROM codes ORDER BY number")

    # Both sorted on the disk first: they are larger than memory.
    for name, query in (("statements", STATEMENTS), ("neighbours", NEIGHBOURS)):
        filled = query.format(**places, languages=languages)
        target = str(scratch / f"{name}.parquet").replace("'", "''")
        database.execute(f"COPY ({filled}) TO '{target}' (FORMAT parquet, ROW_GROUP_SIZE {ROWS})")

    # Then as arrays, some entities at a time.
    entities = database.execute(f"SELECT count(*) FROM {places['entities']}").fetchone()[0]
    writers = {name: ArrayWriter(folder, name, np.int32) for name in ("statements", "neighbours")}
    for start in range(0, max(entities, 1), BLOCK):
        stop = min(start + BLOCK, entities)
        found = _block(database, scratch / "statements.parquet", "subject", start, stop)
        flat = np.stack([found[name] for name in ("subject", "object", "property", "rank")], axis=1)
        writers["statements"].extend(flat.ravel().astype(np.int32), [flat.size])

        # Four numbers a neighbour.
        rows, lengths = ordered(_block(database, scratch / "neighbours.parquet", "entity", start, stop), start, stop)
        writers["neighbours"].extend(rows.ravel(), lengths * 4)
    for writer in writers.values():
        writer.close()
    (folder / "statements.offsets.npy").unlink()
    return {"statements": writers["statements"].size // 4, "neighbours": writers["neighbours"].size // 4}


def ordered(found: dict[str, NDArray[Any]], start: int, stop: int) -> tuple[Numbers, Ints]:
    """The neighbours of the entities from `start` to `stop` in the three orders.

    Returns `[N, 4]`, in the order of rank: entity, way, and the places of what is next by frequency and by both; and
    how many neighbours each entity has.
    """
    entity = found["entity"]
    way = found["way"]
    rarity = -found["often"]
    by_rank = np.lexsort((found["other"], rarity, way >> 32, entity))

    # The same rows in the other orders, as places among the entity's rows in the order of rank.
    lengths = np.bincount(entity - start, minlength=stop - start).astype(np.int64)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.empty(len(entity), np.int64)
    place[by_rank] = np.arange(len(entity)) - first
    by_frequency = np.lexsort((found["other"], rarity, entity))
    by_both = np.lexsort((place, ~found["complete"], entity))

    # Two numbers of the way are left: the property, and whose statement it is.
    ways = 2 * (way & 0xFFFFFFFF) + ((way >> 32) & 1)
    columns = (found["other"][by_rank], ways[by_rank], place[by_frequency], place[by_both])
    return np.stack(columns, axis=1).astype(np.int32), lengths


def _block(database: Any, path: Path, column: str, start: int, stop: int) -> dict[str, NDArray[Any]]:
    """The rows of a sorted file whose column is a number from `start` to `stop`."""
    query = f"SELECT * FROM {parquet(path)} WHERE {column} >= {start} AND {column} < {stop} ORDER BY file_row_number"
    found: dict[str, NDArray[Any]] = database.execute(query).fetchnumpy()
    return {name: np.asarray(values) for name, values in found.items()}


def _strings(database: Any, folder: Path, name: str, query: str) -> None:
    """Write what a query finds as a column of strings."""
    writer = StringWriter(folder, name)
    rows = database.execute(query)
    while some := rows.fetchmany(ROWS):
        for (text,) in some:
            writer.append(text)
    writer.close()
