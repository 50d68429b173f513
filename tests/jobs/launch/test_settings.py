"""What is wrong with a job's settings, by the settings' names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from clir_lightning.configuration import config_folder, root_name
from clir_lightning.errors import ConfigError
from clir_lightning.jobs.launch import settings as module
from clir_lightning.jobs.launch.settings import check_job


def composed(verb: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(config_folder()), version_base="1.3"):
        return compose(root_name(verb), overrides=list(overrides))


@pytest.mark.parametrize(
    ("verb", "overrides", "said"),
    [
        ("train", ["sampling=graded", "sampling.weighted=maybe"], "sampling.weighted is 'maybe'; allowed: true, false"),
        ("train", ["batches.size=abc"], "batches.size is 'abc'; allowed: a whole number, null"),
        ("train", ["batches.size=[1,2]"], "batches.size is [1, 2]; allowed: a whole number, null"),
        ("train", ["seed=1.5"], "seed is 1.5; allowed: a whole number"),
        ("train", ["seed=null"], "seed is null; allowed: a whole number"),
        ("train", ["trainer.max_epochs=ten"], "trainer.max_epochs is 'ten'; allowed: a whole number, null"),
        ("train", ["candidates.depth=many"], "candidates.depth is 'many'; allowed: a whole number"),
        ("train", ["candidates=null"], "candidates is null; allowed: settings by name"),
        ("train", ["dropout=abc"], "dropout is 'abc'; allowed: a number"),  # not architecture.dropout, which follows it
        ("train", ["dropout=1.5"], "dropout is 1.5; allowed: 0 or more, below 1"),
        ("train", ["checkpoint_steps=0"], "checkpoint_steps is 0; allowed: 1 or more"),
        ("train", ["trainer.accumulate_grad_batches=0"], "trainer.accumulate_grad_batches is 0; allowed: 1 or more"),
        ("train", ["trainer.max_epochs=-5"], "trainer.max_epochs is -5; allowed: -1 or more"),
        ("train", ["+trainer.max_steps=-2"], "trainer.max_steps is -2; allowed: -1 or more"),
        ("train", ["trainer.gradient_clip_val=-1"], "trainer.gradient_clip_val is -1; allowed: 0 or more"),
        ("train", ["optimizer.warmup=500"], "optimizer.warmup is 500; allowed: 0 or more, at most 1"),
        ("train", ["loss.softmax_hinge.weight=0"], "loss.softmax_hinge.weight is 0; allowed: above 0"),
        ("train", ["encoder.layers=0"], "encoder.layers is 0; allowed: 1 or more"),
        ("train", ["name=7"], "name is 7; allowed: a text; as a text: \"name='7'\""),
        ("train", ["splits.test=3"], "splits.test is 3; allowed: a text; as a text: \"splits.test='3'\""),
        ("train", ["splits=test"], "splits is 'test'; allowed: settings by name"),
        ("train", ["checkpoint_steps=often"], "checkpoint_steps is 'often'; allowed: a whole number, null"),
        ("train", ["architecture.pooling=meen"], "architecture.pooling is 'meen'; allowed: cls, mean, parts; did you"),
        ("train", ["architecture=graph", "architecture.layer=gta"], "architecture.layer is 'gta'; allowed: gcn, gat, "),
        ("train", ["optimizer.schedule=liner"], "optimizer.schedule is 'liner'; allowed: linear, cosine, "),
        (
            "train",
            ["batches.workers=atuo"],
            "batches.workers is 'atuo'; allowed: a whole number, auto; did you mean ",
        ),
        ("train", ["+trainer.limit_train_batches=x"], "trainer.limit_train_batches is 'x'; allowed: a number, null"),
        (
            "train",
            ["+trainer.limit_train_batchs=2"],
            "there is no setting trainer.limit_train_batchs; did you mean trainer.limit_train_batches?",
        ),
        (
            "train",
            ["+batches.qqqq=3", "architecture=dual"],
            "there is no setting batches.qqqq; TextBatches takes batches.max_length, batches.query_length, ",
        ),
        ("train", ["init_from=nowhere"], "init_from is 'nowhere', and there is no such file or folder"),
        ("train", ["teacher=nowhere"], "teacher is 'nowhere', and there is no such file or folder"),
        ("train", ["candidates.test=nofile"], "candidates.test is 'nofile', and there is no such file or folder"),
        ("train", ["sampling=hard", "sampling.run=no"], "sampling.run is 'no', and there is no such file or folder"),
        ("graph build", ["path=7"], "path is 7; allowed: a text"),
        ("export", ["model=[a]", "path=x"], 'model is ["a"]; allowed: a text'),
        ("train", ["encoder=hf"], "encoder.name has no value; give encoder.name=…"),
        ("train", ["~seed"], "there is no setting seed, which this job needs; leave ~seed out"),
        ("train", ["~trainer"], "there is no trainer, which this job needs; leave ~trainer out"),
        ("train", ["text=maxsim"], "there is no setting architecture.text; "),
        ("train", ["name=${nothing}"], "Interpolation key 'nothing' not found"),
        ("retrieve", ["measures=ndcg_10"], "measures is 'ndcg_10'; allowed: a list of texts; as a list: measures=[ndc"),
        ("retrieve", ["splits=[dev,3]"], "splits[1] is 3; allowed: a text"),
        ("retrieve", ["rm3={documents: ten}"], "rm3.documents is 'ten'; allowed: a number"),
        ("fuse", ["runs=[a]", "weights=[1,x]"], "weights[1] is 'x'; allowed: a number"),
        ("fuse", ["runs=[a]", "k=many"], "k is 'many'; allowed: a whole number"),
        ("mine", ["filters.ratio=high"], "filters.ratio is 'high'; allowed: a number, null"),
        ("mine", ["filters.unjudged=perhaps"], "filters.unjudged is 'perhaps'; allowed: true, false"),
        (
            "graph build",
            ["path=x", "workers=atuo"],
            "workers is 'atuo'; allowed: a whole number, auto; did you mean ",
        ),
        ("compare", [], "runs has no value; give runs=…"),
    ],
)
def test_a_wrong_value_is_refused_by_name(verb: str, overrides: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_job(verb, composed(verb, *overrides))
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("verb", "overrides"),
    [
        ("train", ["checkpoint_steps=null", "cache=null", "resume=auto", "dropout=0", "batches.score_tokens=null"]),
        ("train", ["trainer.precision=bf16", "trainer.devices=[0,1]", "module.parts=2", "callbacks.collapse=null"]),
        ("train", ["+trainer.limit_train_batches=0.5", "+trainer.deterministic=warn", "+logger.csv.flush_every=3"]),
        ("train", ["logger=[csv,wandb]", "+logger.wandb.entity=me", "callbacks=[ema,swa,centring,collapse]"]),
        ("train", ["trainer.max_epochs=-1", "+trainer.max_steps=5", "trainer.gradient_clip_val=null"]),
        ("train", ["+mine.own=3", "loss=[]"]),
        ("compare", ["runs={a: [b, c], d: e}"]),
        ("compare", ["runs=[a,b]", "baseline=a", "alpha=1"]),
        ("fuse", ["runs=[a]", "weights=[1,0.5]", "depth=null"]),
        ("retrieve", ["rm3={documents: 10, original: 0.5}", "translation.names=null"]),
        ("evaluate", ["model=x", "depth=5", "devices=auto", "precision=16", "keep_seconds=null"]),
    ],
)
def test_what_a_setting_may_be_too(verb: str, overrides: list[str]) -> None:
    check_job(verb, composed(verb, *overrides))


def test_a_file_that_is_there(tmp_path: Path) -> None:
    run = tmp_path / "run.trec"
    run.touch()
    check_job("train", composed("train", f"teacher={run}", f"candidates.test={run}", f"init_from={tmp_path}"))


def test_what_a_verb_of_ones_own_must_be_given_may_be_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `runs: ???` of the verb in docs/extending.md."""
    (tmp_path / "overlap.yaml").write_text("defaults: [_self_]\nruns: ???\n", encoding="utf-8")
    monkeypatch.setattr(module, "config_folder", lambda: tmp_path)
    check_job("overlap", OmegaConf.create({"runs": ["a.trec", "b.trec"]}))


def test_what_a_run_that_goes_on_began_from_may_be_gone() -> None:
    check_job("train", composed("train", "resume=auto", "init_from=nowhere", "teacher=nowhere"))
