"""The configuration of a typed command, composed before anything heavy is imported, and what is wrong with it.

What Hydra rejects is answered in words of this program: the setting or option that isn't there, and the nearest there
is. An argument of a `_target_` that the configuration does not list needs no `+`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import IntervalSweep, Override, OverrideType, ValueType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from clir_lightning.configuration import config_folder, options, root_name
from clir_lightning.errors import ConfigError, one_of
from clir_lightning.jobs.launch.names import further, listed, parameters_at, there
from clir_lightning.jobs.launch.typed import Typed
from clir_lightning.settings.spelling import did_you_mean

REJECTED = (HydraException, OmegaConfBaseException, ValueError)


def ready(verb: str, arguments: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments as Hydra takes them, which it can compose, and whether they only ask to show something.

    Raises `ConfigError` for what cannot be read and for what isn't there.
    """
    typed = Typed.of(verb, arguments)
    settings = [_text(each) for each in typed.settings]
    if not typed.elsewhere:
        settings = Composition(verb, typed).settings()
    return [*typed.switches, *settings], typed.shows


def composed_so_far(verb: str, arguments: Sequence[str]) -> DictConfig:
    """The configuration with what is typed of a command, without what cannot be read or isn't there."""
    try:
        settings = Composition(verb, Typed.of(verb, arguments))
        return settings.groups()
    except (ConfigError, *REJECTED):
        return Composition(verb, Typed.of(verb, [])).groups()


class Composition:
    """The configuration of a verb with what was typed."""

    def __init__(self, verb: str, typed: Typed) -> None:
        self.verb = verb
        self.typed = typed
        self.folders = [Path(typed.folder)] if typed.folder else []
        if self.folders and not self.folders[0].is_dir():
            raise ConfigError(f"--config-dir is {typed.folder!r}, and there is no such folder")
        self.search = [*self.folders, *_searched(typed.settings), config_folder()]

    def settings(self) -> list[str]:
        """The typed settings as Hydra takes them."""
        texts = [_text(each) for each in self.typed.settings]
        try:
            whole = self._composed(self.typed.settings)
        except REJECTED as error:
            texts = self._mended(error)
        else:
            self._check_several(whole)
        for each in self.typed.settings:  # Hydra composes a sweep's other jobs as they come
            self._check_options(each)
        return texts

    def _composed(self, settings: Sequence[Override]) -> DictConfig:
        """The configuration as Hydra composes it, with Hydra's own settings and the first of several values."""
        GlobalHydra.instance().clear()
        path = create_config_search_path(str(config_folder()))
        for folder in self.folders:
            place = f"file://{folder.resolve()}"
            path.prepend(provider="command-line", path=place, anchor=SearchPathQuery(provider="schema"))
        try:
            hydra = Hydra.create_main_hydra2("clir", path)
            texts = [_first(each) for each in settings if not _of_files(each)]
            return hydra.compose_config(root_name(self.verb), texts, run_mode=RunMode.RUN)
        finally:
            GlobalHydra.instance().clear()

    def _mended(self, error: Exception) -> list[str]:
        """The settings with `+` where a `_target_` takes what isn't listed; `ConfigError` for what isn't there."""
        for each in self.typed.settings:
            self._check_options(each)

        # What there is, with the options as chosen; then each setting in its turn.
        try:
            config = self.groups()
        except REJECTED as of_groups:
            raise ConfigError(_told(of_groups)) from None
        mended = [_text(each) if self._is_group(each) else self._placed(each, config) for each in self.typed.settings]
        if mended == [_text(each) for each in self.typed.settings]:
            raise ConfigError(_told(error)) from None
        return mended

    def groups(self) -> DictConfig:
        """The configuration with the typed options of groups alone."""
        return self._composed([each for each in self.typed.settings if self._is_group(each)])

    def _is_group(self, setting: Override) -> bool:
        key = setting.key_or_group
        return bool(setting.package) or key.startswith("hydra/") or any((each / key).is_dir() for each in self.search)

    def _check_options(self, setting: Override) -> None:
        """Whether a group is one of the verb's, and has the options that it is set to."""
        group = setting.key_or_group
        if not self._is_group(setting) or group.startswith("hydra/") or setting.is_delete():
            return
        known = sorted({name for each in self.search for name in options(each / group)})
        own = self._groups()
        if not setting.is_add() and not setting.package and group not in own:
            others = f"; there are: {', '.join(own)}" if own else ""
            raise ConfigError(f"there is no group {group} for this verb{others}")
        for option in _options_of(setting):
            if option is None:
                raise ConfigError(f"{group} is null; allowed: {', '.join(known)}; ~{group} leaves it out")
            one_of(option, known, group)

    def _groups(self) -> list[str]:
        """The groups of the verb's root file."""
        root: Any = OmegaConf.load(config_folder() / f"{root_name(self.verb)}.yaml")
        named = [str(next(iter(each))) for each in root.defaults if OmegaConf.is_dict(each)]
        return [name for name in named if not name.startswith("override ")]

    def _placed(self, setting: Override, config: DictConfig) -> str:
        """A setting that is there, or has been added; `config` has it from here on."""
        text = _text(setting)
        name = setting.key_or_group
        known = there(config, name)
        if setting.is_add() and known:
            raise ConfigError(f"{name} is there already; give {text.lstrip('+')}")
        if setting.type in (OverrideType.CHANGE, OverrideType.DEL) and not known:
            if setting.is_delete() or name.rpartition(".")[2] not in parameters_at(config, name):
                raise ConfigError(self._no_setting(name, config, removed=setting.is_delete()))
            text = f"+{text}"
        if not setting.is_delete() and not known:
            value = None if setting.is_sweep_override() else setting.value()
            OmegaConf.update(config, name, value, force_add=True)
        return text

    def _no_setting(self, name: str, config: DictConfig, *, removed: bool) -> str:
        """What to say of a setting that isn't there."""
        first, _, rest = name.partition(".")
        second = rest.partition(".")[0]
        if second and first in self._groups():
            offered = {option for each in self.search for option in options(each / first)}
            chosen = config.get(first)
            if second in offered and OmegaConf.is_dict(chosen):
                more = ",".join([*map(str, chosen), second])
                return f"there is no setting {name}, as {first} has no {second}; choose {first}=[{more}] with it"
            if not chosen:
                return f"{name} is given, and nothing says of which {first}; add {first}=…"

        # The names of the configuration come first, then what its targets would take besides.
        known = [each for each in listed(config, parts="." not in name) if _of_hydra(each) == _of_hydra(name)]
        near = did_you_mean(name, known) or did_you_mean(name, further(config))
        where = "--hydra-help" if _of_hydra(name) else f"clir {self.verb} --help"
        own = "" if removed else f", +{name}=… adds one of your own"
        return f"there is no setting {name}{near or ';'} '{where}' lists them{own}"

    def _check_several(self, config: DictConfig) -> None:
        """Several values are for several jobs, which must have been asked for."""
        sweeps = [each for each in self.typed.settings if each.is_sweep_override()]
        if sweeps and not self.typed.several and config.hydra.mode != RunMode.MULTIRUN and not self.typed.shows:
            name, _, values = str(sweeps[0].input_line).partition("=")
            cure = f"add -m for a job of each, or brackets for a list: {name}=[{values}]"
            raise ConfigError(f"{name}={values} is several values; {cure}")


