"""Every YAML of `conf/` composes, and each `_target_` node's values fit the signature of what it names."""

from __future__ import annotations

import difflib
import inspect
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from clir_lightning.cli import VERBS
from clir_lightning.configuration import config_folder, root_name
from clir_lightning.jobs.launch.settings import TYPES, check_job

CONF = config_folder()
FILES = sorted(path.relative_to(CONF) for path in CONF.rglob("*.yaml"))
# What the jobs add to a node when they build it.
ADDED = {
    ("architecture",): {"encoder"},
    ("architecture", "head"): {"width", "channels"},
    ("architecture", "text"): {"encoder"},
    ("architecture", "text", "head"): {"width", "channels"},
    ("module",): {"model", "losses"},
    ("logger", "csv"): {"job"},
    ("logger", "wandb"): {"job"},
    ("logger", "tensorboard"): {"job"},
}


def nodes(config: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], DictConfig]]:
    """Every node with a `_target_`, with its path."""
    if isinstance(config, DictConfig):
        if "_target_" in config:
            yield path, config
        for key in config:
            if not OmegaConf.is_missing(config, key):
                yield from nodes(config[key], (*path, str(key)))


def mistakes(config: DictConfig) -> list[str]:
    """What does not fit, one line each."""
    found = []
    for path, node in nodes(config):
        target = get_object(node["_target_"])
        given = {str(key) for key in node if not str(key).startswith("_")} | ADDED.get(path, set())
        parameters = inspect.signature(target).parameters
        takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        needed = {
            name
            for name, parameter in parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        }
        found += [f"{'.'.join(path)}: {name} is missing" for name in needed - given]
        found += [f"{'.'.join(path)}: {name} is unknown" for name in given - set(parameters) if not takes_any]
    return found


def composed(verb: str, overrides: list[str]) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(root_name(verb), overrides=overrides)


def filled(config: Any) -> Any:
    """A configuration with a value for each setting that a user must give."""
    for key in config if isinstance(config, DictConfig) else ():
        if OmegaConf.is_missing(config, key):
            part = {"_target_": "clir_lightning.data.build_demo"}
            config[key] = part if key == "collection" else [__file__] if key in ("runs", "paths") else __file__
        elif isinstance(config._get_node(key), DictConfig) and not OmegaConf.is_interpolation(config, str(key)):
            filled(config[key])
    return config


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_composes_and_its_targets_bind(verb: str) -> None:
    assert mistakes(composed(verb, [])) == []
    check_job(verb, filled(composed(verb, [])))


OPTIONS = [file for file in FILES if len(file.parts) > 1 and file.parts[0] != "hydra"]


@pytest.mark.parametrize("file", OPTIONS, ids=str)
def test_each_option_composes_and_its_targets_bind(file: Path) -> None:
    group = file.parts[0]
    option = str(file.relative_to(group).with_suffix(""))
    multi = group in ("logger", "callbacks", "loss")
    verbs = [verb for verb in VERBS if f"- {group}:" in (CONF / f"{root_name(verb)}.yaml").read_text(encoding="utf-8")]
    if group in ("experiment", "sweep"):  # a whole job's settings belong to the verb of their command
        head = (CONF / file).read_text(encoding="utf-8")
        verbs = [verb for verb in verbs if f"# clir {verb} {group}={option}" in head]
    assert verbs, f"no verb has the group {group}"
    around = ["architecture=graph"] if group == "text" else []  # which stands over a text architecture
    for verb in verbs:
        config = composed(verb, [*around, f"{group}=[{option}]" if multi else f"{group}={option}"])
        assert mistakes(config) == []
        check_job(verb, filled(config))


def lines_of(file: Path) -> list[str]:
    return (CONF / file).read_text(encoding="utf-8").splitlines()


def code_of(line: str) -> str:
    """A line without its comment."""
    return re.sub(r"(^|\s+)#.*", "", line)


def settings_of(file: Path) -> list[str]:
    """The lines of a root file between its defaults list and Hydra's own settings, which no user changes."""
    text = "\n".join(lines_of(file))
    return text.partition("\n\n")[2].partition("\nhydra:")[0].splitlines()


def keys_in_braces(line: str) -> int:
    """The keys between the braces of a line, those of inner braces too."""
    return len(re.findall(r"[{,]\s*[\w.]+: ", code_of(line)))


@pytest.mark.parametrize("file", FILES, ids=str)
def test_each_file_is_short_and_in_blocks_and_starts_with_its_command(file: Path) -> None:
    lines = lines_of(file)
    # A root file lists all settings of its verb.
    assert len(settings_of(file) if len(file.parts) == 1 else lines) <= (35 if file.stem == "train" else 30)
    head = [line for line in lines[:2] if not line.startswith("# @package ")]
    assert head[0].startswith("# clir ")
    assert [line for line in lines if keys_in_braces(line) > 3] == []


def test_a_line_of_four_keys_is_found() -> None:
    assert keys_in_braces("hydra: {job: {name: x}, run: {dir: .}}  # {a: 1, b: 2}") == 4
    assert keys_in_braces("a: ${b:c}, {a: 1, b.c: 2, d: 3}") == 3


def test_no_two_files_differ_by_less_than_a_fifth() -> None:
    """Of their words, comments aside: such two are one file with a value."""
    words = {file: " ".join(map(code_of, lines_of(file))).split() for file in FILES}
    alike = [
        (one, other)
        for one, other in itertools.combinations(FILES, 2)
        if difflib.SequenceMatcher(None, words[one], words[other], autojunk=False).ratio() > 0.8
    ]
    assert alike == []


