"""`build_graph`: a dump and files of labels become a graph folder, once, whatever ends a build in between."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clir_lightning.data.store.folders import file_stamp, fingerprint, locked, read_manifest
from clir_lightning.data.store.fresh import check_free
from clir_lightning.data.store.holding import MANIFEST
from clir_lightning.errors import ConfigError, DataError, at_least
from clir_lightning.knowledge.dump import loader
from clir_lightning.knowledge.labels import rows_of_labels
from clir_lightning.knowledge.languages import check_languages
from clir_lightning.knowledge.merging import merge
from clir_lightning.knowledge.parts import Finished, Parts
from clir_lightning.knowledge.reading import Report, write_dump
from clir_lightning.knowledge.rows import Rows
from clir_lightning.limits import usable_cores

log = logging.getLogger(__name__)

VERSION = 1  # of what rows hold: a new one goes on from no older parts
MOST = 8  # processes that parse, where nothing else is said: one thread decompresses for as many


@dataclass(frozen=True)
class Sources:
    """What a graph is built of, and how its texts are chosen.

    Args:
        languages: of the terms, the queries' first; variants are theirs (`languages.VARIANTS`).
        dump: a Wikidata JSON dump: gzip, bzip2 or plain.
        entities: files of labels (`labels.rows_of_labels`).
        fallback: a further language of the properties' labels.
    """

    languages: tuple[str, ...]
    dump: Path | None = None
    entities: tuple[Path, ...] = ()
    fallback: str = "en"

    @property
    def files(self) -> tuple[Path, ...]:
        """The dump, where there is one, and the files of labels."""
        return (*([self.dump] if self.dump else ()), *self.entities)

    def stamp(self) -> str:
        """Changes with the sources' files, and with all that the rows depend on."""
        files = [file_stamp(path) for path in self.files]
        return fingerprint([str(VERSION), *self.languages, self.fallback, str(self.dump is None), *files])

    def check(self) -> None:
        """`ConfigError` or `DataError` for what cannot be read."""
        check_languages(self.languages)
        if not self.dump and not self.entities:
            raise ConfigError("there is nothing to build from; give dump=FILE or entities=[FILE, …]")
        for path in self.files:
            if not path.is_file():
                raise DataError("no such file", path=path, cure="check the path")
            if not path.stat().st_size:
                raise DataError("is empty", path=path, cure="fetch it again")
        if self.dump:
            loader()


def build_graph(
    sources: Sources, path: str | Path, *, workers: int | None = None, report: Report = lambda done, total: None
) -> dict[str, Any]:
    """Build a graph folder, unless it is there; returns its manifest.

    A build that was killed goes on from its last finished part, which lies in a hidden folder beside `path`. Of two at
    once the second waits, and finds what the first has built.

    Args:
        sources: what it is built of.
        path: the folder.
        workers: processes that parse; `None` for as many as there are cores to use, at most `MOST`.
        report: is told how far it is.

    Raises `DataError` for a path that holds anything else, another graph included.
    """
    sources.check()
    count = min(usable_cores(), MOST) if workers is None else workers
    at_least(count, 1, "workers")
    path = Path(path)
    stamp = sources.stamp()
    if manifest := _built(path, stamp):
        return manifest

    # Under the lock nobody else writes to the parts.
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = lambda: log.info("another build of %s is at work: waiting for its end", path)  # noqa: E731
    with locked(path.parent / f".{path.name}.lock", waiting):
        if manifest := _built(path, stamp):
            return manifest
        folder = _parts_folder(path, stamp)
        last = _write_rows(sources, Parts(folder), count, report)
        log.info("merging %s", folder)
        about = {"stamp": stamp, "source": list(map(str, sources.files)), "dump": last.counts, "defects": last.defects}
        merge(folder, path, languages=sources.languages, about=about)
        shutil.rmtree(folder, ignore_errors=True)
    return read_manifest(path)


def _built(path: Path, stamp: str) -> dict[str, Any] | None:
    """The manifest of a finished graph of these sources; `DataError` if anything else lies there."""
    if (path / MANIFEST).is_file():
        manifest = read_manifest(path)
        if manifest.get("stamp") == stamp:
            return manifest
        source = " and ".join(map(str, manifest.get("source", []))) or "something else"
        cure = "give a new folder, or delete this one to build it anew"
        raise DataError(f"holds a graph of {source}, or of other settings or an earlier state", path=path, cure=cure)
    check_free(path)
    return None


def _parts_folder(path: Path, stamp: str) -> Path:
    """Where the parts of this build lie; those of other sources or settings for this path are removed."""
    folder = path.with_name(f".{path.name}.{stamp[:12]}.parts")
    for other in path.parent.glob(f".{path.name}.*.parts"):
        if other != folder:
            log.info("removing %s, parts of other sources or settings", other)
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _write_rows(sources: Sources, parts: Parts, workers: int, report: Report) -> Finished:
    """All rows as parts, from where an earlier build ended; what they are of."""
    if sources.entities and not parts.last:
        with Rows(parts.folder, parts.next) as rows:
            rows_of_labels(sources.entities, sources.languages, rows)
        parts.finish(Finished([parts.next], 0, {}))
    if sources.dump and not (parts.last and parts.last.whole):
        settings = (sources.languages, sources.fallback)
        write_dump(sources.dump, settings, parts, workers, report)
    last = parts.last
    assert last is not None
    if sources.dump and not last.counts["items"]:
        shutil.rmtree(parts.folder, ignore_errors=True)
        wanted = " or ".join(sources.languages)
        raise DataError(f"no item with a label in {wanted}", path=sources.dump, cure="check the file and languages")
    return last
