"""Several collections as one: trained on all of them, judged on the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from clir_lightning.data.collection import Collection
from clir_lightning.data.sources.checks import Problems
from clir_lightning.data.sources.source import Source, load
from clir_lightning.errors import ConfigError, one_of
from clir_lightning.types import Run


def _prefixes(collections: Mapping[str, Collection]) -> dict[str, str]:
    """What goes before a collection's ids: nothing for the first, so that its run and qrels files stay right."""
    return {name: f"{name}/" if place else "" for place, name in enumerate(collections)}


def _check_clash(text_id: str, what: str, tables: Mapping[str, Mapping[str, object]]) -> None:
    """`ConfigError` if an id of the first of `tables` is what another's id becomes, which would hide one of them."""
    name, slash, rest = text_id.partition("/")
    first = next(iter(tables))
    if slash and name in tables and name != first and rest in tables[name]:
        raise ConfigError(
            f"data.collections.{name}: its {what} {rest!r} would be called {text_id!r}, as one of "
            f"data.collections.{first} is; give {name} another name"
        )


def _documents(collections: Mapping[str, Collection]) -> Iterator[tuple[str, str]]:
    tables = {name: part.documents for name, part in collections.items()}
    for name, prefix in _prefixes(collections).items():
        for document_id, document in tables[name].items():
            if not prefix:
                _check_clash(document_id, "document", tables)
            yield prefix + document_id, document.text


def _queries(collections: Mapping[str, Collection], split: str) -> Iterator[tuple[str, str, dict[str, int]]]:
    tables = {name: part.split(split).queries for name, part in collections.items()}
    for name, prefix in _prefixes(collections).items():
        part = collections[name].split(split)
        for query_id, query in part.queries.items():
            if not prefix:
                _check_clash(query_id, "query", tables)
            grades = {prefix + document_id: grade for document_id, grade in part.qrels[query_id].items()}
            yield prefix + query_id, query.text, grades


def _run(run: Run) -> Run:
    return run


def _check(collections: Mapping[str, Collection], train: str) -> None:
    """`ConfigError` where the collections cannot be one."""
    if not collections:
        raise ConfigError(
            "data=several has no collections; add some: +data@data.collections.NAME=clirmatrix "
            "data.collections.NAME.path=FOLDER"
        )

    # Names and languages, each against the first collection's.
    languages = {name: (part.query_language, part.document_language) for name, part in collections.items()}
    first = next(iter(collections))
    for name, pair in languages.items():
        if "/" in name or name.split() != [name]:
            raise ConfigError(f"data.collections.{name}: a name goes before ids; take one of letters and digits")
        if pair != languages[first]:
            raise ConfigError(
                f"data.collections.{name} is {'→'.join(pair)}, {first} is {'→'.join(languages[first])}; "
                "collections that are joined share both languages"
            )
        one_of(train, collections[name].splits, f"split of data.collections.{name}")


def join_collections(
    collections: Mapping[str, Collection], *, train: str = "train", cache: str | None = None
) -> Collection:
    """One collection of several in the same two languages.

    Its documents are those of all, its split `train` the training queries of all, and its other splits the first
    collection's alone. The first collection's ids stay as they are; the others' get their name and a slash in front.

    Args:
        collections: by name.
        train: the split that is joined.
        cache: folder that the joined collection is prepared in, once; used if all of them are prepared themselves.

    Raises `ConfigError` for none, for a name with white space or a slash, for collections whose languages differ, and
    for an id of the first that is an id of another with its name in front.
    """
    _check(collections, train)
    first_name, first = next(iter(collections.items()))
    joined = Source(
        name="+".join(part.name for part in collections.values()),
        query_language=first.query_language,
        document_language=first.document_language,
        documents=partial(_documents, collections),
        splits={
            split: partial(_queries, collections if split == train else {first_name: first}, split)
            for split in first.splits
        },
        runs={split: partial(_run, part.run) for split, part in first.splits.items() if part.run and split != train},
    )
    keys = [part.key for part in collections.values()]
    return load(joined, Problems(), stamps=[*collections, *keys], settings=train, cache=cache if all(keys) else None)
