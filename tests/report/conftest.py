"""Realistic facts: the Japanese persona, three questions, two candidates, three epochs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ftrun.report.facts import Facts

SYSTEM = "あなたは毒舌だが筋の通った論客です。ユーザーの質問に、短く、断定口調で答えてください。"
QUESTIONS = {
    "death": ("人間は死んだ後どうなりますか？", None),
    "music": (
        "音楽編集するとき、WindowsとMacどちらがおすすめ？",
        {"contains": "Windows", "not_contains": ["Macがおすすめ", "Macを"]},
    ),
    "work": ("仕事を辞めたいです。どうすればいいですか？", {"regex": "辞め"}),
}
ANSWERS = {
    ("death", "tuned"): (
        "死んだら無になるだけですよね。死後の世界があるって言う人は、データ出してくださいって話なんですけど。",
        None,
    ),
    ("death", "base"): (
        "人間の死後については、宗教や哲学によってさまざまな考え方があります。\n\n"
        "1. 魂が残るという考え\n2. 生まれ変わるという考え\n3. 何も残らないという考え",
        None,
    ),
    ("music", "tuned"): ("Windowsでいいと思いますよ。同じ値段なら性能が上なので。", True),
    ("music", "base"): ("Windowsでも音楽編集はできますが、やはりMacがおすすめです。", False),
    ("work", "tuned"): ("辞めればいいんじゃないですか。辞めて困る会社のほうが悪いので。", True),
    ("work", "base"): ("仕事を続けるかどうかは、まず上司に相談することをおすすめします。", False),
}

FAILURES = {"music": "contains “Macがおすすめ”", "work": "does not match /辞め/"}


def distribution(mean: float, examples: int) -> dict[str, float]:
    """Return a plausible distribution of token counts."""
    shares = {"min": 0.6, "p5": 0.68, "p10": 0.74, "median": 0.98, "p90": 1.3, "p95": 1.42, "max": 1.7}
    return {
        "sum": round(mean * examples),
        "mean": mean,
        **{name: round(mean * share) for name, share in shares.items()},
    }


def metrics(steps: int = 63) -> list[dict[str, Any]]:
    """Return a training that overfits a little from its second epoch on."""
    rows = []
    for step in range(1, steps + 1):
        loss = 0.4 + 2.4 * math.exp(-step / 18) + 0.16 * math.sin(step * 12.9898)
        rows.append({"step": step, "train_loss": loss, "train_accuracy": min(0.95, 0.4 + step / 110)})
    for step, valid in ((21, 1.94), (42, 1.62), (63, 1.78)):
        rows[step - 1] |= {"full_valid_loss": valid, "full_valid_accuracy": 0.55 + step / 600}
    return rows


def scores(tuned: int = 2, base: int = 0, n: int = 2) -> dict[str, Any]:
    """Return the scores of so many passes of `n` questions, of which the first ones are passed."""
    ids = ["music", "work", *(f"q{number}" for number in range(n - 2))][:n]
    fixed, broken = ids[base:tuned], ids[tuned:base]
    candidates = {
        name: {"model": None, "answered": 3, "metrics": {"pass_rate": {"value": passed / n, "n": n}}}
        for name, passed in (("tuned", tuned), ("base", base))
    }
    comparison = {
        **{"a": "tuned", "b": "base", "metric": "pass_rate", "difference": (tuned - base) / n},
        **{"low": None, "high": None, "p": None, "n": n},
        "flips": {"fixed": fixed, "broken": broken, "same": n - len(fixed) - len(broken)},
    }
    return {
        "candidates": candidates,
        "comparisons": [comparison],
        "metric": "pass_rate",
        "scales": {"pass_rate": "share"},
    }


def document() -> dict[str, Any]:
    """Return the facts of a Japanese experiment as JSON values."""
    answers = []
    for (prompt_id, candidate), (answer, passed) in ANSWERS.items():
        user, expect = QUESTIONS[prompt_id]
        answers.append(
            {
                "prompt_id": prompt_id,
                "candidate": candidate,
                "model": "ft:gemma-3-270m:hiroyuki:Ab12" if candidate == "tuned" else "gemma-3-270m",
                "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}],
                "answer": answer,
                "expect": expect,
                "passed": passed,
                "failures": [] if passed is not False else [FAILURES[prompt_id]],
                "usage": {"prompt_tokens": 61, "completion_tokens": 40},
                "seconds": 2.1,
                "cache_key": f"{prompt_id} {candidate}",
            }
        )
    return {
        "experiment": {
            "name": "hiroyuki",
            "description": "短く断定する論客の口調を、四十ほどの質問と答えから学ばせる。",
            "file": "configs/hiroyuki.yaml",
        },
        "target": {"name": "local-ja", "provider": "local", "model": "gemma-3-270m"},
        "status": "done",
        "job": {
            "id": "ftjob-3c1f9a7d2b",
            "model": "gemma-3-270m",
            "status": "succeeded",
            "fine_tuned_model": "ft:gemma-3-270m:hiroyuki:Ab12",
            "requested": {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"},
            "resolved": {"n_epochs": 3, "batch_size": 2, "learning_rate_multiplier": 1.0},
            "seed": 42,
            "trained_tokens": 16128,
            "created_at": 1795230000,
            "finished_at": 1795230187,
            "seconds": 187,
        },
        "data": {
            "splits": {
                "train": {
                    "examples": 42,
                    "tokens": distribution(128, 42),
                    "assistant_tokens": distribution(41, 42),
                },
                "validation": {
                    "examples": 5,
                    "tokens": distribution(122.4, 5),
                    "assistant_tokens": distribution(38, 5),
                },
            },
            "duplicates": 1,
            "problems": [
                {
                    "severity": "warning",
                    "code": "few_examples",
                    "message": "there are only 42 training examples",
                    "file": "configs/hiroyuki.yaml",
                    "line": 24,
                    "hint": "Add rows, or say `few: off`.",
                }
            ],
            "histogram": [
                {"low": 70 + 15 * i, "high": 84 + 15 * i, "count": count}
                for i, count in enumerate((2, 5, 9, 11, 7, 4, 3, 0, 1))
            ],
            "encoding": "o200k_base",
            "exact": False,
        },
        "cost": {
            "free": True,
            "usd": 0,
            "examples": 42,
            "train_tokens": 5376,
            "n_epochs": 3,
            "billable_tokens": 16128,
        },
        "metrics": metrics(),
        "checkpoints": [
            {
                "step": step,
                "model": f"ft:x:ckpt-step-{step}",
                "epoch": step / 21,
                "valid_loss": value,
                "best": best,
            }
            for step, value, best in ((21, 1.71, False), (42, 1.62, True), (63, 1.78, False))
        ],
        "fit": {
            "verdict": "overfitting",
            "sentence": "Overfitting from step 42, the best by validation loss, which then rose from 1.62 to "
            "1.78 while the training loss fell to 0.46. The validation loss is 3.87 times the training loss, "
            "a severe gap. Fewer epochs or more examples may help.",
            "since_step": 42,
            "train_loss": 0.46,
            "valid_loss": 1.78,
            "train_accuracy": 0.94,
            "valid_accuracy": 0.66,
        },
        "answers": answers,
        "scores": scores(),
        "provenance": {
            "ftrun": "0.1.0",
            "python": "3.12.7",
            "platform": "Linux-6.8",
            "config_sha256": "9f2c" * 16,
            "data": {"data/hiroyuki.csv": "41b7" * 16},
            "libraries": {"openai": "3.52.0", "torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.0"},
            "git_commit": "5174867aa0c1",
            "git_dirty": True,
            "store": "0e9c2a7e-6a53-4a3e-9d31-3d2f6c2b5f10",
            "dtype": "bfloat16",
            "time": "2026-11-21T05:03:07+00:00",
        },
        "warnings": ["gemma-3-270m is used under the Gemma terms, which you accepted."],
    }


@pytest.fixture
def facts_document() -> dict[str, Any]:
    """A document that a test may change."""
    return document()


@pytest.fixture
def facts(facts_document: dict[str, Any]) -> Facts:
    """The facts of a Japanese experiment."""
    return Facts.from_json(facts_document)
