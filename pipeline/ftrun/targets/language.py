"""The warning that a model hardly knows the language of an experiment, and which target does better."""

from __future__ import annotations

import re

from ftrun.engine.models.catalogue import CATALOGUE, BaseModel
from ftrun.experiment.model import Experiment

KANA = re.compile(r"[\u3040-\u30ff]")  # hiragana and katakana: only Japanese is written with them


def language_note(experiment: Experiment) -> list[str]:
    """Return one note when the experiment is Japanese and its local model is not, else nothing."""
    if experiment.target.provider != "local" or not _is_japanese(experiment):
        return []
    model = _model(experiment.target.model)
    if model is None or model.speaks("ja"):
        return []
    better = [
        target.name
        for target in experiment.targets
        if target.provider != "local" or ((found := _model(target.model)) and found.speaks("ja"))
    ]
    way = f" A target that does better: {', '.join(f'--target {name}' for name in better)}." if better else ""
    return [
        f"{model.title} knows almost no Japanese: it picks up the persona's phrases, not the language.{way}",
        f"{model.title} は日本語をほとんど知りません。口調は覚えますが、文章は崩れます。"
        + (f" {' / '.join(better)} ターゲットのほうが向いています。" if better else ""),
    ]


def _model(name: str) -> BaseModel | None:
    return next((model for model in CATALOGUE if model.name == name), None)


def _is_japanese(experiment: Experiment) -> bool:
    prompt = experiment.prompt
    texts = [template.text for template in (prompt.system, prompt.user, prompt.assistant) if template]
    texts += [question.user for question in experiment.evaluation.prompts if question.user]
    texts += [str(value) for value in prompt.vars.values()]
    return any(KANA.search(text) for text in texts)
