"""Any collection that the ir_datasets package knows by an id (MacAvaney et al., SIGIR 2021).

Ids name one split each, `clirmatrix/kk/bi139-base/zh/train` or `neuclir/1/fa/trec-2022`; splits of one collection share
their documents. The package fetches what it can and keeps it under `IR_DATASETS_HOME`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any

from clir_lightning.data.collection import Collection
from clir_lightning.data.sources.checks import ON_PROBLEM, Intake, Problems, TextRow, is_grade, is_score
from clir_lightning.data.sources.source import Source, load
from clir_lightning.data.store.listing import below
from clir_lightning.errors import ClirError, ConfigError, DataError
from clir_lightning.settings.markers import OneOf
from clir_lightning.types import Run

NAMES = ("train", "dev", "validation", "test", "test1", "test2")  # last parts of ids that are one of several splits


def _package() -> Any:
    try:
        import ir_datasets
    except ImportError as error:
        raise ConfigError("data=ir_datasets needs the package ir_datasets: pip install 'clir-lightning[ir]'") from error
    return ir_datasets


@contextmanager
def _reading(dataset_id: str) -> Iterator[None]:
    """Whatever goes wrong inside the package becomes one `DataError` with a cure."""
    try:
        yield
    except ClirError:
        raise
    except Exception as error:  # network, checksums, archives, licences: the package raises all kinds
        first = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        cure = f"check the network, or put the files under {_package().util.home_path()} by hand"
        raise DataError(f"ir_datasets cannot read it ({first})", path=dataset_id, cure=cure) from error


def _lookup(dataset_id: str) -> Any:
    """The data set of that id, or nothing; ids that the registry knows by a pattern only are found too."""
    with _reading(dataset_id):
        try:
            return _package().load(dataset_id)
        except KeyError:
            return None


def split_ids(dataset_id: str, splits: Sequence[str] | None) -> dict[str, str]:
    """The ids of the splits by their names.

    Without `splits` an id that ends in a usual split name stands for all its siblings of such names, any other for
    itself alone; with them, each is a name beside the id's last part, or below the id.

    Raises `ConfigError` for an id that the registry lacks.
    """
    start, _, last = dataset_id.rpartition("/")
    if splits is None:
        names = NAMES if last in NAMES else (last,)
        ids = {name: f"{start}/{name}" for name in names if _lookup(f"{start}/{name}") is not None}
        if last not in ids:
            raise ConfigError(f"ir_datasets knows no {dataset_id!r}; `ir_datasets list` prints the ids there are")
        return ids
    ids = {}
    for name in splits:
        choices = [f"{start}/{name}", f"{dataset_id}/{name}"]
        ids[name] = next((one for one in choices if _lookup(one) is not None), "")
        if not ids[name]:
            raise ConfigError(f"ir_datasets knows neither {' nor '.join(choices)}; correct data.id or data.splits")
    return ids


def _text(record: Any) -> str:
    """A record's text as the package recommends it, or all its text fields one after the other."""
    if hasattr(record, "default_text"):
        return str(record.default_text())
    return " ".join(str(value) for value in record[1:] if isinstance(value, str) and value)


