"""`ftrun augment` and `ftrun review` from end to end: asked once, paid with consent, used when approved."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Ftrun
from ftrun.cli import main
from support.engine_process import wait_until
from support.scripted_server import Answer, Asked, ScriptedServer

from .conftest import Build, Command

TOY = "configs/toy.yaml"
PAID = """\
version: 1
name: toy
targets:
  other:
    {{provider: openai, base_url: "{url}", api_key_env: SOME_KEY, model: m{price}}}
data: {{sources: [{{path: rows.csv}}]}}
prompt: {{user: "{{{{ q }}}}", assistant: "{{{{ a }}}}"}}
"""
PRICE = ", price: {train: 1, input: 1, output: 100}"


def test_rows_are_proposed_reviewed_and_trained_on(
    call: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked over HTTP, approved by a person, taken by the next run; a second call asks nothing."""
    monkeypatch.chdir(project)
    first = call("augment", TOY, "--set", "data.augment.max_rows=6")
    assert (first["asked"], first["proposed"], first["pending"], first["approved"]) == (3, 3, 3, 0)
    assert not Path(first["training_file"]).exists()
    again = call("augment", TOY, "--set", "data.augment.max_rows=6")
    assert (again["asked"], again["cached"], again["proposed"], again["left_out"]) == (0, 3, 0, {})
    ids = [entry["id"] for entry in call("review", TOY)["entries"]]
    decided = call("review", TOY, "--approve", ids[0], "--reject", "all")
    assert (decided["approved"], decided["rejected"], decided["pending"]) == (1, 2, 0)
    assert decided["source_line"] == "- {path: data/toy.augmented.jsonl}"
    config = project / TOY
    config.write_text(config.read_text().replace("toy.csv}]", "toy.csv}, {path: data/toy.augmented.jsonl}]"))
    assert call("check", TOY)["files"]["train"]["examples"] == 13
    document = call(TOY)
    assert document["status"] == "done"
    failures = call("augment", TOY, "--from-failures")
    assert (failures["failed"], failures["proposed"], failures["source_line"]) == (1, 1, None)
    waits = next(one for one in call("review", TOY)["entries"] if one["kind"] == "failure")
    assert (waits["new"], waits["note"]) == ({"q": "二番は？", "a": ""}, "does not contain “ない”")
    assert "rehearsal" in waits["old"]["a"]
    assert call("review", TOY, "--approve", "all", code=2)["error"]["code"] == "no_answer"
    assert call("augment", TOY, "--from-failures")["proposed"] == 0


def test_the_tuned_model_is_asked_only_when_named(
    call: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base model is the default; before a run there is no tuned one."""
    monkeypatch.chdir(project)
    assert call("augment", TOY, "--with", "local:tuned", code=2)["error"]["code"] == "no_model"
    assert call("augment", TOY, "--with", "tuned", code=2)["error"]["code"] == "unknown_target"


def lines(asked: Asked) -> Answer:
    """Answer with two wordings that no other question gets."""
    question = asked.body["messages"][-1]["content"]
    usage = {"prompt_tokens": 1000, "completion_tokens": 100}
    message = {"role": "assistant", "content": f"1. {question}とは\n2. 何が{question}"}
    return Answer({"choices": [{"message": message}], "usage": usage})


@pytest.fixture
def paid(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Yield a server that is paid for, and an experiment toy.yaml that uses it."""
    monkeypatch.setenv("SOME_KEY", "fk-0123456789abcdef-canary")
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)
    server = ScriptedServer(lines)
    build()
    (tmp_path / "toy.yaml").write_text(PAID.format(url=server.base_url, price=PRICE), encoding="utf-8")
    yield server
    server.close()


