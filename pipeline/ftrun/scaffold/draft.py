"""The text of the experiment file that `ftrun init` writes: YAML that people read and edit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftrun.experiment.yaml_writing import flow, scalar
from ftrun.langid.tables import LANGUAGE_NAMES
from ftrun.scaffold.comments import in_japanese
from ftrun.scaffold.judging import MOST_TESTED, Judging
from ftrun.scaffold.propose import Proposal
from ftrun.scaffold.reading import DAYS
from ftrun.scaffold.trial import Trial
from ftrun.targets.known_languages import knowing_model, target_name

PERSONAS = {
    "ja": "{# すべての例の先頭に付く文です。話し手の人柄を一、二文で書いてください。 -#}\n"
    "あなたは、質問に短く分かりやすく答えるアシスタントです。\n",
    "en": "{# Comes before every example: say in a sentence or two who is speaking. -#}\n"
    "You are an assistant who answers briefly and clearly.\n",
}
LABELS = {
    "ja": "{# すべての例の先頭に付く文です。 -#}\n"
    "文章を分類してください。次のどれか一つだけを答えてください: {labels}\n",
    "en": "{# Comes before every example. -#}\nClassify the text. Answer with exactly one of: {labels}\n",
}
SOURCE_COMMENTS = {
    "pause": "a longer silence begins a new conversation",
    "turns": "a conversation has no more turns than this",
    "columns": "new name: name in the file",
    "group_by": "rows that share it are one conversation",
    "roles": "who speaks in the file",
    "shape": "what the rows are; docs/experiment-file.md shows what becomes of them",
    "where": "only rows for which this is true are used",
}
LOCAL = "  local: {provider: local, model: smollm2-135m-instruct} # this machine: no key, no cost"
REHEARSAL = "  local: {provider: local, model: rehearsal} # to try every step: it trains nothing, at no cost"
LOCAL_OTHER = """\
  # knows {language}; read its terms, then: ftrun models --accept {model}
  {name}: {{provider: local, model: {model}}}"""
OPENAI = "  openai: {provider: openai, model: gpt-4.1-mini-2025-04-14} # costs money: you are asked first"
BEDROCK = """\
  # costs money: you are asked first; name your region, and a model that can be tuned there
  bedrock: {provider: bedrock, region: us-west-2, model: openai.gpt-oss-20b}"""
EXACT = (
    "    type: string_check",
    "    name: right",
    "    operation: eq # or like: the answer contains the reference",
)
SIMILAR = ("    type: text_similarity", "    name: alike", "    evaluation_metric: fuzzy_match")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where a draft's files are, absolute or relative to it: data, held-out files, the system prompt."""

    data: str
    prompt: str | None = None
    held_out: Mapping[str, Sequence[str]] = field(default_factory=dict)


def draft_experiment(proposal: Proposal, *, name: str, paths: Paths, trial: Trial) -> str:
    """Return the text of the experiment file; `trial` has what it should ask."""
    head = f"version: 1\nname: {scalar(name)}\n"
    head += f"description: Drafted by `ftrun init` from {proposal.rows} rows."
    sections = _targets(proposal), _data(proposal, paths), _prompt(proposal, paths.prompt)
    parts = (*sections, _train(proposal, name), _eval(proposal, trial))
    draft = "\n".join(text + "\n" for text in (head, *("\n".join(part) for part in parts)) if text)
    return in_japanese(draft) if proposal.spoken == "ja" else draft


def persona(proposal: Proposal) -> str:
    """Return the text of the file with the system prompt; it lists the labels of texts that have some."""
    labels, language = ", ".join(proposal.shape.labels), "ja" if proposal.spoken == "ja" else "en"
    if not labels or "{" in labels:
        return PERSONAS[language]
    return LABELS[language].replace("{labels}", labels)


def _targets(proposal: Proposal) -> Iterator[str]:
    graded = proposal.method == "reinforcement"
    if proposal.remote is None:
        yield "target: local # another one: --target openai\ntargets:"
        yield LOCAL
        spoken = proposal.spoken
        if spoken not in (None, "en") and (model := knowing_model(spoken)):
            yield LOCAL_OTHER.format(language=LANGUAGE_NAMES[spoken], name=target_name(spoken), model=model)
    else:
        why = f"the engine on this machine can't train on {proposal.remote} yet"
        yield f"target: {'bedrock' if graded else 'openai'} # {why}\ntargets:"
        yield REHEARSAL
    yield BEDROCK if graded else OPENAI


