"""What `clir compare` is given, run files and output folders, read as systems."""

from __future__ import annotations

import glob
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clir_lightning.data.files.trec import read_qrels, read_run
from clir_lightning.data.store.replacing import identity
from clir_lightning.errors import ClirError, ConfigError
from clir_lightning.evaluation.comparison import Member, System
from clir_lightning.evaluation.grouping import group_names
from clir_lightning.types import Qrels

log = logging.getLogger(__name__)

TEST = Path("runs") / "test.trec"


def paths(patterns: Sequence[str]) -> list[Path]:
    """The files and folders of names and globs, each once."""
    found = []
    for pattern in patterns:
        matches = sorted(glob.glob(str(pattern), recursive=True))
        if not matches:
            raise ConfigError(f"runs: nothing matches {pattern!r}; give run files or output folders of clir train")
        found += [Path(match) for match in matches]
    return list(dict.fromkeys(found))


def recorded(folder: Path) -> dict[str, Any]:
    """The `provenance.json` of a job's output folder; empty where there is none, `ConfigError` where it is damaged."""
    path = folder / "provenance.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {"config": dict(found["config"]), **found}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); leave {folder} out, or do its job again") from error


def training_config(folder: Path) -> dict[str, Any]:
    """The settings that the folder's system was trained with; for a folder of `clir evaluate`, its model's.

    They are what the job itself wrote down at its end, references resolved.
    """
    found = recorded(folder)
    settings: dict[str, Any] = found.get("trained") or found.get("config") or {"name": folder.name}
    return settings


class Inputs:
    """Reads the members; qrels files are read once."""

    def __init__(self, qrels: str | Qrels | None) -> None:
        self.given = read_qrels(qrels) if isinstance(qrels, str) else qrels
        self._read: dict[Path, Qrels] = {}

    def qrels(self, folder: Path | None) -> Qrels:
        """The judgements: those given, else the folder's own."""
        if self.given is not None:
            return self.given
        path = None if folder is None else folder / "runs" / "test.qrels"
        if path is None or not path.is_file():
            raise ConfigError(f"{path or 'a run file'}: there are no judgements; add qrels=FILE")
        if path not in self._read:
            self._read[path] = read_qrels(path)
        return self._read[path]

    def file(self, path: Path) -> Member:
        """A run file; one of an output folder takes that folder's judgements."""
        folder = path.parent.parent if (path.parent / "test.qrels").is_file() else None
        return Member(read_run(path), self.qrels(folder))

    def folder(self, path: Path) -> Member | None:
        """An output folder's test run; `None`, with a notice, where there is none.

        Nor is there one where a job that is done anew removes it while it is read.
        """
        before = identity(path / TEST)
        member = None
        if before is not None:
            try:
                member = self._member(path, before[-1])
            except ClirError:
                if identity(path / TEST) == before:
                    raise

        # Its settings and judgements, read one after the other, are those of one job.
        if member is None or identity(path / TEST) != before:
            log.warning("%s is left out: it has no %s", path, TEST)
            return None
        return member

    def _member(self, path: Path, written: int) -> Member:
        config = training_config(path)
        seed = config.get("seed")
        number = 0 if seed is None else int(seed)
        return Member(read_run(path / TEST), self.qrels(path), number, path, config, written)


def newest_of_each_seed(members: Sequence[Member]) -> tuple[Member, ...]:
    """One member per seed, the newest run, in the order of seeds."""
    by_seed: dict[int, Member] = {}
    for member in sorted(members, key=lambda member: member.written):
        if member.seed in by_seed:
            log.warning("%s is left out: %s is newer and of the same seed", by_seed[member.seed].folder, member.folder)
        by_seed[member.seed or 0] = member
    return tuple(by_seed[seed] for seed in sorted(by_seed))


def baselines(members: Sequence[Member]) -> list[System]:
    """The systems beside the trained ones, from the folders' `runs/test.NAME.trec`; equal runs count once."""
    found: dict[str, list[Member]] = {}
    for member in members:
        assert member.folder is not None
        for path in sorted((member.folder / "runs").glob("test.*.trec")):
            name = path.name.split(".")[1].replace("_", " ")
            run = read_run(path)
            known = found.setdefault(name, [])
            if all(dict(run.by_query) != dict(other.run.by_query) for other in known):
                known.append(replace(member, run=run, seed=None, folder=None, config=None))
    return [System(name, tuple(known)) for name, known in found.items()]


def trained(members: Sequence[Member]) -> list[System]:
    """Output folders grouped by what they were trained with."""
    names = group_names([member.config or {} for member in members])
    groups: dict[str, list[Member]] = {}
    for name, member in zip(names, members, strict=True):
        groups.setdefault(name, []).append(member)
    return [System(name, newest_of_each_seed(group)) for name, group in groups.items()]


def files(members: Mapping[Path, Member]) -> list[System]:
    """One system per run file, by its file's name, or its path where two files have one name."""
    names = [member.run.name for member in members.values()]
    return [
        System(member.run.name if names.count(member.run.name) == 1 else str(path), (member,))
        for path, member in members.items()
    ]


def systems_of(runs: Sequence[str] | Mapping[str, Sequence[str]], qrels: str | Qrels | None) -> list[System]:
    """The systems that `runs` stands for: baselines, then run files and trained systems as given.

    Args:
        runs: names and globs; a mapping gives each system's name and its runs, one per seed.
        qrels: a file of judgements, or these themselves; `None` for each output folder's own.
    """
    inputs = Inputs(qrels)
    if isinstance(runs, Mapping):
        return [_named(name, patterns, inputs) for name, patterns in runs.items()]

    # Run files by path, and what output folders hold.
    single: dict[Path, Member] = {}
    folders: list[Member | None] = []
    for path in paths(runs):
        if path.is_dir():
            folders.append(inputs.folder(path))
        else:
            single[path] = inputs.file(path)

    # Baselines come first, as a table goes from the simple to the trained.
    members = [member for member in folders if member is not None]
    systems = [*baselines(members), *files(single), *trained(members)]
    if not systems:
        raise ConfigError(
            "runs: there is no run file and no folder with runs/test.trec; give the folders of clir train"
        )

    # A name stands for one system: those that share one get their places.
    names = [system.name for system in systems]
    return [
        replace(system, name=f"{system.name} ({place})" if names.count(system.name) > 1 else system.name)
        for place, system in enumerate(systems, start=1)
    ]


def _named(name: str, patterns: str | Sequence[str], inputs: Inputs) -> System:
    found = paths([patterns] if isinstance(patterns, str) else patterns)
    members = [inputs.folder(path) if path.is_dir() else inputs.file(path) for path in found]
    kept = tuple(member for member in members if member is not None)
    if not kept:
        raise ConfigError(f"runs.{name}: none of its folders has runs/test.trec")
    return System(name, kept)


def commits(systems: Sequence[System]) -> dict[Path, str | None]:
    """The commit of the code that each output folder's system was trained with, where its provenance tells."""
    folders = {member.folder for system in systems for member in system.members if member.folder is not None}
    found = {folder: recorded(folder) for folder in folders}
    return {folder: known.get("commit") for folder, known in found.items() if known and "trained" not in known}
