"""A collection's card: what a user should know of it before training on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.collection import Collection, Split
from clir_lightning.data.tokens.pairs import PairTemplate
from clir_lightning.data.tokens.table import TokenTable, as_rows, tokenise
from clir_lightning.evaluation.bounds import random_order
from clir_lightning.evaluation.evaluate import evaluate
from clir_lightning.evaluation.ranking import Pool
from clir_lightning.types import Document, Run

PERCENTILES = (5, 25, 50, 75, 95, 100)
BLIND = 500  # queries whose documents are ordered by length
Lines = list[tuple[str, str]]  # the name and the value of each line of a card


def percentiles(lengths: Iterable[int]) -> str:
    """The percentiles 5, 25, 50, 75, 95 and 100 of some lengths.

    >>> percentiles(range(1, 101))
    '6 26 50 75 95 100'
    """
    values = np.fromiter(lengths, np.int64)
    return " ".join(f"{value:.0f}" for value in np.percentile(values, PERCENTILES)) if len(values) else "none"


def repeated(texts: Iterable[str]) -> int:
    """Texts that repeat an earlier one.

    >>> repeated(["a", "b", "a", "a"])
    2
    """
    seen: set[int] = set()
    count = 0
    for text in texts:
        key = hash(text)
        count += key in seen
        seen.add(key)
    return count


def card(collection: Collection) -> Lines:
    """The lines on a collection: counts, languages, lengths in characters, repeated texts, what was left out."""
    documents = collection.documents
    lines: Lines = [
        ("collection", collection.name),
        ("languages", f"{collection.query_language} queries, {collection.document_language} documents"),
        ("documents", f"{len(documents)}, {repeated(d.text for d in documents.values())} repeat another's text"),
        ("characters per document", percentiles(len(document.text) for document in documents.values())),
    ]
    for name, split in collection.splits.items():
        lines += split_card(name, split)
        lines.append(("  NDCG@10 without reading", blind_orders(split, documents)))
    shared = repeated(chain.from_iterable(split.queries for split in collection.splits.values()))
    lines.append(("query ids in two splits", str(shared)))
    return [*lines, *(("left out", note) for note in collection.notes)]


def split_card(name: str, split: Split) -> Lines:
    """The card's lines on one split."""
    texts = [query.text for query in split.queries.values()]
    without = sum(not split.qrels.relevant(query_id) for query_id in split.qrels)
    lines = [
        (name, f"{len(texts)} queries, {repeated(texts)} repeat another's text, {without} without a relevant document"),
        ("  characters per query", percentiles(map(len, texts))),
    ]

    # Judgements: how many each query has, and how many of each grade in the mean, the best grade first.
    judged = [len(split.qrels[query_id]) for query_id in split.qrels]
    grades = Counter(chain.from_iterable(split.qrels[query_id].values() for query_id in split.qrels))
    means = (f"{grade}: {grades[grade] / max(1, len(judged)):.1f}" for grade in sorted(grades, reverse=True))
    lines.append(("  judged documents per query", percentiles(judged)))
    lines.append(("  of each grade, per query", ", ".join(means)))

    # A split need not come with candidates.
    if split.run is not None:
        depths = percentiles(len(split.run[query_id]) for query_id in split.run)
        lines.append(("  candidates per query", f"{depths} (run {split.run.name})"))
    return lines


def blind_orders(split: Split, documents: Mapping[str, Document]) -> str:
    """NDCG@10 × 100 of the judged documents in orders that read no text, over the first `BLIND` queries that have some.

    A collection whose relevant documents are shorter than the others gives them away by length alone, and no result on
    it means what it seems to.
    """
    rows = ((query_id, dict(grades)) for query_id, grades in split.qrels.items() if max(grades.values(), default=0) > 0)
    judged = dict(islice(rows, BLIND))
    if not judged:
        return "none judged"
    pool = Pool.of(judged, judged)
    orders = {"random": random_order(pool, ["ndcg_10"]).means["ndcg_10"]}
    lengths = {query_id: {i: float(len(documents[i].text)) for i in grades} for query_id, grades in judged.items()}
    for name, sign in (("longest first", 1), ("shortest first", -1)):
        run = Run({query_id: {i: sign * length for i, length in row.items()} for query_id, row in lengths.items()})
        orders[name] = evaluate(run, judged, ["ndcg_10"]).means["ndcg_10"]
    return ", ".join(f"{name} {100 * value:.1f}" for name, value in orders.items())


def token_card(collection: Collection, tokenizer: PreTrainedTokenizerBase, max_length: int, cache: Any = None) -> Lines:
    """The card's lines on one tokenizer: lengths in tokens, and the judged pairs that `max_length` cuts."""
    documents = tokenise(collection.documents, tokenizer, name="documents", cache=cache)
    lines: Lines = [
        ("tokenizer", f"{tokenizer.name_or_path}, {len(tokenizer)} pieces"),
        ("  tokens per document", percentiles(documents.lengths())),
    ]
    specials = PairTemplate.of(tokenizer).specials
    for name, split in collection.splits.items():
        queries = tokenise(split.queries, tokenizer, name=f"{name} queries", cache=cache)
        lengths = pair_lengths(split, queries, documents) + specials
        share = f"{100 * float((lengths > max_length).mean()):.1f} %" if len(lengths) else "none judged"
        lines.append((f"  tokens per query, {name}", percentiles(queries.lengths())))
        lines.append((f"  pairs cut at {max_length}, {name}", share))
    return lines


def pair_lengths(split: Split, queries: TokenTable, documents: TokenTable) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Tokens of each judged pair without special tokens, `[N]`."""
    names: Sequence[str] = list(split.qrels)
    lists = [list(split.qrels[query_id]) for query_id in names]
    own = np.repeat(queries.lengths(as_rows(queries.index, names)), [len(ids) for ids in lists])
    return own + documents.lengths(as_rows(documents.index, list(chain.from_iterable(lists))))
