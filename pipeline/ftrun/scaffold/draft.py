"""The text of an experiment file that `ftrun init` writes: YAML that people read and go on from.

Pure: returns texts. Values from the data are always quoted, so that none of them is taken for YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from ftrun.scaffold.chat_log import ChatLog
from ftrun.scaffold.gradable import Gradable
from ftrun.scaffold.propose import Proposal

PLAIN = re.compile(r"[a-z][a-z0-9_-]*(?:[./][a-z0-9_-]+)*")
NOT_TEXT = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
# what YAML refuses raw although JSON allows it
UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
PREFERENCE_KEYS = ("user", "preferred", "non_preferred")
PERSONAS = {
    "ja": "あなたは、質問に短く分かりやすく答えるアシスタントです。",
    "en": "You are an assistant who answers briefly and clearly.",
}
EXPLAINED = {
    "ja": "{# すべての例の先頭に付く文です。話し手の人柄を一、二文で書いてください。 -#}",
    "en": "{# Stands in front of every example: say in a sentence or two who is speaking. -#}",
}


def draft_prompt(proposal: Proposal) -> str:
    """Return the text of the system prompt's template file, in the language of the data."""
    return f"{EXPLAINED[proposal.language]}\n{PERSONAS[proposal.language]}\n"


def draft_experiment(
    proposal: Proposal, *, name: str, data: str, prompt: str | None, source: Mapping[str, str | None]
) -> str:
    """Return the text of the experiment file. `data` and `prompt` are paths relative to it.

    `source` has further keys of the source; those that are None need not be said.
    """
    parts = (
        _head(proposal, name),
        _targets(proposal),
        _data(proposal, data, source),
        _prompt(proposal, prompt),
        _train(proposal, name),
        _eval(proposal),
    )
    return "\n".join("\n".join(part) + "\n" for part in map(list, parts) if part)


def scalar(text: str) -> str:
    """Return `text` as a YAML scalar: plain if it can be nothing but text, else in double quotes."""
    if PLAIN.fullmatch(text) and text not in NOT_TEXT:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def _head(proposal: Proposal, name: str) -> Iterator[str]:
    yield "version: 1"
    yield f"name: {scalar(name)}"
    yield f"description: Drafted by `ftrun init` from {proposal.rows} rows."


def _targets(proposal: Proposal) -> Iterator[str]:
    paid = "  openai: {provider: openai, model: gpt-4.1-mini-2025-04-14} # costs money: you are asked first"
    if proposal.method == "reinforcement":
        yield f"target: bedrock # the engine on this machine can't train on {proposal.remote} in this version"
        yield "targets:"
        yield "  # costs money: you are asked first; name your region, and a model that is tuned there"
        yield "  bedrock: {provider: bedrock, region: us-west-2, model: openai.gpt-oss-20b}"
        return
    if proposal.remote is not None:
        yield f"target: openai # the engine on this machine can't train on {proposal.remote} in this version"
        yield "targets:"
        yield paid
        return
    yield "target: local # another one: --target openai"
    yield "targets:"
    yield "  local: {provider: local, model: smollm2-135m-instruct} # this machine: no key, no cost"
    if proposal.language == "ja":
        yield "  # knows Japanese; read its terms, then: ftrun models --accept gemma-3-270m"
        yield "  local-ja: {provider: local, model: gemma-3-270m}"
    yield paid


def _data(proposal: Proposal, path: str, source: Mapping[str, str | None]) -> Iterator[str]:
    yield "data:"
    yield "  sources:"
    yield f"    - path: {scalar(path)} # relative to this file"
    for key, value in source.items():
        if value is not None:
            yield f"      {key}: {scalar(value)}"
    if proposal.renamed:
        pairs = ", ".join(f"{scalar(new)}: {scalar(old)}" for new, old in proposal.renamed.items())
        yield f"      columns: {{{pairs}}} # new name: name in the file"
    if proposal.log is not None:
        yield from _log(proposal.log)
    if proposal.sharegpt:
        yield "  sharegpt: convert # `conversations` become `messages`"
    if proposal.validation is not None:
        yield f"  split: {{validation: {proposal.validation}, seed: 42}} # kept back to see overfitting"


def _log(log: ChatLog) -> Iterator[str]:
    yield f"      group_by: {scalar(log.conversation)} # rows that share it are one conversation"
    if log.order is not None:
        yield f"      order_by: {scalar(log.order)}"
    if log.roles is not None:
        said = (f"{role}: [{', '.join(map(scalar, names))}]" for role, names in log.roles.items())
        yield f"      roles: {{{', '.join(said)}}} # who speaks in the file"


def _prompt(proposal: Proposal, prompt: str | None) -> Iterator[str]:
    made = proposal.columns is not None or proposal.preferences is not None
    if not made and prompt is None:
        return
    yield "prompt: # Jinja2; the columns are the variables" if made else "prompt:"
    if prompt is not None:
        yield f"  system: {scalar(prompt)} # the persona: edit it"
    if proposal.columns is not None:
        yield f"  user: {scalar(_user_template(proposal))}"
        yield f"  assistant: {scalar('{{ ' + proposal.name_of(proposal.columns.assistant) + ' }}')}"
    if proposal.preferences is not None:
        chosen = proposal.preferences
        columns = (chosen.user, chosen.preferred, chosen.rejected)
        for key, column, path in zip(PREFERENCE_KEYS, columns, chosen.paths, strict=True):
            yield f"  {key}: {scalar('{{ ' + proposal.name_of(column) + path + ' }}')}"


def _user_template(proposal: Proposal) -> str:
    assert proposal.columns is not None
    user = "{{ " + proposal.name_of(proposal.columns.user) + " }}"
    if proposal.columns.context is None:
        return user
    context = proposal.name_of(proposal.columns.context)
    return f"{user}{{% if {context} is defined and {context} %}}\n\n{{{{ {context} }}}}{{% endif %}}"


def _train(proposal: Proposal, name: str) -> Iterator[str]:
    yield "train:"
    if proposal.method == "dpo":
        yield "  method: dpo # learns to prefer one answer to the other"
    if proposal.gradable is not None:
        yield "  method: reinforcement # the model answers itself, the grader judges"
        yield from _grader(proposal.gradable)
    yield "  hyperparameters: {n_epochs: auto} # auto: chosen by the number of rows"
    yield "  seed: 42"
    yield f"  suffix: {scalar(name)}"


def _grader(gradable: Gradable) -> Iterator[str]:
    yield "  grader:"
    if gradable.exact:
        yield "    type: string_check"
        yield "    name: right"
        yield "    operation: eq # or like: the answer holds the reference"
    else:
        yield "    type: text_similarity"
        yield "    name: alike"
        yield "    evaluation_metric: fuzzy_match"
    yield '    input: "{{ sample.output_text }}"'
    yield f'    reference: "{{{{ item.{gradable.field} }}}}"'


def _eval(proposal: Proposal) -> Iterator[str]:
    if not proposal.questions:
        return
    yield "eval: # asked of the tuned model and of the base model"
    yield "  # Questions out of your data, most of them trained on: put questions here that are not in it,"
    yield "  # and say what a right answer holds, e.g. expect: {contains: …}"
    yield "  prompts:"
    for number, question in enumerate(proposal.questions, 1):
        yield f"    - {{id: from-data-{number}, user: {scalar(question)}}}"
