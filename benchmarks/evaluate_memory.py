"""Memory and speed of `clir evaluate` over many pairs: `python benchmarks/evaluate_memory.py FOLDER`.

For each number of `--queries` a synthetic collection (`generate.py`) has its training queries scored, 100 documents
each, by a tiny model without training: all of the time and memory that is not the model's. `--queries 10000` are
1,000,000 pairs. Printed is the peak of the resident memory, what each further pair adds to it, and the memory over
time; `memory.csv` in the folder holds every sample. Memory that maps files (tokens, texts) counts apart: the system
takes it back when others need it. What each pair must add are its ids and a few numbers.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import time
from pathlib import Path

DOCUMENTS = 20_000
PROGRAM = (sys.executable, "-c", "from clir_lightning.cli import main; main()")
MODEL = (
    "encoder=tiny",
    "encoder.layers=1",
    "encoder.width=32",
    "encoder.heads=2",
    "batches.max_length=32",
    "batches.query_length=12",
)
SHORT = (
    "trainer.max_epochs=1",
    "+trainer.limit_train_batches=1",
    "candidates.val_queries=2",
    "candidates.test_queries=2",
    "logger=[]",
)


def resident(process: int) -> tuple[float, float]:
    """A process's own memory and the files that it maps, in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    sizes = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Rss")}
    return int(sizes.get("RssAnon", 0)) / 1e3, int(sizes.get("RssFile", 0)) / 1e3


def watch(command: list[str], folder: Path) -> list[tuple[float, float, float]]:
    """Seconds, own and mapped megabytes while a command runs; raises for one that fails."""
    start = time.monotonic()
    samples = []
    with open(folder / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        while process.poll() is None:
            try:
                samples.append((time.monotonic() - start, *resident(process.pid)))
            except (OSError, ValueError):  # it has just ended
                break
            time.sleep(0.25)
    if process.wait():
        raise SystemExit((folder / "log").read_text(encoding="utf-8")[-3000:])
    return samples


def prepare(folder: Path, queries: int) -> list[str]:
    """A collection of so many queries, and the command that scores them; the model is made once."""
    data = folder / f"data{queries}"
    if not (data / "kk.tsv").is_file():
        sizes = ("--documents", str(DOCUMENTS), "--queries", str(queries))
        subprocess.run([sys.executable, str(Path(__file__).with_name("generate.py")), str(data), *sizes], check=True)
    languages = ("data=clirmatrix", "data.query_language=zh", "data.document_language=kk")
    model = folder / "model"
    if not (model / "metrics.json").is_file():
        train = ["train", *languages, f"data.path={data}", *MODEL, *SHORT, f"hydra.run.dir={model}"]
        subprocess.run([*PROGRAM, *train], check=True, stdout=subprocess.DEVNULL)
    asked = [f"model={model}", f"data.path={data}", "split=train", "device=cpu", "measures=[ndcg_10]"]
    return [*PROGRAM, "evaluate", *asked, f"hydra.run.dir={folder}/out{queries}"]


def main() -> None:
    """Score each number of queries, print what memory did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", type=int, nargs="+", default=[1000, 2000])
    arguments = parser.parse_args()
    folder: Path = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["CLIR_CACHE"] = str(folder / "cache")

    rows = []
    print("| pairs | seconds | own memory at its peak, MB | with mapped files | own memory over time, MB |")
    print("|---|---|---|---|---|")
    peaks = {}
    for queries in arguments.queries:
        samples = watch(prepare(folder, queries), folder)
        run = (folder / f"out{queries}" / "runs" / "test.trec").read_bytes()
        pairs = run.count(b"\n")
        peaks[pairs] = max(own for _, own, _ in samples)
        tenths = [f"{samples[len(samples) * part // 10][1]:.0f}" for part in range(10)]
        both = max(own + mapped for _, own, mapped in samples)
        print(
            f"| {pairs:,} | {samples[-1][0]:.0f} | {peaks[pairs]:.0f} | {both:.0f} | {' '.join(tenths)} |", flush=True
        )
        rows += [(pairs, *sample) for sample in samples]

    # What each further pair costs.
    counts = sorted(peaks)
    if len(counts) > 1:
        added = 1e6 * (peaks[counts[-1]] - peaks[counts[0]]) / (counts[-1] - counts[0])
        print(f"\n{added:.0f} bytes more for each further pair")
    with open(folder / "memory.csv", "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("pairs", "seconds", "own_mb", "mapped_mb"), *rows])


if __name__ == "__main__":
    main()
