"""Little graphs for tests, written down as terms and statements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from clir_lightning.data.store.folders import fingerprint
from clir_lightning.knowledge.graph import Graph, Name, Neighbour, Terms
from clir_lightning.knowledge.normal import normal

# An entity: its site links and, by language, "label | description | alias; alias | title".
Entities = Mapping[str, tuple[int, Mapping[str, str]]]


class Fake(Graph):
    def __init__(self, entities: Entities, triples: Sequence[tuple[str, str, str]], languages: Sequence[str]) -> None:
        self.path = Path("little")
        self.languages = tuple(languages)
        self.fingerprint = fingerprint([repr((entities, triples, languages))])
        self.statements = triples
        self.sitelinks = {entity: links for entity, (links, _) in entities.items()}
        self.known = {entity: {lang: parsed(text) for lang, text in of.items()} for entity, (_, of) in entities.items()}

    def __contains__(self, entity: object) -> bool:
        return entity in self.known

    def __len__(self) -> int:
        return len(self.known)

    def terms(self, entities: Sequence[str]) -> dict[str, dict[str, Terms]]:
        return {entity: self.known[entity] for entity in entities if entity in self.known}

    def all_names(self, language: str) -> Iterator[Name]:
        for entity, of in self.known.items():
            terms = of.get(language, Terms("", "", (), ""))
            listed = [("L", terms.label), *(("A", alias) for alias in terms.aliases), ("S", terms.title)]
            for kind, text in listed:
                if text:
                    yield Name(normal(text, language), entity, kind, self.sitelinks[entity])

    def names(self, keys: Sequence[str], language: str) -> list[Name]:
        return [name for name in self.all_names(language) if name.key in set(keys)]

    def neighbours(self, entity: str, n: int, order: str = "rank") -> list[Neighbour]:
        out = [Neighbour(o, p, True) for s, p, o in self.statements if s == entity]
        return (out + [Neighbour(s, p, False) for s, p, o in self.statements if o == entity])[:n]


def parsed(text: str) -> Terms:
    label, description, aliases, title = [*map(str.strip, text.split("|")), "", "", ""][:4]
    return Terms(label, description, tuple(filter(None, map(str.strip, aliases.split(";")))), title)


def little(
    entities: Entities, triples: Sequence[tuple[str, str, str]] = (), languages: Sequence[str] = ("zh", "kk")
) -> Graph:
    return Fake(entities, triples, languages)


KAZAKH = "Q9252"
LANGUAGES: Entities = {
    KAZAKH: (150, {"zh": "哈萨克语 | 突厥语言 | 哈萨克文", "kk": "қазақ тілі | түркі тілі | қазақша | Қазақ тілі"}),
    "Q232": (300, {"zh": "哈萨克斯坦 | 中亚国家 | 哈国", "kk": "Қазақстан | мемлекет | ҚР"}),
    "Q35493": (120, {"zh": "阿拉木图 | 城市", "kk": "Алматы | қала"}),
    "Q1": (9, {"zh": "语 | 说话"}),
    "Q33935": (0, {"kk": "қазақ | адам"}),
}
EDGES = [(KAZAKH, "P17", "Q232"), ("Q35493", "P17", "Q232"), ("Q232", "P37", KAZAKH)]
