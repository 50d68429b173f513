"""Training pairs/s of architectures and of sentence-transformers' trainers: `python -m benchmarks.training`.

The same collection, samples, batch, cut of texts and precision on both sides; all else as each has it by default. Every
architecture is in turns with the trainer of its family.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.material import collection, cross_rows, dual_rows, settings, training_data, write_rows
from benchmarks.turns import Found, ours, peers, ratios, spread, table, take_turns, write_part

from clir_lightning.data.sampling.judged import BestAgainstRandom, Graded
from clir_lightning.data.sampling.sampling import Sampling

# The settings of `clir train`, and the family of the trainer beside it.
CEDR = ("batches.document_length=null", "batches.query_length=20")
OURS = {
    "cross": (["architecture=cross"], "cross"),
    **{
        name: ([f"architecture={option}", *CEDR], "cross")
        for name, option in {
            "vanilla": "cedr/vanilla",
            "cedr_knrm": "cedr",
            "cedr_pacrr": "cedr/pacrr",
            "cedr_drmm": "cedr/drmm",
            "cedr_maxsim": "cedr/maxsim",
        }.items()
    },
    "dual": (["experiment=dual"], "dual"),
    "late": (["architecture=late"], "dual"),
}
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}
GOALS = {"cross": "1.5", "dual": "1.5"}


def main() -> None:
    """Measure family after family in turns, and write."""
    parser = settings(__doc__)
    parser.add_argument("--rows", nargs="+", choices=list(OURS), default=["cross", "dual"])
    parser.add_argument("--precisions", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--queries", type=int, default=16, help="a batch; each with two documents")
    parser.add_argument("--max-length", type=int, help="tokens of a pair, or of a text; 256 of pairs, 128 of texts")
    parser.add_argument("--steps", type=int, default=3, help="that count, a turn")
    parser.add_argument("--warm", type=int, default=1, help="steps before them")
    parser.add_argument("--frozen-embeddings", action="store_true", help="on both sides")
    parser.add_argument("--settings", nargs="*", default=[], help="more of `clir train`")
    parser.add_argument("--name", default="training", help="of this part's file")
    given = parser.parse_args()
    rows: list[list[str]] = []
    everything: dict[str, Found] = {}
    for family in dict.fromkeys(OURS[name][1] for name in given.rows):
        file = peers_rows(given, family)
        for precision in given.precisions:
            commands = {f"sentence-transformers, {family}, {precision}": theirs(given, family, precision, file)}
            for name in given.rows:
                if OURS[name][1] == family:
                    commands[f"`{name}`, {precision}"] = own(given, name, precision)
            found = take_turns(commands, given.turns, given.output / "logs")
            rows += measured(found)
            everything.update(found)
    told = f"Steps of {2 * given.queries} pairs, {given.steps} a turn behind {given.warm} that do not count; median of "
    told += f"{given.turns} turns (lowest to highest); memory is the peak of the process."
    columns = ["", "training pairs/s", "to sentence-transformers", "goal", "MB"]
    write_part(given.output, given.name, "Training", [told, table(columns, rows)], everything)


def peers_rows(given: argparse.Namespace, family: str) -> Path:
    """What the trainer of a family trains on: the samples that `clir train` draws."""
    sampling: Sampling = BestAgainstRandom() if family == "cross" else Graded(positives="documents")
    data = training_data(collection(given.data), sampling)
    samples = given.queries * given.turns * (given.steps + given.warm)
    make = cross_rows if family == "cross" else dual_rows
    epochs = -(-samples // len(data.training.samples(0)))
    file: Path = given.output / "training" / f"{family}.jsonl"
    write_rows(make(data, epochs, samples), file)
    return file


def theirs(given: argparse.Namespace, family: str, precision: str, file: Path) -> list[str]:
    """The command of a trainer."""
    batch = 2 * given.queries if family == "cross" else given.queries
    length = given.max_length or (256 if family == "cross" else 128)
    options = ("--batch", batch, "--max-length", length, "--steps", given.steps, "--warm", given.warm)
    bf16 = ["--bf16"] if precision == "bf16" else []
    frozen = ["--frozen-embeddings"] if given.frozen_embeddings else []
    return peers("peer_training", family, file, given.encoder, *options, *bf16, *frozen)


def own(given: argparse.Namespace, name: str, precision: str) -> list[str]:
    """The command of `clir train`."""
    steps = given.turns * (given.steps + given.warm) + 1  # one to wait before
    length = [] if given.max_length is None else [f"batches.max_length={given.max_length}"]
    chosen = [
        *("data=clirmatrix", f"data.path={given.data.resolve()}", *OURS[name][0]),
        *("encoder=hf", f"encoder.name={given.encoder}", f"trainer.precision={PRECISIONS[precision]}"),
        *(f"batches.size={given.queries}", *length, "trainer.max_epochs=100", f"+trainer.max_steps={steps}"),
        *("checkpoint_steps=null", "candidates.val_queries=1", "candidates.test_queries=1", "candidates.depth=2"),
        *("+trainer.limit_val_batches=0", f"hydra.run.dir={(given.output / 'training' / name).resolve()}"),
        *(["encoder.frozen=0"] if given.frozen_embeddings else []),
        *given.settings,
    ]
    return ours("our_training", "--steps", given.steps, "--warm", given.warm, "--", *chosen)


def measured(found: dict[str, Found]) -> list[list[str]]:
    """A row each; the first is what the others are compared with."""
    beside = next(iter(found.values()))
    rows = []
    for name, one in found.items():
        alone = one is beside
        ratio = "" if alone else spread(ratios(one.rates, beside.rates), 2)
        goal = next((GOALS[row] for row in GOALS if name.startswith(f"`{row}`")), "")
        memory = f"{max(turn['memory'] for turn in one.turns):,}" if one.turns else ""
        rows.append([name, spread(one.rates), ratio, goal, memory])
    return rows


if __name__ == "__main__":
    main()
