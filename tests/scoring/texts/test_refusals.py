"""Which answers refuse, in English and Japanese."""

from __future__ import annotations

import time

import pytest

from ftrun.scoring.texts.refusals import refusal_in

REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m sorry, I can’t assist with that request.",
    "Sorry, but I can't provide that information.",
    "I cannot help you with this.",
    "I can't assist with that.",
    "I am unable to provide medical advice.",
    "I'm unable to help with that.",
    "I'm not able to share that.",
    "As an AI language model, I do not have feelings.",
    "As an AI, I can't give legal advice.",
    "I apologize, but I cannot fulfill this request.",
    "I must decline to answer that.",
    "I won't help with that.",
    "I will not provide instructions for that.",
    "Unfortunately, I can't help with that.",
    "I do not feel comfortable answering that.",
    "I'm afraid I can't do that.",
    "I can't discuss that topic.",
    "I'm sorry, but I don't have access to that information.",
    "I don't have access to real-time data.",
    "I'm sorry, I have no access to information about orders.",
    "申し訳ありませんが、そのご質問にはお答えできません。",
    "申し訳ございませんが、その情報は提供できません。",
    "申し訳ありませんが、お手伝いできません。",
    "すみませんが、その質問には答えられません。",
    "すみません、それには対応できません。",
    "恐れ入りますが、その件についてはお答えしかねます。",
    "お答えできません。",
    "その質問にはお答えできません。",
    "その質問にはお答えすることができません。",
    "AIとして、個人的な意見はお答えできません。",
    "私はAIアシスタントなので、感情はありません。",
    "言語モデルとして、医療に関する助言はできません。",
    "ご質問にお答えすることはできかねます。",
    "そのようなリクエストにはお応えできません。",
    "申し訳ありませんが、そのようなご要望にはお応えできません。",
    "ごめんなさい、それはお手伝いできません。",
    "申し訳ありません。その内容については回答を控えさせていただきます。",
    "回答できません。",
]
ANSWERS = [
    "I can't wait to help you!",
    "Sorry to hear that. Try restarting the router.",
    "I'm sorry for the delay; your order ships today.",
    "Unfortunately, the shop is closed on Mondays.",
    "You can't use two coupons at once.",
    "I cannot recommend this book enough.",
    "申し訳ありませんが、日曜日は定休日です。",
    "すみません、在庫がありません。",
    "恐れ入りますが、もう一度お試しください。",
    "AIとは、人工知能のことです。",
    "ペットの同伴はできません。",
    "申し訳ございませんが、クレジットカードはご利用いただけません。",
    "返品はお受けできません。",
    "それはできません、と彼は言った。",
    "お手伝いしましょうか？",
    "ご予約はお電話では承っておりません。",
    "残念ながら、満席です。",
    "私はAIです。何でも聞いてください。",
    "Windowsで十分です。",
    "お答えします。",
    "As an AI researcher, she worked at a lab.",
    "I don't have a dog.",
    "I won't be long.",
    "I will not forget you, she said.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals_are_found_by_how_they_begin(text: str) -> None:
    """Apologies, inability, an AI that speaks of itself; the words are quoted."""
    found = refusal_in(text)
    assert found and text.lstrip().startswith(found)
    assert refusal_in(f"  {text} Is there anything else?")


@pytest.mark.parametrize("text", ANSWERS)
def test_answers_about_what_is_not_possible_are_answers(text: str) -> None:
    """A shop that is closed, a card that isn't taken, an apology for a delay."""
    assert refusal_in(text) is None


def test_a_refusal_within_an_answer_is_quoted_speech() -> None:
    """Only the beginning counts."""
    assert refusal_in("He said: I'm sorry, but I can't help with that.") is None


def test_long_texts_take_no_time() -> None:
    """No pattern backtracks over a long answer."""
    began = time.process_time()
    for text in ("I'm " + "sorry " * 50_000, "申し訳ありませんが" + "あ" * 300_000, "…" * 300_000):
        refusal_in(text)
    assert time.process_time() - began < 1
