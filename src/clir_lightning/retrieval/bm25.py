"""BM25 over the documents, for candidate lists (Robertson and Zaragoza, 2009), by the bm25s package."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

import bm25s
import numpy as np

from clir_lightning.types import Document, Run


def words(text: str) -> list[str]:
    """Lower-cased words.

    >>> words("Қазақ тілі (Қазақстан)")
    ['қазақ', 'тілі', 'қазақстан']
    """
    return re.findall(r"\w+", text.lower())


def bm25_rerank(
    candidates: Run, queries: Mapping[str, str], documents: Mapping[str, Document], *, k1: float = 0.9, b: float = 0.4
) -> Run:
    """Score each query's candidates by BM25 with the statistics of all documents.

    `queries` maps query id → text in the documents' language. Where BM25 sees no difference the candidates keep their
    order among themselves, so that a query without a single known word stays at its candidates' order.
    """
    rows = {document_id: row for row, document_id in enumerate(documents)}
    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it sets itself to DEBUG
    index = bm25s.BM25(method="lucene", k1=k1, b=b)
    index.index([words(document.text) for document in documents.values()], show_progress=False)
    known = index.vocab_dict
    lists: dict[str, dict[str, float]] = {}
    for query_id, candidate_scores in candidates.items():
        tokens = [word for word in words(queries[query_id]) if word in known]
        scores = index.get_scores(tokens) if tokens else np.zeros(len(rows), np.float32)
        bm25 = {document: float(scores[rows[document]]) for document in candidate_scores}
        order = sorted(bm25, key=lambda document: (bm25[document], candidate_scores[document]))
        lists[query_id] = {document: float(place) for place, document in enumerate(order)}
    return Run(lists, name="BM25")
