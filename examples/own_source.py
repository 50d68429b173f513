r"""A source of your own: a function that returns a collection.

    python examples/own_source.py
    PYTHONPATH=examples CLIR_ALLOW=own_source clir train \
        data._target_=own_source.read_words +data.path=examples/words.tsv

Everything after the source is the same for all: sampling, training, retrieval, evaluation.
"""

from __future__ import annotations

from pathlib import Path

import clir_lightning as clir
from clir_lightning.data.files.lines import stop, tab_rows


def read_words(path: str) -> clir.Collection:
    """A table of `Chinese<TAB>Kazakh` words as a collection: each Chinese word asks for its Kazakh one.

    Every fourth word is a test query, and the one after it is for validation. Raises `DataError` for a line without a
    tab.
    """
    words = [(chinese, kazakh) for _, chinese, kazakh in tab_rows(Path(path), stop)]
    documents = {kazakh: clir.Document(kazakh, f"{kazakh} — сөз", "kk") for _, kazakh in words}

    # A query judges all documents: its own is right, the others are not.
    def split(chosen: list[tuple[str, str]]) -> clir.Split:
        queries = {chinese: clir.Query(chinese, chinese, "zh") for chinese, _ in chosen}
        return clir.Split(queries, clir.Qrels({zh: {**dict.fromkeys(documents, 0), kk: 1} for zh, kk in chosen}))

    train = [word for place, word in enumerate(words) if place % 4 > 1]
    return clir.Collection(
        "words", documents, {"train": split(train), "dev": split(words[1::4]), "test1": split(words[::4])}
    )


if __name__ == "__main__":
    collection = read_words(str(Path(__file__).with_name("words.tsv")))
    print(collection)
    run = clir.retrieve(collection, retriever="bm25s", settings={"translation": {"names": "own"}})  # an upper bound
    print(clir.evaluate(run, collection.split("test1").qrels, ["mrr"]).means)
