"""How docstrings are read: a Griffe extension that knows the house's ways of writing them.

Examples stand anywhere, not under a heading of their own; `Args:` may describe several arguments in one line; and a
class describes those arguments alone that its bases do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from griffe import Class, DocstringParameter, DocstringSectionKind, Extension, Module, Object

EXAMPLE = re.compile(r"^(?P<indent> *)>>> .*?(?=\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)
ARGUMENTS = re.compile(r"^Args:\n(?:    .*(?:\n|\Z))+", re.MULTILINE)
SHARED = re.compile(r"^    (?P<names>\w+(?:, \w+)+)(?P<said>: .*(?:\n     .*)*)", re.MULTILINE)


class Docstrings(Extension):
    """Rewrites the docstrings of a package when all of it is read, and adds what classes inherit."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """First each by itself, then classes, whose bases may lie anywhere."""
        items = list(defined(pkg))
        for item in items:
            if item.docstring is not None:
                text = fenced(item.docstring.value)
                item.docstring.value = ARGUMENTS.sub(lambda found: apart(found[0]), text)
        for item in items:
            if isinstance(item, Class):
                add_inherited(item)


def defined(item: Object) -> Iterator[Object]:
    """An object and all that is defined in it, at any depth."""
    yield item
    for member in item.members.values():
        if isinstance(member, Object):
            yield from defined(member)


def fenced(text: str) -> str:
    r"""A docstring with each block of `>>>` lines and what they print in a fence.

    >>> fenced("One.\n\n>>> 1 + 1\n2\n\nMore.")
    'One.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nMore.'
    """
    return EXAMPLE.sub(lambda found: f"{found['indent']}```pycon\n{found[0]}\n{found['indent']}```", text)


def apart(text: str) -> str:
    r"""An `Args:` block with a line for each argument where one line describes several.

    >>> print(apart("Args:\n    first, last: ranks,\n        from 1.\n    name: of it.\n"))
    Args:
        first: ranks,
            from 1.
        last: ranks,
            from 1.
        name: of it.
    <BLANKLINE>
    """

    def each(found: re.Match[str]) -> str:
        return "\n".join(f"    {name}{found['said']}" for name in found["names"].split(", "))

    return SHARED.sub(each, text)


def described(item: Object) -> dict[str, DocstringParameter]:
    """What a docstring has under `Args:`, by name."""
    sections = [] if item.docstring is None else item.docstring.parse("google", warnings=False)
    kind = DocstringSectionKind.parameters
    return {each.name.lstrip("*"): each for section in sections if section.kind is kind for each in section.value}


def add_inherited(item: Class) -> None:
    """Adds to the `Args:` of a class what its bases say of arguments that it takes too."""
    own = described(item)
    if not own or item.docstring is None:
        return
    taken = {parameter.name for parameter in item.parameters}
    inherited: dict[str, DocstringParameter] = {}
    for base in reversed(item.mro()):
        inherited |= described(base)
    lines = [
        f"    {name}: " + each.description.replace("\n", "\n        ")
        for name, each in inherited.items()
        if name in taken and name not in own
    ]
    block = ARGUMENTS.search(item.docstring.value)
    if lines and block is not None:
        head, tail = item.docstring.value[: block.end()], item.docstring.value[block.end() :]
        item.docstring.value = "\n".join([head.rstrip("\n"), *lines]) + "\n" + tail
