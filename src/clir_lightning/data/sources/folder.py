"""Collections in folders of the two common layouts, each file gzipped or plain.

BEIR (Thakur et al., 2021): `corpus.jsonl` of `{"_id": "17", "title": "…", "text": "…"}`, `queries.jsonl` of
`{"_id": "42", "text": "…"}`, `qrels/SPLIT.tsv` of `query<TAB>document<TAB>grade` with a header line.

TREC: `documents.tsv` and `queries.tsv` of `id<TAB>text`, `qrels/SPLIT.qrels` of `query 0 document grade`.

Either may hold `runs/SPLIT.trec`, candidate lists in TREC's run format, and `queries/SPLIT.jsonl` (TREC: `.tsv`), a
split's own queries, judged or not, in place of those that its judgements name in the common file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from clir_lightning.data.collection import Collection
from clir_lightning.data.files.lines import Report, find_file, find_one, read_lines, tab_rows
from clir_lightning.data.files.trec import FieldRow, field_rows, qrels_rows, run_name, run_rows
from clir_lightning.data.sources.checks import ON_PROBLEM, Intake, Problems, TextRow, ValueRow, is_grade, is_score
from clir_lightning.data.sources.source import Source, load, stamps
from clir_lightning.errors import DataError, one_of
from clir_lightning.settings.markers import OneOf
from clir_lightning.types import Run


@dataclass(frozen=True)
class Layout:
    """What the files of a layout are called, and how their lines are read."""

    documents: str
    queries: str
    own_queries: str
    qrels: str
    texts: Callable[[Path, Report], Iterable[TextRow]]
    judgements: Callable[[Path, Report], Iterable[FieldRow]]


def json_rows(path: Path, report: Report) -> Iterator[TextRow]:
    """The rows of a BEIR file of texts, a title before its text."""
    for number, line in read_lines(path, report):
        try:
            row: Any = json.loads(line)
            text_id = row["_id"]
            text = row["text"]
            title = row.get("title") or ""
            if type(text) is not str or type(title) is not str or type(text_id) not in (str, int):
                raise TypeError("`_id`, `title` and `text` are strings")
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            cure = 'expected {"_id": "…", "text": "…"}'
            report(DataError(f"not a BEIR record ({error})", path=path, line=number, cure=cure))
            continue
        yield number, str(text_id), f"{title} {text}".strip() if title else text


BEIR_QRELS = partial(field_rows, form="query document grade", separator="\t", header=True)
LAYOUTS = {
    "beir": Layout("corpus.jsonl", "queries.jsonl", "queries/{}.jsonl", "qrels/{}.tsv", json_rows, BEIR_QRELS),
    "trec": Layout("documents.tsv", "queries.tsv", "queries/{}.tsv", "qrels/{}.qrels", tab_rows, qrels_rows),
}


def grouped(rows: Iterable[FieldRow], number: type[int] | type[float]) -> dict[str, list[ValueRow]]:
    """The rows of each query, their last field as a number where it is one."""

    def parsed(text: str) -> Any:
        try:
            return number(text)
        except ValueError:
            return text

    lists: dict[str, list[ValueRow]] = {}
    for line, query_id, document_id, value in rows:
        lists.setdefault(query_id, []).append((line, document_id, parsed(value)))
    return lists


@dataclass(frozen=True)
class _Folder:
    """Reads one folder, every defect through the intake."""

    layout: Layout
    intake: Intake
    corpus: Path
    topics: Mapping[str, Path]  # of each split: its own file, or the one of all
    own: frozenset[str]  # the splits with a file of their own
    _read: dict[Path, dict[str, str]] = field(default_factory=dict)

    def _texts(self, path: Path) -> Iterable[TextRow]:
        return self.layout.texts(path, self.intake.problems.report)

    def documents(self) -> Iterator[tuple[str, str]]:
        """The corpus."""
        return self.intake.documents(self._texts(self.corpus), self.corpus)

    def queries(self, split: str) -> dict[str, str]:
        """The texts of the file that holds a split's queries, read once for all splits of it."""
        path = self.topics[split]
        if path not in self._read:
            self._read[path] = dict(self.intake.texts(self._texts(path), path, "query"))
        return self._read[path]

    def split(self, name: str, qrels: Path) -> Iterator[tuple[str, str, dict[str, int]]]:
        """The queries of a split's own file, or those of the common file that its qrels file judges."""
        judged = grouped(self.layout.judgements(qrels, self.intake.problems.report), int)
        if not judged and name not in self.own:
            raise DataError("no judgements", path=qrels, cure="it is empty: fetch it again")
        texts = self.queries(name)
        known = list(self._known(name, judged, qrels))
        for query_id in texts if name in self.own else known:
            grades = self.intake.values(query_id, judged.get(query_id, []), qrels, is_grade)
            yield query_id, texts[query_id], grades

    def run(self, name: str, path: Path) -> Run:
        """The candidates that a run file holds."""
        ranked = grouped(run_rows(path, self.intake.problems.report), float)
        if not ranked:
            raise DataError("no candidates", path=path, cure="the file is empty: write it again, or remove it")
        known = self._known(name, ranked, path)
        return Run(
            {query_id: self.intake.values(query_id, ranked[query_id], path, is_score) for query_id in known},
            name=run_name(path),
        )

    def _known(self, split: str, lists: dict[str, list[ValueRow]], path: Path) -> Iterator[str]:
        for query_id, rows in lists.items():
            if query_id in self.queries(split):
                yield query_id
            else:
                problem = f"query {query_id!r} is not in {self.topics[split].name}"
                error = DataError(problem, path=path, line=rows[0][0], cure="complete or correct it")
                self.intake.problems.report(error)


