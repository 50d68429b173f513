"""`clir cache list`: what lies in the cache, of what, how large and when last used."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig, ListConfig
from rich.console import Console
from rich.table import Table

from clir_lightning.data.store.amounts import age, size
from clir_lightning.data.store.inventory import KINDS, Entry, Inventory, inventory
from clir_lightning.errors import ConfigError, at_least, one_of

KEY = 8  # characters of an entry's name that tell it from the others of its kind


def main(config: DictConfig) -> None:
    """Run the job."""
    if config.rows is not None:
        at_least(config.rows, 1, "rows")
    found = of_kinds(inventory(cache_folder(config.cache)), config.kind)
    print(f"cache: {cache_folder(config.cache)}")
    if not found.entries:
        print("nothing of this kind is kept there" if config.kind else "nothing is kept there")
    else:
        show(found.entries, config.rows)
    if found.others == 1:
        print("1 other file or folder there, not clir's, which is never touched")
    elif found.others:
        print(f"{found.others} other files and folders there, not clir's, which are never touched")


def cache_folder(setting: str | None) -> Path:
    """The folder that `cache` names; `ConfigError` for none."""
    if not setting:
        raise ConfigError("cache is empty; give a folder, or set CLIR_CACHE")
    return Path(setting).expanduser().absolute()


def of_kinds(found: Inventory, kind: str | ListConfig | None) -> Inventory:
    """The entries of one kind or several, of all without."""
    kinds = [kind] if isinstance(kind, str) else list(KINDS if kind is None else kind)
    for name in kinds:
        one_of(str(name), KINDS, "kind")
    return Inventory([entry for entry in found.entries if entry.kind in kinds], found.others)


def show(entries: Sequence[Entry], rows: int | None = None) -> None:
    """Print a table of entries, `rows` of them with their names and the others together, and the total."""
    shown = entries[:rows]
    now = time.time()
    console = Console(highlight=False, soft_wrap=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("kind", no_wrap=True)
    table.add_column("name", no_wrap=True)
    table.add_column("of", overflow="fold", ratio=1)
    for name in ("size", "last used"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)

    # One row each; names are as the folder has them, so that a file can be found.
    for entry in shown:
        name = entry.path.name if entry.path.name.startswith(".") else entry.path.stem
        stem, _, digits = name.lstrip(".").partition(".")[0].rpartition("-")
        short = f"{stem}-{digits[:KEY]}" if stem else digits[:KEY]
        table.add_row(entry.kind, short, entry.of, size(entry.size), age(now - entry.used), entry.state)

    # What is left out, and all together.
    rest = entries[len(shown) :]
    if rest:
        table.add_row("…", "", f"{len(rest)} smaller (rows=null)", size(sum(e.size for e in rest)), "", "")
    count = f"{len(entries)} entries" if len(entries) > 1 else "1 entry"
    table.add_row("total", "", count, size(sum(entry.size for entry in entries)), "", "", style="bold")
    console.print(table)
