"""What shells offer for a word: by the shells themselves, where they are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clir_lightning.cli import OTHERS, VERBS
from clir_lightning.jobs.launch.completion import candidates, complete

KNOWN = (*VERBS, *OTHERS)


@pytest.mark.parametrize(
    ("before", "word", "offered"),
    [
        ("", "tr", ["train"]),
        ("", "da", ["dashboard", "data"]),
        ("graph", "", ["build", "inspect", "link", "rank", "reduce"]),
        ("data", "e", ["export"]),
        ("nothing", "", []),
        ("train", "enc", ["encoder.", "encoder="]),
        ("train", "encoder=", ["encoder=hf", "encoder=mbert", "encoder=tiny", "encoder=xlmr"]),
        ("train", "encoder=x", ["encoder=xlmr"]),
        ("train", "encoder=xlmr", []),
        ("train", "architecture=hike", ["architecture=hike/maxsim"]),
        ("train", "loss=[lce,rank", ["loss=[lce,ranknet"]),
        ("train", "+experiment=strong", ["+experiment=strong_cross"]),
        ("compare", "enc", []),
        ("train", "optimizer.le", ["optimizer.learning_rate="]),
        ("train", "~optimizer.le", ["~optimizer.learning_rate="]),
        ("train architecture=dual", "architecture.te", ["architecture.temperature="]),
        ("train", "architecture.te", []),
        ("train -m seed=1,2 broken= nothing=3 architecture=dual", "architecture.te", ["architecture.temperature="]),
        ("train encoder=nothing", "dropo", ["dropout="]),
        ("train data=clirmatrix", "data.pa", ["data.path="]),
        ("train", "callbacks.collapse.stop=", ["callbacks.collapse.stop=false", "callbacks.collapse.stop=true"]),
        ("train", "seed=", []),
        ("train", "hydra.sweep.d", ["hydra.sweep.dir="]),
        ("train", "--c", ["--cfg", "--config-dir"]),
        ("train --cfg", "", ["all", "hydra", "job"]),
        ("completion", "", ["bash", "fish", "zsh"]),
        ("graph link", "que", ["queries=", "query="]),
    ],
)
def test_what_a_word_could_become(before: str, word: str, offered: list[str]) -> None:
    assert candidates(before.split(), word, KNOWN) == offered


def test_options_of_the_users_own_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demonstration.yaml").touch()
    before = ["train", "--config-dir", str(tmp_path)]
    assert candidates(before, "data=demo", KNOWN) == ["data=demonstration"]


def test_options_need_nothing_heavy() -> None:
    code = "import sys; from clir_lightning.cli import main; main(['completion', 'words', 'clir train encoder=x']); \
main(['completion', 'words', 'clir tr']); print([name for name in ('hydra', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["encoder=xlmr", "train", "[]"]


def test_another_shell_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="clir completion: give one of bash, zsh, fish; eval "):
        complete(["tcsh"], VERBS)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A search path with a program `clir`."""
    folder = tmp_path_factory.mktemp("bin")
    code = "from clir_lightning.cli import main; main()"
    (folder / "clir").write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n", encoding="utf-8")
    (folder / "clir").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_bash_offers_what_readline_puts_in_the_words_place(path: str, tmp_path: Path) -> None:
    """Readline splits words at `=`, but for those in quotes; a space ends what is whole."""
    script = """eval "$(clir completion bash)"
while IFS= read -r line; do
    COMP_LINE=$line COMP_POINT=${#line} COMPREPLY=()
    _clir
    printf '<%s>' "${COMPREPLY[@]}"; echo
done"""
    expected = {
        "clir tr": "<train >",
        "clir graph b": "<build >",
        "clir train encoder=x": "<xlmr >",
        "clir train architecture=cedr/d": "<cedr/drmm >",
        "clir train loss=[lce,rank": "<[lce,ranknet >",
        "clir train 'loss=[lce,rank": "<loss=[lce,ranknet>",
        "clir train optim": "<optimizer.>",
        "clir train  optimizer.le": "<optimizer.learning_rate=>",
        "clir train data.path=./": "<>",
    }
    typed = "\n".join(expected) + "\n"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], input=typed, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.stdout.splitlines() == list(expected.values())
    assert done.stderr == ""


@pytest.mark.skipif(shutil.which("fish") is None, reason="the shell fish is absent")
def test_fish_offers_the_same(path: str) -> None:
    script = "clir completion fish | source; complete -C 'clir train encoder=x'; complete -C 'clir graph b'"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines() == ["encoder=xlmr", "build"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_read_its_script(shell: str, path: str) -> None:
    script = subprocess.run(["clir", "completion", shell], capture_output=True, text=True, env={"PATH": path})
    assert script.stdout.count("clir completion words") == 1
    if shutil.which(shell) is not None:
        done = subprocess.run([shell, "-n"], input=script.stdout, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
