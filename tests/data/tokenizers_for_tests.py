"""Small tokenizers of both families, trained on the spot; a large one from the folder that `CLIR_XLMR` names."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import tokenizers as tk
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from clir_lightning.data.sources.demo import build_demo
from clir_lightning.models.tiny import train_tokenizer

SHARED = Path(os.environ.get("CLIR_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


@cache
def texts() -> list[str]:
    demo = build_demo()
    return [d.text for d in demo.documents.values()] + [q.text for q in demo.split("train").queries.values()]


@cache
def bert_like() -> PreTrainedTokenizerBase:
    return train_tokenizer(texts(), 4000)


@cache
def xlmr_like() -> PreTrainedTokenizerBase:
    """A SentencePiece-style Unigram tokenizer that joins pairs as XLM-R does."""
    core = tk.Tokenizer(tk.models.Unigram())
    core.normalizer = tk.normalizers.Sequence([tk.normalizers.NFKC(), tk.normalizers.Replace(tk.Regex(" {2,}"), " ")])
    core.pre_tokenizer = tk.pre_tokenizers.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = tk.trainers.UnigramTrainer(
        vocab_size=3000, special_tokens=specials, unk_token="<unk>", show_progress=False
    )
    core.train_from_iterator(texts(), trainer)
    core.post_processor = tk.processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(token, core.token_to_id(token)) for token in ("<s>", "</s>")],
    )
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), specials, strict=True))
    fast: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerBase = fast(
        tokenizer_object=core,
        model_input_names=["input_ids", "attention_mask"],
        cls_token="<s>",
        sep_token="</s>",
        **names,
    )
    return made


@cache
def large() -> PreTrainedTokenizerBase | None:
    folder = os.environ.get("CLIR_XLMR", "")
    return AutoTokenizer.from_pretrained(folder) if Path(folder, "tokenizer.json").is_file() else None


@cache
def wordpiece() -> PreTrainedTokenizerBase:
    """BERT's own kind, which marks the middle of words; trained anew in each process, to pieces of its own order."""
    core = tk.Tokenizer(tk.models.WordPiece(unk_token="[UNK]"))
    core.normalizer = tk.normalizers.BertNormalizer(strip_accents=False)
    core.pre_tokenizer = tk.pre_tokenizers.BertPreTokenizer()
    names = {f"{kind}_token": f"[{kind.upper()}]" for kind in ("pad", "unk", "cls", "sep", "mask")}
    trainer = tk.trainers.WordPieceTrainer(vocab_size=3000, special_tokens=list(names.values()), show_progress=False)
    core.train_from_iterator(texts(), trainer)
    ends: Any = [(token, core.token_to_id(token)) for token in ("[SEP]", "[CLS]")]
    core.post_processor = tk.processors.BertProcessing(*ends)
    fast: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerBase = fast(tokenizer_object=core, **names)
    return made


@cache
def byte_level() -> PreTrainedTokenizerBase:
    """ModernBERT's kind, byte-level BPE, its special tokens behind all pieces."""
    core = tk.Tokenizer(tk.models.BPE())
    core.pre_tokenizer = tk.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tk.pre_tokenizers.ByteLevel.alphabet()
    trainer = tk.trainers.BpeTrainer(vocab_size=3000, initial_alphabet=alphabet, show_progress=False)
    core.train_from_iterator(texts(), trainer)
    names = {f"{kind}_token": f"[{kind.upper()}]" for kind in ("unk", "cls", "sep", "pad", "mask")}
    core.add_special_tokens(list(names.values()))
    core.post_processor = tk.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, core.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    fast: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerBase = fast(tokenizer_object=core, **names)
    return made
