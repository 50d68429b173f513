"""Names as they are compared: spellings of one name become equal, different names stay different."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from clir_lightning.errors import ConfigError
from clir_lightning.knowledge import normal as module
from clir_lightning.knowledge.normal import normal


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("臺灣", "台湾", "zh"),
        ("後漢書", "后汉书", "zh"),
        ("莱昂纳多・迪卡普里奥", "莱昂纳多•迪卡普里奥", "zh"),
        ("２０２４年", "2024年", "zh"),
        ("阿拉木图 市", "阿拉木图市", "zh"),
        ("\ufeff哈萨克\u200b语", "哈萨克语", "zh"),
        ("Й", "и\u0306", "kk"),
        ("ӘЛ-ФАРАБИ", "әл‑Фараби", "kk"),
        ("«Қазақстан»", "“қазақстан”", "kk"),
        ("IĞDIR", "ığdır", "tr"),
        ("İSTANBUL", "istanbul", "az"),
        ("Straße", "STRASSE", "de"),
        ("ΣΊΣΥΦΟΣ", "Σίσυφος", "el"),
    ],
)
def test_spellings_of_one_name_are_equal(one: str, other: str, language: str) -> None:
    assert normal(one, language) == normal(other, language) != ""


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("sık", "sik", "tr"),  # often and a vulgar word
        ("SIK", "SİK", "tr"),
        ("қаз", "каз", "kk"),
        ("乾隆", "干隆", "zh"),
        ("й", "и", "kk"),
        ("人人", "人 x 人", "zh"),
    ],
)
def test_different_names_stay_different(one: str, other: str, language: str) -> None:
    assert normal(one, language) != normal(other, language)


@pytest.mark.parametrize("language", ["zh", "kk", "tr", "en", "zh-hant"])
@pytest.mark.parametrize(
    "text",
    ["", "  ", "《？！》", "👨‍👩‍👧 family", "İIıi", "ﬁn de ﬁl", "e\u0301\u0323", "①½㌔", "`a`", "Straße", "ŉ ǰ ΐ"],
)
def test_the_normal_form_is_its_own_normal_form(text: str, language: str) -> None:
    once = normal(text, language)
    assert normal(once, language) == once
    assert unicodedata.is_normalized("NFKC", once)
    assert once == once.strip()


def test_chinese_alone_needs_opencc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    module._simplified.cache_clear()
    try:
        assert normal("Қазақ", "kk") == "қазақ"
        with pytest.raises(ConfigError, match=r"clir-lightning\[graph\]"):
            normal("哈薩克", "zh")
    finally:
        module._simplified.cache_clear()
