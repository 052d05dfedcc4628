"""Facts of an evaluation of any size: a help desk's questions, in English and Japanese."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ftrun.evaluation.verdict.deciding import verdict
from ftrun.report.facts import Facts

SYSTEM = "You answer customers of a small online shop. Be brief and friendly, and name the next step."
CANDIDATES = ("tuned", "base", "few-shot", "retrieval", "mini", "old")
QUALITY = {"tuned": 0.83, "base": 0.66, "few-shot": 0.74, "retrieval": 0.78, "mini": 0.8, "old": 0.7}
TOPICS = {
    "delivery": (
        "When does my order {n} arrive? It was sent {d} days ago.",
        "Order {n} is on its way and arrives within {d} days. You can follow it with the link in our e-mail.",
    ),
    "billing": (
        "I was sent the invoice twice for order {n}. Do I have to pay {d} euros again?",
        "No, you don't have to pay twice. We have cancelled the second invoice for order {n}; "
        "you get a confirmation today.",
    ),
    "returns": (
        "商品{n}を返品したいのですが、{d}日過ぎても大丈夫ですか？",
        "はい、{d}日以内でしたら返品できます。マイページの「注文履歴」から商品{n}を選び、返品ボタンを押してください。",
    ),
    "account": (
        "I can't log in any more since {d} days ago. My customer number is {n}.",
        "Please use “Forgot your password?” on the log-in page. If nothing arrives within {d} minutes, "
        "write to us with your customer number {n}.",
    ),
}
WORSE = {
    "delivery": "I'm sorry, I have no access to information about orders. Please contact customer support.",
    "billing": "As an AI model I can't say anything about invoices. Have you looked in your spam folder?",
    "returns": "返品については、販売店の規約をご確認ください。一般的には、商品によって異なります。",
    "account": "Logging in can fail for many reasons: a wrong password, a full cache, or an old browser.",
}


def cases_of(
    count: int, candidates: Sequence[str], quality: Mapping[str, float] = QUALITY, seed: int = 7
) -> list[dict[str, Any]]:
    """Return the answers of all candidates to so many questions, as JSON values."""
    rng = random.Random(seed)
    answers = []
    for index in range(count):
        topic = list(TOPICS)[index % len(TOPICS)]
        question, reference = (text.format(n=10_000 + 37 * index, d=index % 9 + 2) for text in TOPICS[topic])
        hard = rng.random() * 0.3
        for name in candidates:
            good = rng.random() + hard / 3 < quality[name]
            said = _varied(reference, rng) if good else WORSE[topic]
            answers.append(
                {
                    "prompt_id": f"test:{index:06x}",
                    "candidate": name,
                    "model": "ft:smollm2:shop" if name == "tuned" else "smollm2-135m-instruct",
                    "messages": [
                        {"role": "system", "content": SYSTEM},
                        {"role": "user", "content": question},
                    ],
                    "answer": said,
                    "expect": None,
                    "reference": reference,
                    "passed": good,
                    "failures": [] if good else ["does not name the next step"],
                    "scores": {
                        "expect": {"value": float(good), "explanation": ""},
                        "chrf": {
                            "value": round(rng.uniform(55, 95) if good else rng.uniform(10, 30), 2),
                            "explanation": "",
                        },
                    },
                    "usage": {"prompt_tokens": 60, "completion_tokens": 40},
                    "seconds": round(rng.uniform(0.6, 2.4), 2),
                    "cache_key": f"{index} {name}",
                    "set": "test" if index % 5 else "prompts",
                    "tags": [topic],
                }
            )
    return answers


def _varied(text: str, rng: random.Random) -> str:
    words = text.split(" ")
    if len(words) < 4:
        return text.replace("ください", "頂ければ幸いです") if rng.random() < 0.4 else text
    place = rng.randrange(len(words))
    return " ".join([*words[:place], *(["kindly"] if rng.random() < 0.5 else []), *words[place + 1 :]])


def estimate(value: float, n: int, half: float | None = None) -> dict[str, Any]:
    """Return an estimate with a symmetric interval (none if `half` is None)."""
    ends = {"low": None, "high": None} if half is None else {"low": value - half, "high": value + half}
    return {"value": value, "n": n, **ends}


def scores_of(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return plausible scores of such answers."""
    names = list(dict.fromkeys(one["candidate"] for one in answers))
    passed = {(one["prompt_id"], one["candidate"]): one["passed"] for one in answers}
    ids = list(dict.fromkeys(one["prompt_id"] for one in answers))
    candidates, comparisons = {}, []
    for name in names:
        own = [one for one in answers if one["candidate"] == name]
        n, rate = len(own), sum(one["passed"] for one in own) / len(own)
        chrf = sum(one["scores"]["chrf"]["value"] for one in own) / n
        wide = 1.96 * (rate * (1 - rate) / n) ** 0.5 if n >= 20 else None
        parts = {}
        for part in (*TOPICS, "prompts", "test"):
            some = [one for one in own if part in (*one["tags"], one["set"])]
            if some:
                share = sum(one["passed"] for one in some) / len(some)
                half = 1.96 * (share * (1 - share) / len(some)) ** 0.5 if len(some) >= 20 else None
                parts[part] = {"pass_rate": estimate(share, len(some), half)}
        candidates[name] = {
            "model": own[0]["model"],
            "answered": n,
            "metrics": {
                "chrf": estimate(chrf, n, 1.2 if n >= 20 else None),
                "length": estimate(112.0, n, 4.0 if n >= 20 else None),
                "refusals": estimate(0.0 if name == "tuned" else 0.08, n, 0.0 if n >= 20 else None),
                "pass_rate": estimate(rate, n, wide),
                "seconds": estimate(1.4, n, 0.1 if n >= 20 else None),
                "cost_usd": estimate(0.0, n),
            },
            "parts": parts,
        }
    for other in names[1:]:
        fixed = [one for one in ids if passed[one, names[0]] and not passed[one, other]]
        broken = [one for one in ids if not passed[one, names[0]] and passed[one, other]]
        difference = (len(fixed) - len(broken)) / len(ids)
        half = 1.96 * (len(fixed) + len(broken)) ** 0.5 / len(ids)
        known = len(ids) >= 10
        comparisons.append(
            {
                "a": names[0],
                "b": other,
                "metric": "pass_rate",
                "difference": difference,
                "low": difference - half if known else None,
                "high": difference + half if known else None,
                "p": (0.0004 if abs(difference) > half else 0.21) if known else None,
                "n": len(ids),
                "detectable": 1.4 * half if known else None,
                "flips": {
                    "fixed": fixed,
                    "broken": broken,
                    "same": len(ids) - len(fixed) - len(broken),
                },
            }
        )
    return {
        "experiment": "shop",
        "target": "local",
        "candidates": candidates,
        "comparisons": comparisons,
        "metric": "pass_rate",
        "scales": {
            "pass_rate": "share",
            "chrf": "points",
            "length": "number",
            "refusals": "share",
            "seconds": "seconds",
            "cost_usd": "usd",
        },
        "gates": [
            {"gate": "tuned.pass_rate > base.pass_rate @95%", "passed": True, "value": 0.163},
            {"gate": "tuned.refusals <= 0.02", "passed": True, "value": -0.02},
        ],
        "warnings": ["2 answers of base end in a loop."],
        "confusion": {
            "tuned": {
                "labels": ["delivery", "billing", "returns", "account"],
                "counts": [[112, 3, 0, 9, 1], [6, 98, 2, 4, 0], [0, 0, 121, 1, 3], [14, 7, 0, 88, 6]],
            },
            "base": {
                "labels": ["delivery", "billing", "returns", "account"],
                "counts": [[80, 20, 5, 9, 11], [26, 58, 2, 14, 10], [0, 9, 101, 1, 14], [34, 7, 10, 44, 20]],
            },
        },
    }


def facts_of_many(
    cases: int, candidates: int = 4, language: str = "en", quality: Mapping[str, float] | None = None
) -> Facts:
    """Return the facts of a report with so many cases; `quality`: how often each candidate is right."""
    from report.conftest import document

    answers = cases_of(cases, CANDIDATES[:candidates], {**QUALITY, **(quality or {})})
    facts = Facts.from_json(
        {
            **document(),
            "experiment": {
                "name": "shop",
                "description": "Answers to customers of a small online shop.",
                "file": "configs/shop.yaml",
            },
            "answers": [{**one, "tags": tuple(one["tags"])} for one in answers],
            "scores": scores_of(answers),
            "language": language,
            "warnings": [],
        }
    )
    scores = facts.scores
    return replace(facts, scores=replace(scores, verdict=verdict(scores)))
