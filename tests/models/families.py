"""Small random models of every family that encoders come from, each with a tokenizer of its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel

from data.tokenizers_for_tests import bert_like, xlmr_like

DEPTH, LONGEST = 3, 40
OFFSET = {"max_position_embeddings": LONGEST + 2}  # positions start at 2, behind the padding id 1
ONE_TYPE = {"type_vocab_size": 1}
RELATIVE = {
    "position_biased_input": False,
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_buckets": 16,
    "share_att_key": True,
    "norm_rel_ebd": "layer_norm",
    "type_vocab_size": 0,
}
LANGUAGES = {"languages": ["zh_CN", "kk_KZ"], "default_language": "kk_KZ"}
# ModernBERT's own ids of special tokens lie beyond a small vocabulary.
SPECIALS = {"cls_token_id": 0, "sep_token_id": 2, "bos_token_id": 0, "eos_token_id": 2}

FAMILIES: dict[str, dict[str, Any]] = {
    "bert": {},
    "distilbert": {},
    "electra": {"embedding_size": 8},
    "xlm-roberta": {**OFFSET, **ONE_TYPE},
    "camembert": {**OFFSET, **ONE_TYPE},
    "xlm-roberta-xl": {**OFFSET, **ONE_TYPE},
    "xmod": {**OFFSET, **ONE_TYPE, **LANGUAGES},
    "mpnet": OFFSET,
    "longformer": {**OFFSET, **ONE_TYPE, "attention_window": 8},
    "deberta-v2": RELATIVE,
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8, **SPECIALS},
}
WITH_TABLE = [name for name in FAMILIES if name not in ("deberta-v2", "modernbert")]
EAGER_ONLY = ("mpnet", "longformer", "deberta-v2")  # no other attention
LIKE_BERT = ("bert", "distilbert", "electra")  # padding id 0


def write(family: str, folder: Path, **settings: Any) -> Path:
    """A random model of `family`, 3 layers, 16 wide, for rows of 40 tokens, and its tokenizer."""
    tokenizer = bert_like() if family in (*LIKE_BERT, "albert") else xlmr_like()
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": LONGEST,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.5,  # so that states of different tokens differ clearly
    }
    torch.manual_seed(3)
    config = AutoConfig.for_model(family, **{**sizes, **FAMILIES.get(family, {}), **settings})
    auto: Any = AutoModel
    auto.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