class _Registry:
    """Reads the splits of one collection, every defect through the intake."""

    def __init__(self, ids: dict[str, str], intake: Intake) -> None:
        self.ids = ids
        self.intake = intake
        self.first = next(iter(ids.values()))

    def _rows(self, dataset_id: str, records: Iterable[Any]) -> Iterator[TextRow]:
        with _reading(dataset_id):
            for record in records:
                yield None, str(record[0]), _text(record)

    def documents(self) -> Iterator[tuple[str, str]]:
        """The documents that all splits share."""
        with _reading(self.first):
            records = _lookup(self.first).docs_iter()
        return self.intake.documents(self._rows(self.first, records), self.first)

    @cached_property
    def queries(self) -> dict[str, dict[str, str]]:
        """Each split's queries by id."""
        texts = {}
        for name, dataset_id in self.ids.items():
            with _reading(dataset_id):
                rows = self._rows(dataset_id, _lookup(dataset_id).queries_iter())
            texts[name] = dict(self.intake.texts(rows, dataset_id, "query"))
        return texts

    def split(self, name: str) -> Iterator[tuple[str, str, dict[str, int]]]:
        """The judged queries of a split."""
        dataset_id = self.ids[name]
        texts = self.queries[name]
        judged: dict[str, list[tuple[None, str, int]]] = {}
        with _reading(dataset_id):
            for row in _lookup(dataset_id).qrels_iter():
                judged.setdefault(str(row.query_id), []).append((None, str(row.doc_id), row.relevance))
        if not judged:
            raise DataError("no judgements", path=dataset_id, cure="take an id that has qrels")
        for query_id, values in judged.items():
            if query_id in texts:
                yield query_id, texts[query_id], self.intake.values(query_id, values, dataset_id, is_grade)
            else:
                problem = f"query {query_id!r} is judged but has no text"
                self.intake.problems.report(DataError(problem, path=dataset_id, cure="set data.on_error=skip"))

    def run(self, name: str) -> Run:
        """The candidates that a split brings along."""
        dataset_id = self.ids[name]
        texts = self.queries[name]
        lists: dict[str, list[tuple[None, str, float]]] = {}
        with _reading(dataset_id):
            for row in _lookup(dataset_id).scoreddocs_iter():
                if str(row.query_id) in texts:
                    lists.setdefault(str(row.query_id), []).append((None, str(row.doc_id), float(row.score)))
        scored = {
            query_id: self.intake.values(query_id, rows, dataset_id, is_score) for query_id, rows in lists.items()
        }
        return Run(scored, name=f"{dataset_id} scoreddocs")


def files_of(ids: Iterable[str]) -> list[Path]:
    """The files that these ids were read from: what the package keeps under the name, and what its readers tell.

    Folders, and what is no longer there, may be among them.
    """
    home = _package().util.home_path()
    files: set[Path] = set()
    for dataset_id in ids:
        files.update(below(home / dataset_id.partition("/")[0]))
        for kind in ("docs", "queries", "qrels", "scoreddocs"):
            with suppress(Exception):  # not every reader tells its path, and each fails in its own way
                told = getattr(_lookup(dataset_id), f"{kind}_path")()
                files.update(map(Path, told if isinstance(told, list) else [told]))
    return sorted(files)


def _language(given: str | None, told: Any, setting: str) -> str:
    if language := given or told:
        return str(language)
    raise ConfigError(f"ir_datasets does not tell the language of this collection; set {setting}")


def read_ir_datasets(
    id: str,  # noqa: A002  the package's own word
    *,
    splits: Sequence[str] | None = None,
    query_language: str | None = None,
    document_language: str | None = None,
    on_missing: Annotated[str, OneOf(ON_PROBLEM)] = "error",
    on_error: Annotated[str, OneOf(ON_PROBLEM)] = "error",
    cache: str | None = None,
) -> Collection:
    """Read a collection by its id in ir_datasets: documents, queries, judgements, and scored documents as candidates.

    Args:
        id: of one split, or what the ids of all splits have in common.
        splits: their names; `None` finds them, see `split_ids`.
        query_language, document_language: ISO 639 codes; `None` asks the registry.
        on_missing: `error` or `skip`, for judged or scored documents that the collection lacks.
        on_error: `error` or `skip`: leave defective records out and report their number and the first of them.
        cache: where the collection is prepared once for this version and home of the package and its files there, to be
            opened in no time; `None` keeps it in memory.
    """
    ids = split_ids(id, splits)
    sets = {name: _lookup(dataset_id) for name, dataset_id in ids.items()}
    for name, dataset in sets.items():
        for kind in ("docs", "queries", "qrels"):
            if not dataset.has(kind):
                raise ConfigError(f"{ids[name]} has no {kind}; take an id that has documents, queries and judgements")

    # Languages are those of the first split: all share the documents.
    first = next(iter(sets.values()))
    problems = Problems(on_error, on_missing)
    reader = _Registry(ids, Intake(problems))
    source = Source(
        id,
        _language(query_language, first.queries_lang(), "data.query_language"),
        _language(document_language, first.docs_lang(), "data.document_language"),
        reader.documents,
        {name: partial(reader.split, name) for name in ids},
        {name: partial(reader.run, name) for name, dataset in sets.items() if dataset.has("scoreddocs")},
    )

    # The package's files, versions and home stand for the content; some of them are there only once it has read.
    package = _package()
    settings = (*ids.values(), source.query_language, source.document_language, on_missing, on_error)
    return load(
        source,
        problems,
        stamps=["ir_datasets", package.__version__, str(package.util.home_path().resolve())],
        settings=settings,
        cache=cache,
        files=lambda: files_of(ids.values()),
    )
