"""Training pairs/s of every architecture and of sentence-transformers: `python benchmarks/training.py FOLDER ENCODER`.

Short trainings in turns, each a process of its own on the same pairs, batch, cut of texts, precision and fixed
embeddings; prints each one's median and its ratio to sentence-transformers of the same family, turn by turn. Needs the
extra `bench`.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

CEDR = ("batches.document_length=null", "batches.query_length=20")
PROGRAM = (sys.executable, "-c", "from clir_lightning.cli import main; main()", "train")
# What is trained, settings of `clir train`, and the script in this folder that it is compared with.
OURS = {
    "cross": (["architecture=cross", "batches.query_length=24"], "cross_encoder"),
    **{
        name: ([f"architecture={option}", *CEDR], "cross_encoder")
        for name, option in {
            "vanilla": "cedr/vanilla",
            "cedr_knrm": "cedr",
            "cedr_pacrr": "cedr/pacrr",
            "cedr_drmm": "cedr/drmm",
            "cedr_maxsim": "cedr/maxsim",
        }.items()
    },
    "dual": (["experiment=dual"], "dual_encoder"),
    "dual_eager": (["experiment=dual", "encoder.attention=eager"], "dual_encoder"),
    "late": (["architecture=late"], "dual_encoder"),
}


def ours(given: argparse.Namespace, name: str, output: Path) -> float:
    """Pairs/s that `clir train` logs."""
    settings = [
        *("data=clirmatrix", f"data.path={given.folder}", "encoder=hf", f"encoder.name={given.encoder}"),
        *("encoder.frozen=0", "trainer.max_epochs=1", f"+trainer.limit_train_batches={given.batches}"),
        *("candidates.val_queries=1", "candidates.test_queries=1", "candidates.depth=10"),
        *(f"trainer.precision={'auto' if given.bf16 else '32-true'}", f"batches.size={given.queries}"),
        *(f"batches.max_length={given.max_length}", *OURS[name][0], f"hydra.run.dir={output}"),
    ]
    subprocess.run([*PROGRAM, *settings], check=True, capture_output=True)
    with (output / "metrics.csv").open(encoding="utf-8") as stream:
        speeds = [row["train/queries_per_second"] for row in csv.DictReader(stream)]
    return 2 * float(next(speed for speed in reversed(speeds) if speed))


def theirs(given: argparse.Namespace, script: str, output: Path) -> float:
    """Pairs/s of a script in this folder."""
    size = 2 * given.queries if script == "cross_encoder" else given.queries
    options = [
        *("--batches", str(given.batches), "--batch", str(size), "--epochs", "1", "--frozen-embeddings"),
        *("--max-length", str(given.max_length), "--depth", "10", "--queries", "1"),
        *(["--bf16"] if given.bf16 else []),
    ]
    program = [sys.executable, str(Path(__file__).with_name(f"{script}.py")), given.folder, given.encoder]
    subprocess.run([*program, "--output", str(output), *options], check=True, capture_output=True)
    found = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    return float(found.get("training_pairs_per_second") or 2 * found["training_queries_per_second"])


def main() -> None:
    """Measure in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="a collection in the CLIRMatrix layout")
    parser.add_argument("encoder", help="a Hugging Face name or folder")
    parser.add_argument("--rows", nargs="+", choices=list(OURS), default=list(OURS))
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--queries", type=int, default=32, help="a batch; each with two documents")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--bf16", action="store_true")
    given = parser.parse_args()
    given.folder = str(Path(given.folder).resolve())
    others = sorted({OURS[name][1] for name in given.rows})
    speeds: dict[str, list[float]] = {name: [] for name in (*others, *given.rows)}
    for turn in range(given.turns):
        for name in speeds:
            with tempfile.TemporaryDirectory() as folder:
                speeds[name].append((theirs if name in others else ours)(given, name, Path(folder) / "out"))
            print(f"turn {turn + 1}: {name} {speeds[name][-1]:.1f} pairs/s", file=sys.stderr, flush=True)
    print("| | training pairs/s | to sentence-transformers |\n|---|---:|---:|")
    for name, found in speeds.items():
        beside = found if name in others else speeds[OURS[name][1]]
        ratios = sorted(one / other for one, other in zip(found, beside, strict=True))
        label = f"sentence-transformers, {name}" if name in others else f"`{name}`"
        print(f"| {label} | {median(found):.1f} | {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |")


if __name__ == "__main__":
    main()
