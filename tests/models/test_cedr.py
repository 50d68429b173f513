"""Every architecture over both encoder families: a pair's score is its own, and the matrices are cosines."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from clir_lightning.errors import ConfigError
from clir_lightning.models.cedr import CEDR, token_similarity
from clir_lightning.models.chunks import cut_into_chunks
from clir_lightning.models.cross import CrossEncoder
from clir_lightning.models.encoder import Encoder
from clir_lightning.models.heads.drmm import DRMM
from clir_lightning.models.heads.knrm import KNRM
from clir_lightning.models.heads.maxsim import MaxSim
from clir_lightning.models.heads.pacrr import PACRR
from clir_lightning.models.heads.signals import Signals
from clir_lightning.models.heads.vanilla import Vanilla
from models.conftest import Batches

CHUNKED: dict[str, Callable[..., nn.Module]] = {
    "vanilla": Vanilla,
    "cedr_knrm": KNRM,
    "cedr_pacrr": partial(PACRR, query_length=8),
    "cedr_drmm": DRMM,
    "cedr_maxsim": MaxSim,
}
NAMES = ["cross", "cross/mean", "cross/parts", *CHUNKED]


def architecture(name: str, encoder: Encoder, **settings: Any) -> nn.Module:
    torch.manual_seed(2)
    if name in CHUNKED:
        return CEDR(encoder, CHUNKED[name], query_length=8, **{"chunk_length": 40, **settings})
    _, _, pooling = name.partition("/")
    return CrossEncoder(encoder, pooling=pooling or "cls")


def texts(name: str) -> list[tuple[str, ...]]:
    """Pairs that the architecture takes: without chunks, no long ones."""
    pairs: list[tuple[str, ...]] = [("short", "one"), ("long", "few"), ("short", "some")]
    return [*pairs, ("long", "many"), ("short", "many")] if name in CHUNKED else pairs


@pytest.mark.parametrize("name", NAMES)
def test_a_score_does_not_depend_on_the_batch(name: str, encoder: Encoder, batches: Batches) -> None:
    """Alone or among longer and shorter ones, the score is the same; and the scores differ."""
    model = architecture(name, encoder).eval()
    with torch.no_grad():
        together = model(batches(*texts(name)))
        alone = torch.cat([model(batches(pair)) for pair in texts(name)])
    assert together.shape == (len(texts(name)), 1)
    assert torch.allclose(together, alone, atol=1e-5, rtol=1e-5)
    assert len(set(together.flatten().tolist())) == len(texts(name))


@pytest.mark.parametrize("name", NAMES)
def test_extra_padding_changes_nothing(name: str, encoder: Encoder, batches: Batches) -> None:
    model = architecture(name, encoder).eval()
    batch = batches(*texts(name))
    ids = nn.functional.pad(batch.input_ids, (0, 9), value=encoder.pad_id)[
        :, : encoder.longest if name not in CHUNKED else 999
    ]
    extra = ids.shape[1] - batch.input_ids.shape[1]
    types = None if batch.token_type_ids is None else nn.functional.pad(batch.token_type_ids, (0, extra))
    padded = type(batch)(
        ids,
        nn.functional.pad(batch.attention_mask, (0, extra)),
        types,
        batch.grades,
        batch.samples,
        query_spans=batch.query_spans,
        document_spans=batch.document_spans,
    )
    assert extra > 0
    with torch.no_grad():
        assert torch.allclose(model(padded), model(batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_parts_of_a_batch_score_the_same(name: str, encoder: Encoder, batches: Batches) -> None:
    model = architecture(name, encoder).eval()
    batch = batches(*texts(name))
    with torch.no_grad():
        halves = torch.cat([model(part) for part in batch.parts(2 * batch.input_ids.shape[1])])
        assert torch.allclose(halves, model(batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_gets_a_gradient(name: str, encoder: Encoder, batches: Batches) -> None:
    model = architecture(name, encoder)
    model(batches(("long", "few", "some"), ("short", "some", "one"))).sum().backward()
    assert [
        n for n, weight in model.named_parameters() if weight.grad is None or not weight.grad.isfinite().all()
    ] == []


def test_similarities_are_the_cosines_of_each_chunks_states(encoder: Encoder, batches: Batches) -> None:
    """Token by token, the chunk of each document token looked up by hand."""
    encoder.eval()
    batch = batches(("long", "many"), ("short", "one"))
    chunks = cut_into_chunks(batch, length=40, query_length=8, pad_id=encoder.pad_id)
    seen: dict[int, Tensor] = {}
    with torch.no_grad():
        last = encoder.visit(chunks, seen.__setitem__)
        everything = encoder.model(
            input_ids=chunks.input_ids,
            attention_mask=chunks.attention_mask,
            **({} if chunks.token_type_ids is None else {"token_type_ids": chunks.token_type_ids}),
            output_hidden_states=True,
        )
    real = chunks.attention_mask.bool()  # padding has no states of its own
    assert torch.equal(last, seen[2])
    assert list(seen) == [0, 1, 2]
    for level, states in enumerate(everything.hidden_states):
        assert torch.allclose(seen[level][real], states[real], atol=1e-5)
    found = token_similarity(last, chunks)
    assert batch.query_spans is not None
    assert batch.document_spans is not None
    (q0, q1), (start, stop) = batch.query_spans[0].tolist(), batch.document_spans[0].tolist()
    rows, count = [r for r, p in enumerate(chunks.pair.tolist()) if p == 0], int(chunks.counts[0])
    assert count > 1
    token = 0
    for row in rows:
        extra = int(batch.attention_mask[0].sum()) - (stop - start)
        for column in range(start, start + int(chunks.attention_mask[row].sum()) - extra):
            for i in range(q1 - q0):
                cosine = torch.cosine_similarity(last[rows[0], q0 + i], last[row, column], dim=0)
                assert found[0, i, token].item() == pytest.approx(cosine.item(), abs=1e-5)
            token += 1
    assert token == stop - start
    assert found[1, :, 1:].abs().max() == 0 or int(chunks.document_mask[1].sum()) > 1
    assert found[0, q1 - q0 :].abs().sum() == 0


def test_the_head_reads_the_mean_first_state_of_each_pairs_chunks(encoder: Encoder, batches: Batches) -> None:
    """Chunk by chunk, the rows of each pair looked up by hand; in training with dropout on it."""
    seen: list[Signals] = []

    class Spy(nn.Module):
        uses_similarity = False

        def forward(self, signals: Signals) -> Tensor:
            seen.append(signals)
            return signals.cls.sum(dim=1)

    batch = batches(("long", "many", "one"), ("short", "some", "many"))
    model = CEDR(encoder, lambda **_: Spy(), query_length=8, chunk_length=40, dropout=0.5).eval()
    chunks = cut_into_chunks(batch, length=40, query_length=8, pad_id=encoder.pad_id)
    with torch.no_grad():
        scores = model(batch)
        first = encoder(chunks)[:, 0]
        expected = [
            torch.stack([first[row] for row, of in enumerate(chunks.pair.tolist()) if of == pair]).mean(dim=0)
            for pair in range(4)
        ]
        model.dropout.train()
        model(batch)
    assert chunks.counts.max() > 1
    assert torch.allclose(seen[0].cls, torch.stack(expected), atol=1e-5)
    assert torch.allclose(scores, seen[0].cls.sum(dim=1).view(2, 2))
    assert 0.2 < (seen[1].cls == 0).float().mean() < 0.8


def test_only_the_levels_asked_for_are_compared(encoder: Encoder, batches: Batches) -> None:
    model = architecture("cedr_knrm", encoder, levels=[2, 0])
    assert model.head.combine.in_features == 2 * 11 + 16  # type: ignore[union-attr]
    assert model(batches(("short", "one"))).shape == (1, 1)
    with pytest.raises(ConfigError, match=r"architecture.levels are \[0, 3\]; allowed: some of 0 to 2"):
        architecture("cedr_knrm", encoder, levels=[0, 3])


def test_lengths_that_cannot_work_are_rejected(encoder: Encoder) -> None:
    architecture("cedr_drmm", encoder).check_lengths(500, 8)  # type: ignore[operator]
    for name, settings, lengths, message in (
        ("cedr_drmm", {}, (500, None), r"query_length is None; .* set batches.query_length=8"),
        ("vanilla", {}, (500, 9), r"query_length is 9; this architecture reads 8 query tokens"),
        ("vanilla", {"chunk_length": 99}, (500, 8), r"architecture.chunk_length is 99; this encoder takes at most 64"),
        ("vanilla", {"chunk_length": 11}, (500, 8), r"chunk_length is 11; a query of 8 tokens .* needs 1[23] or more"),
        ("cross", {}, (65, None), r"batches.max_length is 65; this encoder takes at most 64"),
    ):
        with pytest.raises(ConfigError, match=message):
            architecture(name, encoder, **settings).check_lengths(*lengths)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["cross", "cedr_knrm"])
def test_gradient_checkpointing_gives_the_same_gradients(name: str, encoder: Encoder, batches: Batches) -> None:
    batch, gradients = batches(("long", "few", "some")), []
    for saving in (False, True):
        if saving:
            encoder.model.gradient_checkpointing_enable({"use_reentrant": False})
        model = architecture(name, encoder)
        for part in model.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
        model.zero_grad()
        model(batch).sum().backward()
        gradients.append(torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None]))
    assert torch.allclose(gradients[0], gradients[1], atol=1e-5)


@pytest.mark.parametrize("frozen", [None, 0, 1])
def test_frozen_layers_get_no_gradient_and_the_rest_does(
    frozen: int | None, encoder: Encoder, batches: Batches
) -> None:
    """0 fixes the embeddings, 1 the first layer too."""
    if frozen is not None:
        encoder.freeze(frozen)
    model = architecture("cedr_knrm", encoder)
    model(batches(("long", "few", "some"))).sum().backward()
    layers = [all(w.grad is not None for w in block.parameters()) for block in encoder.blocks]
    assert (encoder.model.embeddings.word_embeddings.weight.grad is None) == (frozen is not None)
    assert layers == [frozen != 1, True]
