"""The dual collapse taken apart: `python benchmarks/dual_causes.py FOLDER ENCODER --output OUT [--settings …]`.

Trains `experiment=dual_collapse` on a collection in the CLIRMatrix layout, takes its causes away one after the other,
and changes single things, with every seed; finished runs are kept. Writes to
`OUT`: one folder per run, `comparison/` of `clir compare`, `geometry/STEP` of `clir geometry` (dev split, first seed),
the table `causes.md` and the figures of docs/collapse.md: `causes.svg`, `cosines_STEP.svg`.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from clir_lightning.data.batches.kinds import PairBatches
from clir_lightning.data.datamodule import RankingDataModule
from clir_lightning.data.files.trec import write_run
from clir_lightning.data.sampling.judged import BestAgainstRandom
from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.evaluation.report.style import LIGHT, SVG
from clir_lightning.evaluation.report.svg import PALETTE, Frame
from clir_lightning.types import Run

IN_BATCH = "{_target_: clir_lightning.losses.InfoNCE, in_batch: true, symmetric: false, weight: 1.0}"
# A step changes something and keeps all that the steps before it have changed …
STEPS = {
    "collapse": ("original's settings", ["experiment=dual_collapse"]),
    "pooling": ("+ mean pooling", ["architecture.pooling=mean"]),
    "length": ("+ whole queries", ["batches.query_length=64"]),
    "in_batch": (
        "+ in-batch cross-entropy",
        ["loss.cosine_hinge=null", f"loss.infonce={IN_BATCH}", "batches.size=32"],
    ),
    "temperature": ("+ temperature .05", ["architecture.temperature=0.05"]),
}
# … and these change one thing of the last step's.
VARIANTS = {
    "cls": ("[CLS] again", ["architecture.pooling=cls"]),
    "cut": ("8 query tokens again", ["batches.query_length=8"]),
    "small": ("batch 8 again", ["batches.size=8"]),
    "graded": ("pairs of all grades", ["sampling=graded"]),
    "hard": ("mined negatives", ["sampling=hard", "sampling.run={negatives}"]),
    "distilled": (
        "+ a cross-encoder's scores",
        ["loss=[infonce,kl]", "teacher={teacher}", "loss.kl.scale=1"],
    ),
    "centred": ("language means subtracted", ["callbacks=[collapse,centring]"]),
}
EPOCHS = 3  # of the experiment; a teacher has scores for the pairs of all of them
SHOWN = ("collapse", "in_batch", "temperature")  # whose cosines are drawn
PROGRAM = (sys.executable, "-c", "from clir_lightning.cli import main; main()")


def clir(*arguments: str) -> None:
    """Run the program; stop where it fails."""
    print("clir", *arguments, flush=True)
    subprocess.run([*PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)


def negatives(given: argparse.Namespace, seed: int) -> Path:
    """Negatives for the training queries, out of what the last step's model finds for them."""
    output: Path = given.output
    first, mined = output / f"temperature_{seed}", output / f"mined_{seed}"
    if not (mined / "negatives.trec").is_file():
        model = f"retriever.model={first}"
        clir("retrieve", *data(given), "retriever=dense", model, "splits=[train]", f"hydra.run.dir={mined}/run")
        found = f"run={mined}/run/runs/train.trec"
        clir("mine", *data(given), found, "filters.last=50", "filters.ratio=0.95", f"hydra.run.dir={mined}")
    return mined / "negatives.trec"


def teacher(given: argparse.Namespace, seed: int) -> Path:
    """Scores of `strong_cross`, trained on the same pairs, for the pairs that the dual model will see."""
    output: Path = given.output
    cross = output / f"cross_{seed}"
    pairs, scores = cross / "pairs.trec", cross / "teacher" / "runs" / "test.trec"
    if not scores.is_file():
        strong = ("experiment=strong_cross", f"encoder.name={given.encoder}", "batches.document_length=null")
        lengths = ("batches.query_length=64", "batches.max_length=128")
        run(given, "cross", seed, [*data(given), *strong, *lengths])
        drawn = RankingDataModule(
            read_clirmatrix(given.folder, query_language="zh", document_language="kk"),
            PairBatches(),
            sampling=BestAgainstRandom(),
            seed=seed,
        )
        seen: dict[str, dict[str, float]] = {}
        for epoch in range(EPOCHS):
            for sample in drawn.training.samples(epoch):
                seen.setdefault(sample.query_id, {}).update(dict.fromkeys(sample.document_ids, 0.0))
        write_run(Run(seen), pairs)
        asked = (f"model={cross}", "split=train", f"candidates={pairs}")
        clir("evaluate", *asked, f"hydra.run.dir={cross}/teacher")
    return scores


def data(given: argparse.Namespace) -> tuple[str, ...]:
    """The collection's settings."""
    return "data=clirmatrix", f"data.path={given.folder}"


