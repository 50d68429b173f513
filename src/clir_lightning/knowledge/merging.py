"""`merge`: parts of rows become a graph folder, of sorted Parquet files and arrays of numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clir_lightning.data.store.folders import fingerprint, read_manifest, write_manifest
from clir_lightning.data.store.holding import MANIFEST
from clir_lightning.data.store.replacing import replacing
from clir_lightning.errors import DataError
from clir_lightning.knowledge import adjacency
from clir_lightning.knowledge.database import connect, duckdb, parquet, quoted, rows_of_files
from clir_lightning.knowledge.normal import normal
from clir_lightning.knowledge.rows import COLUMNS
from clir_lightning.progress import stage

KIND = "graph"
FORMAT = 1  # of the folder; one of another number cannot be read
ROWS = 8192  # of a row group: what a look-up reads at least
NUMBERS = ("sitelinks", "place", "rank")

# What the rows become: the same row twice, and the same entity of two sources, are one.
TABLES = {
    "entities": "SELECT id, max(sitelinks) AS sitelinks FROM rows_entities GROUP BY id ORDER BY id",
    "terms": """
        SELECT entity, language, kind, min(place)::INTEGER AS place, text, normal(text, language) AS key
        FROM rows_terms WHERE entity IN (SELECT id FROM {entities})
        GROUP BY entity, language, kind, text ORDER BY entity, language, kind, place, text""",
    "names": """
        SELECT key, language, entity, kind, sitelinks FROM (
            SELECT DISTINCT key, language, entity, kind FROM {terms} WHERE kind <> 'D' AND key <> ''
        ) JOIN {entities} ON id = entity ORDER BY key, language, entity, kind""",
    "triples": """
        SELECT subject, property, object, max(rank)::INTEGER AS rank FROM rows_triples
        GROUP BY subject, property, object ORDER BY subject, property, object""",
    "incoming": "SELECT object, subject, property, rank FROM {triples} ORDER BY object, subject, property",
    "properties": """
        SELECT id, language, min(label) AS label FROM rows_properties GROUP BY id, language ORDER BY id, language""",
}


def merge(parts: Path, path: str | Path, *, languages: Sequence[str], about: Mapping[str, Any] | None = None) -> Path:
    """Make a graph folder of the parts of rows in `parts`, whole or not at all; returns its path.

    A graph that stands there is replaced. Terms of what is no entity are left out; statements about what is no entity
    stay in the tables of statements, and make no neighbours.

    Args:
        parts: a folder of files as `knowledge.rows.Rows` writes them.
        path: the folder.
        languages: those of the graph, the queries' first.
        about: what else the manifest is to hold, such as the source.

    Raises `DataError` for a folder that holds something else, for parts that are no rows and without room on the disk.
    """
    path = Path(path).expanduser()
    check_place(path)
    try:
        with replacing(path) as partial:
            write_manifest(partial, write_graph(parts, partial, languages=languages, about=about))
    except OSError as error:
        cure = "give a folder on a disk with room and with the right to write"
        raise DataError(f"cannot be written ({error.strerror or error})", path=path, cure=cure) from error
    return path


def write_graph(
    parts: Path, folder: Path, *, languages: Sequence[str], about: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write a graph's files into an empty folder; returns the manifest, which is to be written last. See `merge`."""
    for language in languages:
        normal("漢", language)  # says first where a library is missing
    errors = duckdb().Error
    try:
        counts = _write(Path(parts), folder, sorted(set(languages)))
    except errors as error:
        told = str(error).splitlines()[0]
        raise DataError(f"cannot be made a graph ({told})", path=parts, cure="are these rows of a graph?") from error
    return {**(about or {}), "kind": KIND, "format": FORMAT, "languages": list(languages), **counts}


def check_place(path: Path) -> None:
    """`DataError` for a place that holds something and no graph: it would be lost."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    try:
        graph = json.loads((path / MANIFEST).read_text(encoding="utf-8")).get("kind") == KIND
    except (OSError, ValueError, AttributeError):
        graph = False
    if not graph:
        raise DataError("holds something else than a graph", path=path, cure="give a new folder, or empty this one")


def _write(parts: Path, folder: Path, languages: Sequence[str]) -> dict[str, Any]:
    """The files of a graph; how many rows each has, and what stands for their content."""
    scratch = folder / "scratch"
    scratch.mkdir()
    with connect(scratch) as database:
        database.create_function("normal", normal, ["VARCHAR", "VARCHAR"], "VARCHAR")
        for table, columns in COLUMNS.items():
            kinds = {name: "BIGINT" if name in NUMBERS else "VARCHAR" for name in columns}
            files = sorted(parts.glob(f"*.{table}.tsv"))
            database.execute(f"CREATE VIEW rows_{table} AS SELECT * FROM {rows_of_files(files, kinds)}")

        # Each table may be made of those before it.
        places = {table: parquet(folder / f"{table}.parquet") for table in TABLES}
        for table, query in TABLES.items():
            target = quoted(folder / f"{table}.parquet")
            form = f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS})"
            with stage(f"merging {table}"):
                database.execute(f"COPY ({query.format(**places)}) TO {target} {form}")
        with stage("merging neighbours"):
            counts = adjacency.write(database, folder, scratch, len(languages))

        # The content's fingerprint, which no order of the parts changes.
        rows = {table: _summary(database, place) for table, place in places.items()}
    shutil.rmtree(scratch)
    content = [json.dumps([FORMAT, languages]), *(f"{count} {digest}" for count, digest in rows.values())]
    sizes = {table: count for table, (count, _) in rows.items()}
    return {"rows": {**sizes, **counts}, "fingerprint": fingerprint(content)}


def _summary(database: Any, place: str) -> tuple[int, int]:
    """How many rows a table has, and a number that stands for what they hold, the same in each version of DuckDB."""
    columns = "concat_ws(chr(9), *COLUMNS(* EXCLUDE file_row_number))"
    query = f"SELECT count(*), sum(md5_number_lower({columns})::HUGEINT) FROM {place}"
    count, digest = database.execute(query).fetchone()
    return int(count), int(digest or 0)


def read_graph_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a graph folder. Raises `DataError` where there is none, for a damaged one or an old format."""
    cure = "make it with clir graph build"
    if not (path / MANIFEST).is_file():
        raise DataError("no graph is here" if path.is_dir() else "there is no such folder", path=path, cure=cure)
    manifest = read_manifest(path)
    if manifest.get("kind") != KIND:
        raise DataError(f"holds {manifest.get('kind') or 'something else'}, not a graph", path=path, cure=cure)
    if manifest.get("format") != FORMAT:
        problem = f"is a graph of format {manifest.get('format')}, this version reads {FORMAT}"
        raise DataError(problem, path=path, cure=f"{cure} again")
    if not isinstance(manifest.get("rows"), dict) or not manifest.get("fingerprint") or "languages" not in manifest:
        raise DataError("has a manifest that does not tell what is in it", path=path, cure=f"{cure} again")
    return manifest
