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
    return {override.get_key_element(): _distribution(override) for override in parameters}


def _distribution(override: Override) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution

    value = override.value()
    if isinstance(value, IntervalSweep):
        return _interval(value, f"{override.get_key_element()}={override.get_value_string()}")
    if isinstance(value, RangeSweep):
        return CategoricalDistribution([str(number) for number in value.range()])
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _interval(value: IntervalSweep, typed: str) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import FloatDistribution, IntDistribution

    low = value.start
    high = value.end
    if low is None or high is None or low >= high:
        raise ValueError(f"{typed}: the interval is empty")
    logarithmic = "log" in value.tags
    if isinstance(low, int) and isinstance(high, int):
        return IntDistribution(low, high, log=logarithmic)
    return FloatDistribution(low, high, log=logarithmic)


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
        self.trials = trials
        self.sampler = sampler
        self.seed = seed
        self.jobs = jobs
        self.pruning = pruning
        self.storage = storage
        self.params = dict(params or {})
        self.hydra_context: HydraContext
        self.config: DictConfig

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Hydra's hook before the sweep."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Run the trials that are left, then print the best."""
        try:
            import optuna
        except ImportError:
            raise SystemExit("hydra/sweeper=optuna needs Optuna; pip install 'clir-lightning[optuna]'") from None

        # The sweep's folder, as Hydra's own sweeper leaves it.
        folder = Path(self.config.hydra.sweep.dir).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")

        # What is searched over, and what every trial has.
        overrides = self._overrides(arguments)
        searched = space([override for override in overrides if override.is_sweep_override()])
        if not searched:
            raise SystemExit("hydra/sweeper=optuna: nothing to search over; give a=interval(0,1) or a=b,c")
        fixed = [override.input_line or "" for override in overrides if not override.is_sweep_override()]

        # Trials that were cut off, in their folders, then new ones up to the number asked for.
        url = self.storage or f"sqlite:///{folder / 'optuna.db'}"
        study = self._study(url)
        for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            self._run(study, [(trial.number, trial.params)], fixed, url)
        while (left := self.trials - len(study.trials)) > 0:
            asked = [study.ask(searched) for _ in range(min(self.jobs, left))]
            self._run(study, [(trial.number, trial.params) for trial in asked], fixed, url)
        _print_best(study)

    def _overrides(self, arguments: list[str]) -> list[Override]:
        """What was typed, and of `params` what was not typed otherwise."""
        typed = {text.split("=")[0] for text in arguments}
        preset = [f"{key}={value}" for key, value in self.params.items() if key not in typed]
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        return parser.parse_overrides([*preset, *arguments])

    def _study(self, url: str) -> optuna.Study:
        """The study at `url`, new or one to go on with."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(storage=url, study_name=STUDY, direction="maximize", load_if_exists=True)
        # Another seed at each start: the same one would draw the same first trials once more.
        study.sampler = _sampler(self.sampler, self.seed + len(study.trials))
        return study

    def _run(
        self, study: optuna.Study, trials: Sequence[tuple[int, Mapping[str, Any]]], fixed: list[str], url: str
    ) -> None:
        """Start trials of successive numbers; one without a value stays open and is started again another time."""
        settings = [self._settings(number, params, fixed, url) for number, params in trials]
        results: Sequence[JobReturn] = self.launcher.launch(settings, initial_job_idx=trials[0][0])
        for (number, _), result in zip(trials, results, strict=True):
            _tell(study, number, result.return_value)

    def _settings(self, number: int, params: Mapping[str, Any], fixed: list[str], url: str) -> list[str]:
        """The overrides of a trial's job."""
        pruning = [PRUNING.format(url, number)] if self.pruning else []
        return [*fixed, *(f"{key}={value}" for key, value in params.items()), *pruning]


def _tell(study: optuna.Study, number: int, value: Any) -> None:
    """What a trial's job returned; one without a value stays open, one that another command has told of as it is."""
    from optuna.trial import TrialState

    if value is None or not math.isfinite(value):
        log.warning("trial %d has no value; the same command starts it again", number)
        return
    if study.trials[number].user_attrs.get("pruned", False):
        study.tell(number, None, state=TrialState.PRUNED, skip_if_finished=True)
    else:
        study.tell(number, value, state=TrialState.COMPLETE, skip_if_finished=True)


def _print_best(study: optuna.Study) -> None:
    from optuna.trial import TrialState

    done = study.get_trials(states=[TrialState.COMPLETE])
    if done:
        best = study.best_trial
        settings = " ".join(f"{key}={value}" for key, value in best.params.items())
        print(f"best of {len(done)} complete trials: {best.number} with {best.value:.4f}: {settings}")
