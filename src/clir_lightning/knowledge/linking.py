"""From a text to the entities that it names: by its whole, or by the longest name in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from clir_lightning.errors import ConfigError
from clir_lightning.knowledge.graph import Graph, Name, Terms
from clir_lightning.knowledge.normal import normal
from clir_lightning.knowledge.spans import Finder, Span
from clir_lightning.languages import primary

# What a link is worth by the rule that found it; a name within a longer text is worth LONGEST times its share of it.
WORTH: Mapping[str, float] = {"label": 1.0, "alias": 0.9, "title": 0.8, "folded": 0.7}
LONGEST = 0.5
KINDS = "LAS"  # of names: label, alias, title of a site link, the better first
SPANS = 8  # names within one text that are followed

_WITH_NUMBER = re.compile(r"[A-Z]([0-9]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Link:
    """An entity that a text names: from `start` to `stop` of its normal form (`knowledge.normal`)."""

    entity: str
    score: float
    rule: str  # label, alias, title, folded or longest
    start: int
    stop: int


def id_order(entity: str) -> tuple[bool, int, str]:
    """The order of ids: those of Wikidata by their number, then others by their characters.

    >>> sorted(["Q10", "territory:KZ", "Q9"], key=id_order)
    ['Q9', 'Q10', 'territory:KZ']
    """
    match = _WITH_NUMBER.fullmatch(entity)
    return match is None, int(match[1]) if match else 0, entity


def language_of(graph: Graph, language: str) -> str:
    """The graph's own code of a language; `ConfigError` if it has no terms in it.

    A code with script or region stands for the language: the graph folds variants.
    """
    for code in (language, primary(language)):
        if code in graph.languages:
            return code
    raise ConfigError(
        f"the graph {graph.path} has terms in {', '.join(graph.languages)}, none in {language!r}; "
        "build it with languages=[…] that has this one"
    )


def spelt(text: str) -> str:
    """A text as the graph stores it: composed, with single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def rule_of(text: str, terms: Terms) -> str:
    """The kind of an entity's name that a text is, both `spelt`; one that is spelt otherwise is `folded`."""
    if text == spelt(terms.label):
        return "label"
    if text in map(spelt, terms.aliases):
        return "alias"
    return "title" if text == spelt(terms.title) else "folded"


class Linker:
    """Links texts of one language to a graph's entities.

    Rules, the better first: the text is an entity's label, an alias, the title of its article (each in the same
    spelling), or one of them in another spelling (`folded`: letter case, traditional characters, dashes …); else the
    longest name in it (`longest`), at any place in Chinese, at the bounds of words elsewhere, of two characters or
    more. Ties go to the better kind of name, then to the earlier place in the text, then to the entity with more site
    links, then to the smallest id.
    """

    def __init__(self, graph: Graph, language: str) -> None:
        self.graph = graph
        self.language = language_of(graph, language)

    def __getstate__(self) -> dict[str, object]:
        return {"graph": self.graph, "language": self.language}  # without the automaton, which is built again

    @cached_property
    def _finder(self) -> Finder:
        # Built when the first text has no name as a whole; every name of the language is gone through once.
        return Finder(name.key for name in self.graph.all_names(self.language))

    def best(self, text: str) -> Link | None:
        """The best link, if there is any."""
        return next(iter(self.link(text)), None)

    def link(self, text: str) -> list[Link]:
        """All links, best first."""
        return self.links([text])[0]

    def links(self, texts: Sequence[str]) -> list[list[Link]]:
        """All links of each text, best first; one look-up for all of them."""
        found = self.whole(texts)
        keys = [normal(text, self.language) for text in texts]
        rest = sorted({key for key, links in zip(keys, found, strict=True) if key and not links})
        within = self._within(rest) if rest else {}
        return [links or within.get(key, []) for key, links in zip(keys, found, strict=True)]

    def whole(self, texts: Sequence[str]) -> list[list[Link]]:
        """The links of each text as a whole, best first."""
        keys = [normal(text, self.language) for text in texts]
        named = self.named(keys)

        # The spelling decides between rules, so the names themselves are read.
        terms = self.graph.terms(sorted({name.entity for names in named.values() for name in names}))
        found = []
        for text, key in zip(texts, keys, strict=True):
            ranked = []
            for name in named.get(key, ()):
                rule = rule_of(spelt(text), terms[name.entity][self.language])
                ranked.append((name, Link(name.entity, WORTH[rule], rule, 0, len(key))))
            found.append(_best_first(ranked))
        return found

    def named(self, keys: Iterable[str]) -> dict[str, list[Name]]:
        """What these normal forms name."""
        grouped: dict[str, list[Name]] = {}
        for name in self.graph.names(sorted({key for key in keys if key}), self.language):
            grouped.setdefault(name.key, []).append(name)
        return grouped

    def _within(self, keys: Sequence[str]) -> dict[str, list[Link]]:
        """The links of the longest names in each normal form."""
        places = {key: self._finder.spans(key, SPANS) for key in keys}
        named = self.named(key[start:stop] for key, spans in places.items() for start, stop in spans)
        return {key: part_links(key, [(span, named[key[slice(*span)]]) for span in places[key]]) for key in keys}


def part_links(key: str, named: Iterable[tuple[Span, Iterable[Name]]]) -> list[Link]:
    """The links of a text by parts of its normal form `key`, best first; `named` has what each part names."""
    ranked = []
    for (start, stop), names in named:
        score = LONGEST * (stop - start) / len(key)
        ranked += [(name, Link(name.entity, score, "longest", start, stop)) for name in names]
    return _best_first(ranked)


def _best_first(ranked: Iterable[tuple[Name, Link]]) -> list[Link]:
    """Links by score, ties as `Linker` says, each entity once."""

    def order(pair: tuple[Name, Link]) -> tuple[float, int, int, int, tuple[bool, int, str]]:
        name, link = pair
        return -link.score, KINDS.index(name.kind), link.start, -name.sitelinks, id_order(name.entity)

    found: dict[str, Link] = {}
    for _, link in sorted(ranked, key=order):
        found.setdefault(link.entity, link)
    return list(found.values())
