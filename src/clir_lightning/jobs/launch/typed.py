"""What is typed after a verb: Hydra's switches, and settings in Hydra's grammar."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from clir_lightning.configuration import config_folder, options
from clir_lightning.errors import ConfigError

# Their `data` is what a model or an output folder names, with settings changed.
OF_TRAINED_DATA = ("evaluate", "search", "geometry", "mine", "compare", "browse")


@dataclass(frozen=True)
class Typed:
    """The arguments after a verb.

    Args:
        switches: Hydra's, with their values.
        settings: `name=value` and its kin, as Hydra reads them.
        several: whether a job of each of several values is asked for.
        shows: whether something is printed, and no job run.
        folder: of the user's own configuration files.
        elsewhere: whether another root file is to be read.
    """

    switches: list[str]
    settings: list[Override]
    several: bool
    shows: bool
    folder: str | None
    elsewhere: bool

    @classmethod
    def of(cls, verb: str, arguments: Sequence[str]) -> Typed:
        """Settings and switches in any order; `ConfigError` for a switch that isn't there, and for broken grammar."""
        parser = get_args_parser()
        parser.error = _rejected  # type: ignore[method-assign]  # one line in the place of all switches
        given, unknown = parser.parse_known_intermixed_args(list(arguments))
        wrong = [each for each in unknown if each.startswith("-")]
        if wrong:
            name = wrong[0].lstrip("-")
            cure = f"a setting has no dashes: {name}" if "=" in name else "settings are name=value, without dashes"
            raise ConfigError(f"there is no switch {wrong[0]}; {cure}")

        # What is no setting is a switch or its value.
        texts = [*given.overrides, *unknown]
        switches = list(arguments)
        for text in texts:
            switches.remove(text)
        return cls(
            switches=switches,
            settings=[parsed(of_any_data(verb, verbatim(text))) for text in texts],
            several=given.multirun,
            shows=bool(given.cfg or given.info or given.hydra_help or given.shell_completion),
            folder=given.config_dir,
            elsewhere=bool(given.config_name or given.config_path or given.experimental_rerun),
        )


def _rejected(message: str) -> NoReturn:
    raise ConfigError(message.removeprefix("argument "))


def parsed(text: str) -> Override:
    """A setting by Hydra's grammar; `ConfigError` with the quotes that it lacks."""
    name, equals, value = text.partition("=")
    if not name.lstrip("+~"):
        raise ConfigError(f"{text!r} lacks the name of a setting; give name=value")
    if not equals and not text.startswith("~"):
        raise ConfigError(f"{text!r} is no setting, which is name=value{_with_value(text)}")
    parser = OverridesParser.create()
    try:
        return parser.parse_override(text)
    except HydraException:
        pass

    # The same with quotes around the value, or around each text of a list.
    quoted = f"{name}={_quoted(value)}"
    try:
        parser.parse_override(quoted)
    except HydraException:
        raise ConfigError(f"{text} cannot be read; a name has letters, digits and dots, a value quotes") from None
    raise ConfigError(f"{text} cannot be read; put the text in quotes, and all in the shell's: {for_shell(quoted)}")


def _with_value(text: str) -> str:
    """What may be meant by a text without `=`: one with a space there, or an option without its group."""
    words = text.split()
    likely = [f"{words[0]}={words[1]}"] if len(words) == 2 else []
    for group in sorted(path for path in config_folder().iterdir() if path.is_dir()):
        likely += [f"{group.name}={text}"] if text in options(group) else []
    return f"; did you mean {' or '.join(likely)}?" if likely else ""


def _quoted(value: str) -> str:
    """
    >>> _quoted("a=b"), _quoted("[a#,b]")
    ("'a=b'", "['a#','b']")
    """
    if value[:1] == "[":
        return "[" + ",".join(_quoted(each.strip(" '\"")) for each in value.strip("[]").split(",")) + "]"
    return "'{}'".format(value.strip('"').replace("\\'", "'").replace("'", "\\'"))


def for_shell(argument: str) -> str:
    """An argument as a shell reads it.

    >>> print(for_shell("query='a b'"))
    "query='a b'"
    """
    return shlex.quote(argument) if set(argument) & set('"$`\\!') else f'"{argument}"'


def verbatim(setting: str) -> str:
    """A typed query in quotes, whatever characters it has: Hydra's grammar takes few without.

    >>> verbatim("query=哈萨克语?"), verbatim("depth=5")
    ("query='哈萨克语?'", 'depth=5')
    """
    name, _, text = setting.partition("=")
    if name != "query" or text[:1] in ("'", '"') or text in ("", "null"):
        return setting
    return "query='{}'".format(text.replace("\\'", "'").replace("'", "\\'"))


def of_any_data(verb: str, setting: str) -> str:
    """A setting of the data, also where the verb's own file does not list it: the data of a model has it.

    So it is with a model's knowledge. The job itself rejects a setting that these do not have.

    >>> of_any_data("evaluate", "knowledge.graph.path=FOLDER")
    '++knowledge.graph.path=FOLDER'
    >>> of_any_data("evaluate", "data.path=FOLDER"), of_any_data("train", "data.path=FOLDER")
    ('++data.path=FOLDER', 'data.path=FOLDER')
    """
    trained = setting.startswith("data.") or (verb == "evaluate" and setting.startswith("knowledge."))
    return f"++{setting}" if verb in OF_TRAINED_DATA and trained else setting
