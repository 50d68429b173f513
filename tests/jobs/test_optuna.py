"""`hydra/sweeper=optuna`: settings from the search space, a study that goes on, trials that are pruned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from hydra_plugins.clir_optuna import _tell, space
from program import SHORT, clir

RATE = FloatDistribution(1e-5, 1e-1, log=True)
SWEEP = (
    *("train", "-m", "hydra/sweeper=optuna", "optimizer.learning_rate=tag(log,interval(1e-5,1e-1))"),
    *(*SHORT, "candidates.test_queries=2", "hydra.sweep.dir=sweep", "resume=auto"),
)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("a=interval(0.5,2)", FloatDistribution(0.5, 2)),
        ("a=int(interval(1,8))", IntDistribution(1, 8)),
        ("a=tag(log,interval(1e-5,1e-1))", RATE),
        ("a=choice(x,y)", CategoricalDistribution(["x", "y"])),
        ("a=x,y", CategoricalDistribution(["x", "y"])),
        ("a=range(1,6,2)", CategoricalDistribution(["1", "3", "5"])),
    ],
)
def test_hydras_sweeps_are_optunas_distributions(override: str, expected: BaseDistribution) -> None:
    assert space(OverridesParser.create().parse_overrides([override])) == {"a": expected}


@pytest.mark.parametrize("pruned", [False, True])
def test_a_trial_that_another_command_ended_meanwhile_stays_as_it_is(pruned: bool) -> None:
    """Both began it: the second one found it open."""
    study = optuna.create_study(direction="maximize")
    trial = study.ask({"rate": RATE})
    if pruned:
        trial.set_user_attr("pruned", True)
    for value in (0.5, 0.25):
        _tell(study, trial.number, value)
    assert study.trials[0].state == (TrialState.PRUNED if pruned else TrialState.COMPLETE)
    assert study.trials[0].value == (None if pruned else 0.5)


@pytest.mark.slow
def test_a_study_goes_on_with_what_is_left_and_with_failed_trials(tmp_path: Path) -> None:
    first = clir(*SWEEP, "hydra.sweeper.trials=1", cwd=tmp_path)
    assert "best of 1 complete trials" in first.stdout
    storage = f"sqlite:///{tmp_path / 'sweep' / 'optuna.db'}"
    study = optuna.load_study(study_name="clir", storage=storage)
    open_one = study.ask({"optimizer.learning_rate": RATE})  # as a killed sweep leaves it
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").glob("*/metrics.json")}
    again = clir(*SWEEP, "hydra.sweeper.trials=3", cwd=tmp_path)
    assert "best of 3 complete trials" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    trials = optuna.load_study(study_name="clir", storage=storage).trials
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert trials[1].params == open_one.params
    rates = {trial.params["optimizer.learning_rate"] for trial in trials}
    assert len(rates) == 3
    for trial in trials:
        overrides = (tmp_path / "sweep" / str(trial.number) / ".hydra" / "overrides.yaml").read_text()
        assert f"optimizer.learning_rate={trial.params['optimizer.learning_rate']}" in overrides


@pytest.mark.slow
def test_a_training_below_the_median_ends(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    study = optuna.create_study(storage=storage, study_name="clir", direction="maximize")
    for _ in range(5):
        params: dict[str, Any] = {"rate": 0.01}
        distributions: dict[str, BaseDistribution] = {"rate": RATE}
        study.add_trial(
            create_trial(value=1.0, params=params, distributions=distributions, intermediate_values={0: 1.0, 1: 1.0})
        )
    trial = study.ask({"rate": RATE})
    pruning = (
        "++callbacks.pruning={_target_: clir_lightning.lightning.Pruning, "
        f"storage: '{storage}', trial: {trial.number}}}"
    )
    settings = [setting for setting in SHORT if "max_epochs" not in setting]
    clir(
        *("train", *settings, "trainer.max_epochs=3", "candidates.test_queries=2", pruning, "hydra.run.dir=out"),
        cwd=tmp_path,
    )
    found = optuna.load_study(study_name="clir", storage=storage).trials[trial.number]
    assert list(found.intermediate_values) == [0]
    assert found.user_attrs == {"pruned": True}
    assert found.state == TrialState.RUNNING  # the sweeper closes it
    assert (tmp_path / "out" / "metrics.json").is_file()


def test_nothing_to_search_over_is_said(tmp_path: Path) -> None:
    done = clir("train", "-m", "hydra/sweeper=optuna", "seed=1", cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "nothing to search over; give a=interval(0,1) or a=b,c" in done.stderr
