"""The `clir` program from outside: help, unknown verbs, Hydra's own switches."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from clir_lightning.cli import VERBS, main
from clir_lightning.configuration import config_folder, root_name
from program import clir


def computed() -> float:
    """Seconds that ended child processes have kept a processor busy: other programs' load does not count."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["evaluate", "-h"]])
def test_help_answers_within_a_second_and_lists_examples(arguments: list[str], tmp_path: Path) -> None:
    before = computed()
    done = clir(*arguments, cwd=tmp_path, fork=False)
    assert computed() - before < 1.0
    assert f"clir {arguments[0] if len(arguments) > 1 else 'train'} " in done.stdout


def test_help_lists_every_verb_and_group(tmp_path: Path) -> None:
    overview = clir("--help", cwd=tmp_path).stdout
    assert all(f"  {verb} " in overview for verb in VERBS)
    train = clir("train", "--help", cwd=tmp_path).stdout
    for text in ("  data  ", "clirmatrix, demo", "  encoder  ", "cedr, cedr/drmm", "  logger  ", "learning_rate: 1e-5"):
        assert text in train


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_a_terminal_and_loses_no_word(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    main([*verb.split(), "--help"])
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if len(line) > 80] == []
    root = (config_folder() / f"{root_name(verb)}.yaml").read_text(encoding="utf-8")
    lines = root.partition("\n\n")[2].partition("\nhydra:")[0].splitlines()
    words = [
        line for line in lines if not line.strip().startswith("_target_:")
    ]  # a class is not a setting of the user's
    assert " ".join("\n".join(words).replace("#", " ").split()) in " ".join(printed.replace("#", " ").split())
    assert "_target_" not in printed


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "hydra", "omegaconf", "transformers", "numpy", "pytorch_lightning", "rich")
    code = f"import sys; from clir_lightning.cli import main; main(['--help']); main(['train', '--help']); \
print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_an_unknown_verb_is_one_line_that_names_the_others(tmp_path: Path) -> None:
    done = clir("trian", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"clir: there is no verb 'trian'; allowed: {', '.join(VERBS)}"]


def test_hydras_switches_work(tmp_path: Path) -> None:
    assert "learning_rate: 0.001" in clir("train", "--cfg", "job", cwd=tmp_path).stdout
    assert "encoder: tiny" in clir("train", "--info", "defaults-tree", cwd=tmp_path).stdout
    (tmp_path / "mine" / "data").mkdir(parents=True)
    (tmp_path / "mine" / "data" / "own.yaml").write_text("path: here\n", encoding="utf-8")
    shown = clir("train", "--config-dir", "mine", "data=own", "--cfg", "job", "--package", "data", cwd=tmp_path)
    assert "path: here" in shown.stdout


def test_an_unknown_option_lists_those_there_are(tmp_path: Path) -> None:
    done = clir("train", "data=dmeo", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "clirmatrix" in done.stderr
    assert done.stderr.splitlines()[-1] == "clir train: data=dmeo: did you mean data=demo?"