@pytest.mark.parametrize("sampling", [file.stem for file in FILES if file.parts[0] == "sampling"])
@pytest.mark.parametrize("experiment", [file.stem for file in FILES if file.parts[0] == "experiment"])
def test_each_experiment_stands_another_sampling(experiment: str, sampling: str) -> None:
    config = composed("train", [f"experiment={experiment}", f"sampling={sampling}"])
    assert mistakes(config) == []
    check_job("train", filled(config))


def test_the_dual_recipe_stands_the_late_architecture() -> None:
    assert mistakes(composed("train", ["experiment=dual", "architecture=late"])) == []
    dual = composed("train", ["experiment=dual"]).architecture
    assert (dual.pooling, dual.temperature) == ("mean", 0.05)  # on which the recipe's figures rest


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local", "submitit_slurm", "ray"])
def test_each_launcher_composes(launcher: str) -> None:
    plugin = launcher.partition("_")[0]
    if plugin != "basic":
        pytest.importorskip(f"hydra_plugins.hydra_{plugin}_launcher", reason=f"hydra-{plugin}-launcher is absent")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", overrides=[f"hydra/launcher={launcher}"], return_hydra_config=True)
    assert plugin in config.hydra.launcher._target_.lower()


@pytest.mark.parametrize("sweeper", ["basic", "optuna"])
def test_each_sweeper_composes(sweeper: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        node = compose("train", overrides=[f"hydra/sweeper={sweeper}"], return_hydra_config=True).hydra.sweeper
    assert sweeper in node._target_
    assert mistakes(OmegaConf.create({"sweeper": node})) == []


def test_a_head_is_an_option_of_cedr_and_names_the_system() -> None:
    heads = {"cedr": ("cedr_knrm", "KNRM"), "cedr/drmm": ("cedr_drmm", "DRMM"), "cedr/vanilla": ("vanilla", "Vanilla")}
    for option, (name, head) in heads.items():
        config = composed("train", ["experiment=cedr", f"architecture={option}"])
        assert config.name == name
        assert config.architecture.head._target_ == f"clir_lightning.models.{head}"
        assert config.architecture.head._partial_
    assert composed("train", ["experiment=strong_cross"]).architecture.head.temperature == 0.05
    assert composed("train", ["experiment=strong_cross", "architecture=cross"]).architecture.pooling == "cls"


def test_mistakes_are_found() -> None:
    config = OmegaConf.create({"data": {"_target_": "clir_lightning.data.build_demo", "tset": 3}})
    assert mistakes(config) == ["data: tset is unknown"]


def test_experiment_and_sweep_need_no_plus(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseed: 42\n", encoding="utf-8")
    config = composed("train", ["experiment=mine", f"hydra.searchpath=[file://{tmp_path}]"])
    assert config.seed == 42


def test_the_tiny_encoder_brings_its_learning_rate_and_the_user_overrules_it() -> None:
    assert composed("train", []).optimizer.learning_rate == 1e-3
    assert composed("train", ["encoder=hf", "encoder.name=x"]).optimizer.learning_rate == 1e-5
    assert composed("train", ["optimizer.learning_rate=0.5"]).optimizer.learning_rate == 0.5


def test_the_strong_recipe_shows_as_many_pairs_a_step_as_the_original() -> None:
    strong, original = composed("train", ["experiment=strong_cross"]), composed("train", [])
    pairs = [config.batches.size * (1 + config.sampling.negatives) for config in (strong, original)]
    assert pairs[0] == pairs[1] == 64
    assert strong.encoder.name == "xlm-roberta-base"
    assert composed("train", ["experiment=original_cross"]).encoder.name == "bert-base-multilingual-cased"
    assert composed("train", ["experiment=original_cross", "encoder=xlmr"]).encoder.name == "xlm-roberta-base"


def test_the_device_decides_the_precision_but_for_the_tiny_encoder_and_the_user_overrules_both() -> None:
    hub = ["encoder=hf", "encoder.name=x"]
    for overrides, expected in (
        ([], "32-true"),
        (["trainer=ddp"], "32-true"),
        (["trainer.precision=bf16-mixed"], "bf16-mixed"),
        (["encoder=tiny", "trainer.precision=auto"], "auto"),
        (hub, "auto"),
        ([*hub, "trainer=fsdp"], "auto"),
        ([*hub, "trainer.precision=32-true"], "32-true"),
        (["experiment=strong_cross"], "auto"),
        (["experiment=original_cross"], "32-true"),
        (["experiment=original_cross", "trainer.precision=auto"], "auto"),
    ):
        assert composed("train", overrides).trainer.precision == expected


def names_of(config: Any, above: str = "") -> Iterator[str]:
    """The dotted names of nested settings, those without a value too."""
    for key in config:
        yield f"{above}{key}"
        if isinstance(config._get_node(key), DictConfig) and not OmegaConf.is_missing(config, key):
            yield from names_of(config._get_node(key), f"{above}{key}.")


def test_the_types_of_settings_are_of_settings_that_are_there() -> None:
    known = set()
    for verb in VERBS:
        names = set(names_of(OmegaConf.load(CONF / f"{root_name(verb)}.yaml")))
        known |= names | {f"{root_name(verb)}.{name}" for name in names}
    assert set(TYPES) - known == set()


def test_a_setting_whose_comment_speaks_of_null_may_be_null() -> None:
    """The same of `auto`: the comment is what users read."""
    for verb in VERBS:
        for line in settings_of(Path(f"{root_name(verb)}.yaml")):
            code, _, comment = line.partition("# ")
            if re.search(r"(^|; )null[: ]", comment) and re.fullmatch(r"\w+: .*", code.strip()) and line[0] != " ":
                config = filled(composed(verb, []))
                config[code.partition(":")[0]] = None
                check_job(verb, config)
