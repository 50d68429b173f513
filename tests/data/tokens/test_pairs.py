"""Assembled pairs equal the Hugging Face tokenizer's own, id for id."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from clir_lightning.data.sources.clirmatrix import read_clirmatrix
from clir_lightning.data.tokens.pairs import PairAssembler, PairTemplate
from clir_lightning.data.tokens.table import as_rows, tokenise
from clir_lightning.errors import ConfigError
from clir_lightning.types import Document, Query
from data.tokenizers_for_tests import SHARED, bert_like, large, xlmr_like


def assembler(
    queries: dict[str, str], documents: dict[str, str], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> PairAssembler:
    return PairAssembler(
        tokenise({i: Query(i, text, "zh") for i, text in queries.items()}, tokenizer, name="queries"),
        tokenise({i: Document(i, text, "kk") for i, text in documents.items()}, tokenizer, name="documents"),
        PairTemplate.of(tokenizer),
        tokenizer.pad_token_id,
        max_length,
    )


@pytest.mark.parametrize("make", [bert_like, xlmr_like, large])
@pytest.mark.parametrize("max_length", [128, pytest.param(512, marks=pytest.mark.slow)])
def test_equals_hugging_face_on_2000_real_pairs(
    make: Callable[[], PreTrainedTokenizerBase | None], max_length: int
) -> None:
    if not SHARED.is_dir():
        pytest.skip("no real collection here: set CLIR_SHARED_DATA to the folder with sib-zh-kk")
    if (tokenizer := make()) is None:
        pytest.skip("no large tokenizer here: set CLIR_XLMR to the folder of an XLM-R-like encoder")
    collection = read_clirmatrix(str(SHARED / "sib-zh-kk"))
    split = collection.split("train")
    queries = {i: query.text for i, query in split.queries.items()}
    documents = {i: document.text for i, document in collection.documents.items()}
    room = {q for q, text in queries.items() if len(tokenizer(text, "a")["input_ids"]) <= max_length}
    everything = [(q, d) for q, grades in split.qrels.items() if q in room for d in grades]
    pairs = random.Random(1).sample(everything, 2000)
    ours = assembler(queries, documents, tokenizer, max_length)
    rows = as_rows(ours.queries.index, [q for q, _ in pairs]), as_rows(ours.documents.index, [d for _, d in pairs])
    theirs = tokenizer(
        [queries[q] for q, _ in pairs],
        [documents[d] for _, d in pairs],
        truncation="only_second",
        max_length=max_length,
        padding="longest",
        return_tensors="np",
    )
    joined = ours.join(*rows)
    np.testing.assert_array_equal(joined.input_ids, theirs["input_ids"])
    np.testing.assert_array_equal(joined.mask, theirs["attention_mask"])
    np.testing.assert_array_equal(joined.lengths, theirs["attention_mask"].sum(axis=1))
    np.testing.assert_array_equal(ours.lengths(*rows), joined.lengths)
    if "token_type_ids" in theirs:
        np.testing.assert_array_equal(joined.segments, theirs["token_type_ids"])
    else:
        assert joined.segments is None
    whole = tokenizer([queries[q] for q, _ in pairs], [documents[d] for _, d in pairs])["input_ids"]
    assert ours.is_cut(*rows).tolist() == [len(ids) > max_length for ids in whole]


def test_template_of_both_families() -> None:
    bert = PairTemplate.of(bert_like())
    assert (len(bert.before), len(bert.between), len(bert.after), bert.segments) == (1, 1, 1, (0, 0, 0, 1, 1))
    xlmr = PairTemplate.of(xlmr_like())
    assert (len(xlmr.before), len(xlmr.between), len(xlmr.after), xlmr.segments) == (1, 2, 1, None)


def test_a_query_that_leaves_no_room_names_the_length_that_would() -> None:
    ours = assembler({"q": "法语 " * 30}, {"d": "Француз тілі"}, bert_like(), 16)
    length = ours.queries.length("q")
    with pytest.raises(ConfigError, match=f"raise max_length to {length + 4} or more"):
        ours.join(np.array([0]), np.array([0]))


@pytest.mark.parametrize("tokenizer", [bert_like(), xlmr_like()], ids=["bert", "xlmr"])
def test_spans_hold_query_and_document_and_each_can_be_cut_first(tokenizer: PreTrainedTokenizerBase) -> None:
    queries, documents = {"q": Query("q", "哈萨克语 阿拉木图", "zh")}, {"d": Document("d", "қазақ тілі — тіл", "kk")}
    tables = tokenise(queries, tokenizer, name="queries"), tokenise(documents, tokenizer, name="documents")
    row = np.zeros(1, np.int64)
    for query_length, document_length in ((None, None), (2, None), (None, 3), (2, 3)):
        joined = PairAssembler(
            *tables, PairTemplate.of(tokenizer), tokenizer.pad_token_id, 64, query_length, document_length
        ).join(row, row)
        for spans, table, name, length in (
            (joined.query_spans, tables[0], "q", query_length),
            (joined.document_spans, tables[1], "d", document_length),
        ):
            start, stop = spans[0]
            assert joined.input_ids[0, start:stop].tolist() == table[name][:length].tolist()
