"""`merge`: parts of rows become a graph folder, sorted Parquet files that look-ups read a few pages of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clir_lightning.data.store.folders import fingerprint, write_manifest
from clir_lightning.data.store.fresh import check_free
from clir_lightning.data.store.replacing import replacing
from clir_lightning.errors import DataError
from clir_lightning.knowledge.database import connect, quoted
from clir_lightning.knowledge.normal import normal
from clir_lightning.knowledge.rows import COLUMNS

FORMAT = 1
KEPT = 1000  # neighbours of an entity that are kept in each order
ROWS = 8192  # of a row group: what a look-up reads at least
NUMBERS = ("sitelinks", "place", "rank")
TABLES = ("entities", "terms", "names", "triples", "incoming", "properties", "neighbours")

# What the rows become; the same row twice, and the same entity of two sources, are one.
TABLE_QUERIES = {
    "entities": """
        SELECT id, max(sitelinks) AS sitelinks, bool_or(known) AS known FROM (
            SELECT id, sitelinks, true AS known FROM rows_entities
            UNION ALL SELECT subject, 0, false FROM rows_triples UNION ALL SELECT object, 0, false FROM rows_triples
        ) GROUP BY id ORDER BY id""",
    "terms": """
        SELECT entity, language, kind, min(place)::INTEGER AS place, text FROM rows_terms
        GROUP BY ALL ORDER BY entity, language, kind, place, text""",
    "names": """
        SELECT key, language, entity, kind, coalesce(sitelinks, 0) AS sitelinks FROM (
            SELECT DISTINCT normal(text, language) AS key, language, entity, kind FROM {terms} WHERE kind <> 'D'
        ) LEFT JOIN {entities} ON id = entity WHERE key <> '' ORDER BY key, language, entity, kind""",
    "triples": """
        SELECT subject, property, object, max(rank)::TINYINT AS rank FROM rows_triples
        GROUP BY ALL ORDER BY subject, property, object""",
    "incoming": "SELECT object, subject, property, rank FROM {triples} ORDER BY object, subject, property",
    "properties": "SELECT id, language, min(label) AS label FROM rows_properties GROUP BY ALL ORDER BY id, language",
}

# Each entity's neighbours, once each: by its best statement, its own before the other's, then the first property.
NEIGHBOURS = """
    WITH statements AS (
        SELECT subject AS entity, object AS neighbour, property, true AS outgoing, rank FROM {triples} WHERE rank > 0
        UNION ALL SELECT object, subject, property, false, rank FROM {triples} WHERE rank > 0
    ), single AS (
        SELECT entity, neighbour, arg_min(struct_pack(property, outgoing, rank), (-rank, NOT outgoing, property)) AS way
        FROM statements WHERE entity <> neighbour GROUP BY entity, neighbour
    ), frequency AS (SELECT neighbour, count(*) AS often FROM single GROUP BY neighbour),
    complete AS (
        SELECT entity FROM {terms} WHERE kind = 'L' GROUP BY entity HAVING count(DISTINCT language) >= {languages}
    ), placed AS (
        SELECT single.entity, neighbour, way.property AS property, way.outgoing AS outgoing,
            row_number() OVER best AS place_rank,
            row_number() OVER (PARTITION BY single.entity ORDER BY often DESC, neighbour) AS place_frequency,
            row_number() OVER (
                PARTITION BY single.entity
                ORDER BY complete.entity IS NULL, way.rank DESC, NOT way.outgoing, often DESC, neighbour
            ) AS place_both
        FROM single JOIN frequency USING (neighbour) LEFT JOIN complete ON complete.entity = neighbour
        WINDOW best AS (
            PARTITION BY single.entity ORDER BY way.rank DESC, NOT way.outgoing, often DESC, neighbour
        )
    )
    SELECT * FROM placed WHERE least(place_rank, place_frequency, place_both) <= {kept} ORDER BY entity, place_both"""


def merge(parts: Path, path: str | Path, *, languages: Sequence[str], about: Mapping[str, Any] | None = None) -> Path:
    """Make a graph folder of the parts of rows in `parts`, whole or not at all; returns its path.

    Args:
        parts: holds files as `knowledge.rows.Rows` writes them, at least one of each table.
        path: the folder; it must be new or empty.
        languages: those of the graph, the queries' first.
        about: what else the manifest is to hold, such as the source.

    Raises `DataError` for a folder that holds anything, and where the disk has no room.
    """
    path = Path(path)
    check_free(path)
    try:
        with replacing(path) as partial:
            scratch = partial / "scratch"
            counts = _write(parts, partial, scratch, len(set(languages)))
            shutil.rmtree(scratch, ignore_errors=True)
            manifest = {**(about or {}), "kind": "graph", "format": FORMAT, "languages": list(languages), **counts}
            write_manifest(partial, manifest)
    except OSError as error:
        raise DataError(f"cannot be written ({error.strerror or error})", path=path) from error
    return path


def _write(parts: Path, folder: Path, scratch: Path, languages: int) -> dict[str, Any]:
    """The Parquet files; how many rows each has, and what stands for their content."""
    scratch.mkdir()
    with connect(scratch) as database:
        database.create_function("normal", normal, ["VARCHAR", "VARCHAR"], "VARCHAR")
        for table, columns in COLUMNS.items():
            database.execute(f"CREATE VIEW rows_{table} AS SELECT * FROM {_reading(parts, table, columns)}")

        # Each table may be made of those before it.
        places = {table: f"read_parquet({quoted(folder / f'{table}.parquet')})" for table in TABLES}
        queries = {**TABLE_QUERIES, "neighbours": NEIGHBOURS}
        for table, query in queries.items():
            filled = query.format(**places, languages=languages, kept=KEPT)
            target = quoted(folder / f"{table}.parquet")
            database.execute(f"COPY ({filled}) TO {target} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS})")

        # The content's fingerprint, which no order of the parts changes.
        rows = {table: _summary(database, place) for table, place in places.items()}
    counts = {table: count for table, (count, _) in rows.items()}
    content = [json.dumps([FORMAT, languages]), *(str(digest) for _, digest in rows.values())]
    return {"rows": counts, "fingerprint": fingerprint(content)}


def _summary(database: Any, place: str) -> tuple[int, int]:
    """How many rows a table has, and a number that stands for what they hold."""
    count, digest = database.execute(f"SELECT count(*), sum(hash(row)::HUGEINT) FROM {place} AS row").fetchone()
    return int(count), int(digest or 0)


def _reading(parts: Path, table: str, columns: Sequence[str]) -> str:
    """SQL that reads all parts of a table; texts hold no quotation and nothing stands for null."""
    kinds = {name: "BIGINT" if name in NUMBERS else "VARCHAR" for name in columns}
    pattern = quoted(f"{str(parts).rstrip('/')}/*.{table}.tsv")
    return (
        f"read_csv({pattern}, delim='\t', quote='', escape='', header=false, auto_detect=false, "
        f"nullstr='\x01', strict_mode=false, max_line_size=16777216, columns={kinds})"
    )
