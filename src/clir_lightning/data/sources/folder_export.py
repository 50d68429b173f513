"""Any collection as a folder of the BEIR or TREC layout, as `read_folder` reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.files.lines import tab_line, write_whole
from clir_lightning.data.files.trec import write_qrels, write_run
from clir_lightning.data.sources.folder import LAYOUTS, Layout
from clir_lightning.data.store.fresh import fresh_folder
from clir_lightning.errors import one_of
from clir_lightning.progress import Progress
from clir_lightning.types import Document, Qrels, Query, Run


def _json_line(record: Query | Document) -> str:
    return json.dumps({"_id": record.id, "text": record.text}, ensure_ascii=False) + "\n"


LINES = {"beir": _json_line, "trec": tab_line}


def common_queries(splits: Iterable[Split]) -> dict[str, Query] | None:
    """The queries of all splits by id; `None` if an id stands for different texts in two of them."""
    queries: dict[str, Query] = {}
    for split in splits:
        for query_id, query in split.queries.items():
            if queries.setdefault(query_id, query).text != query.text:
                return None
    return queries


def _all_judged(split: Split) -> bool:
    return all(split.qrels[query_id] for query_id in split.queries)


def write_folder(collection: Collection, path: str | Path, *, layout: str = "beir") -> list[Path]:
    """Write a collection in the BEIR or TREC layout into a new or empty folder, whole; returns the files.

    A split whose queries a common file and the judgements cannot tell has a file of queries of its own: where some are
    not judged, or where an id stands for another text than in another split. TREC's lines cannot hold line breaks
    within a text: they become blanks. Raises `DataError` for a folder that holds anything.
    """
    form = LAYOUTS[one_of(layout, LAYOUTS, "layout")]
    line = LINES[layout]
    common = common_queries(collection.splits.values())
    names = []
    with fresh_folder(path, last=form.documents) as home:

        def put(name: str, records: Mapping[str, Query] | Mapping[str, Document]) -> None:
            values: Iterable[Query | Document] = records.values()
            told = Progress(f"writing {name}", "lines", len(records)).over(values)
            with write_whole(home / name) as stream:
                stream.writelines(map(line, told))
            names.append(name)

        put(form.documents, collection.documents)
        if common is not None:
            put(form.queries, common)
        for split_name, split in collection.splits.items():
            if common is None or not _all_judged(split):
                put(form.own_queries.format(split_name), split.queries)
            names += _write_lists(split_name, split, form, home)
    return [Path(path) / name for name in names]


def _write_lists(name: str, split: Split, form: Layout, home: Path) -> list[str]:
    """Write a split's judgements and the run that it brings along; returns the files' names."""
    names = [form.qrels.format(name)]
    if form is LAYOUTS["trec"]:
        write_qrels(split.qrels, home / names[0])
    else:
        _write_beir_qrels(split.qrels, home / names[0])
    if split.run is not None:
        names.append(f"runs/{name}.trec")
        own = {query_id: split.run[query_id] for query_id in split.run if query_id in split.queries}
        write_run(Run(own, name=split.run.name), home / names[-1])
    return names


def _write_beir_qrels(qrels: Qrels, path: Path) -> None:
    with write_whole(path) as stream:
        stream.write("query-id\tcorpus-id\tscore\n")
        for query_id, grades in qrels.items():
            stream.writelines(f"{query_id}\t{document_id}\t{grade}\n" for document_id, grade in grades.items())
