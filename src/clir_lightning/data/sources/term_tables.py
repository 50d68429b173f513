"""Terms with their translations, from tables and files of entity labels."""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clir_lightning.data.files.lines import read_lines
from clir_lightning.data.sources.checks import check_text
from clir_lightning.errors import DataError

log = logging.getLogger(__name__)

Entry = tuple[str, str, float]  # term, translation, weight


def read_entries(path: str | Path, query_language: str, document_language: str) -> Iterator[Entry]:
    """Entries of a file: entity labels (`.jsonl`), or a table `term<TAB>translation[<TAB>weight]`; gzip or plain.

    An entity line holds `{"q_item_info": {"label_zh": …, "label_kk": …}, "adj_item_info": {"label_zh": […], …}}`; the
    labels of the entity and of its neighbours are taken; a pair of which one is missing (null or empty) is left out and
    counted in the log. Terms and translations come in Unicode's composed form (NFC).
    """
    if str(path).removesuffix(".gz").endswith(".jsonl"):
        yield from _entities(path, f"label_{query_language}", f"label_{document_language}")
        return
    for number, line in read_lines(path):
        fields = line.split("\t")
        try:
            term = _composed(fields[0])
            translation = _composed(fields[1])
            weight = float(fields[2]) if len(fields) == 3 else 1.0
            if len(fields) > 3 or not term or not translation or not 0 < weight < float("inf"):
                raise ValueError
        except (ValueError, IndexError):
            cure = "a line is 'term<TAB>translation', or with a third field, a weight above 0"
            raise DataError(f"{line[:60]!r} is not an entry", path=path, line=number, cure=cure) from None
        yield term, translation, weight


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())


def _entities(path: str | Path, source: str, target: str) -> Iterator[Entry]:
    left_out = 0
    for number, line in read_lines(path):
        try:
            pairs = _pairs(json.loads(line), source, target)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            cure = f"expected q_item_info and adj_item_info with {source} and {target}"
            raise DataError(f"no entity labels ({error})", path=path, line=number, cure=cure) from None
        whole = [(term, label, 1.0) for term, label in pairs if term and label]
        left_out += len(pairs) - len(whole)
        yield from whole
    if left_out:
        log.info("%s: %d pairs of labels with one missing are left out", path, left_out)


def _pairs(row: Any, source: str, target: str) -> list[tuple[str, str]]:
    """The labels of an entity and of its neighbours in both languages, empty where there is none."""
    own = row["q_item_info"]
    pairs = [] if own is None else [(own[source], own[target])]
    near = row.get("adj_item_info") or {}
    terms = near.get(source)
    labels = near.get(target)
    if terms is not None and labels is not None:
        if type(terms) is not list or type(labels) is not list:
            raise TypeError("labels of neighbours are lists")
        pairs += zip(terms, labels, strict=True)
    return [(_label(term), _label(label)) for term, label in pairs]


def _label(value: Any) -> str:
    """A label as text, empty for null; `TypeError` or `ValueError` for what is not a text."""
    if value is not None and type(value) is not str:
        raise TypeError(f"{value!r} is not a label")
    label = _composed(value or "")
    if label and (problem := check_text(label)):
        raise ValueError(f"label {label!r} {problem}")
    return label
