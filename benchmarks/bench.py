"""All measurements of docs/benchmarks.md, part by part, and one report: `python -m benchmarks.bench --parts scoring …`.

Every part is a process of its own that writes `OUTPUT/PART.json`; a part that fails leaves what an earlier run wrote.
`OUTPUT/report.md` joins all parts that are there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.turns import OURS, ROOT, say, write_part

# What `make bench` measures by itself, in the order of the report.
MODULES = ("machine", "scoring", "training", "encoding", "heads", "wall_time")
DEFAULT = (*MODULES, "evaluate_memory")
# Scripts that print what they find, with their headings; FOLDER is that of a generated collection.
SCRIPTS = {
    "evaluate_memory": (
        "`clir evaluate` of many pairs",
        ("evaluate_memory.py", "OUTPUT/evaluate", "--queries", "1000", "10000"),
    ),
    "data": ("The data room", ("data.py", "FOLDER", "ENCODER")),
    "retrieval": ("First stage", ("retrieval.py", "FOLDER")),
    "evaluation": ("Evaluation", ("evaluation.py",)),
    "graph": ("Knowledge graph", ("graph_build.py", "OUTPUT/graph")),
    "dense": ("Search among vectors", ("dense.py", "OUTPUT/vectors", "--rows", "DOCUMENTS")),
}
PARTS = (*MODULES, *SCRIPTS)


def main() -> None:
    """Run the parts, then join what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="*", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--data", default="../shared/data/sib-zh-kk", help="a collection in the CLIRMatrix layout")
    parser.add_argument("--encoder", default="xlm-roberta-base", help="a Hugging Face name or folder, of BERT's family")
    parser.add_argument("--model", help="a trained architecture=cross for `scoring`; without, its head is random")
    parser.add_argument("--output", type=Path, default=Path("outputs/bench"))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--documents", type=int, default=100_000, help="of the generated collection")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    failed = []
    for part in given.parts or DEFAULT:
        say(f"part {part}")
        start = time.perf_counter()
        if not (script(given, part) if part in SCRIPTS else module(given, part)):
            failed.append(part)
        say(f"part {part}: {time.perf_counter() - start:.0f} s")
    report = joined(given.output)
    (given.output / "report.md").write_text(report, encoding="utf-8")
    say(f"{given.output / 'report.md'}; {time.perf_counter() - began:.0f} s in all")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def module(given: argparse.Namespace, part: str) -> bool:
    """Run a part that writes its own file; whether it went well."""
    shared = ["--data", given.data, "--encoder", given.encoder, "--turns", str(given.turns)]
    model = ["--model", given.model] if given.model and part == "scoring" else []
    options = ["--output", str(given.output), *shared, *model]
    return not subprocess.run([OURS, "-m", f"benchmarks.{part}", *options], cwd=ROOT, check=False).returncode


def script(given: argparse.Namespace, part: str) -> bool:
    """Run a script and take what it prints as the part; whether it went well."""
    title, words = SCRIPTS[part]
    if not (ROOT / "benchmarks" / words[0]).is_file():
        say(f"benchmarks/{words[0]} is not there")
        return True
    folder = given.output / f"generated-{given.documents}"
    if "FOLDER" in words and not folder.is_dir():
        generate = [OURS, "benchmarks/generate.py", str(folder), "--documents", str(given.documents)]
        subprocess.run(generate, cwd=ROOT, check=True)
    values = {"FOLDER": str(folder), "ENCODER": given.encoder, "DOCUMENTS": str(given.documents)}
    values |= {f"OUTPUT/{name}": str(given.output / name) for name in ("vectors", "evaluate", "graph")}
    told = [values.get(word, word) for word in words]
    lines = printed([OURS, f"benchmarks/{told[0]}", *told[1:]])
    if lines is None:
        return False
    command = f"python benchmarks/{' '.join(told)}"
    write_part(given.output, part, title, ["\n".join(["```", f"$ {command}", *lines, "```"])])
    return True


def printed(command: Sequence[str]) -> list[str] | None:
    """The lines that a command prints, shown as they come; nothing where it fails."""
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    return None if process.returncode else lines


def joined(output: Path) -> str:
    """The report: a section for each part that was measured, when, and by which command."""
    sections = ["# Benchmarks"]
    for name in PARTS:
        file = output / f"{name}.json"
        if file.is_file():
            part = json.loads(file.read_text(encoding="utf-8"))
            command = f'`make bench PARTS="{name}"`, {part["date"]}.'
            sections.append("\n\n".join([f"## {part['title']}", command, *part["blocks"]]))
    return "\n\n".join(sections) + "\n"


if __name__ == "__main__":
    main()
