"""The comments of a drafted experiment file in the language of its data, as the files around it are."""

from __future__ import annotations

import re

COMMENT = re.compile(r"(?m)(^ *|[^\n]* )# ([^\n]+)$")
DESCRIPTION = re.compile(r"(?m)^description: Drafted by `ftrun init` from (\d+) rows\.$")
JAPANESE = {
    "another one: --target openai": "別のターゲットを使うには: --target openai",
    "this machine: no key, no cost": "このマシンで動きます。API キーも費用も不要です",
    "to try every step: it trains nothing, at no cost": "全工程の練習用です。何も学習せず、無料です",
    "costs money: you are asked first": "有料です。実行前に確認します",
    "relative to this file": "このファイルからの相対パス",
    "files of their own": "専用のファイル",
    "held back: to see overfitting, to test": "過学習の確認用とテスト用に取り分けます",
    "Jinja2; the columns are the variables": "Jinja2 です。列名を変数として使えます",
    "the persona: edit it": "人物像。書き換えてください",
    "auto: chosen by the number of rows": "auto: 行数から決めます",
    "learns to prefer one answer to the other": "二つの回答のうち好ましい方を学びます",
    "the same questions for every candidate, and a verdict: docs/evaluation.md": (
        "すべての候補に同じ質問をして判定します: docs/evaluation.md"
    ),
    "is the first one better than the others?": "先頭の候補がほかより良いかを調べます",
    "a few questions about other things: what was forgotten?": "忘れたことがないか、一般的な質問もします",
    "how much of the reference's characters an answer has, 0 to 100": "参照との文字の一致度（0〜100）",
    "the mean F1 of the labels: rare ones count as much as frequent ones": (
        "ラベルごとの F1 の平均。少ないラベルも同じ重みです"
    ),
    "by the lengths of the answers in the data": "データにある回答の長さから決めました",
    "Questions from your data: held-out ones were not trained on, taught ones were. Add your own,": (
        "データから選んだ質問です。held-out は学習に使わず、taught は学習に使います。自分の質問も足し、"
    ),
    "and say what a right answer contains, e.g. expect: {contains: …}": (
        "正しい回答が含むべきことを書いてください。例: expect: {contains: …}"
    ),
}
JAPANESE_PATTERNS = {
    re.compile(r"the ([\d,]+) rows held back for it, against their answers in the data"): (
        r"取り分けた \1 行の質問を、データの回答と比べます"
    ),
    re.compile(r"of the ([\d,]+) rows held back for it, against their answers in the data"): (
        r"取り分けた \1 行から選んだ質問を、データの回答と比べます"
    ),
    re.compile(r"knows \w+; read its terms, then: (ftrun models --accept \S+)"): (
        r"日本語がわかるモデルです。利用規約を読んでから: \1"
    ),
}


def in_japanese(draft: str) -> str:
    """Return a draft with its comments in Japanese; those without a translation stay in English."""
    shown = COMMENT.sub(lambda found: f"{found[1]}# {_japanese(found[2])}", draft)
    return DESCRIPTION.sub(r"description: \1 行のデータから `ftrun init` が作った下書きです。", shown)


def _japanese(comment: str) -> str:
    for pattern, translation in JAPANESE_PATTERNS.items():
        if pattern.fullmatch(comment):
            return pattern.sub(translation, comment)
    return JAPANESE.get(comment, comment)
