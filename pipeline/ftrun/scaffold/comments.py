"""The comments of a drafted experiment file in the language of its data, as the files around it are."""

from __future__ import annotations

import re

from ftrun.language import localized_part

COMMENT = re.compile(r"(?m)(^ *|[^\n]* )# ([^\n]+)$")
DESCRIPTION = re.compile(r"(?m)^description: Drafted by `ftrun init` from (\d+) rows\.$")
COMMENTS = (
    "another one: --target openai",
    "this machine: no key, no cost",
    "to try every step: it trains nothing, at no cost",
    "costs money: you are asked first",
    "costs money: you are asked first; name your region, and a model that can be tuned there",
    "the engine on this machine can't train on preferences yet",
    "the engine on this machine can't train on rows for a grader yet",
    "the engine on this machine can't train on tools yet",
    "the engine on this machine can't train on images yet",
    "a longer silence begins a new conversation",
    "a conversation has no more turns than this",
    "new name: name in the file",
    "rows that share it are one conversation",
    "who speaks in the file",
    "what the rows are; docs/experiment-file.md shows what becomes of them",
    "only rows for which this is true are used",
    "relative to this file",
    "files of their own",
    "held back: to see overfitting, to test",
    "Jinja2; the columns are the variables",
    "the persona: edit it",
    "auto: chosen by the number of rows",
    "learns to prefer one answer to the other",
    "the model answers by itself, the grader judges",
    "or like: the answer contains the reference",
    "the same questions for every candidate, and a verdict: docs/evaluation.md",
    "is the first one better than the others?",
    "a few questions about other things: what was forgotten?",
    "the share of answers that are the reference",
    "the fields of the JSON objects that are right",
    "how much of the reference's characters an answer has, 0 to 100",
    "the mean F1 of the labels: rare ones count as much as frequent ones",
    "by the lengths of the answers in the data",
    "Questions from your data: held-out ones were not trained on, taught ones were. Add your own,",
    "and say what a right answer contains, e.g. expect: {contains: …}",
)
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
    return localized_part(comment, "ja") if comment in COMMENTS else comment