def _data(proposal: Proposal, paths: Paths) -> Iterator[str]:
    yield "data:"
    yield "  sources:"
    path = f"{paths.data}/{DAYS}" if proposal.file.path.is_dir() else paths.data
    yield f"    - path: {scalar(path)} # relative to this file"
    for key, value in _source_keys(proposal).items():
        comment = f" # {SOURCE_COMMENTS[key]}" if key in SOURCE_COMMENTS else ""
        yield f"      {key}: {flow(value)}{comment}"
    if paths.held_out:
        yield "  split: # files of their own"
        if "validation" not in paths.held_out and proposal.validation is not None:
            yield f"    validation: {proposal.validation}"
        if "test" not in paths.held_out and proposal.judging.test is not None:
            yield f"    test: {proposal.judging.test}"
        for role, files in paths.held_out.items():
            yield f"    {role}:"
            for one in files:
                yield f"      - {flow({'path': one, **_source_keys(proposal)})}"
        yield "    seed: 42"
    elif proposal.validation is not None:
        yield f"  split: {flow(_split(proposal))} # held back: to see overfitting, to test"


def _split(proposal: Proposal) -> dict[str, Any]:
    """Return the sizes of the splits; every one has the same shares of labels."""
    judging = proposal.judging
    keys: dict[str, Any] = {"validation": proposal.validation, "test": judging.test, "seed": 42}
    keys["stratify_by"] = judging.stratify_by
    return {key: value for key, value in keys.items() if value is not None}


def _source_keys(proposal: Proposal) -> dict[str, Any]:
    """Return what the sources say beside their path."""
    file, shape = proposal.file, proposal.shape
    reading = file.reading
    keys: dict[str, Any] = {
        **file.source_keys,
        "encoding": file.encoding,
        "sheet": file.sheet,
        "query": file.query,
    }
    keys |= {"columns": {**shape.renamed, **reading.renamed} or None, "shape": reading.shape}
    keys |= {"where": reading.where, "roles": reading.roles}
    return {key: value for key, value in {**keys, **shape.source}.items() if value is not None}


def _prompt(proposal: Proposal, prompt: str | None) -> Iterator[str]:
    templates = proposal.shape.templates
    if not templates and prompt is None:
        return
    yield "prompt: # Jinja2; the columns are the variables" if templates else "prompt:"
    if prompt is not None:
        yield f"  system: {scalar(prompt)} # the persona: edit it"
    for key, template in templates.items():
        yield f"  {key}: {scalar(template)}"


def _train(proposal: Proposal, name: str) -> Iterator[str]:
    yield "train:"
    if proposal.method == "dpo":
        yield "  method: dpo # learns to prefer one answer to the other"
    if proposal.reference is not None:
        yield "  method: reinforcement # the model answers by itself, the grader judges"
        yield "  grader:"
        yield from EXACT if proposal.exact else SIMILAR
        yield '    input: "{{ sample.output_text }}"'
        yield f'    reference: "{{{{ item.{proposal.reference} }}}}"'
    yield "  hyperparameters: {n_epochs: auto} # auto: chosen by the number of rows"
    yield "  seed: 42"
    yield f"  suffix: {scalar(name)}"


def _eval(proposal: Proposal, trial: Trial) -> Iterator[str]:
    if not trial.questions and not trial.tested:
        return
    judging = proposal.judging
    yield "eval: # the same questions for every candidate, and a verdict: docs/evaluation.md"
    yield f"  models: {flow(judging.models)} # is the first one better than the others?"
    if trial.tested:
        asked = "true" if trial.tested <= MOST_TESTED else str(MOST_TESTED)
        of = f"the {trial.tested:,} rows" if asked == "true" else f"of the {trial.tested:,} rows"
        yield f"  test_set: {asked} # {of} held back for it, against their answers in the data"
        if judging.general:
            yield "  general: true # a few questions about other things: what was forgotten?"
    yield from _judging(judging)
    yield f"  sampling: {{max_tokens: {trial.max_tokens}}} # by the lengths of the answers in the data"
    if trial.questions:
        yield from _prompts(trial)


def _judging(judging: Judging) -> Iterator[str]:
    if judging.scorers:
        shown = (name if not options else flow({name: options}) for name, options in judging.scorers)
        yield f"  scorers: [{', '.join(shown)}]"
    if judging.metric is not None:
        yield f"  metric: {judging.metric} # {judging.why}"


def _prompts(trial: Trial) -> Iterator[str]:
    yield "  # Questions from your data: held-out ones were not trained on, taught ones were. Add your own,"
    yield "  # and say what a right answer contains, e.g. expect: {contains: …}"
    yield "  prompts:"
    for one in trial.questions:
        yield f"    - id: {one.id}"
        if one.own_system:
            yield f"      system: {'null' if one.system is None else scalar(one.system)}"
        if one.user is not None:
            yield f"      user: {scalar(one.user)}"
        else:
            yield "      messages:"
            yield from (f"        - {flow(message)}" for message in one.messages)
        if one.reference is not None:
            yield f"      reference: {scalar(one.reference)}"
