"""DuckDB over the Parquet files of a graph: connections with bounded memory, and places and rows within SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clir_lightning.errors import ConfigError

MEMORY = "600MB"  # of a connection; what needs more goes to the disk


def duckdb() -> Any:
    """The DuckDB library; `ConfigError` names the extra that it comes with."""
    try:
        import duckdb as library
    except ImportError:
        raise ConfigError("a graph's store needs DuckDB: pip install 'clir-lightning[graph]'") from None
    return library


def connect(scratch: Path | None = None) -> Any:
    """A connection to a database in memory, with one thread; `scratch` is a folder for what does not fit there."""
    settings: dict[str, Any] = {"memory_limit": MEMORY, "threads": 1}
    if scratch is not None:
        settings["temp_directory"] = str(scratch)
    return duckdb().connect(config=settings)


def quoted(path: Path | str) -> str:
    """A text as SQL has it.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + str(path).replace("'", "''") + "'"


def parquet(path: Path) -> str:
    """A Parquet file as a table of SQL."""
    return f"read_parquet({quoted(path)}, file_row_number=true)"


def rows_of_files(paths: Sequence[Path], columns: Mapping[str, str]) -> str:
    """Files of `knowledge.rows` as a table of SQL, their columns with their types: nothing quoted, nothing null."""
    if not paths:
        nothing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in columns.items())
        return f"(SELECT {nothing} WHERE false)"
    files = ", ".join(map(quoted, paths))
    return (
        f"read_csv([{files}], delim='\t', quote='', escape='', header=false, auto_detect=false, nullstr='\x01', "
        f"new_line='\\n', strict_mode=false, max_line_size=67108864, columns={dict(columns)})"
    )
