"""Configurations from elsewhere cannot run code: what a `_target_` may be, and hostile ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from clir_lightning.build import build
from clir_lightning.configuration import _named, check_target
from clir_lightning.errors import ConfigError

HOSTILE = [
    "os.system",
    "subprocess.Popen",
    "builtins.eval",
    "torch.load",
    "torch.hub.load",
    "torch.nn.os.system",
    "torch.nn.functional.torch.load",
    "transformers.AutoModel.from_pretrained",
    "transformers.pipeline",
    "hydra.utils.call",
    "clir_lightning.build.instantiate",
    "clir_lightning.cli.run_verb",
    "clir_lightning.outputs.provenance.subprocess.Popen",
    "clir_lightning.data.files.lines.os.system",
    "clir_lightning.data.files.lines.Path",
    "clir_lightning.data.write_run",
    "pytorch_lightning.utilities.os.system",
    "clir_lightning_evil.Thing",
    "clir_lightning.data.no_such.Thing",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_targets_are_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"_target_ {name!r}")):
        check_target(name)


def test_hostile_targets_are_found_wherever_they_hide(tmp_path: Path) -> None:
    evil = {"_target_": "pathlib.Path.touch", "_args_": [{"_target_": "pathlib.Path", "_args_": [str(tmp_path / "x")]}]}
    good = {"_target_": "clir_lightning.data.Listwise", "documents": evil}
    for node in (evil, good, {"_target_": "torch.optim.AdamW", "params": [[{"deep": evil}]]}):
        with pytest.raises(ConfigError, match="is not allowed"):
            build(OmegaConf.create(node))
    assert not list(tmp_path.iterdir())


def test_everything_that_the_configuration_names_is_allowed() -> None:
    hydras = {"clir_lightning.jobs.launch.sweep.SweepEnd", "hydra_plugins.clir_optuna.OptunaSweeper"}
    for name in _named() - hydras:  # those are Hydra's own to build, from no saved file
        check_target(name)
    check_target("torch.optim.SGD")
    check_target("transformers.AutoModel")


def test_own_packages_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="set CLIR_ALLOW=PACKAGE in the environment"):
        check_target("json.dumps")
    monkeypatch.setenv("CLIR_ALLOW", "json")
    check_target("json.dumps")
