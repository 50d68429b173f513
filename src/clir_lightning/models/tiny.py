"""`encoder=tiny`: a small BERT from scratch, with a sub-word tokenizer of its own, for runs of minutes without a hub.

From random weights a 2-layer cross-encoder needs far more pairs than a small collection has before it aligns the words
of two languages (docs/lab-notes.md). Two starting points, both computed from the training split alone, take it there:
token vectors from the co-occurrence of query and document tokens in positive training pairs (PPMI and a truncated SVD,
Levy and Goldberg, 2014), and attention that starts by looking for like vectors (mimetic initialisation, Trockman and
Kolter, 2023, here query and key weights of 0.7·I plus noise).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from clir_lightning.data.collection import Collection, Split
from clir_lightning.errors import ConfigError
from clir_lightning.models.loading import EncoderSettings, quietly
from clir_lightning.settings.markers import Count, Dropout

SPECIALS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A BPE tokenizer with BERT's splitting (a Chinese character is a word, so is a punctuation mark), from `texts`.

    BPE marks the start of a word by a character of its own. WordPiece, which marks the middle of words, would train to
    another vocabulary in each process: its trainer numbers the marked pieces in the order of a hash table.
    """
    # BERT's splitting, and pairs of pieces that are joined the more often they occur.
    core = Tokenizer(models.BPE(unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer(strip_accents=False)
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Metaspace()])
    core.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(SPECIALS.values()), show_progress=False)
    core.train_from_iterator(texts, trainer)

    # A query and a document as BERT has them, which type 0 and 1 tell apart.
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, core.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    fast: Any = PreTrainedTokenizerFast
    tokenizer: PreTrainedTokenizerFast = fast(
        tokenizer_object=core, model_input_names=["input_ids", "token_type_ids", "attention_mask"], **SPECIALS
    )
    return tokenizer


def cooccurrence_vectors(contexts: list[list[int]], vocabulary: int, width: int) -> NDArray[np.float64]:
    """Unit vectors `[vocabulary, width]` of tokens that share contexts; zero rows for tokens in none.

    Positive pointwise mutual information of tokens within the same context, factored by a truncated SVD.
    """
    # How often two tokens share a context, `[vocabulary, vocabulary]`, the diagonal how often each occurs.
    rows = np.repeat(np.arange(len(contexts)), [len(set(context)) for context in contexts])
    columns = np.concatenate([sorted(set(context)) for context in contexts])
    seen = sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(contexts), vocabulary))
    together = (seen.T @ seen).tocoo()

    # log of p(x, y) / p(x) p(y), where it is above 0.
    counts = np.asarray(seen.sum(axis=0)).ravel()
    pmi = np.log(together.data * len(contexts) / (counts[together.row] * counts[together.col]))
    positive = pmi > 0
    ppmi = sp.csr_matrix(
        (pmi[positive], (together.row[positive], together.col[positive])), shape=(vocabulary, vocabulary)
    )

    # Its leading singular vectors, by the root of their weight; columns that the rank does not reach stay 0.
    rank = min(width, vocabulary - 2)
    left, singular, _ = scipy.sparse.linalg.svds(ppmi, k=rank, v0=np.ones(vocabulary))
    vectors = np.zeros((vocabulary, width))
    vectors[:, :rank] = left * np.sqrt(singular)
    norms: NDArray[np.float64] = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    return vectors / norms


def _positive_pairs(split: Split, collection: Collection) -> list[str]:
    pairs = []
    for query_id, query in split.queries.items():
        grades = split.qrels[query_id]
        best = max(grades.values(), default=0)
        pairs += [
            f"{query.text} {collection.documents[document].text}"
            for document, grade in grades.items()
            if grade == best > 0
        ]
    return pairs


@dataclass(frozen=True, kw_only=True)
class TinyEncoder(EncoderSettings):
    """Makes a small BERT for a collection; `prepare` writes it as a Hugging Face folder.

    Args:
        vocabulary: most pieces of the tokenizer.
        layers, width, heads, dropout: of the BERT; the feed-forward layers are four times as wide.
        cooccurrence: start the token vectors from co-occurrence; otherwise at random.
        attention_start: factor on the identity at which query and key weights start; `None` for random weights.
    """

    vocabulary: Count = 4000
    layers: Count = 2
    width: Count = 128
    heads: Count = 4
    dropout: Dropout = 0.0
    cooccurrence: bool = True
    attention_start: float | None = 0.7

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"encoder.heads is {self.heads}; allowed: a divisor of encoder.width, {self.width}")

    def prepare(
        self,
        collection: Collection,
        train: str,
        folder: Path,
        seed: int,
        *,
        prefixes: Sequence[str] = (),
        cache: str | None = None,
    ) -> str:
        """Train tokenizer and starting weights on the `train` split; returns `folder`, which then holds them."""
        # The tokenizer sees the training queries and all documents.
        split = collection.split(train)
        texts = [query.text for query in split.queries.values()]
        texts += [document.text for document in collection.documents.values()]
        tokenizer = train_tokenizer(texts, self.vocabulary)

        # Random weights by the seed alone, and what stands in their place.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = self._model(len(tokenizer))
            if self.cooccurrence:
                contexts = tokenizer(_positive_pairs(split, collection), add_special_tokens=False)["input_ids"]
                vectors = torch.from_numpy(cooccurrence_vectors(contexts, len(tokenizer), self.width)).float()
                known = vectors.norm(dim=1) > 0.5
                model.embeddings.word_embeddings.weight.data[known] = vectors[known]
            if self.attention_start is not None:
                self._look_for_like_vectors(model, self.attention_start)

        # A folder as transformers writes one.
        tokenizer.save_pretrained(folder)
        with quietly():
            model.save_pretrained(folder)
        return str(folder)

    def _model(self, vocabulary: int) -> BertModel:
        config = BertConfig(
            vocab_size=vocabulary,
            hidden_size=self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.width,
            max_position_embeddings=512,
            hidden_dropout_prob=self.dropout,
            attention_probs_dropout_prob=self.dropout,
        )
        return BertModel(config, add_pooling_layer=False)

    @torch.no_grad()
    def _look_for_like_vectors(self, model: BertModel, factor: float) -> None:
        layers: Any = model.encoder.layer
        for layer in layers:
            attention = layer.attention.self
            start = factor * torch.eye(self.width) + 0.02 * torch.randn(self.width, self.width)
            attention.query.weight.copy_(start)
            attention.key.weight.copy_(start)