def _of_hydra(name: str) -> bool:
    return name.startswith("hydra.")


def _text(setting: Override) -> str:
    return str(setting.input_line)


def _searched(settings: Sequence[Override]) -> list[Path]:
    """The folders that `hydra.searchpath` adds."""
    found = [each.value() for each in settings if each.key_or_group == "hydra.searchpath"]
    places = [str(place) for each in found if isinstance(each, list) for place in each]
    return [Path(place.removeprefix("file://")) for place in places if not place.startswith("pkg://")]


def _first(setting: Override) -> str:
    """A setting with one value: the first of several, or the least of a range."""
    if not setting.is_sweep_override():
        return _text(setting)
    value = setting.value()
    first = value.start if isinstance(value, IntervalSweep) else next(iter(setting.sweep_string_iterator()))
    return f"{setting.get_key_element()}={first}"


def _of_files(setting: Override) -> bool:
    """Whether the values are the options that a pattern matches, which are there by nature."""
    return setting.value_type == ValueType.GLOB_CHOICE_SWEEP


def _options_of(setting: Override) -> Iterator[str | None]:
    """The options that a group is set to, those of a sweep's jobs too."""
    values: list[Any] = [setting.value()]
    if setting.is_sweep_override():
        values = list(setting.sweep_iterator()) if setting.is_discrete_sweep() and not _of_files(setting) else []
    for value in values:
        text = getattr(value, "text", value)
        for each in text if isinstance(text, list) else [text]:
            yield None if each is None else str(getattr(each, "text", each))


def _told(error: BaseException) -> str:
    """Hydra's message in one line."""
    return " ".join(f"{error} {error.__cause__ or ''}".partition("Config search path")[0].split())
