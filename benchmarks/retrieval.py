"""First stages on a collection of `generate.py`: `python benchmarks/retrieval.py FOLDER [--engines lucene bm25s …]`.

Time and peak memory of indexing and of 1,000 queries of four words, top 100, each engine in a process of its own; the
Java process counts by itself, as the larger of the two. `command` is Lucene's own search program on the same index and
topics, without a line of ours but its start. All engines get the same tokens, 5-letter prefixes.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ENGINES = ("lucene", "bm25s", "tantivy")
QUERIES, DEPTH = 1000, 100


def lines(folder: Path) -> Iterator[tuple[str, str]]:
    """(id, text) of the documents."""
    with open(folder / "kk.tsv", encoding="utf-8") as stream:
        for line in stream:
            text_id, _, text = line.rstrip("\n").partition("\t")
            yield text_id, text


def draw(folder: Path) -> dict[str, str]:
    """Queries of four words out of one of the first documents, the same for every engine."""
    rng = random.Random(1)
    texts = [text for _, (_, text) in zip(range(QUERIES), lines(folder), strict=False)]
    return {f"q{i}": " ".join(rng.sample(text.split(), 4)) for i, text in enumerate(texts)}


def peak() -> int:
    """Peak memory in MB: of this process, or of the largest that it started."""
    with open("/proc/self/status", encoding="utf-8") as stream:
        own = int(stream.read().partition("VmHWM:")[2].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024


def ours(folder: Path, engine: str, work: Path) -> dict[str, float]:
    """Our own retrievers; for Lucene beside its command."""
    from clir_lightning.retrieval import lucene
    from clir_lightning.retrieval.bm25 import LightBM25
    from clir_lightning.retrieval.java import Java
    from clir_lightning.types import Document, Query

    documents = {i: Document(i, text, "kk") for i, text in lines(folder)}
    queries: dict[str, Query] = {i: Query(i, text, "kk") for i, text in draw(folder).items()}
    spent: list[float] = []
    if engine == "bm25s":
        index_of = LightBM25._index

        def timed_index(self: LightBM25, *given: Any) -> Any:
            start = time.perf_counter()
            built = index_of(self, *given)
            spent.append(time.perf_counter() - start)
            return built

        LightBM25._index = timed_index  # type: ignore[method-assign, assignment]
        start = time.perf_counter()
        LightBM25()(documents, queries, depth=DEPTH)
        return {"index": spent[0], "search": time.perf_counter() - start - spent[0], "memory": peak()}
    run = Java.run

    def timed(self: Java, main: str, arguments: list[str]) -> str:
        start = time.perf_counter()
        try:
            return run(self, main, arguments)
        finally:
            spent.append(time.perf_counter() - start)

    Java.run = timed  # type: ignore[assignment]
    retriever = lucene.LuceneBM25(cache=str(work))
    start = time.perf_counter()
    retriever(documents, dict([*queries.items()][:1]), depth=DEPTH)
    index = time.perf_counter() - start - spent[-1]
    start = time.perf_counter()
    retriever(documents, queries, depth=DEPTH)
    search = time.perf_counter() - start
    return {"index": index, "search": search, "command": spent[-1], "ratio": search / spent[-1], "memory": peak()}


def tantivy(folder: Path, work: Path) -> dict[str, float]:
    """Tantivy through its Python package."""
    import tantivy as engine

    from clir_lightning.retrieval.analysis import prefixes

    start = time.perf_counter()
    builder = engine.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw")
    builder.add_text_field("text", tokenizer_name="whitespace")
    index = engine.Index(builder.build(), path=str(work))
    writer = index.writer(heap_size=500_000_000)
    for text_id, text in lines(folder):
        writer.add_document(engine.Document(id=text_id, text=" ".join(prefixes(text))))
    writer.commit()
    writer.wait_merging_threads()
    indexed = time.perf_counter() - start
    index.reload()
    start = time.perf_counter()
    searcher = index.searcher()
    for text in draw(folder).values():
        query = index.parse_query(" ".join(prefixes(text)), ["text"])
        for _, address in searcher.search(query, DEPTH).hits:
            searcher.doc(address)["id"]
    return {"index": indexed, "search": time.perf_counter() - start, "memory": peak()}


def main() -> None:
    """Run each engine in a process of its own and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--one", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as work:
            measured = tantivy(arguments.folder, Path(work)) if arguments.one == "tantivy" else None
            print(json.dumps(measured or ours(arguments.folder, arguments.one, Path(work))))
        return
    for engine in arguments.engines:
        command = [sys.executable, __file__, str(arguments.folder), "--one", engine]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        last = done.stdout.strip().splitlines()[-1:] or [f"failed ({done.returncode}): {done.stderr.strip()[-300:]}"]
        print(f"{engine}: {last[0]}", flush=True)


if __name__ == "__main__":
    main()
