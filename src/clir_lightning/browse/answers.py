"""From a question to each system's answer: a run file's list, what a first stage finds, or a model's order of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clir_lightning.browse.library import Library
from clir_lightning.browse.lists import Answer, ranking
from clir_lightning.data.collection import Collection, Split
from clir_lightning.errors import ClirError
from clir_lightning.knowledge.walks import rank_by_walks
from clir_lightning.models.dual import DualEncoder
from clir_lightning.outputs.ranker import ASKED, Ranker
from clir_lightning.retrieval.dense import DenseRetriever
from clir_lightning.types import Document, Grades, Qrels, Query, Run, Scores

JUDGED = "the judged documents"
EVERYTHING = "all documents, by their vectors"


@dataclass(frozen=True)
class Question:
    """A query, `picked` from the split or typed, and its judgements if it has any."""

    query: Query
    picked: bool
    grades: Grades | None = None


class NothingError(ClirError):
    """Why a system has no list for a question, in words for the page."""


def picked(library: Library, query: str) -> Question:
    """A query of the split, with its judgements."""
    return Question(library.split.queries[query], True, dict(library.split.qrels[query]) or None)


def typed(library: Library, text: str) -> Question:
    """A query of one's own; where the split has a query of that very text, it is not taken for it."""
    return Question(Query("typed", text.strip(), library.collection.query_language), False)


def sources(library: Library, question: Question) -> list[str]:
    """Where the models' candidates can come from, the first being what a page opens with."""
    names = [name for name, run in library.runs.items() if question.picked and run.by_query.get(question.query.id)]
    names.append(library.first.name)
    if question.grades:
        names.append(JUDGED)
    if any(isinstance(ranker.trained.model, DualEncoder) for ranker in library.models.values()):
        names.append(EVERYTHING)
    return names


def answers(library: Library, question: Question, systems: Sequence[str], source: str) -> list[Answer]:
    """The lists of these systems, in their order; one that has none says why.

    Args:
        library: what is opened.
        question: the query.
        systems: some of the library's.
        source: one of `sources`: what the models rank.
    """
    return [answer(library, question, system, source) for system in systems]


def answer(library: Library, question: Question, system: str, source: str) -> Answer:
    """One system's list."""
    try:
        with library.lock:
            return Answer(system, _scores(library, question, system, source))
    except ClirError as error:
        return Answer(system, {}, str(error))


def _scores(library: Library, question: Question, system: str, source: str) -> Scores:
    """The system's scores; `NothingError` where it has no list."""
    if system in library.runs:
        return _listed(library, question, system)
    if system == library.first.name:
        return _found(library, question)
    if source == EVERYTHING:
        return _searched(library, question, library.models.get(system))

    # What is ranked must have its text.
    given = candidates(library, question, source)
    known = {name: library.collection.documents[name] for name in given if name in library.collection.documents}
    if not known:
        raise NothingError(f"nothing to rank: {source} gives no document of the collection; choose other candidates")
    query = question.query
    lists = Run({query.id: dict.fromkeys(known, 0.0)}, system)
    if system in library.models:
        return library.models[system].score(known, {query.id: query}, lists)[query.id]
    return _walked(library, query, known, lists)


def candidates(library: Library, question: Question, source: str) -> list[str]:
    """The documents that models rank, at most the settings' `depth`."""
    if source == JUDGED:
        return list(question.grades or {})
    scores = _listed(library, question, source) if source in library.runs else _found(library, question)
    return ranking(scores)[: library.settings.depth]


def _listed(library: Library, question: Question, system: str) -> Scores:
    """A run file's list."""
    if not question.picked:
        raise NothingError("a run file answers the queries in it alone; pick one of the split's")
    scores = library.runs[system].by_query.get(question.query.id)
    if not scores:
        raise NothingError("the run file has no document for this query")
    return scores


def _found(library: Library, question: Question) -> Scores:
    """What the first stage finds."""
    depth = library.settings.depth
    query = question.query
    if question.picked:
        run = library.first.of_split(library.collection, library.split_name, query.id, depth=depth)
    else:
        run = library.first(library.collection, {query.id: query}, depth=depth)
    if not run[query.id]:
        raise NothingError("no document has a term of this query, or the lexicon knows none of its words")
    return run[query.id]


def _searched(library: Library, question: Question, ranker: Ranker | None) -> Scores:
    """The nearest documents of the whole collection, for a model with one vector per text."""
    if ranker is None or not isinstance(ranker.trained.model, DualEncoder):
        raise NothingError("it has no vector of a text, so it cannot search; choose other candidates")
    retriever = DenseRetriever(
        str(ranker.trained.path),
        cache=library.settings.computing.get("cache"),
        encoder=ranker.trained.text_encoder(ranker.at),
    )
    query = question.query
    return retriever(library.collection.documents, {query.id: query}, depth=library.settings.depth)[query.id]


def _walked(library: Library, query: Query, documents: Mapping[str, Document], lists: Run) -> Scores:
    """How many walks from the query's entity end at each document's."""
    assert library.graph is not None
    asked = Split({query.id: query}, Qrels({query.id: {}}))
    walked = rank_by_walks(library.graph, Collection(ASKED, documents, {ASKED: asked}), ASKED, lists)
    if not walked.queries:
        raise NothingError("the query names no entity of the graph, so that no walk begins")
    return walked.run[query.id]
