"""DuckDB over the Parquet files of a graph: connections with little memory, and file names within SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clir_lightning.errors import ConfigError

MEMORY = "600MB"  # of a connection; what needs more goes to the disk


def connect(scratch: Path | None = None, *, threads: int | None = None) -> Any:
    """A connection to a database in memory; `scratch` is a folder for what does not fit there.

    Raises `ConfigError` without DuckDB.
    """
    try:
        import duckdb
    except ImportError as error:
        raise ConfigError("a graph is stored by DuckDB; pip install 'clir-lightning[graph]'") from error
    settings: dict[str, Any] = {"memory_limit": MEMORY, "preserve_insertion_order": False}
    if scratch is not None:
        settings["temp_directory"] = str(scratch)
    if threads is not None:
        settings["threads"] = threads
    return duckdb.connect(config=settings)


def quoted(path: Path | str) -> str:
    """A path as SQL has it between quotation marks.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + str(path).replace("'", "''") + "'"