def train(given: argparse.Namespace) -> None:
    """Every step and variant with every seed."""
    base = (*data(given), "encoder=hf", f"encoder.name={given.encoder}")
    kept: list[str] = []
    for step, (_, changes) in STEPS.items():
        kept += changes
        for seed in given.seeds if step in given.rows else ():
            run(given, step, seed, [*base, *kept])
    made = {"{negatives}": negatives, "{teacher}": teacher}
    for step, (_, changes) in VARIANTS.items():
        for seed in given.seeds if step in given.rows else ():
            own = list(changes)
            for name, make in made.items():
                if any(name in text for text in changes):
                    own = [text.replace(name, str(make(given, seed))) for text in own]
            run(given, step, seed, [*base, *kept, *own])


def run(given: argparse.Namespace, step: str, seed: int, settings: Sequence[str]) -> None:
    """One training, unless it is finished."""
    folder = given.output / f"{step}_{seed}"
    if not (folder / "metrics.json").is_file():
        more = (f"name={step}", f"seed={seed}", f"hydra.run.dir={folder}", "resume=auto")
        clir("train", *settings, *given.settings, *more)
        shutil.rmtree(folder / "checkpoints")
        if step not in ("temperature", "cross") and seed != given.seeds[0]:  # the others are read once more
            shutil.rmtree(folder / "model")


def standalone(picture: str) -> str:
    """An SVG of a report as a file of its own, on white."""
    rules = f":root {{ {LIGHT} }}{SVG}".replace("svg ", "")
    head, _, rest = picture.partition(">")
    named = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return f'{named}><style>{rules}</style><rect width="100%" height="100%" fill="#fff"/>{rest}\n'


def causes(values: dict[str, list[float]]) -> str:
    """Each step's NDCG@10: one dot per seed, and a line through the means of the steps that build on each other."""
    rows = [(step, named) for step, named in (STEPS | VARIANTS).items() if step in values]
    frame = Frame((0.0, 1.0), (-len(rows) + 0.0, 0.0), width=640, height=60 + 26 * len(rows))
    parts = []
    for place, (step, (what, _)) in enumerate(rows):
        height = -place - 0.5
        shade = PALETTE[0] if step in STEPS else PALETTE[1]
        parts += [frame.line([(value, height)], shade) for value in values[step]]
        mean = fmean(values[step])
        (left, y), (right, _) = (frame.place(end(values[step]), height) for end in (min, max))
        beside = f'x="{left - 10}" text-anchor="end"' if mean > 0.5 else f'x="{right + 10}"'
        parts.append(f'<text {beside} y="{y + 4}">{what} {100 * mean:.1f}</text>')
    means = [(fmean(values[step]), -place - 0.5) for place, step in enumerate(step for step in STEPS if step in values)]
    picture = frame.picture("test NDCG@10", "", frame.line(means, "#bbb") + "".join(parts), "causes")
    return re.sub(r'<text x="52"[^>]*>-?[0-9.]+</text>', "", picture)  # rows have names, no numbers


def main() -> None:
    """Train, compare, measure, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a collection in the CLIRMatrix layout")
    parser.add_argument("encoder", help="a Hugging Face name or folder")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rows", nargs="+", choices=[*STEPS, *VARIANTS], default=[*STEPS, *VARIANTS])
    parser.add_argument("--settings", nargs="*", default=[], help="of every run")
    given = parser.parse_args()
    given.folder, given.output = given.folder.resolve(), given.output.resolve()
    train(given)
    systems = ",".join(
        f"{name}:[{','.join(repr(f'{given.output}/{name}_{seed}') for seed in given.seeds)}]" for name in given.rows
    )
    baseline = ([step for step in STEPS if step in given.rows] or given.rows)[-1]
    if len(given.rows) > 1:
        clir("compare", f"runs={{{systems}}}", f"baseline={baseline}", f"hydra.run.dir={given.output}/comparison")
    rows = ["| | test NDCG@10 | MRR@10 | AUC | mean cosine | spread of it | effective rank | language bias |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    values = {}
    for step in given.rows:
        what = (STEPS | VARIANTS)[step][0]
        found = [
            json.loads((given.output / f"{step}_{seed}" / "metrics.json").read_text())["test"] for seed in given.seeds
        ]
        values[step] = [measures["ndcg_10"] for measures in found]
        folder = given.output / "geometry" / step
        model = given.output / f"{step}_{given.seeds[0]}"
        clir("geometry", f"model={model}", f"hydra.run.dir={folder}")
        shape = json.loads((folder / "geometry.json").read_text())["spaces"]["as it is"]
        cells = [
            " ± ".join(f"{100 * number(column):.1f}" for number in ((fmean, stdev) if len(found) > 1 else (fmean,)))
            for column in (values[step], [measures["mrr_10"] for measures in found])
        ]
        cells += [f"{shape[name]:.2f}" for name in ("auc", "random_mean", "random_deviation")]
        cells += [f"{shape['effective_rank']:.0f}", f"{shape['language_bias']:+.2f}"]
        rows.append(f"| {what} | {' | '.join(cells)} |")
        if step in SHOWN:
            page = (folder / "geometry.html").read_text(encoding="utf-8")
            first = re.search(r"<svg.*?</svg>", page, re.DOTALL)
            assert first is not None
            (given.output / f"cosines_{step}.svg").write_text(standalone(first[0]), encoding="utf-8")
    (given.output / "causes.svg").write_text(standalone(causes(values)), encoding="utf-8")
    (given.output / "causes.md").write_text("\n".join(rows) + "\n", encoding="utf-8")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
