"""Machine translation by any Hugging Face sequence-to-sequence model, batched, each text once, long ones in parts."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedTokenizerBase

from clir_lightning.data.collection import Collection
from clir_lightning.data.store.folders import file_stamp, fingerprint
from clir_lightning.data.store.holding import hold, note_of, write_note
from clir_lightning.errors import ConfigError, DataError
from clir_lightning.models.hub import located
from clir_lightning.models.loading import quietly
from clir_lightning.progress import Progress
from clir_lightning.retrieval.chunks import chunks
from clir_lightning.retrieval.translation import SIDES, languages
from clir_lightning.settings.markers import Count, OneOf, Range
from clir_lightning.settings.values import check_fields
from clir_lightning.types import Document, Query

log = logging.getLogger(__name__)

FORMAT = "2"  # of the cache; changes with how texts are divided
TRIES = 10  # to have a file of translations there beside prunes


@dataclass(frozen=True)
class MachineTranslation:
    """Translation by a model of the NLLB, M2M-100 or Marian kind.

    Args:
        model: a hub name or a folder.
        revision: branch, tag or commit of a hub's model; `None` for its main branch.
        source, target: the model's own names of the languages, `zho_Hans` and `kaz_Cyrl` for NLLB, `zh` and `kk` for
            M2M-100; `None` for a model of one pair.
        side: `queries` or `documents`; `source` is the language of that side.
        batch_size: texts at a time.
        beams: width of the beam search.
        max_length: tokens that are read and written at a time, within the model's own length; a longer text is
            translated in parts (`chunks`), which are joined by spaces.
        cache: where translations are kept; `None` for nowhere.
    """

    model: str
    source: str | None = None
    target: str | None = None
    side: Annotated[str, OneOf(SIDES)] = "queries"
    batch_size: Count = 32
    beams: Count = 4
    max_length: Annotated[int, Range(least=4)] = 256
    cache: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        check_fields(self, "translation")

    def queries(self, collection: Collection, split: str) -> Mapping[str, Query]:
        """The queries, translated if that is the side."""
        asked = collection.split(split).queries
        if self.side == "documents":
            return asked
        texts = self.translate([query.text for query in asked.values()])
        language = languages(collection)[1]
        return {i: Query(i, text, language) for i, text in zip(asked, texts, strict=True)}

    def documents(self, collection: Collection, split: str) -> Mapping[str, Document]:
        """The documents, translated if that is the side."""
        if self.side == "queries":
            return collection.documents
        texts = self.translate([document.text for document in collection.documents.values()])
        language = languages(collection)[0]
        return {i: Document(i, text, language) for i, text in zip(collection.documents, texts, strict=True)}

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The translation of each text; those translated before come from the cache, a batch of new ones at a time."""
        commit = self._commit()
        with closing(self._store(commit)) as store:
            known = dict(store.execute("SELECT text, translation FROM translations"))
            new = sorted({text for text in texts if text not in known}, key=lambda text: (len(text), text))
            if new:
                log.info("translating %d texts, %d are known", len(new), len(set(texts)) - len(new))
            with Progress("translating", "texts", len(new)) as progress:
                for part in self._run(new) if new else ():
                    known |= part
                    with store:
                        store.executemany("INSERT OR REPLACE INTO translations VALUES (?, ?)", part.items())
                    progress.advance(len(part))
        return [known[text] for text in texts]

    def _commit(self) -> str | None:
        """The commit of a hub's model; `None` for a folder."""
        if Path(self.model).is_dir():
            return None
        return Path(_folder(self)).name  # the hub's cache keeps a commit's files in a folder of its name

    def _store(self, commit: str | None) -> sqlite3.Connection:
        """The cached translations of this model, by its commit or its files' stamps, with these settings."""
        path = ":memory:"
        if self.cache is not None:
            folder = Path(self.cache).expanduser() / "translations"
            home = Path(self.model)
            files = sorted(path for path in home.rglob("*") if path.is_file()) if home.is_dir() else []
            settings = (FORMAT, self.model, commit, self.source, self.target, self.beams, self.max_length)
            path = str(folder / f"{fingerprint([repr(settings), *map(file_stamp, files)])}.sqlite")
        try:
            if self.cache is not None:
                self._keep(Path(path))
            store = sqlite3.connect(path, timeout=60)
            store.execute("CREATE TABLE IF NOT EXISTS translations (text TEXT PRIMARY KEY, translation TEXT)")
        except (OSError, sqlite3.Error) as error:
            raise DataError(f"cannot keep translations ({error})", path=path, cure="set translation.cache") from error
        return store

    def _keep(self, store: Path) -> None:
        """Have a file of translations there, with its note, that nobody removes while this process lives."""
        of = f"{self.source or '?'} → {self.target or '?'}, {self.model}"
        store.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(TRIES):
            write_note(store, {"kind": "translations", "of": of})
            store.touch()
            # A prune may have removed the note, whose lock is the file's, or both.
            if hold(store) and note_of(store).exists():
                break

    def _run(self, texts: Sequence[str]) -> Iterator[dict[str, str]]:
        """Text → translation, `batch_size` texts at a time, the long ones last."""
        model = Model.load(self)
        divided = 0
        for first in range(0, len(texts), self.batch_size):
            parts = {text: chunks(text, model.limit, model.length) for text in texts[first : first + self.batch_size]}
            divided += sum(len(found) > 1 for found in parts.values())
            asked = [part for found in parts.values() for part in found]
            answers: list[str] = []
            for start in range(0, len(asked), self.batch_size):
                answers += model.translate(asked[start : start + self.batch_size])
            remaining = iter(answers)
            yield {text: " ".join(next(remaining) for _ in found) for text, found in parts.items()}
        if divided:
            log.info("%d of %d texts are longer than %d tokens: translated in parts", divided, len(texts), model.limit)
        if model.full:
            done = f"{model.full} of {model.done} translations are"
            log.warning(
                "%s as long as translation.max_length=%d lets them be, and may break off", done, self.max_length
            )


