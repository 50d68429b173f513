"""What makes a comparison weaker than its table looks: said beside every table and on top of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clir_lightning.data.files.trec import read_qrels
from clir_lightning.evaluation.comparison import Member, System


def monitors(config: Mapping[str, Any]) -> Iterator[str]:
    """Every value named `monitor`, at any depth.

    >>> list(monitors({"callbacks": {"stop": {"monitor": "val/loss"}}}))
    ['val/loss']
    """
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from monitors(value)
        elif key == "monitor":
            yield str(value)


def _of_member(member: Member) -> Iterator[str]:
    config = member.config or {}
    for monitor in monitors(config):
        if monitor.startswith("test"):
            yield f"{monitor} chose its epoch: the test measures are of the queries that it was chosen by"
    splits = config.get("splits") or {}
    test = splits.get("test", "test1")
    if splits.get("val", "dev") == test:
        yield f"dev and test are one split, {test!r}: it was chosen by the queries that it is measured by"
    validation = None if member.folder is None else Path(member.folder) / "runs" / "val.qrels"
    if validation is not None and validation.is_file():
        # An id alone does not make a query: two splits may both count theirs from 1.
        chosen_by = read_qrels(validation).by_query
        shared = sum(
            query in chosen_by and dict(chosen_by[query]) == dict(member.qrels[query]) for query in member.qrels
        )
        if shared:
            yield f"{shared} of {len(member.qrels)} test queries are validation queries too"


def cautions(systems: Sequence[System], commits: Mapping[Path, str | None]) -> list[str]:
    """A line for each reason for caution; `commits` of the output folders, where known."""
    lines = []
    for system in systems:
        found = [line for member in system.members for line in _of_member(member)]
        trained = any(member.seed is not None for member in system.members)
        if trained and len(system.members) == 1:
            found.append("one seed: nothing tells how much another would differ")
        code = {commits.get(member.folder) for member in system.members if member.folder is not None}
        if len(code - {None}) > 1:
            found.append("its seeds were trained with different commits of the code")
        lines += [f"{system.name}: {line}" for line in dict.fromkeys(found)]
    return lines
