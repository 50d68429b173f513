"""The `demo` collection: real Chinese and Kazakh names and real relations from the CLDR data inside `babel`.

Queries are the Chinese names of territories, languages, scripts, currencies, cities, regional languages (*French
(Belgium)*) and time zones; the documents describe the same entities in Kazakh through their names and relations. Grades
follow the relations, as CLIRMatrix grades do: 6 for the entity itself, lower ones for what is related to it, 0 for the
rest. Nothing is downloaded, and the same `babel` gives the same collection.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from clir_lightning.data.collection import Collection, Split
from clir_lightning.settings.markers import Count, Natural
from clir_lightning.types import Document, Qrels, Query

OWN_GRADE = 6
CONTINENTS = {"Africa": "002", "America": "019", "Asia": "142", "Australia": "009", "Europe": "150", "Pacific": "009"}


@dataclass(slots=True)
class Entity:
    """A CLDR entity on its way to a query (its Chinese name) and a document (Kazakh name and relations)."""

    id: str
    chinese: str
    kazakh: str
    kind: str
    relations: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))


# How each kind speaks of its relations, in Kazakh: relation → lead-in of the sentence.
SENTENCES = {
    "territory": "аумақ",
    "language": "тіл",
    "script": "жазу",
    "currency": "ақша бірлігі",
    "city": "қала",
    "locale": "аймақтық тіл",
    "time": "уақыт",
    "has time": "Уақыты",
    "continent": "Құрлығы",
    "official language": "Ресми тілдері",
    "uses currency": "Ақшасы",
    "has city": "Қалалары",
    "spoken in": "Сөйлейтін елдер",
    "written in": "Жазуы",
    "writes": "Осы жазумен жазылатын тілдер",
    "money of": "Қолданылатын елдер",
    "lies in": "Орналасқан елі",
    "of language": "Тілі",
    "of territory": "Елі",
    "has locale": "Аймақтық түрлері",
}


class _Graph:
    """The entities by id, with relations added in both directions; unknown ends are left out."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}

    def add(self, kind: str, code: str, chinese: str | None, kazakh: str | None) -> None:
        if chinese and kazakh and chinese != kazakh:
            self.entities[f"{kind}:{code}"] = Entity(f"{kind}:{code}", chinese, kazakh, kind)

    def relate(self, one: str, relation: str, other: str, back: str, grade: int) -> None:
        """`one` —relation→ `other` and `other` —back→ `one`, both worth `grade` as an answer to each other."""
        if one in self.entities and other in self.entities:
            self.entities[one].relations[relation].append((other, grade))
            self.entities[other].relations[back].append((one, grade))


def _names(graph: _Graph) -> None:
    from babel import Locale

    # What CLDR names by a code of its own.
    zh = Locale("zh")
    kk = Locale("kk")
    for kind, chinese, kazakh in (
        ("territory", zh.territories, kk.territories),
        ("language", zh.languages, kk.languages),
        ("script", zh.scripts, kk.scripts),
        ("currency", zh.currencies, kk.currencies),
    ):
        for code in sorted(chinese):
            graph.add(kind, code, chinese[code], kazakh.get(code))

    # A zone is named after its city.
    for zone in sorted(zh.time_zones):
        graph.add("city", zone, zh.time_zones[zone].get("city"), kk.time_zones.get(zone, {}).get("city"))
    _composed_names(graph, (zh, kk))


def _composed_names(graph: _Graph, locales: tuple[Any, Any]) -> None:
    """Names made of others: *Kazakhstan time*, *Russian (Kazakhstan)*."""
    from babel.core import get_global

    for territory in sorted(get_global("territory_zones")):
        if f"territory:{territory}" in graph.entities:
            names = (locale.zone_formats["region"] % locale.territories[territory] for locale in locales)
            graph.add("time", territory, *names)
    for territory, languages in sorted(get_global("territory_languages").items()):
        for language in sorted(languages):
            if f"language:{language}" in graph.entities and f"territory:{territory}" in graph.entities:
                names = (f"{locale.languages[language]} ({locale.territories[territory]})" for locale in locales)
                graph.add("locale", f"{language}_{territory}", *names)


