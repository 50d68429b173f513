"""`hydra/sweeper=optuna`: a search over settings by Optuna, whose study lies in a file and goes on where it stopped.

Hydra takes plug-ins out of the package `hydra_plugins` alone, hence this place; its own plug-in stays at Optuna 2.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

PRUNING = (
    "++callbacks.pruning={{_target_: clir_lightning.lightning.callbacks.pruning.Pruning, storage: '{}', trial: {}}}"
)
STUDY = "clir"  # its name within the file


def space(parameters: Sequence[Override]) -> dict[str, optuna.distributions.BaseDistribution]:
    """Hydra's sweeps as Optuna's distributions: `choice(a,b)` or `a,b`, `range(1,9,2)`, `interval(0,1)`.

    `tag(log, …)` makes an interval logarithmic, and `int(interval(1,8))` gives whole numbers.
    """
    from optuna import distributions as of

    found: dict[str, of.BaseDistribution] = {}
    for override in parameters:
        value, key = override.value(), override.get_key_element()
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            if low is None or high is None or low >= high:
                raise ValueError(f"{key}={override.get_value_string()}: the interval is empty")
            logarithmic = "log" in value.tags
            if isinstance(low, int) and isinstance(high, int):
                found[key] = of.IntDistribution(low, high, log=logarithmic)
            else:
                found[key] = of.FloatDistribution(low, high, log=logarithmic)
        elif isinstance(value, RangeSweep):
            values = [str(number) for number in value.range()]
            found[key] = of.CategoricalDistribution(values)
        else:
            found[key] = of.CategoricalDistribution(list(override.sweep_string_iterator()))
    return found


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    from optuna import samplers

    kinds: Mapping[str, Callable[..., samplers.BaseSampler]] = {
        "tpe": samplers.TPESampler,
        "random": samplers.RandomSampler,
        "qmc": samplers.QMCSampler,
    }
    if name not in kinds:
        raise ValueError(f"hydra.sweeper.sampler is {name!r}; allowed: {', '.join(kinds)}")
    return kinds[name](seed=seed)


class OptunaSweeper(Sweeper):
    """Maximises what a job returns, for `clir train` the best `val/ndcg_10`.

    The study is `STORAGE`, SQLite beside the jobs by default. The same command with the same `hydra.sweep.dir` goes on:
    finished trials count, unfinished and failed ones are started again with their settings and in their folders.

    Args:
        trials: jobs in all, those of earlier starts included.
        sampler: `tpe`, `random` or `qmc`.
        seed: of the sampler.
        jobs: trials started at a time, for launchers that run them side by side.
        pruning: end a training whose `val/ndcg_10` is below the median of the earlier trials' at the same epoch.
        storage: URL of the study; `None` for `optuna.db` in the sweep's folder.
        params: the settings to search over, beside those on the command line.
    """

    def __init__(
        self,
        trials: int,
        sampler: str = "tpe",
        seed: int = 1,
        jobs: int = 1,
        pruning: bool = False,
        storage: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.trials, self.sampler, self.seed, self.jobs = trials, sampler, seed, jobs
        self.hydra_context: HydraContext
        self.config: DictConfig
        self.pruning, self.storage, self.params = pruning, storage, dict(params or {})

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's hook before the sweep."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials that are left, then print the best."""
        try:
            import optuna
        except ImportError:
            raise SystemExit("hydra/sweeper=optuna needs Optuna; pip install 'clir-lightning[optuna]'") from None
        folder = Path(self.config.hydra.sweep.dir).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        given = {text.split("=")[0] for text in arguments}
        preset = [f"{key}={value}" for key, value in self.params.items() if key not in given]
        overrides = parser.parse_overrides([*preset, *arguments])
        searched = space([override for override in overrides if override.is_sweep_override()])
        if not searched:
            raise SystemExit("hydra/sweeper=optuna: nothing to search over; give a=interval(0,1) or a=b,c")
        fixed = [override.input_line or "" for override in overrides if not override.is_sweep_override()]
        url = self.storage or f"sqlite:///{folder / 'optuna.db'}"
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(storage=url, study_name=STUDY, direction="maximize", load_if_exists=True)
        # Another seed at each start: the same one would draw the same first trials once more.
        study.sampler = _sampler(self.sampler, self.seed + len(study.trials))
        for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            self._run(study, [(trial.number, trial.params)], fixed, url)
        while (left := self.trials - len(study.trials)) > 0:
            asked = [study.ask(searched) for _ in range(min(self.jobs, left))]
            self._run(study, [(trial.number, trial.params) for trial in asked], fixed, url)
        done = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
        if done:
            best = study.best_trial
            settings = " ".join(f"{key}={value}" for key, value in best.params.items())
            print(f"best of {len(done)} complete trials: {best.number} with {best.value:.4f}: {settings}")

    def _run(
        self, study: optuna.Study, trials: Sequence[tuple[int, Mapping[str, Any]]], fixed: list[str], url: str
    ) -> None:
        """Start trials of successive numbers; one without a value stays open and is started again another time."""
        import optuna

        batch = []
        for number, params in trials:
            pruning = [PRUNING.format(url, number)] if self.pruning else []
            batch.append([*fixed, *(f"{key}={value}" for key, value in params.items()), *pruning])
        results: Sequence[JobReturn] = self.launcher.launch(batch, initial_job_idx=trials[0][0])
        for (number, _), result in zip(trials, results, strict=True):
            value = result.return_value
            if value is None or not math.isfinite(value):
                log.warning("trial %d has no value; the same command starts it again", number)
                continue
            pruned = study.trials[number].user_attrs.get("pruned", False)
            state = optuna.trial.TrialState.PRUNED if pruned else optuna.trial.TrialState.COMPLETE
            study.tell(number, None if pruned else value, state=state)
