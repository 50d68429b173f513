"""`TopicModel`: topics of documents, found through a multilingual encoder's vectors and so known of queries too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from clir_lightning.data.tokens.texts import Side
from clir_lightning.errors import ConfigError, DataError, at_least
from clir_lightning.topics.batches import Terms, TopicBatch
from clir_lightning.topics.network import InferenceNetwork, WordDecoder
from clir_lightning.topics.objective import alignment, divergence, log_likelihood, prior_variance

SIDES: tuple[Side, ...] = ("query", "document")


class TopicModel(pl.LightningModule):
    """ZeroShotTM (Bianchi et al., 2021) over ProdLDA (Srivastava and Sutton, 2017), with InfoCTM's alignment.

    A text's vector x goes through the inference network to μ and σ; θ = softmax(μ + σ·ε) are its topics in training,
    softmax(μ) elsewhere; the decoder of its language gives its words from θ. A query has θ by the same network, whether
    or not the model has a decoder for its words.

    Args:
        width: of a text's vector, H.
        topics: how many, K.
        words: of the documents' vocabulary, V.
        query_words: of the queries'; 0 for a model that reads no queries in training.
        hidden, dropout: of the inference network; the dropout is on θ too.
        alpha: of the Dirichlet prior, the lower the fewer topics a text has.
        aligned: weight of the alignment of terms in both languages.
        temperature: of that.
        learning_rate: of Adam.
    """

    def __init__(
        self,
        width: int,
        topics: int,
        words: int,
        query_words: int = 0,
        *,
        hidden: int = 100,
        dropout: float = 0.2,
        alpha: float = 1.0,
        aligned: float = 0.0,
        temperature: float = 0.2,
        learning_rate: float = 2e-3,
    ) -> None:
        super().__init__()
        at_least(topics, 2, "topics")
        if topics > words:
            raise ConfigError(f"topics is {topics}; allowed: 2 to {words}, the words of the vocabulary")
        above = {"network.alpha": alpha, "alignment.temperature": temperature, "learning_rate": learning_rate}
        for name, value in above.items():
            if not value > 0:
                raise ConfigError(f"{name} is {value}; allowed: numbers above 0")

        # What the losses need.
        self.topics = topics
        self.prior = prior_variance(topics, alpha)
        self.aligned = aligned
        self.temperature = temperature
        self.learning_rate = learning_rate

        # From a vector to topics, and from these to the words of either language.
        self.network = InferenceNetwork(width, topics, hidden=hidden, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.decoders = nn.ModuleDict({"document": WordDecoder(topics, words)})
        if query_words:
            self.decoders["query"] = WordDecoder(topics, query_words)

        # Each side's mean vector and typical length, which `standardise` sets: languages lie apart in an encoder.
        for side in SIDES:
            self.register_buffer(f"{side}_mean", torch.zeros(width))
            self.register_buffer(f"{side}_scale", torch.ones(()))

    def standardise(self, side: Side, vectors: Tensor, *, centre: bool = True) -> None:
        """Have a side's vectors centred, unless told not to, and scaled by those of its training texts, `[N, H]`."""
        mean = vectors.mean(dim=0) if centre else torch.zeros_like(vectors[0])
        self.get_buffer(f"{side}_mean").copy_(mean)
        self.get_buffer(f"{side}_scale").copy_((vectors - mean).square().mean().sqrt().clamp(min=1e-6))

    def _standard(self, vectors: Tensor, side: Side) -> Tensor:
        """The vectors `[N, H]` as the network takes them."""
        return (vectors - self.get_buffer(f"{side}_mean")) / self.get_buffer(f"{side}_scale")

    def forward(self, vectors: Tensor, side: Side) -> Tensor:
        """Topics θ `[N, K]` of texts with these vectors `[N, H]`, each row's sum 1: those of the posterior's mean."""
        theta: Tensor = self.network(self._standard(vectors, side))[0].softmax(dim=1)
        return theta

    def training_step(self, batch: TopicBatch, batch_idx: int) -> Tensor:
        """The loss of a step: of documents, of queries where the model reads them, and of linked terms."""
        # All texts through the network at once, so that one normalisation holds for both sides.
        sides = [side for side in SIDES if side in batch.vectors]
        vectors = [self._standard(batch.vectors[side], side) for side in sides]
        mean, log_variance = self.network(torch.cat(vectors))
        theta = self.dropout((mean + torch.randn_like(mean) * (log_variance / 2).exp()).softmax(dim=1))

        # Each side's evidence bound per text.
        bounds = divergence(mean, log_variance, self.prior)
        sizes = [len(each) for each in vectors]
        losses: dict[str, Tensor] = {}
        for side, topics, bound in zip(sides, torch.split(theta, sizes), torch.split(bounds, sizes), strict=True):
            likelihood = log_likelihood(batch.counts[side].float(), self.decoders[side](topics))
            losses[side] = (bound - likelihood).mean()
        if batch.terms is not None:
            losses["alignment"] = self.aligned * self.alignment_of(batch.terms)
        return self._told(losses)

    def _told(self, losses: dict[str, Tensor]) -> Tensor:
        """The sum of the losses, which are logged. Raises `DataError` for one that is not a number."""
        loss = torch.stack(list(losses.values())).sum()
        if not bool(loss.isfinite()):
            told = ", ".join(f"{name} {float(value.detach()):g}" for name, value in losses.items())
            cure = "lower learning_rate, or look at the encoder's vectors"
            raise DataError(f"the loss is not finite at step {self.global_step} ({told})", cure=cure)
        self.log("train/loss", loss.detach(), on_step=True, on_epoch=True, batch_size=1)
        return loss

    def alignment_of(self, terms: Terms) -> Tensor:
        """`alignment` of terms, each the mean of its words' columns of β.

        A constant in a column changes no probability, for topics sum to 1: each column is taken from its mean.
        """
        found = {}
        for side, words in terms.words.items():
            decoder: Any = self.decoders[side]
            found[side] = words.float() @ (decoder.words - decoder.words.mean(dim=0)).T
        return alignment(found["query"], found["document"], terms.linked, self.temperature)

    @torch.no_grad()
    def words(self, side: Side) -> Tensor:
        """Logits `[K, V]` of a side's words in a text of one topic alone, for each topic; in evaluation mode."""
        logits: Tensor = self.decoders[side](torch.eye(self.topics, device=self.device))
        return logits

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam with a quick first moment, as ProdLDA's: with another, topics collapse into one early."""
        weights: Iterable[nn.Parameter] = self.parameters()
        return torch.optim.Adam(weights, lr=self.learning_rate, betas=(0.99, 0.999))
