"""What a function or class takes: the parameters of its signature and their types."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, Union


def kinds(target: Callable[..., Any]) -> tuple[dict[str, Any], bool]:
    """The type of each parameter of a function or class, by name, and whether it takes any other name too.

    A type that cannot be told is `Any`.

    >>> def pool(states: list[float], by: str = "mean", **more: int) -> None: ...
    >>> kinds(pool)
    ({'states': list[float], 'by': <class 'str'>}, True)
    """
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):  # made in C, without a signature
        return {}, True
    named = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    hints = _hints(target)
    found = {each.name: hints.get(each.name, Any) for each in named}

    # What is null by default may be null, whatever its type says.
    for each in named:
        if each.default is None:
            found[each.name] = Union[found[each.name], None]  # noqa: UP007  known at run time alone
    return found, any(each.kind is each.VAR_KEYWORD for each in parameters)


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    """The types of parameters; where one of them cannot be told, those of the others."""
    function = inspect.unwrap(target.__init__ if inspect.isclass(target) else target)
    for source in (target, function):  # a dataclass has its parents' fields in their own modules
        if inspect.isclass(source) and "__dataclass_fields__" not in vars(source):
            continue
        try:
            return typing.get_type_hints(source, include_extras=True)
        except Exception:
            continue

    # One by one, in the module of the function.
    found: dict[str, Any] = {}
    for name, written in getattr(function, "__annotations__", {}).items():
        single: Any = types.SimpleNamespace(__annotations__={name: written})
        try:
            found |= typing.get_type_hints(single, vars(inspect.getmodule(function)), include_extras=True)
        except Exception:
            found[name] = Any
    return found
