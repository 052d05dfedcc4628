"""A run that asks: an experiment whose targets are scripted servers, and asking them without the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ftrun.evaluation.answers import Candidate, CandidateReply, Request, cache_key
from ftrun.paid.asking.answering import AnswerCosts
from ftrun.paid.asking.lanes import Asking
from ftrun.runner.apply import context_of
from ftrun.runner.session import open_session
from ftrun.workflow.context import Approval, Context, RunSettings, agree_to
from support.provider import KEY
from support.scripted_server import Answer, Asked, Script, ScriptedServer

CONFIG = """\
version: 1
name: toy
target: paid
targets:
  paid: {{provider: openai, model: m, base_url: '{paid}', api_key_env: SOME_KEY,
    price: {{train: 1, input: 1, output: 1}}}}
  other: {{provider: openai, model: o, base_url: '{other}', api_key_env: OTHER_KEY,
    price: {{train: 1, input: 100, output: 100}}}}
data: {{sources: [{{path: toy.csv}}]}}
prompt: {{user: "{{{{ q }}}}", assistant: "{{{{ a }}}}"}}
eval: {{models: [base, {{name: far, model: o, target: other}}], prompts: [{{id: one, user: 一番は？}}]}}
"""
SAMPLING = {"temperature": 0, "max_tokens": 100}
USAGE = {"prompt_tokens": 10, "completion_tokens": 20}


def said(asked: Asked, usage: Any = None) -> Answer:
    """Return the answer to a question, which depends on the question alone."""
    question = asked.body["messages"][-1]["content"]
    message = {"role": "assistant", "content": f"{asked.body['model']}: {question}"}
    return Answer({"id": "c", "choices": [{"index": 0, "message": message}], "usage": usage or USAGE})


def request(number: int, *, target: str | None = None, **more: Any) -> Request:
    """Return a question to `base`, or to the candidate at another target."""
    name, model = ("base", "m") if target is None else ("far", "o")
    who = Candidate(name=name, model=model, target=target)
    messages = ({"role": "user", "content": f"質問{number}"},)
    key = cache_key(who, messages, SAMPLING)
    return Request(sample=str(number), candidate=who, messages=messages, sampling=SAMPLING, key=key, **more)


@dataclass(slots=True, kw_only=True)
class Asker:
    """Asks, and remembers what was reported."""

    context: Context
    servers: Sequence[ScriptedServer]
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    came: dict[str, CandidateReply] = field(default_factory=dict)
    costs: AnswerCosts | None = None

    def set(self, *, budget: float | None = None, **target: Any) -> None:
        """Change the budget, or keys of the target."""
        experiment = self.context.experiment
        self.context.experiment = replace(
            experiment,
            target=replace(experiment.target, **target),
            budget=replace(experiment.budget, usd=budget),
        )

    def ask(self, requests: Sequence[Request]) -> dict[str, CandidateReply]:
        """Return the replies by sample and candidate; those that came before an error are in `came`."""
        self.came = {}
        with AnswerCosts(self.context, len(requests)) as self.costs:
            for answered in Asking(self.context, self.costs).ask_all(requests):
                self.came |= {f"{one.sample} {one.candidate.name}": reply for one, reply in answered}
                self.costs.after(len(answered))
        return self.came

    def warnings(self) -> str:
        """Return the warnings that were reported."""
        return "\n".join(str(data["message"]) for kind, data in self.events if kind == "warning")


Ask = Callable[..., Asker]


@pytest.fixture
def asker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Yield a way to make an asker of one script per target."""
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setenv("OTHER_KEY", f"{KEY}-other")
    monkeypatch.setattr("ftrun.targets.pace.FIRST_PAUSE", 0.01)
    monkeypatch.chdir(tmp_path)
    made: list[Asker] = []

    def make(script: Script = said, other: Script = said) -> Asker:
        servers = [ScriptedServer(script), ScriptedServer(other)]
        config = tmp_path / "toy.yaml"
        text = CONFIG.format(paid=servers[0].base_url, other=servers[1].base_url)
        config.write_text(text, encoding="utf-8")
        events: list[tuple[str, dict[str, Any]]] = []

        def emit(kind: str, **data: Any) -> None:
            events.append((kind, data))

        context = context_of(open_session(config), emit, RunSettings(yes=True))
        context.approval = Approval(estimate={"eval_usd": 0.0})
        agree_to(context.experiment, context.settings)
        made.append(Asker(context=context, servers=servers, events=events))
        return made[-1]

    yield make
    for one in made:
        one.context.close()
        for server in one.servers:
            server.close()
