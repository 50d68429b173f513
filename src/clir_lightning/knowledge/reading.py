"""A dump's rows as finished parts: decompressed here, parsed by processes, from where an earlier build ended."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from clir_lightning.knowledge.blocks import Blocks
from clir_lightning.knowledge.decompress import BZIP2, GZIP, Decompressed
from clir_lightning.knowledge.parsing import AHEAD, DEFECTS, Crew
from clir_lightning.knowledge.parts import Finished, Parts

log = logging.getLogger(__name__)

PART = 1 << 28  # bytes of the dump that a process parses for one part, nearly: what a killed build loses at most
SHOWN = 5  # defects in the log
FED = 6  # processes that parse what one thread decompresses from gzip

Report = Callable[[int, int], None]  # is told how many bytes of how many of the dump's file are done


def write_dump(dump: Path, settings: tuple[Sequence[str], str], parts: Parts, workers: int, report: Report) -> None:
    """Write the rows of a dump (`DumpRows(*settings)`) as parts; what is finished is in the journal of `parts`."""
    last = parts.last or Finished([], 0, {})
    with (
        Decompressed(dump, threads(dump, workers)) as source,
        Blocks(AHEAD * workers + 1) as blocks,
        Crew(workers, blocks, parts.folder, settings) as crew,
        closing(blocks.cut(source, last.end)) as cut,
    ):
        # What an earlier build has parsed is decompressed alone.
        if last.end:
            log.info("an earlier build has parsed %s MB of %s: going on behind them", f"{last.end / 1e6:,.0f}", dump)
            source.skip(last.end)
        report(source.position(), source.size)

        # In each round every process writes a part.
        numbers = crew.begin(parts.next)
        end = last.end
        for block in cut:
            crew.hand(block)
            end = block.end
            report(source.position(), source.size)
            if end - last.end >= PART * workers:
                last = _finished(crew, last, numbers, end)
                parts.finish(last)
                numbers = crew.begin(parts.next)
        last = _finished(crew, last, numbers, end)
        parts.finish(_ended(last, source.broken))

    # The first of the defects; the manifest has more.
    for line, what in parts.last.defects[:SHOWN] if parts.last else ():
        log.warning("%s, line %d: %s; left out", dump, line, what)


def threads(dump: Path, workers: int) -> int:
    """Threads that decompress: bzip2 takes seven times as long as parsing, gzip a seventh of it.

    More than one for gzip have three times the work, since they begin where they don't know what stands before.
    """
    with open(dump, "rb") as stream:
        start = stream.read(3)
    if start.startswith(BZIP2):
        return workers
    return 1 if workers <= FED or not start.startswith(GZIP) else 3


def _finished(crew: Crew, last: Finished, numbers: list[int], end: int) -> Finished:
    """What there is when the parts of these numbers are on the disk."""
    crew.finish()
    lines = last.counts.get("of the file", 0)
    counts, defects, count = crew.tally.close(lines)
    counts.update(last.counts)
    counts["of the file"] = lines + count
    return Finished(numbers, end, dict(counts), [*last.defects, *defects][:DEFECTS])


def _ended(last: Finished, broken: str) -> Finished:
    """The last entry, with what is wrong with the dump's end: an archive without its tail may look whole."""
    counts = Counter(last.counts)
    if not broken and counts["opened"] > counts["closed"]:
        broken = "the dump ends without the bracket that closes it: its tail is missing"
    defects = [(counts["of the file"] + 1, broken), *last.defects] if broken else last.defects
    return replace(last, defects=defects, counts={**counts, "broken": int(bool(broken))}, whole=True)
