"""Speed and memory of `clir graph build`: `python benchmarks/graph_build.py FOLDER --gigabytes 1 10`.

The excerpt of a Wikidata dump is repeated under other ids until its JSON has so many gigabytes, and compressed. Reading
it is measured beside the least that it takes, one process that decompresses it and has orjson parse each line, in
megabytes of JSON a second and core: seconds are those of the processors, of all processes together. The goal is 0.6 of
the least's speed. Memory is the highest sum over the process and those it started, pages that they share counted once.
Merging the rows into the graph's sorted files is DuckDB's work, and measured apart.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

DUMP = Path(__file__).parents[2] / "shared" / "data" / "wikidata-dump-excerpt.json.gz"
GIGABYTE = 1_000_000_000
PIECE = 1 << 22
INTERVAL = 0.2  # seconds between two looks at the memory


@dataclass(frozen=True)
class Cost:
    """What a process and those it started took."""

    processors: float  # seconds
    clock: float  # seconds
    memory: float  # MB at the peak


def write_dump(excerpt: Path, path: Path, size: float) -> None:
    """The excerpt's lines again and again, each time with other ids, to so many bytes of JSON."""
    with gzip.open(excerpt) as stream:
        lines = stream.read().removeprefix(b"[\n").rstrip().removesuffix(b"]").rstrip() + b","
    partial = path.with_suffix(".partial")
    with gzip.open(partial, "wb", compresslevel=6) as stream:
        written = stream.write(b"[\n")
        copy = 10
        while written < size:
            written += stream.write(lines.replace(b'"id":"Q', b'"id":"Q%d' % copy) + b"\n")
            copy += 1
        stream.write(b"]\n")
    partial.rename(path)


def bare(path: Path) -> int:
    """Decompress and parse, no more; bytes of JSON."""
    import orjson

    from clir_lightning.knowledge.decompress import Decompressed

    gc.disable()  # as the processes of a build have it
    size = 0
    rest = b""
    buffer = bytearray(PIECE)
    with Decompressed(path) as stream:
        while count := stream.readinto(memoryview(buffer)):
            piece = bytes(buffer[:count])
            size += count
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            for line in lines:
                if len(line) > 2:
                    orjson.loads(line.rstrip(b","))
    return size


def rows(path: Path, parts: Path, workers: int) -> None:
    """What a build does with a dump before it merges."""
    from clir_lightning.knowledge.parts import Parts
    from clir_lightning.knowledge.reading import write_dump as read

    read(path, (("zh", "kk"), "en"), Parts(parts), workers, lambda done, total: None)


def merging(parts: Path, graph: Path) -> None:
    """What a build does then."""
    from clir_lightning.knowledge.merging import merge

    merge(parts, graph, languages=("zh", "kk"))


def memory(process: int) -> float:
    """MB of a process and those it started."""
    total = 0.0
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
        total = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1e3
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
    except OSError:  # it has just ended
        return total
    return total + sum(memory(int(child)) for child in children)


def measured(*told: str) -> Cost:
    """Run this script for one step of the build; raises where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    peak = 0.0
    with subprocess.Popen([sys.executable, __file__, *told]) as process:
        while process.poll() is None:
            peak = max(peak, memory(process.pid))
            time.sleep(INTERVAL)
    if process.returncode:
        raise SystemExit(f"{told[0]} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, time.perf_counter() - start, peak)


def main() -> None:
    """Measure each size, the two readings in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gigabytes", type=float, nargs="+", default=[1.0])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--workers", type=int, default=min(len(os.sched_getaffinity(0)), 8))
    parser.add_argument("--dump", type=Path, default=DUMP)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    print(f"{given.workers} processes parse; median of {given.turns} turns", end="\n\n")
    print(
        "| GB | bare, MB/s and core | ours, MB/s and core | ratio | ours, MB/s | memory, MB | merge, s | memory, MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for gigabytes in given.gigabytes:
        print(line(given, gigabytes), flush=True)


def line(given: argparse.Namespace, gigabytes: float) -> str:
    """One size: a row of the table."""
    dump = given.folder / f"dump-{gigabytes:g}.json.gz"
    if not dump.is_file():
        write_dump(given.dump, dump, gigabytes * GIGABYTE)
    parts = given.folder / "parts"
    graph = given.folder / "graph"
    turns = []
    for _ in range(given.turns):
        shutil.rmtree(parts, ignore_errors=True)
        turns.append((measured("bare", str(dump)), measured("rows", str(dump), str(parts), str(given.workers))))
    shutil.rmtree(graph, ignore_errors=True)
    merged = measured("merge", str(parts), str(graph))

    # Turns beside one another, since the machine may be busier in one than in another.
    ratio = statistics.median(least.processors / ours.processors for least, ours in turns)
    megabytes = gigabytes * 1e3
    speeds = [statistics.median(megabytes / each.processors for each in side) for side in zip(*turns, strict=True)]
    clock = statistics.median(megabytes / ours.clock for _, ours in turns)
    peak = max(ours.memory for _, ours in turns)
    return (
        f"| {gigabytes:g} | {speeds[0]:.0f} | {speeds[1]:.0f} | {ratio:.2f} | {clock:.0f} | {peak:.0f} "
        f"| {merged.clock:.0f} | {merged.memory:.0f} |"
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", dump]:
            bare(Path(dump))
        case ["rows", dump, parts, workers]:
            rows(Path(dump), Path(parts), int(workers))
        case ["merge", parts, graph]:
            merging(Path(parts), Path(graph))
        case _:
            main()
