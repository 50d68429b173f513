"""Measures the data room on a collection of `generate.py`: `python benchmarks/data.py FOLDER TOKENIZER_FOLDER`.

Prints one line a figure: preparing against a bare `encode_batch` loop over the same texts, opening, assembling training
batches, and tokenising pairs on the fly as sentence-transformers' CrossEncoder does.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.candidate_set import CandidateLists
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.data.tokens.table import chunks, tokenise

OPEN = """
import sys, time
start = time.perf_counter()
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
imported = time.perf_counter()
collection = read_clirmatrix(sys.argv[1], cache=sys.argv[2])
text = collection.documents[next(iter(collection.documents))].text
split = collection.split("train")
grades = split.qrels[next(iter(split.qrels))]
seconds = time.perf_counter() - imported
status = open("/proc/self/status").read()  # ru_maxrss would carry the parent's peak over
memory = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(f"opening: {seconds:.2f} s (imports before it {imported - start:.2f} s), {memory:.0f} MB at its peak")
"""


def bare(folder: Path, tokenizer: str) -> float:
    """Seconds of `encode_batch` alone over the same texts in the same chunks."""
    core = AutoTokenizer.from_pretrained(tokenizer).backend_tokenizer
    with open(folder / "kk.tsv", encoding="utf-8") as stream:
        spent = 0.0
        for part in chunks(line.rstrip("\n").partition("\t")[2] for line in stream):
            start = time.perf_counter()
            core.encode_batch(part, add_special_tokens=False)
            spent += time.perf_counter() - start
    return spent


def assembling(data: RankingDataModule, epoch: int) -> float:
    """Pairs a second of an epoch's batches, drawing its samples included."""
    start, pairs = time.perf_counter(), 0
    loader = data.train_dataloader()
    sampler: Any = loader.sampler
    sampler.set_epoch(epoch)
    for batch in loader:
        pairs += len(batch.input_ids)
    return pairs / (time.perf_counter() - start)


def on_the_fly(data: RankingDataModule, tokenizer: str, steps: int) -> float:
    """Pairs a second of sentence-transformers' CrossEncoder, whose losses tokenise each batch when it comes."""
    from sentence_transformers import CrossEncoder  # the extra 'bench'

    tool = CrossEncoder(tokenizer, max_length=256).tokenizer
    loader = data.train_dataloader()
    batches = [step.samples for step, _ in zip(loader.sampler, range(steps), strict=False)]
    queries, documents = data.collection.split("train").queries, data.collection.documents
    pairs = [[(queries[s.query_id].text, documents[d].text) for s in part for d in s.document_ids] for part in batches]
    start = time.perf_counter()
    for part in pairs:
        tool(part, padding=True, truncation=True, max_length=256, return_tensors="pt")
    return sum(map(len, pairs)) / (time.perf_counter() - start)


def main() -> None:
    """Run all measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokenizer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as cache:
        tool = AutoTokenizer.from_pretrained(arguments.tokenizer)
        start = time.perf_counter()
        collection = read_clirmatrix(str(arguments.folder), cache=cache)
        read = time.perf_counter() - start
        tokenise(collection.documents, tool, name="documents", cache=cache)
        ours = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        count = len(collection.documents)
        print(f"preparing {count} documents: {ours:.1f} s, {read:.1f} s of it reading; {memory:.0f} MB at its peak")
        print(subprocess.check_output([sys.executable, "-c", OPEN, str(arguments.folder), cache], text=True).strip())
        data = RankingDataModule(
            collection,
            PairBatches(max_length=256),
            sampling=BestAgainstRandom(1),
            candidates=CandidateLists(val_queries=50, test_queries=50),
            cache=cache,
        )
        data.tokenise(tool)
        rates, others = [], []
        for epoch in range(1, 6):  # in turns, so that both meet the same moments of the machine
            rates.append(assembling(data, epoch))
            others.append(on_the_fly(data, arguments.tokenizer, 100))
        mean, other = statistics.harmonic_mean(rates), statistics.harmonic_mean(others)
        print(
            f"assembling, samples drawn anew each epoch: {mean:.0f} pairs/s over 5 epochs, {rates[0]:.0f} in the first"
        )
        print(
            f"tokenised on the fly by sentence-transformers: {other:.0f} pairs/s; ours is {mean / other:.1f} times that"
        )
        loop = bare(arguments.folder, arguments.tokenizer)
        print(f"bare encode_batch: {loop:.1f} s; preparing runs at {loop / ours:.2f} of its speed")


if __name__ == "__main__":
    main()
