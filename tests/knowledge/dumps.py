"""Lines of a dump, written by hand, for the tests of this folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RANKS = ("preferred", "normal", "deprecated")


def texts(**by_code: str) -> dict[str, dict[str, str]]:
    """Labels or descriptions: `_` in a keyword stands for the hyphen of a code."""
    codes = {code.replace("_", "-"): text for code, text in by_code.items()}
    return {code: {"language": code, "value": text} for code, text in codes.items()}


def statement(target: str | None, rank: str = "normal", *, datatype: str = "wikibase-item") -> dict[str, Any]:
    """A statement whose main value is an item, or is unknown."""
    snak: dict[str, Any] = {"snaktype": "value" if target else "somevalue", "datatype": datatype}
    if target:
        value = {"entity-type": "item", "numeric-id": int(target[1:]), "id": target}
        snak["datavalue"] = {"type": "wikibase-entityid", "value": value}
    qualifier = {**snak, "datavalue": {"type": "wikibase-entityid", "value": {"entity-type": "item", "id": "Q99"}}}
    return {"mainsnak": snak, "type": "statement", "rank": rank, "qualifiers": {"P99": [qualifier]}}


def item(number: str, **parts: Any) -> dict[str, Any]:
    """An item, with a Chinese label unless others are given."""
    return {"type": "item", "id": number, "labels": texts(zh=f"项{number}"), **parts}


def line(entity: dict[str, Any]) -> bytes:
    """As the dump's own writer has it."""
    return json.dumps(entity, ensure_ascii=False, separators=(",", ":")).encode()


def write(path: Path, entities: list[dict[str, Any]]) -> Path:
    """A whole dump, plain."""
    path.write_bytes(b"[\n" + b",\n".join(map(line, entities)) + b"\n]\n")
    return path
