"""The CEDR and late-interaction heads, training and scoring: `python -m benchmarks.heads`.

Training pairs/s beside `cross` in turns, and scoring pairs/s of models with untrained heads through
`clir_lightning.load_model`, beside `cross` again.
"""

from __future__ import annotations

from benchmarks.material import collection, lists, settings, untrained, write_pairs
from benchmarks.training import OURS, PRECISIONS, own
from benchmarks.turns import Found, ours, ratios, spread, table, take_turns, write_part

BASE = "cross"


def main() -> None:
    """Train in turns, score in turns, write."""
    parser = settings(__doc__)
    parser.add_argument("--rows", nargs="+", choices=list(OURS), default=["cedr_maxsim", "cedr_knrm", "late"])
    parser.add_argument("--precision", choices=list(PRECISIONS), default="bf16")
    parser.add_argument("--queries", type=int, default=16, help="a batch; each with two documents")
    parser.add_argument("--max-length", type=int)
    parser.add_argument("--steps", type=int, default=3, help="that count, a turn")
    parser.add_argument("--warm", type=int, default=1, help="steps before them")
    parser.add_argument("--scored", type=int, default=10, help="queries with 20 candidates each")
    parser.add_argument("--frozen-embeddings", action="store_true")
    parser.add_argument("--settings", nargs="*", default=[], help="more of `clir train`")
    given = parser.parse_args()
    names = [BASE, *given.rows]
    trained = take_turns(
        {f"training {name}": own(given, name, given.precision) for name in names}, given.turns, given.output / "logs"
    )

    # Models as training begins with, on the same pairs.
    data = collection(given.data)
    file = given.output / "heads" / "pairs.jsonl"
    write_pairs(data, lists(data, given.scored, 20), file)
    commands = {}
    for name in names:
        model = untrained(given, name, *OURS[name][0])
        scores = (given.output / "heads" / f"{name}.npy").resolve()
        options = ("--load", f"precision={PRECISIONS[given.precision]}", "--scores", scores)
        commands[f"scoring {name}"] = ours("our_scoring", model, file, *options)
    scored = take_turns(commands, given.turns, given.output / "logs")
    rows = [[f"`{name}`", *cells(trained, f"training {name}"), *cells(scored, f"scoring {name}")] for name in names]
    told = f"{given.precision}; training in steps of {2 * given.queries} pairs, scoring of {20 * given.scored} pairs."
    columns = ["", "training pairs/s", "to `cross`", "MB", "scoring pairs/s", "to `cross`", "MB"]
    write_part(given.output, "heads", "CEDR and late interaction", [told, table(columns, rows)], {**trained, **scored})


def cells(found: dict[str, Found], name: str) -> list[str]:
    """Speed, its ratio to the first row's, and the peak of memory."""
    beside = next(iter(found.values()))
    one = found[name]
    memory = f"{max(turn['memory'] for turn in one.turns):,}" if one.turns else ""
    return [spread(one.rates), spread(ratios(one.rates, beside.rates), 2), memory]


if __name__ == "__main__":
    main()