def test_nothing_is_paid_without_consent(paid: ScriptedServer, call: Command) -> None:
    """Without --yes or a sufficient budget it stops with 4, and nothing was sent."""
    for words in (
        (),
        ("--set", "data.augment.max_usd=0.5"),
        ("--set", "budget.usd=0.5"),
        ("--yes", "--set", "data.augment.max_usd=0.5"),
        ("--set", "budget.usd=5", "--set", "data.augment.max_usd=0.5"),
        ("--yes", "--set", "budget.usd_per_month=0.5"),
    ):
        code = call("augment", "toy.yaml", *words, code=4)["error"]["code"]
        month = "budget.usd_per_month=0.5" in words
        assert code == ("over_month" if month else "over_budget" if words else "not_confirmed")
    assert paid.asked == []


def test_the_price_is_that_of_the_model_that_is_asked(build: Build, call: Command, tmp_path: Path) -> None:
    """`--with T:MODEL` asks another model than the target trains; a cap held to its price would be broken."""
    build()
    config = PAID.replace('base_url: "{url}", api_key_env: SOME_KEY, model: m{price}', "model: {model}")
    (tmp_path / "toy.yaml").write_text(config.format(model="gpt-4o-mini"), encoding="utf-8")

    def asked(who: str) -> str:
        error = call("augment", "toy.yaml", "--with", f"other:{who}", code=4)["error"]
        return str(error["message"]).partition(", and")[0]

    assert asked("base") == asked("gpt-4o-mini-2024-07-18")
    assert asked("gpt-4.1") != asked("base")
    assert "no price is known for gpt-9" in asked("gpt-9")


def test_a_cap_holds_over_all_calls(paid: ScriptedServer, call: Command) -> None:
    """What was paid before counts: the cap is for all requests together."""
    few = ("--set", "data.augment.max_rows=4", "--set", "data.augment.max_usd=0.2")
    first = call("augment", "toy.yaml", *few)
    assert (first["asked"], first["proposed"], first["usd"]) == (2, 4, 0.022)
    assert first["estimate"]["usd"] <= 0.2
    assert call("augment", "toy.yaml", *few)["asked"] == 0, "nothing to pay needs no consent"
    more = ("--set", "data.augment.max_rows=10", "--set", "data.augment.max_usd=0.2")
    assert call("augment", "toy.yaml", *more)["asked"] == 3
    found = call("ledger", "toy.yaml")
    assert (found["usd"], found["estimated"]) == (0.055, 0.0)
    assert {(one["kind"], one["standing"]) for one in found["entries"]} == {("augment", "actual")}
    most = ("--set", "data.augment.max_rows=14", "--set", "data.augment.max_usd=0.15")
    error = call("augment", "toy.yaml", *most, code=4)["error"]
    assert (error["code"], "max_rows" in error["hint"]) == ("over_budget", True)


def test_an_answer_is_kept_when_a_later_one_fails(
    paid: ScriptedServer, call: Command, tmp_path: Path
) -> None:
    """After an error the answers that came are proposed, and the next call asks for the others alone."""
    good = paid.script
    paid.script = lambda asked: good(asked) if len(paid.asked) < 4 else Answer({}, 500)
    yes = ("augment", "toy.yaml", "--yes", "--set", "data.augment.max_rows=12")
    call(*yes, code=1)
    assert len(call("review", "toy.yaml")["entries"]) == 6
    paid.script = good
    assert (call(*yes)["asked"], call("review", "toy.yaml")["pending"]) == (3, 12)
    (tmp_path / "runs/toy/other/augment.answers.jsonl").unlink()
    assert call(*yes)["asked"] == 0, "a fresh clone has the review file, and pays for nothing again"