def _relations(graph: _Graph) -> None:
    from babel.core import get_global

    for entity in list(graph.entities.values()):
        kind, _, code = entity.id.partition(":")
        if kind == "territory":
            _relate_territory(graph, entity, code)
        elif kind == "language":
            parts = get_global("likely_subtags").get(code, "").split("_")
            if len(parts) == 3:
                graph.relate(entity.id, "written in", f"script:{parts[1]}", "writes", 2)
        elif kind == "time":
            graph.relate(entity.id, "of territory", f"territory:{code}", "has time", 3)
        elif kind == "locale":
            language, _, territory = code.partition("_")
            graph.relate(entity.id, "of language", f"language:{language}", "has locale", 4)
            graph.relate(entity.id, "of territory", f"territory:{territory}", "has locale", 3)


def _relate_territory(graph: _Graph, entity: Entity, code: str) -> None:
    from babel.core import get_global
    from babel.languages import get_official_languages
    from babel.numbers import get_territory_currencies

    for language in get_official_languages(code, de_facto=True):
        graph.relate(entity.id, "official language", f"language:{language}", "spoken in", 5)
    for currency in get_territory_currencies(code):
        graph.relate(entity.id, "uses currency", f"currency:{currency}", "money of", 4)
    for zone in get_global("territory_zones").get(code, ()):
        graph.relate(entity.id, "has city", f"city:{zone}", "lies in", 3)
        continent = CONTINENTS.get(zone.split("/")[0])
        if continent and not entity.relations["continent"]:
            entity.relations["continent"].append((f"territory:{continent}", 1))


def _text(entity: Entity, entities: dict[str, Entity], longest_list: int) -> str:
    sentences = [f"{entity.kazakh} — {SENTENCES[entity.kind]}."]
    for relation, others in entity.relations.items():
        names = [entities[other].kazakh for other, _ in others[:longest_list]]
        if names and relation not in ("has locale", "has time"):
            sentences.append(f"{SENTENCES[relation]}: {', '.join(names)}.")
    return " ".join(sentences)


def _judgements(entity: Entity, pool: list[str], judged: int, rng: random.Random) -> dict[str, int]:
    grades = {entity.id: OWN_GRADE}
    for others in entity.relations.values():
        for other, grade in others:
            grades[other] = max(grade, grades.get(other, 0))
    best = sorted(grades, key=lambda other: (-grades[other], other))[: judged // 2]
    zeros = [other for other in rng.sample(pool, min(len(pool), 2 * judged)) if other not in grades]
    return {other: grades[other] for other in best} | dict.fromkeys(zeros[: judged - len(best)], 0)


def demo_entities() -> dict[str, Entity]:
    """The entities by id, those of *relations* to each other in both directions; the collection is made of them.

    >>> demo_entities()["currency:KZT"].relations["money of"]
    [('territory:KZ', 4)]
    """
    graph = _Graph()
    _names(graph)
    _relations(graph)
    return graph.entities


def build_demo(
    *, dev: Count = 100, test: Count = 200, judged: Count = 100, longest_list: Natural = 4, seed: int = 7
) -> Collection:
    """Build the demo: about 2,900 documents, one query for each distinct Chinese name, `judged` documents per query.

    Grade-0 documents of a training query describe entities of training queries, so that training never takes a
    dev or test query's own document for a negative; those of dev and test queries describe any entity.

    >>> demo = build_demo()
    >>> [(name, len(split.queries)) for name, split in demo.splits.items()][1:]
    [('dev', 100), ('test1', 200)]
    >>> demo.documents["currency:KZT"].text
    'Қазақстан теңгесі — ақша бірлігі. Қолданылатын елдер: Қазақстан.'
    """
    entities = demo_entities()

    # Two entities of one Chinese name would be one query with two answers: the first by id asks.
    rng = random.Random(seed)
    everything = sorted(entities)
    by_name: dict[str, str] = {}
    for entity_id in everything:
        by_name.setdefault(entities[entity_id].chinese, entity_id)
    askable = sorted(by_name.values())
    rng.shuffle(askable)
    train = askable[dev + test :]

    def split(entity_ids: list[str], pool: list[str]) -> Split:
        queries = {i: Query(i, entities[i].chinese, "zh") for i in entity_ids}
        return Split(queries, Qrels({i: _judgements(entities[i], pool, judged, rng) for i in queries}))

    # The dictionary is built in the order of the draws: train, dev, test.
    documents = {i: Document(i, _text(entities[i], entities, longest_list), "kk") for i in everything}
    splits = {
        "train": split(train, sorted(train)),
        "dev": split(askable[:dev], everything),
        "test1": split(askable[dev : dev + test], everything),
    }
    return Collection("demo", documents, splits)
