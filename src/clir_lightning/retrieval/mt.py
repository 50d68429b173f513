"""Machine translation by any Hugging Face sequence-to-sequence model, batched, each text once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, PreTrainedTokenizerBase

from clir_lightning.data.collection import Collection
from clir_lightning.data.prepared import file_stamp, fingerprint
from clir_lightning.errors import ConfigError, DataError, one_of
from clir_lightning.retrieval.translation import SIDES, languages
from clir_lightning.types import Document, Query

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MachineTranslation:
    """Translation by a model of the NLLB, M2M-100 or Marian kind.

    Args:
        model: a hub name or a folder.
        source, target: the model's own names of the languages, `zho_Hans` and `kaz_Cyrl` for NLLB, `zh` and `kk` for
            M2M-100; `None` for a model of one pair.
        side: `queries` or `documents`; `source` is the language of that side.
        batch_size: texts at a time.
        beams: width of the beam search.
        max_length: tokens of a text and of its translation.
        cache: where translations are kept; `None` for nowhere.
    """

    model: str
    source: str | None = None
    target: str | None = None
    side: str = "queries"
    batch_size: int = 32
    beams: int = 4
    max_length: int = 256
    cache: str | None = None

    def __post_init__(self) -> None:
        one_of(self.side, SIDES, "translation.side")

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
        """The translation of each text; those translated before come from the cache."""
        with closing(self._store()) as store:
            known = dict(store.execute("SELECT text, translation FROM translations"))
            new = sorted({text for text in texts if text not in known}, key=lambda text: (len(text), text))
            if new:
                log.info("translating %d texts, %d are known", len(new), len(set(texts)) - len(new))
            for text, translation in self._run(new) if new else ():
                known[text] = translation
                with store:
                    store.execute("INSERT OR REPLACE INTO translations VALUES (?, ?)", (text, translation))
        return [known[text] for text in texts]

    def _store(self) -> sqlite3.Connection:
        """The cached translations of this model with these settings."""
        path = ":memory:"
        if self.cache is not None:
            folder = Path(self.cache).expanduser() / "translations"
            home = Path(self.model)
            files = sorted(path for path in home.iterdir() if path.is_file()) if home.is_dir() else []
            settings = (self.model, self.source, self.target, self.beams, self.max_length)
            path = str(folder / f"{fingerprint([repr(settings), *map(file_stamp, files)])}.sqlite")
        try:
            if self.cache is not None:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            store = sqlite3.connect(path, timeout=60)
            store.execute("CREATE TABLE IF NOT EXISTS translations (text TEXT PRIMARY KEY, translation TEXT)")
        except (OSError, sqlite3.Error) as error:
            raise DataError(f"cannot keep translations ({error})", path=path, cure="set translation.cache") from error
        return store

    def _start(self, tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
        """The token that the translation opens with, for a model of many languages."""
        if self.target is None:
            return {}
        code = getattr(tokenizer, "lang_code_to_token", {}).get(self.target, self.target)
        token = tokenizer.convert_tokens_to_ids(code)
        if token in (None, tokenizer.unk_token_id):
            raise ConfigError(f"the model {self.model!r} has no language {self.target!r}; set translation.target")
        return {"forced_bos_token_id": int(str(token))}

    def _run(self, texts: Sequence[str]) -> Iterable[tuple[str, str]]:
        """(text, translation), the long texts last."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        options = {} if self.source is None else {"src_lang": self.source}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.model, **options)
            model = AutoModelForSeq2SeqLM.from_pretrained(self.model).to(device).eval()
        except (OSError, ValueError, KeyError) as error:
            cause = " ".join(str(error).split())[:200]
            raise ConfigError(f"translation model {self.model!r} cannot be loaded ({cause})") from error
        start = self._start(tokenizer)
        for first in range(0, len(texts), self.batch_size):
            part = texts[first : first + self.batch_size]
            batch = tokenizer(
                list(part), padding=True, truncation=True, max_length=self.max_length, return_tensors="pt"
            ).to(device)
            with torch.inference_mode():
                output = model.generate(
                    **batch, **start, num_beams=self.beams, do_sample=False, max_new_tokens=self.max_length
                )
            yield from zip(part, tokenizer.batch_decode(output, skip_special_tokens=True), strict=True)