def test_killed_while_asking_nothing_is_asked_twice(paid: ScriptedServer, tmp_path: Path) -> None:
    """kill -9 after some answers: the next call continues after the last one."""

    def slowly(asked: Asked) -> Answer:
        time.sleep(0.1)
        return lines(asked)

    paid.script = slowly
    ftrun = Ftrun(tmp_path)
    process = ftrun.start("augment", "toy.yaml", "--yes")
    wait_until(lambda: len(paid.asked) >= 3 or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    ledger = tmp_path / "runs/toy/other/augment.answers.jsonl"
    with ledger.open("a", encoding="utf-8") as file:
        file.write('{"key": "torn')
    kept = ledger.read_text().count('"usage"')
    document = ftrun.json("augment", "toy.yaml", "--yes")
    assert kept >= 2
    assert (document["cached"], document["asked"], document["proposed"]) == (kept, 14 - kept, 28)


def test_new_cases_are_whole_rows_that_are_not_there_yet(paid: ScriptedServer, call: Command) -> None:
    """Objects with the row's keys are taken; repetitions, held-out ones too, and chatter are counted."""

    def cases(asked: Asked) -> Answer:
        shown = [json.loads(line) for line in asked.body["messages"][-1]["content"].splitlines()]
        number = len(paid.asked)
        rows = [shown[0], {"q": f"新規{number}", "a": "はい"}, {"q": "質問13は？", "a": "別"}, {"q": "x"}]
        text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        return Answer({"choices": [{"message": {"role": "assistant", "content": text}}]})

    paid.script = cases
    sets = ("--set", "data.augment.kind=new", "--set", "data.augment.per_row=4")
    document = call("augment", "toy.yaml", "--yes", *sets, "--set", "data.augment.max_rows=8")
    assert (document["asked"], document["proposed"]) == (2, 2)
    assert document["left_out"] == {"there already": 4, "not in the asked form": 2}
    [first, _] = call("review", "toy.yaml", "--approve", "all")["entries"]
    assert (first["new"], len(first["origin"])) == ({"q": "新規1", "a": "はい"}, 4)


def test_an_unknown_price_needs_a_yes(paid: ScriptedServer, call: Command, tmp_path: Path) -> None:
    """A cap can't be kept without a price; --yes alone goes ahead, and no sum is invented."""
    (tmp_path / "toy.yaml").write_text(PAID.format(url=paid.base_url, price=""), encoding="utf-8")
    cap = ("--set", "data.augment.max_usd=5")
    assert call("augment", "toy.yaml", *cap, code=4)["error"]["code"] == "unknown_price"
    assert call("augment", "toy.yaml", "--yes", "--set", "data.augment.max_rows=2")["usd"] is None


def test_two_calls_at_once_do_not_ask_twice(paid: ScriptedServer, call: Command, tmp_path: Path) -> None:
    """The second stops at once with 4 and names who holds the lock."""
    import filelock

    folder = tmp_path / "runs/toy/other"
    folder.mkdir(parents=True)
    with filelock.FileLock(folder / "augment.lock"):
        assert call("augment", "toy.yaml", "--yes", code=4)["error"]["code"] == "locked"
    assert paid.asked == []


def test_wrong_words_are_told(paid: ScriptedServer, call: Command) -> None:
    """Unknown ids, contradictions and an unknown target of the key are exit 2."""
    assert call("review", "toy.yaml", "--approve", "nope", code=2)["error"]["code"] == "unknown_id"
    assert (
        call("review", "toy.yaml", "--approve", "all", "--reject", "all", code=2)["error"]["code"] == "usage"
    )
    assert (
        call("augment", "toy.yaml", "--from-failures", "--with", "other", code=2)["error"]["code"] == "usage"
    )
    unknown = call("augment", "toy.yaml", "--set", "data.augment.target=othr", code=2)["error"]
    assert (unknown["code"], unknown["hint"]) == ("unknown_target", "Targets here: other.")


def test_the_terminal_shows_old_and_new(
    paid: ScriptedServer, call: Command, capfd: pytest.CaptureFixture[str]
) -> None:
    """What changed is marked, what is the same is shown as such, control characters are visible."""
    call("augment", "toy.yaml", "--yes", "--set", "data.augment.max_rows=1")
    review = Path("toy.augmented.review.jsonl")
    review.write_text(review.read_text(encoding="utf-8").replace("答え", "\\u001b答え"), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["review", "toy.yaml", "--list"])
    said = capfd.readouterr().out
    assert "  q\n    - 質問" in said
    assert "    = \\x1b答え" in said
    assert said.endswith("1 pending, 0 approved, 0 rejected\n")
