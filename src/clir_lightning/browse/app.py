"""The page of `clir browse`, which Streamlit runs: `app.py SETTINGS`, the settings as `Settings.text` writes them.

It draws and asks; what it shows is computed in this room's other modules.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import streamlit as st

from clir_lightning.browse import fragments
from clir_lightning.browse.answers import Question, answer, picked, sources, typed
from clir_lightning.browse.entity import STEPS, Entities
from clir_lightning.browse.library import Library, opened
from clir_lightning.browse.lists import Answer, listings, not_found, shown_documents
from clir_lightning.browse.matches import Matches, Matrices, look
from clir_lightning.browse.picking import Choices
from clir_lightning.browse.style import STYLE
from clir_lightning.errors import ClirError
from clir_lightning.types import Document

DEPTHS = (5, 10, 20, 50, 100)
KEPT = 500  # answers that are kept for pages that ask again
TITLE = "clir browse"


def main(settings: str) -> None:
    """Draw the page."""
    st.set_page_config(TITLE, layout="wide")
    st.html(STYLE)
    library = library_of(settings)
    st.html(fragments.about(library.collection, library.split_name, library.notes))

    # The question, then what is to be shown of the answers.
    question = ask(library, settings)
    if question is None:
        return
    systems, source, depth = choose(library, question)
    if not systems:
        st.info("Choose at least one system.")
        return

    # The lists, then one document of them.
    st.html(fragments.heading(question.query, question.grades))
    asked = (question.query.id, question.query.text, question.picked)
    found = [kept(settings, asked, system, source, question) for system in systems]
    lists = listings(found, question.grades, depth=depth)
    documents = library.collection.documents
    st.html(fragments.columns(lists, documents, question.grades))
    relevant = sum(grade > 0 for grade in (question.grades or {}).values())
    if below := fragments.missing(not_found(found, question.grades), relevant, documents, depth):
        st.html(below)
    known = [name for name in shown_documents(lists) if name in documents]
    if known:
        details(library, question, systems, known)


@st.cache_resource(show_spinner="Opening …")
def library_of(settings: str) -> Library:
    """All that the page reads."""
    return opened(settings)


@st.cache_resource(max_entries=KEPT, show_spinner="Ranking …")
def kept(settings: str, asked: tuple[str, str, bool], system: str, source: str, _question: Question) -> Answer:
    """A system's answer, computed once: looking at another depth or document asks for nothing anew.

    `asked` stands for the question.
    """
    return answer(opened(settings), _question, system, source)


@st.cache_resource(show_spinner="Reading queries and documents …")
def choices_of(settings: str) -> Choices:
    """The queries that can be picked."""
    return Choices.of(opened(settings))


def ask(library: Library, settings: str) -> Question | None:
    """The query that was picked or typed last; `None` where the split has none and nothing is typed."""
    left, right = st.columns(2)
    with left:
        name = pick(library, choices_of(settings))
    with right:
        own = st.text_input(f"or type one, in {library.collection.query_language}", key="typed")
    if own and own.strip():
        return typed(library, own)
    return None if name is None else picked(library, name)


def pick(library: Library, choices: Choices) -> str | None:
    """The query that is picked; picking one empties what was typed."""
    wanted = st.text_input("Find a query by its words or id", key="wanted") if choices.long else ""
    some = choices.matching(wanted)
    name: str | None = st.selectbox(
        f"Pick a query of {library.split_name} ({len(choices)})",
        some,
        index=some.index(choices.opening) if choices.opening in some else 0,
        format_func=choices.label,
        key="picked",
        on_change=lambda: st.session_state.update(typed=""),
        filter_mode="contains",
    )
    return name


def choose(library: Library, question: Question) -> tuple[list[str], str, int]:
    """The systems to show, what models rank, and how many documents of each list."""
    first, second, third = st.columns([3, 2, 1])
    with first:
        label = "Systems, the first being what the others are compared with"
        systems = st.multiselect(label, library.systems, default=library.shown(), key="systems")
    with second:
        given = sources(library, question)
        source = given[0]
        if any(system in (*library.models, *library.walks) for system in systems):
            source = st.selectbox("What models rank", given, key="source")
    with third:
        depth = st.selectbox("Depth", DEPTHS, index=1, key="depth")
    return list(systems), str(source), int(depth)


def details(library: Library, question: Question, systems: Sequence[str], known: Sequence[str]) -> None:
    """What matched in one of the documents, and what the graph knows of it."""
    documents = library.collection.documents
    name = st.selectbox(
        "Look into a document",
        known,
        format_func=lambda name: f"{name} · {' '.join(documents[name].text[:200].split())[:70]}",
        key="document",
    )
    if name is None:
        return
    document = documents[name]
    if library.graph is not None:
        st.html(entities(library, question, document))

    # A model at a time.
    for system in systems:
        if system in library.models:
            matched(library, question, document, system)


def entities(library: Library, question: Question, document: Document) -> str:
    """The entities of query and document, and the way between them."""
    assert library.graph is not None
    known = Entities(library.graph)
    try:
        of_query = known.of_query(question.query)
        of_document = known.of_document(document)
        between = ""
        if of_query is not None and of_document is not None:
            between = fragments.way(of_query, known.way(of_query.id, of_document.id), known.graph.languages, STEPS)
    except ClirError as error:
        return fragments.problem(str(error))
    languages = known.graph.languages
    both = [
        fragments.entity("Entity of the query", of_query, languages),
        fragments.entity("Entity of the document", of_document, languages),
    ]
    return fragments.side_by_side([*both, between])


def matched(library: Library, question: Question, document: Document, system: str) -> None:
    """What a model matched in query and document."""
    st.html(fragments.title(f"What {system} matched"))
    try:
        with library.lock:
            found = look(library.models[system], question.query, document)
    except ClirError as error:
        found = str(error)

    # A word where there is nothing to see, a table of MaxSim, or a matrix of a level.
    if isinstance(found, Matches):
        st.html(fragments.matches(found))
    elif isinstance(found, Matrices):
        names = {place: f"layer {number}" if number else "embeddings" for place, number in enumerate(found.levels)}
        last = len(names) - 1
        level = st.selectbox(
            "Level", list(names), index=last, format_func=lambda place: names[place], key=f"level {system}"
        )
        st.html(fragments.matrix(found, int(level or 0)))
    else:
        st.html(fragments.remark(found))


if __name__ == "__main__":
    main(sys.argv[1])
