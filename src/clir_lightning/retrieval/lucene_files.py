"""What goes into Anserini's programs and comes out of them: documents, topics, and hits read one query at a time."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from clir_lightning.errors import DataError
from clir_lightning.retrieval.analysis import Analyser
from clir_lightning.retrieval.java import JavaError
from clir_lightning.retrieval.retriever import DocumentRows, parts_of, term_weights, whole_weights
from clir_lightning.types import Query

MOST_TERMS = 1024  # different terms that Lucene takes in a query


def plain(text: str) -> str:
    """A text for Lucene's own analyser: composed (NFC) and on one line.

    >>> plain("e\\u0301te\\u0301\\n 2024")
    'été 2024'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def write_documents(rows: DocumentRows, analyser: Analyser, source: Path, parts: int) -> tuple[int, list[str]]:
    """Write the documents for indexing, one file per thread; returns their number and the terms in them.

    Documents without a term are left out, as Lucene leaves them.
    """
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    terms: set[str] = set()
    written = 0

    # In turn into each file; a row's nine digits sort as its number does.
    with ExitStack() as stack:
        paths = [source / f"{i}.jsonl" for i in range(parts)]
        streams = [stack.enter_context(open(path, "w", encoding="utf-8", errors="replace")) for path in paths]
        for row, text in rows.texts():
            contents = _contents(text, analyser, terms)
            if contents:
                line = json.dumps({"id": f"{row:09d}", "contents": contents}, ensure_ascii=False)
                streams[written % parts].write(line + "\n")
                written += 1
    if not written:
        raise DataError("no document has a single term", cure="choose another retriever.analyser")
    return written, sorted(terms)


def _contents(text: str, analyser: Analyser, terms: set[str]) -> str:
    """What is indexed of a text: it as it is for Lucene's own analyser, else our tokens, which `terms` collects."""
    if analyser.tokens is None:
        return plain(text)
    tokens = analyser.tokens(text)
    terms.update(tokens)
    return " ".join(tokens)


def topic(query: Query, analyser: Analyser, known: Collection[str]) -> tuple[str, float]:
    """A query as Lucene's command takes it, a weight as repetitions, and what to divide its scores by.

    Of our own analysers' terms only the `known` ones stay, those that the index has. Parts that say the same add up.
    """
    if analyser.tokens is None:
        parts: dict[str, float] = {}
        for text, weight in parts_of(query):
            parts[plain(text)] = parts.get(plain(text), 0.0) + weight
        weights, scale = whole_weights(parts)
    else:
        terms = term_weights(query, analyser)
        weights, scale = whole_weights({term: weight for term, weight in terms.items() if term in known})
        if len(weights) > MOST_TERMS:
            cure = "shorten it, or take retriever=bm25s, which has no limit"
            problem = f"query {query.id!r} has {len(weights)} different terms, Lucene takes {MOST_TERMS}"
            raise DataError(problem, cure=cure)
    return " ".join(" ".join([term] * count) for term, count in weights.items()).strip(), scale


def write_topics(topics: Collection[str], path: Path) -> None:
    """Write the topics, numbered from 0."""
    with open(path, "w", encoding="utf-8", errors="replace") as stream:
        stream.writelines(f"{number:09d}\t{text}\n" for number, text in enumerate(topics))


def check_whole(output: Path, topics: int, said: str) -> None:
    """`JavaError` if Lucene's run file is missing or breaks off."""
    counts = re.findall(r"([\d,]+) queries processed in", said)
    done = int(counts[-1].replace(",", "")) if counts else 0
    if done != topics or not output.is_file() or not _ends_with_a_line(output):
        raise JavaError(f"Lucene's SearchCollection left no whole run ({done} of {topics} queries); is the disk full?")


def _ends_with_a_line(path: Path) -> bool:
    with open(path, "rb") as stream:
        end = stream.seek(0, 2)
        stream.seek(max(0, end - 1))
        return stream.read() in (b"", b"\n")


def read_hits(output: Path, topics: int) -> Iterator[dict[int, float]]:
    """Each topic's hits in turn, row → score; read from the file as they are asked for."""
    done = 0
    with open(output, encoding="utf-8") as stream:
        for name, lines in groupby(stream, key=lambda line: line.partition(" ")[0]):
            number = int(name)
            if not done <= number < topics:
                raise JavaError(f"Lucene's SearchCollection wrote topic {number} after {done - 1}; try again")
            yield from ({} for _ in range(done, number))  # those without a hit are not in the file at all
            fields = (line.split(" ") for line in lines)
            yield {int(row): float(score) for _, _, row, _, score, _ in fields}
            done = number + 1
    yield from ({} for _ in range(done, topics))


def check_room(folder: Path) -> None:
    """`OSError` if a file of a megabyte cannot be written: a full disk, not a lack of matches, made a list empty."""
    probe = folder / "probe"
    probe.write_bytes(bytes(1 << 20))
    probe.unlink()


def check_answered(answered: Mapping[str, bool], analyser: Analyser) -> int:
    """How many queries have no hit; with our own terms, each of which is in a document, `JavaError` at the first."""
    empty = [query for query, has_hits in answered.items() if not has_hits]
    if empty and analyser.tokens is not None:
        raise JavaError(
            f"Lucene's SearchCollection answered {len(answered) - len(empty)} of {len(answered)} queries, "
            f"the first without an answer is {empty[0]!r}; is the disk full?"
        )
    return len(empty)
