"""`clir graph build`: a Wikidata dump and files of labels into a folder that holds their graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.building import Sources, build_graph
from clir_lightning.knowledge.card import dump_card
from clir_lightning.progress import Progress

MEGABYTE = 1_000_000
ROWS = ("entities", "terms", "names", "triples", "properties")


def main(config: DictConfig) -> None:
    """Run the job."""
    sources = Sources(
        languages=tuple(config.languages),
        dump=Path(config.dump) if config.dump else None,
        entities=tuple(map(Path, config.entities)),
        fallback=config.fallback or "",
    )
    if config.workers != "auto" and type(config.workers) is not int:
        raise ConfigError(f"workers is {config.workers!r}; allowed: auto, or a number of processes")
    workers = None if config.workers == "auto" else config.workers
    with DumpProgress() as progress:
        manifest = build_graph(sources, config.path, workers=workers, report=progress.report)
    Console().print(card(manifest, config.path))


class DumpProgress:
    """A progress in megabytes of the dump's file, with the time left, which counts from the first report on."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def __enter__(self) -> DumpProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._progress:
            self._progress.__exit__(kind, *error)

    def report(self, done: int, total: int) -> None:
        """So many bytes of so many are done."""
        place = -(-done // MEGABYTE)
        if self._progress is None:
            self._progress = Progress("reading the dump", "MB", -(-total // MEGABYTE), done=place)
        self._progress.advance(max(place - self._progress.done, 0))


def card(manifest: dict[str, Any], path: str | Path) -> Table:
    """What the graph holds, and what the dump did."""
    table = Table(title=f"{path}: {', '.join(manifest['languages'])}", show_header=False, title_justify="left")
    for name in ROWS:
        table.add_row(name, f"{manifest['rows'][name]:,}")
    if manifest["dump"]:
        table.add_section()
    for name, value in dump_card(manifest):
        table.add_row(name, value)
    return table