@dataclass
class Model:
    """A loaded model. `limit`: tokens of a text, those that the tokenizer adds among them; `most`: of a translation."""

    by: MachineTranslation
    tokenizer: PreTrainedTokenizerBase
    network: Any  # a PreTrainedModel that generates
    start: dict[str, int]
    limit: int
    most: int
    done: int = 0
    full: int = 0  # translations that are as long as can be

    @classmethod
    def load(cls, by: MachineTranslation) -> Model:
        """Read it; `ConfigError` if it cannot be read or lacks the language."""
        options = {} if by.source is None else {"src_lang": by.source}
        try:
            tokenizer = AutoTokenizer.from_pretrained(_folder(by), **options)
            with quietly():
                network = AutoModelForSeq2SeqLM.from_pretrained(_folder(by))
        except (OSError, ValueError, KeyError) as error:
            raise _unreadable(by.model, error) from error
        positions = getattr(network.config, "max_position_embeddings", None) or by.max_length + 1
        limit = min(by.max_length, positions, tokenizer.model_max_length)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        start = _start(tokenizer, by.model, by.target)
        return cls(by, tokenizer, network.to(device).eval(), start, limit, min(by.max_length, positions - 1))

    def length(self, text: str) -> int:
        """Tokens of a text, special ones too."""
        return len(self.tokenizer(text, verbose=False)["input_ids"])

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The translation of each text; none may be longer than `limit`."""
        batch = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.limit, return_tensors="pt"
        ).to(self.network.device)
        with torch.inference_mode():
            output = self.network.generate(  # [B, up to 1 + most]
                **batch, **self.start, num_beams=self.by.beams, do_sample=False, max_new_tokens=self.most
            )
        self.done += len(texts)
        if output.shape[1] > self.most:
            self.full += int((output[:, self.most] != self.tokenizer.pad_token_id).sum())
        return list(self.tokenizer.batch_decode(output, skip_special_tokens=True))


def _start(tokenizer: PreTrainedTokenizerBase, model: str, target: str | None) -> dict[str, int]:
    """The token that the translation opens with, for a model of many languages."""
    if target is None:
        return {}
    code = getattr(tokenizer, "lang_code_to_token", {}).get(target, target)
    token = tokenizer.convert_tokens_to_ids(code)
    if token in (None, tokenizer.unk_token_id):
        raise ConfigError(f"the model {model!r} has no language {target!r}; set translation.target")
    return {"forced_bos_token_id": int(str(token))}


def _folder(by: MachineTranslation) -> str:
    return located(by.model, what="translation model", revision=by.revision)


def _unreadable(model: str, error: Exception) -> ConfigError:
    cause = " ".join(str(error).split())[:200]
    return ConfigError(f"translation model {model!r} cannot be loaded ({cause})")
