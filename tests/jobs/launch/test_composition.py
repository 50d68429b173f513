"""Typed commands: those that compose, and what is said of the others."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.jobs.launch.composition import ready


def answer(verb: str, command: str) -> str:
    with pytest.raises(ConfigError) as error:
        ready(verb, shlex.split(command))
    return str(error.value)


@pytest.mark.parametrize(
    ("verb", "command", "said"),
    [
        (
            "train",
            "datamodule.batchsize=3",
            "there is no setting datamodule.batchsize; did you mean batches.size? 'clir train --help' lists them, "
            "+datamodule.batchsize=… adds one of your own",
        ),
        (
            "train",
            "architecture=crss",
            "architecture is 'crss'; allowed: cedr, cedr/drmm, cedr/maxsim, cedr/pacrr, cedr/vanilla, cross, dual, "
            "graph, hike, hike/maxsim, late; did you mean 'cross'?",
        ),
        ("train", "encoder=xlm", "encoder is 'xlm'; allowed: hf, mbert, tiny, xlmr; did you mean 'xlmr'?"),
        ("train", "logger=[csv,wnadb]", "logger is 'wnadb'; allowed: csv, tensorboard, wandb; did you mean 'wandb'?"),
        ("train", "seed=1,2 -m encoder=tiny,xlm", "encoder is 'xlm'; allowed: hf, mbert, tiny, xlmr; did you mean"),
        ("train", "-m loss=[lce],[inforce]", "loss is 'inforce'; allowed: alignment_uniformity, bce, "),
        ("train", "sweep=orginal_table", "sweep is 'orginal_table'; allowed: knowledge, original_table, search; did"),
        ("train", "data=labelled +data@data.collection=clirmatrx", "data is 'clirmatrx'; allowed: clirmatrix, demo, "),
        ("train", "callbacks.colapse.stop=true", "there is no setting callbacks.colapse.stop; did you mean callbacks."),
        ("train", "-m data.pth=a,b", "there is no setting data.pth; "),
        (
            "train",
            "callbacks.ema.decay=0.9",
            "there is no setting callbacks.ema.decay, as callbacks has no ema; choose callbacks=[collapse,ema] with it",
        ),
        ("search", "model=x retriever.k1=1", "retriever.k1 is given, and nothing says of which retriever; add ret"),
        ("train", "+seed=3", "seed is there already; give seed=3"),
        ("train", "~optimizer.lr", "there is no setting optimizer.lr; did you mean optimizer.learning_rate? 'clir "),
        ("train", "hydra.run.dirr=x", "there is no setting hydra.run.dirr; did you mean hydra.run.dir or hydra.sweep."),
        ("train", "trainer=null", "trainer is null; allowed: ddp, default, fsdp; ~trainer leaves it out"),
        ("train", "hydra/launcher=joblb", "In 'hydra/config': Could not find 'hydra/launcher/joblb' Available options"),
        ("train", "seed=1,2", "seed=1,2 is several values; add -m for a job of each, or brackets for a list: seed=[1"),
        ("train", "--config-dir nowhere", "--config-dir is 'nowhere', and there is no such folder"),
        ("compare", "encoder=tiny", "there is no group encoder for this verb; there are: data"),
        ("fuse", "encoder=tiny", "there is no group encoder for this verb"),
        ("graph build", "dmp=x", "there is no setting dmp; did you mean dump? 'clir graph build --help' lists them, "),
        ("train", "seed.x=3", "there is no setting seed.x; "),
        (
            "train",
            "trainer.limit_train_batchs=2",
            "there is no setting trainer.limit_train_batchs; did you mean trainer.limit_train_batches? ",
        ),
        ("train", "limit_train_batches=2", "there is no setting limit_train_batches; did you mean trainer.limit_trai"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(verb: str, command: str, said: str) -> None:
    found = answer(verb, command)
    assert found.startswith(said)
    assert "\n" not in found
    assert "append" not in found


@pytest.mark.parametrize(
    ("verb", "command", "taken"),
    [
        ("train", "seed=2", "seed=2"),
        ("train", "trainer.limit_train_batches=2", "+trainer.limit_train_batches=2"),
        ("train", "+trainer.limit_train_batches=2", "+trainer.limit_train_batches=2"),
        ("train", "optimizer.warmup=0 data.dev=3", "optimizer.warmup=0 +data.dev=3"),
        ("train", "seed=1,2 -m trainer.limit_train_batches=1,2", "-m seed=1,2 +trainer.limit_train_batches=1,2"),
        ("train", "-m architecture=cross,cedr/drmm", "-m architecture=cross,cedr/drmm"),
        ("train", "architecture=cross,cedr/drmm hydra.mode=MULTIRUN", "architecture=cross,cedr/drmm hydra.mode=MULT"),
        ("train", "-m 'optimizer.learning_rate=tag(log,interval(1e-6,1e-4))' 'encoder=glob(*)'", "-m optimizer.lear"),
        ("train", "+mine.own=3 mine.own=4", "+mine.own=3 mine.own=4"),
        ("train", "++mine.own=3", "++mine.own=3"),
        ("train", "+loss.x._target_=clir_lightning.losses.LCE loss.x.weight=2", "+loss.x._target_="),
        ("train", "~callbacks.collapse", "~callbacks.collapse"),
        ("train", "loss=[lce,bce] loss.bce.top=2", "loss=[lce,bce] loss.bce.top=2"),
        ("train", "data=labelled +data@data.collection=clirmatrix data.collection.path=x", "data=labelled +data@data."),
        ("evaluate", "data.path=x model=y", "++data.path=x model=y"),
        ("search", "model=x query=什么?", "model=x query='什么?'"),
        ("train", "-cn other seeed=3", "-cn other seeed=3"),
    ],
)
def test_what_composes_is_taken_and_a_targets_argument_needs_no_plus(verb: str, command: str, taken: str) -> None:
    arguments, _ = ready(verb, shlex.split(command))
    assert " ".join(arguments).startswith(taken)


def test_the_users_own_options_are_known(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "own.yaml").write_text("_target_: clir_lightning.data.build_demo\n", encoding="utf-8")
    folder = f"--config-dir {tmp_path}"
    assert ready("train", shlex.split(f"{folder} data=own"))[0][-1] == "data=own"
    assert ready("train", shlex.split(f"{folder} data=own data.dev=4"))[0][-1] == "+data.dev=4"
    assert answer("train", f"{folder} data=ownn").endswith("did you mean 'own'?")
    assert answer("train", f"hydra.searchpath=[file://{tmp_path}] data=ownn").endswith("did you mean 'own'?")
