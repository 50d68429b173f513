"""The `clir` program from outside: help, unknown verbs, Hydra's own switches."""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from clir_lightning.cli import GROUPS, OTHERS, VERBS, main
from clir_lightning.configuration import config_folder, root_name
from program import COMMAND, ROOT, clir


def computed() -> float:
    """Seconds that ended child processes have kept a processor busy: other programs' load does not count."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["evaluate", "-h"]])
def test_help_answers_within_a_second_and_lists_examples(arguments: list[str], tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):  # what runs beside it slows it down too: its best counts
        before = computed()
        done = clir(*arguments, cwd=tmp_path, fork=False)
        seconds.append(computed() - before)
        if seconds[-1] < 1.0:
            break
    assert min(seconds) < 1.0
    assert f"clir {arguments[0] if len(arguments) > 1 else 'train'} " in done.stdout


def test_help_lists_every_verb_and_group(tmp_path: Path) -> None:
    overview = clir("--help", cwd=tmp_path).stdout
    assert all(f"  {verb} " in overview for verb in (*VERBS, "completion"))
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


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("trian", "there is no verb trian; did you mean train? 'clir --help' lists them"),
        ("eval model=x", "there is no verb eval; did you mean evaluate? 'clir --help' lists them"),
        ("graph bulid dump=x", "there is no verb graph bulid; did you mean graph build? 'clir --help' lists them"),
        ("inspect data=demo", "there is no verb inspect; did you mean data inspect or graph inspect? 'clir --help' li"),
        ("qqqq", "there is no verb qqqq; 'clir --help' lists them"),
        ("seed=3", "there is no verb seed=3; 'clir --help' lists them"),
        ("graph", "graph is several verbs: graph build, graph inspect, graph link, graph rank, graph reduce; 'clir gr"),
        ("rank", "rank is several verbs: retrieve, search, fuse; 'clir rank --help' says what they do"),
    ],
)
def test_what_is_no_verb_is_answered_with_the_nearest(typed: str, answer: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(typed.split())
    assert str(ended.value.code).startswith(f"clir: {answer}")


def test_every_verb_is_in_one_group() -> None:
    listed = [verb for group in GROUPS.values() for verb in group]
    assert len(listed) == len(set(listed))
    assert set(VERBS) | set(OTHERS) <= set(listed)


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
@pytest.mark.parametrize("arguments", [["--help"], ["graph", "--help"], ["help", "machine"], ["rank", "-h"]], ids=str)
def test_help_of_several_verbs_fits_a_terminal(
    arguments: list[str], columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    main(arguments)
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if len(line) > min(columns, 100)] == []
    if arguments == ["--help"]:
        for verb, (what, _) in {**VERBS, **OTHERS}.items():
            assert f"{verb} {what}" in " ".join(printed.split())
        assert printed.index("\ntrain\n") < printed.index("\nrank\n") < printed.index("\nmachine\n")


def test_the_help_of_a_family_has_its_verbs_and_their_examples(capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "--help"])
    printed = capsys.readouterr().out
    assert re.findall(r"^  (data \w+) ", printed, re.MULTILINE) == [f"data {each}" for each in DATA]
    assert "clir data inspect data=demo" in printed
    assert "graph" not in printed


DATA = ("inspect", "fetch", "export", "triples")


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"clir {version('clir-lightning')}\n"


@pytest.mark.parametrize("typed", [["help", "train"], ["train", "--help"], ["train", "seed=3", "-h"]])
def test_help_of_a_verb_is_asked_for_in_three_ways(typed: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(typed)
    assert capsys.readouterr().out.startswith("clir train: train a model")


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
    (line,) = done.stderr.splitlines()
    assert line.startswith("clir train: data is 'dmeo'; allowed: clirmatrix, demo, ")
    assert line.endswith("did you mean 'demo'?")


def test_a_wrong_setting_is_answered_before_anything_heavy_is_imported() -> None:
    code = """import sys
from clir_lightning.cli import main
try:
    main(["train", "datamodule.batchsize=3"])
except SystemExit as ended:
    print(ended.code)
print([name for name in ("torch", "transformers", "pytorch_lightning") if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    answer, heavy = done.stdout.splitlines()
    assert answer == (
        "clir train: there is no setting datamodule.batchsize; did you mean batches.size? "
        "'clir train --help' lists them, +datamodule.batchsize=… adds one of your own"
    )
    assert heavy == "[]"
    assert done.stderr == ""


def test_a_misspelt_argument_of_a_target_is_refused_before_data_are_read(tmp_path: Path) -> None:
    typed = ("+trainer.limit_train_batchs=2", "data=folder", "data.path=nowhere", "splits.test=test")
    languages = ("data.query_language=zh", "data.document_language=kk")
    done = clir("train", *typed, *languages, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "clir train: there is no setting trainer.limit_train_batchs; did you mean trainer.limit_train_batches?"
    )


def test_a_reader_that_has_read_enough_is_answered_by_silence() -> None:
    process = subprocess.Popen([*COMMAND, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.communicate()[1] == b""
    assert process.returncode == 1


PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^\$ clir (.*)\n((?:(?!\$ |```).*\n)+)", PAGE, re.MULTILINE)


def test_the_page_shows_commands_with_their_output() -> None:
    assert len(SHOWN) > 12


@pytest.mark.parametrize(("command", "printed"), SHOWN)
def test_the_page_shows_what_is_printed(command: str, printed: str, tmp_path: Path) -> None:
    done = clir(*shlex.split(command), cwd=tmp_path, check=False)
    assert done.stdout + done.stderr == printed
