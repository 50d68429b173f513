"""Whether a value of the configuration is of the type that an annotation says, and what to say where it is not."""

from __future__ import annotations

import difflib
import inspect
import json
import numbers
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Union

from clir_lightning.errors import ConfigError
from clir_lightning.settings.markers import OneOf, There
from clir_lightning.settings.signatures import kinds

OWN = "clir_lightning"
MISSING = "???"  # a setting without a value, which whoever reads it rejects
PART = "a part, as an option of its group gives it"
UNIONS = (Union, types.UnionType)
NUMBERS: Mapping[type, type] = {int: numbers.Integral, float: numbers.Real}  # those of NumPy among them
WORDS: Mapping[Any, tuple[str, str]] = {  # of one value and of several
    bool: ("true, false", "true or false"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    type(None): ("null", "nulls"),
}


def check(value: Any, kind: Any, name: str) -> None:
    """`ConfigError`, with the setting's name and what is allowed, unless a value is of this type.

    A whole number is a number too; a part, which a `_target_` names, fits every type that is not plain.

    >>> check("maybe", bool, "sampling.weighted")
    Traceback (most recent call last):
    clir_lightning.errors.ConfigError: sampling.weighted is 'maybe'; allowed: true, false
    """
    origin = typing.get_origin(kind)
    members = typing.get_args(kind)
    if value == MISSING or kind is Any:
        return

    # A type with markers: the type first, then what narrows it.
    if origin is Annotated:
        if _choices(kind) and not isinstance(value, str):
            raise _rejected(value, kind, name)
        check(value, members[0], name)
        for marker in kind.__metadata__:
            if hasattr(marker, "check"):
                marker.check(value, name)

    # One of several types, one of several words, a plain type, or a structure.
    elif origin in UNIONS:
        _check_union(value, kind, name)
    elif origin is Literal:
        if not any(value == choice and type(value) is type(choice) for choice in members):
            raise _rejected(value, kind, name)
    elif kind in WORDS:
        _check_plain(value, kind, name)
    else:
        _check_structure(value, kind, name)


def check_fields(record: Any, name: str) -> None:
    """`ConfigError` for a field of a dataclass, `name.field`, that is none of what its annotation allows.

    For `__post_init__`: what holds for the configuration holds for records from Python too. Fields whose type is not
    narrowed, by a marker or to some words, are not looked at, and paths may be of files that are yet to come.
    """
    for field, kind in kinds(type(record))[0].items():
        if _is_narrowed(kind):
            check(getattr(record, field), kind, f"{name}.{field}")


def _is_narrowed(kind: Any) -> bool:
    """Whether a type is of plain values, some of which it does not allow."""
    members = typing.get_args(kind) if typing.get_origin(kind) in UNIONS else (kind,)
    markers = [marker for member in members for marker in getattr(member, "__metadata__", ())]
    words = any(typing.get_origin(member) is Literal for member in members)
    return all(map(_is_plain, members)) and (words or any(not isinstance(marker, There) for marker in markers))


def _check_plain(value: Any, kind: type, name: str) -> None:
    """Of true or false, numbers, texts and null."""
    if not _fits(value, kind):
        raise _rejected(value, kind, name)


def _fits(value: Any, kind: type) -> bool:
    """Whether a value is of a class: whole numbers are numbers, true and false are none."""
    if isinstance(value, bool) and kind in (int, float):
        return False
    return isinstance(value, NUMBERS.get(kind, kind))


def _check_union(value: Any, kind: Any, name: str) -> None:
    """One of several types: the error is that of a list or of settings within, where the value is one."""
    members = typing.get_args(kind)
    plain = [member for member in members if member not in (Any, type(None)) and _is_plain(member)]
    if plain and Any not in members and isinstance(value, str | int | float):  # no object of a library is one
        members = tuple(plain)

    # The first that fits.
    inner: list[ConfigError] = []
    for member in members:
        try:
            check(value, member, name)
        except ConfigError as error:
            if _is_deep(value, member):
                inner.append(error)
        else:
            return
    raise inner[0] if len(inner) == 1 else _rejected(value, kind, name)


def _is_plain(kind: Any) -> bool:
    """Whether values of a type are texts, numbers, true and false."""
    origin = typing.get_origin(kind)
    return kind in WORDS or origin is Literal or (origin is Annotated and _is_plain(typing.get_args(kind)[0]))


def _is_deep(value: Any, kind: Any) -> bool:
    """Whether a value has the structure of a type, so that only what it holds can be wrong."""
    if typing.get_origin(kind) is Annotated:
        base = typing.get_args(kind)[0]
        return _fits(value, base) and not _choices(kind) if inspect.isclass(base) else _is_deep(value, base)
    shape = typing.get_origin(kind)
    wanted = Mapping if isinstance(value, Mapping) else Sequence if isinstance(value, list) else None
    return wanted is not None and inspect.isclass(shape) and issubclass(shape, wanted)


def _check_structure(value: Any, kind: Any, name: str) -> None:
    """Lists, settings by name, and parts."""
    origin = typing.get_origin(kind) or kind
    inner = typing.get_args(kind)
    if isinstance(value, Mapping) and "_target_" in value:
        return
    if not inspect.isclass(origin):
        return

    # What they hold has types of its own.
    if issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _rejected(value, kind, name)
        for key, each in value.items():
            check(each, inner[1] if len(inner) == 2 else Any, f"{name}.{key}")
    elif issubclass(origin, Sequence) and origin is not str:
        if not isinstance(value, list):
            raise _rejected(value, kind, name)
        for place, each in enumerate(value):
            check(each, inner[0] if inner else Any, f"{name}[{place}]")

    # An object of this package is made by a part alone; those of libraries take what they take.
    elif origin.__module__.startswith(OWN) or issubclass(origin, Callable):  # type: ignore[arg-type]
        raise _rejected(value, kind, name)


def _rejected(value: Any, kind: Any, name: str) -> ConfigError:
    """What to say of a value that is not of this type."""
    choices = [choice for choice in _choices(kind) if isinstance(choice, str)]
    near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    words = allowed(kind)
    cure = f"; did you mean {near[0]!r}?" if near else ""
    if not near and "a text" in words and isinstance(value, bool | int | float) and "[" not in name:
        cure = f"; as a text: \"{name}='{shown(value)}'\""
    if not near and words.startswith("a list") and isinstance(value, str | int | float):
        cure = f"; as a list: {name}=[{value}]"
    return ConfigError(f"{name} is {shown(value)}; allowed: {words}{cure}")


def shown(value: Any) -> str:
    """A value as the configuration has it.

    >>> shown(True), shown(None), shown("a"), shown([1, "b"])
    ('true', 'null', "'a'", '[1, "b"]')
    """
    return repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def is_part(kind: Any) -> bool:
    """Whether nothing but an object is of this type."""
    return kind is not Any and allowed(kind).removesuffix(", null") == PART


def _choices(kind: Any) -> list[Any]:
    """The values that a type lists."""
    origin = typing.get_origin(kind)
    if origin is Literal:
        return list(typing.get_args(kind))
    if origin is Annotated:
        return [choice for each in kind.__metadata__ if isinstance(each, OneOf) for choice in each.choices]
    if origin in UNIONS:
        return [choice for member in typing.get_args(kind) for choice in _choices(member)]
    return []


def allowed(kind: Any, *, several: bool = False) -> str:
    """A type in words.

    >>> allowed(int | Literal["auto"] | None), allowed(Sequence[float])
    ('a whole number, auto, null', 'a list of numbers')
    """
    origin = typing.get_origin(kind)
    members = typing.get_args(kind)
    if kind in WORDS:
        return WORDS[kind][several]
    if choices := ([] if origin in UNIONS else _choices(kind)):
        return ", ".join(map(str, choices))
    if origin is Annotated:
        return allowed(members[0], several=several)
    if origin in UNIONS:
        told = [member for member in members if not (member is int and float in members)]
        named = [allowed(member) for member in told]
        plain = [words for words in named if words != PART]
        return ", ".join(dict.fromkeys(plain if set(plain) - {"null"} else named))
    if inspect.isclass(origin or kind) and issubclass(origin or kind, Mapping):
        return "settings by name"
    if inspect.isclass(origin or kind) and issubclass(origin or kind, Sequence):
        return f"a list of {allowed(members[0], several=True)}" if members and members[0] is not Any else "a list"
    return PART
