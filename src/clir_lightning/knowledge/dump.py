"""Lines of a Wikidata JSON dump, each an item or a property, as rows of a graph."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.languages import site, variants
from clir_lightning.knowledge.rows import COLUMNS, RANKS, clean

ITEM = b'{"type":"item"'  # how a dump's own writer begins an item
ENDS = {name: f"\t{number}\n" for name, number in RANKS.items()}
ITEMS = "wikibase-item"  # the datatype of properties whose values are items
COUNTS = ("items", "properties", "without", "others", "defective", "opened", "closed")
# What `rows.UNWRITABLE` finds, in UTF-8, but for the tabs and line breaks between fields.
CONTROLS = bytes([*range(9), *range(11, 32), 127])
LETTERS = (string.ascii_letters + string.digits).encode()
FURTHER = re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]")
BORDERS = (b"\t ", b" \n", b"\t\n", b"\t\t")  # of a field that is empty, or has a blank around it

Claims = Mapping[str, list[Any]]  # by a property, its statements
Texts = Mapping[str, Mapping[str, str]]  # by a language's code, `{"language": …, "value": …}`


def loader() -> Callable[[Any], Any]:
    """The JSON reader; `ConfigError` names the extra that it comes with."""
    try:
        import orjson
    except ImportError:
        raise ConfigError("reading a dump needs orjson: pip install 'clir-lightning[graph]'") from None
    loads: Callable[[Any], Any] = orjson.loads
    return loads


class DumpRows:
    """Rows of a graph, gathered line by line: `read(line)` many times, then `tables()`.

    An item is kept if it has a label in one of the languages: with labels, descriptions, aliases, the titles of its
    articles and its statements about other items, each by its main value alone. A property is kept for its labels. All
    else (lexemes, redirects) is counted and left out.

    Args:
        languages: of the terms; their variants are theirs (`languages.VARIANTS`).
        fallback: a further language of the properties' labels.
    """

    def __init__(self, languages: Sequence[str], fallback: str = "en") -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self._loads = loader()
        codes = [(code, language) for language in languages for code in variants(language)]
        self._language = dict(codes)
        self._order = {code: place for place, (code, _) in enumerate(codes)}
        self._of_properties = {**self._language, **{code: fallback for code in variants(fallback) if fallback}}
        self._sites = [(site(language), f"\t{language}\tS\t0\t") for language in languages]
        self._label = {language: f"\t{language}\tL\t0\t" for language in languages}
        self._description = {language: f"\t{language}\tD\t0\t" for language in languages}
        self._needles = [f'"{stem}'.encode() for stem in dict.fromkeys(code.partition("-")[0] for code, _ in codes)]
        self._entities: list[str] = []
        self._terms: list[str] = []
        self._triples: list[str] = []
        self._properties: list[str] = []

    def read(self, line: bytes) -> str:
        """Gather the rows of a line; what is wrong with it, empty if nothing is."""
        line = line.strip(b" \t\r,")
        if len(line) < 2:  # of the brackets around the whole
            if line:
                self.counts["opened"] += line == b"["
                self.counts["closed"] += line == b"]"
            return "" if line in (b"", b"[", b"]") else self._defect(f"not an entity ({line!r})")

        # What a dump's own writer wrote has a label in no language whose code does not occur: not worth a parse.
        for needle in self._needles:
            if needle in line:
                break
        else:
            if line.startswith(ITEM) and line.endswith(b"}"):
                self.counts["without"] += 1
                return ""

        # A line gives all of its rows or none.
        terms = len(self._terms)
        triples = len(self._triples)
        try:
            kind = self._gather(self._loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            del self._terms[terms:]
            del self._triples[triples:]
            what = str(error) if isinstance(error, ValueError) else f"{type(error).__name__} {error}"
            return self._defect(f"not an entity ({what})")
        self.counts[kind] += 1
        return ""

    def _defect(self, what: str) -> str:
        self.counts["defective"] += 1
        return what

    def tables(self) -> dict[str, bytes]:
        """The lines of each table that were gathered since the last call, clean as `rows.clean` has it."""
        gathered = (self._entities, self._terms, self._triples, self._properties)
        tables = {}
        for (table, columns), rows in zip(COLUMNS.items(), gathered, strict=True):
            text = "".join(rows)
            data = text.encode("utf-8")
            fields = len(columns)
            if not (_clean_ids(data, len(rows)) if rows is self._triples else _clean(text, data, len(rows), fields)):
                data = "".join(_cleaned(row, fields) for row in rows).encode("utf-8")
            tables[table] = data
            rows.clear()
        return tables

    def _gather(self, entity: Any) -> str:
        """Rows of a parsed line; how it counts."""
        kind = entity.get("type")
        if kind == "property":
            self._property(entity["id"], entity.get("labels") or {})
            return "properties"
        if kind != "item":
            return "others"

        # Empty maps are written as empty lists.
        labels = entity.get("labels") or {}
        codes = [code for code in labels if code in self._language]
        if not codes:
            return "without"
        number = entity["id"]
        if not number.isalnum():
            raise ValueError(f"id {number!r}")
        self._add_terms(number, labels, codes, entity)

        # Statements, and links: how many an item has tells how well known it is.
        if claims := entity.get("claims"):
            self._add_triples(number + "\t", claims)
        links = entity.get("sitelinks")
        if links:
            for name, head in self._sites:
                if name in links:
                    self._terms.append(number + head + links[name]["title"] + "\n")
        self._entities.append(f"{number}\t{len(links or ())}\n")
        return "items"

    def _add_terms(self, number: str, labels: Texts, codes: list[str], entity: dict[str, Any]) -> None:
        """Labels, descriptions and aliases; what variants have behind the first of their language are aliases."""
        add = self._terms.append
        if len(codes) > 1:
            codes.sort(key=self._order.__getitem__)
        names: dict[str, list[str]] = {}  # all names of a language, the label first
        for code in codes:
            language = self._language[code]
            text = labels[code]["value"]
            if language in names:
                names[language].append(text)
            else:
                names[language] = [text]
                add(number + self._label[language] + text + "\n")

        # One description, by the same order of variants.
        if texts := entity.get("descriptions"):
            found = [code for code in texts if code in self._language]
            if len(found) > 1:
                found.sort(key=self._order.__getitem__, reverse=True)
                found = list({self._language[code]: code for code in found}.values())
            for code in found:
                add(number + self._description[self._language[code]] + texts[code]["value"] + "\n")

        # Each alias once, of languages without a label too.
        aliases = entity.get("aliases") or {}
        if aliases or len(names) < len(codes):
            for code in sorted((code for code in aliases if code in self._language), key=self._order.__getitem__):
                names.setdefault(self._language[code], [""]).extend(alias["value"] for alias in aliases[code])
            for language, (label, *others) in names.items():
                further = [text for text in dict.fromkeys(others) if text != label]
                for place, text in enumerate(further):
                    add(f"{number}\t{language}\tA\t{place}\t" + text + "\n")

    def _add_triples(self, subject: str, claims: Claims) -> None:
        """Statements whose main value is an item; all of a property have values of one type."""
        add = self._triples.append
        mark = len(self._triples)
        try:
            for name, statements in claims.items():
                if statements[0]["mainsnak"]["datatype"] == ITEMS:
                    head = subject + name + "\t"
                    for statement in statements:
                        add(head + statement["mainsnak"]["datavalue"]["value"]["id"] + ENDS[statement["rank"]])
        except KeyError:  # seldom: an item without a value that is known, or the form of an old dump
            del self._triples[mark:]
            self._triples += _triples_of_any_form(subject, claims)

    def _property(self, number: str, labels: Texts) -> None:
        """The labels of a property, by language the first of its variants."""
        found: dict[str, str] = {}
        for code, language in self._of_properties.items():
            if code in labels and language not in found:
                found[language] = f"{number}\t{language}\t" + labels[code]["value"] + "\n"
        self._properties += found.values()


def _triples_of_any_form(subject: str, claims: Claims) -> Iterator[str]:
    """As `DumpRows` has them, also where a value is missing, or its type or id is not written out."""
    for name, statements in claims.items():
        for statement in statements:
            snak = statement["mainsnak"]
            if snak.get("datatype", ITEMS) == ITEMS and "datavalue" in snak:
                value = snak["datavalue"]["value"]
                if "entity-type" in value and value["entity-type"] == "item":
                    number = value["id"] if "id" in value else f"Q{value['numeric-id']}"
                    yield f"{subject}{name}\t" + number + ENDS[statement["rank"]]


def _clean_ids(data: bytes, rows: int) -> bool:
    """Whether triples have nothing to clean: nothing but letters and digits, the tabs between them and the ends."""
    return b"\t\t" not in data and data.translate(None, LETTERS) == b"\t\t\t\n" * rows


def _clean(text: str, data: bytes, rows: int, fields: int) -> bool:
    """Whether a table has nothing to clean, as nearly all; a whole is looked through faster than each of its texts."""
    if data.count(b"\n") != rows or data.count(b"\t") != rows * (fields - 1):
        return False
    if len(data.translate(None, CONTROLS)) < len(data) or any(border in data for border in BORDERS):
        return False
    return data.isascii() or (FURTHER.search(data) is None and unicodedata.is_normalized("NFC", text))


def _cleaned(row: str, fields: int) -> str:
    """A row with its fields cleaned, the last of which may hold anything; nothing where one is empty."""
    cleaned = [clean(field) for field in row[:-1].split("\t", fields - 1)]
    return "\t".join(cleaned) + "\n" if len(cleaned) == fields and all(cleaned) else ""