def _find(folder: Path, name: str) -> Path:
    return find_file(folder / Path(name).parent, Path(name).name)


def _find_topics(home: Path, layout: Layout, splits: Sequence[str]) -> tuple[dict[str, Path], frozenset[str]]:
    """The file of each split's queries, and the splits that have one of their own."""
    places = {split: home / layout.own_queries.format(split) for split in splits}
    own = {split: file for split, place in places.items() if (file := find_one(place.parent, place.name))}
    common = {split: _find(home, layout.queries) for split in splits if split not in own}
    return {**common, **own}, frozenset(own)


def _layout(path: Path, layout: str) -> Layout:
    if one_of(layout, ("auto", *LAYOUTS), "data.layout") != "auto":
        return LAYOUTS[layout]
    there = [name for name, one in LAYOUTS.items() if find_one(path, one.documents)]
    if len(there) > 1:
        raise DataError("holds a BEIR and a TREC collection", path=path, cure="set data.layout to beir or trec")
    if there:
        return LAYOUTS[there[0]]
    wanted = " or ".join(f"{one.documents} ({name})" for name, one in LAYOUTS.items())
    raise DataError("neither a BEIR nor a TREC folder", path=path, cure=f"put {wanted} there, plain or gzipped")


def read_folder(
    path: str,
    *,
    query_language: str,
    document_language: str,
    layout: Annotated[str, OneOf(("auto", *LAYOUTS))] = "auto",
    splits: Sequence[str] = ("train", "dev", "test"),
    on_missing: Annotated[str, OneOf(ON_PROBLEM)] = "error",
    on_error: Annotated[str, OneOf(ON_PROBLEM)] = "error",
    cache: str | None = None,
) -> Collection:
    """Read a folder in the BEIR or TREC layout.

    Args:
        path: the folder.
        query_language, document_language: ISO 639 codes; the files do not tell.
        layout: `beir`, `trec`, or `auto`, which goes by the files that are there.
        splits: names of files in `qrels/`; each must be there. `runs/SPLIT.trec` gives a split's candidates.
        on_missing: `error` or `skip`, for judged or ranked documents that the corpus lacks.
        on_error: `error` or `skip`: leave defective lines out and report their number and the first of them.
        cache: where the collection is prepared once, to be opened in no time; `None` keeps it in memory.
    """
    # Every file that is wanted, before the slow reading.
    home = Path(path)
    form = _layout(home, layout)
    qrels = {split: _find(home, form.qrels.format(split)) for split in splits}
    runs = {split: file for split in splits if (file := find_one(home / "runs", f"{split}.trec"))}
    topics, own = _find_topics(home, form, splits)
    corpus = _find(home, form.documents)

    # The readers of its parts.
    problems = Problems(on_error, on_missing)
    folder = _Folder(form, Intake(problems), corpus, topics, own)
    source = Source(
        home.resolve().name,
        query_language,
        document_language,
        folder.documents,
        {split: partial(folder.split, split, file) for split, file in qrels.items()},
        {split: partial(folder.run, split, file) for split, file in runs.items()},
    )

    # What a prepared collection depends on.
    files = [corpus, *topics.values(), *qrels.values(), *runs.values()]
    settings = ("folder", query_language, document_language, layout, tuple(splits), on_missing, on_error)
    return load(source, problems, stamps=stamps(files), settings=settings, cache=cache)
