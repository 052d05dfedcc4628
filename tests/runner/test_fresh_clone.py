"""A fresh git clone: what was paid for and kept is restored from the history, and never becomes less."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.paid_project import Paid, on_plain_provider
from support.provider import RESULTS, model
from support.scripted_server import Answer, Asked, refusal

RUNS = Path("runs/toy/paid")
QUESTIONS = """\
eval:
  models: [tuned, base]
  prompts:
    - {id: one, user: 一番は？}
    - {id: two, user: 二番は？}
"""
THIRD = "    - {id: three, user: 三番は？}\n"


@pytest.fixture
def paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project with a test split, two questions and two candidates, in a folder of its own."""
    with on_plain_provider(tmp_path / "origin", monkeypatch, capfd) as made:
        made.provider.trained_tokens = 1000
        text = made.config.read_text(encoding="utf-8").split("eval:")[0]
        text = text.replace("[{path: toy.csv}]", "[{path: toy.csv}], split: {test: 2, seed: 1}")
        made.config.write_text(text + QUESTIONS, encoding="utf-8")
        yield made


@dataclass(slots=True, kw_only=True)
class Clone:
    """A git clone of a project; `before`: how many questions had been asked when it was made."""

    folder: Path
    paid: Paid
    before: int

    @property
    def config(self) -> Path:
        """Return the experiment file."""
        return self.folder / "toy.yaml"

    @property
    def asked(self) -> int:
        """Return how many questions were asked since."""
        return questions(self.paid) - self.before

    def run(self, *words: str, code: int = 0) -> str:
        """Run the experiment in the clone; return what is printed on stderr."""
        self.paid.run("run", str(self.config), "--yes", *words, code=code)
        return self.paid.error

    def change(self, old: str, new: str) -> None:
        """Change the experiment file."""
        text = self.config.read_text(encoding="utf-8")
        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    def add(self, text: str) -> None:
        """Add to the end of the experiment file."""
        self.config.write_text(self.config.read_text(encoding="utf-8") + text, encoding="utf-8")

    def kept(self, name: str = "answers.jsonl") -> Path:
        """Return a file of the history, of which there is one."""
        (found,) = (self.folder / RUNS).glob(f"history/*/{name}")
        return found

    def lost(self, under: str = "") -> list[str]:
        """Return the lines that tracked files below `runs` had and have no more."""
        shown = git(self.folder, "diff", "--", str(RUNS / under))
        return [line for line in shown.splitlines() if line.startswith("-") and not line.startswith("---")]


def git(folder: Path, *words: str, check: bool = True) -> str:
    """Run git and return what it prints; it may fail unless `check`."""
    who = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    command = ["git", "-C", str(folder), *who, *words]
    return subprocess.run(command, check=check, capture_output=True, text=True).stdout


def questions(paid: Paid) -> int:
    """Return how many questions the server was asked."""
    return sum(one.path.endswith("/chat/completions") for one in paid.server.asked)


def cloned(paid: Paid, monkeypatch: pytest.MonkeyPatch, name: str = "clone") -> Clone:
    """Commit the project, clone it and go there."""
    if not (paid.folder / ".git").exists():
        git(paid.folder, "init", "-q")
    git(paid.folder, "add", "-A")
    git(paid.folder, "commit", "--allow-empty", "-qm", "x")
    folder = paid.folder.parent / name
    git(paid.folder, "clone", "-q", ".", str(folder))
    monkeypatch.chdir(folder)
    return Clone(folder=folder, paid=paid, before=questions(paid))


@pytest.fixture
def clone(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Return a clone of the project after a whole run."""
    paid.run("run", str(paid.config), "--yes")
    return cloned(paid, monkeypatch)


def records(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file of answers."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_finished_experiment_with_a_test_split_has_nothing_to_do(clone: Clone) -> None:
    """A plain run in a fresh clone, with the server gone, changes no byte of what git keeps."""
    clone.paid.server.close()
    out = clone.paid.run("run", str(clone.config))
    assert out.startswith("Nothing to do")
    assert git(clone.folder, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    "words", [(), ("--force", "report"), ("--force", "prepare"), ("--force", "check"), ("--force", "wait")]
)
def test_what_is_kept_does_not_become_less(clone: Clone, words: tuple[str, ...]) -> None:
    """Whatever is done in a clone without asking: history and report stay whole, and nobody is asked."""
    if not words:
        clone.add("description: other words\n")
    clone.run(*words)
    assert clone.asked == 0
    lost = clone.lost("report.md") + clone.lost("history")
    assert [line for line in lost if "その SHA-256" not in line] == []
    for name in ("answers.jsonl", "scores.json", "metrics.csv"):
        assert (clone.folder / RUNS / name).read_bytes() == (clone.paid.folder / RUNS / name).read_bytes()


def test_one_more_question_asks_that_one_alone(clone: Clone) -> None:
    """Answers in the history are the cache: plan and run count the new answers only, each candidate's one."""
    clone.add(THIRD)
    plan = clone.paid.json("plan", str(clone.config))
    assert {step["stage"] for step in plan["steps"] if step["paid"]} == {"evaluate"}
    assert plan["notes"][1:] == ["2 of 6 answers will be requested; the others are kept"]
    assert plan["estimate"]["usd"] == pytest.approx(2 * 256 / 1e6, rel=0.2), "the price of two answers"
    clone.run()
    assert clone.asked == 2
    assert [one["prompt_id"] for one in records(clone.kept())] == [
        "one",
        "one",
        "two",
        "two",
        "three",
        "three",
    ]
    assert clone.lost("history/*/answers.jsonl") == []


def test_the_system_prompt_of_ready_rows_is_the_same_in_a_clone(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions that take their system prompt from the rows find their answers again, in plan and run."""
    row = [{"role": "system", "content": "短く"}, {"role": "user", "content": "何？"}]
    rows = [{"messages": [*row, {"role": "assistant", "content": f"答え{n}"}]} for n in range(12)]
    (paid.folder / "toy.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    text = paid.config.read_text(encoding="utf-8").replace("toy.csv", "toy.jsonl")
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("prompt:")]
    paid.config.write_text("".join(lines), encoding="utf-8")
    paid.run("run", str(paid.config), "--yes")
    clone = cloned(paid, monkeypatch)
    clone.change("models: [tuned, base]", "models: [base, tuned]")
    plan = paid.json("plan", str(clone.config))
    assert [step["stage"] for step in plan["steps"] if step["paid"]] == []
    clone.run()
    assert clone.asked == 0
    assert {one["messages"][0]["content"] for one in records(clone.folder / RUNS / "answers.jsonl")} == {
        "短く"
    }


def test_answers_to_questions_that_were_removed_stay(clone: Clone) -> None:
    """Without any question scores, curve and answers stay kept; put back, a question asks nobody."""
    whole = clone.config.read_text(encoding="utf-8")
    clone.config.write_text(whole.split("eval:")[0], encoding="utf-8")
    clone.run()
    assert clone.lost("history") == []
    clone.config.write_text(whole.replace("    - {id: two, user: 二番は？}\n", ""), encoding="utf-8")
    clone.run()
    assert clone.lost("history/*/answers.jsonl") == []
    clone.config.write_text(whole, encoding="utf-8")
    clone.run()
    assert clone.asked == 0
    assert clone.lost("history/*/answers.jsonl") == []


def test_an_answer_that_was_asked_for_again_does_not_replace_the_earlier_one(clone: Clone) -> None:
    """After `--force evaluate` both answers are kept, and the newer one is used, in the next clone too."""
    said = {"role": "assistant", "content": "今度は違う"}
    clone.paid.provider.hook = lambda asked: (
        Answer({"id": "c", "choices": [{"index": 0, "message": said}], "usage": None})
        if asked.path.endswith("/chat/completions")
        else None
    )
    clone.run("--force", "evaluate")
    assert clone.asked == 4
    assert clone.lost("history/*/answers.jsonl") == []
    assert len(records(clone.kept())) == 8
    (clone.folder / RUNS / "answers.jsonl").unlink()
    (clone.folder / RUNS / "answers.cache.jsonl").unlink()
    clone.run("--force", "report")
    assert {one["answer"] for one in records(clone.folder / RUNS / "answers.jsonl")} == {"今度は違う"}
    assert clone.asked == 4


def test_a_line_that_is_not_an_answer_stays_and_is_named(clone: Clone) -> None:
    """Marks of a merge and foreign lines in the history are kept byte for byte and said, once."""
    whole = clone.kept().read_bytes()
    foreign = [b"<<<<<<< HEAD\n", b'{"prompt_id": 1}\n', b"[" * 100_000 + b"\n", b"\xff\xfe\n"]
    clone.kept().write_bytes(whole + b"\n" + b"".join(foreign))
    clone.add("description: other words\n")
    said = clone.run()
    assert clone.kept().read_bytes() == whole + b"".join(foreign)
    assert said.count("not an answer; the line is kept") == 4
    assert f"{clone.kept().relative_to(clone.folder)}:6: not an answer" in said


def test_an_answer_that_is_nowhere_is_said_to_be_missing(clone: Clone) -> None:
    """Where the history lacks an answer the report stays as it is, and the way to ask again is shown."""
    whole = clone.kept().read_bytes()
    clone.kept().write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    before = (clone.folder / RUNS / "report.md").read_bytes()
    clone.add("description: other words\n")
    said = clone.run()
    assert "4 of 4 answers are neither here nor in history/" in said
    assert "--force evaluate" in said
    assert (clone.folder / RUNS / "report.md").read_bytes() == before
    assert clone.asked == 0
    assert clone.paid.run("run", str(clone.config)).startswith("Nothing to do")


def test_a_training_curve_that_the_server_has_no_more_is_kept(clone: Clone) -> None:
    """Asked for its result file again, a server that lost it takes no curve from run, history or report."""
    clone.paid.provider.hook = lambda asked: (
        refusal(404, "no such file") if asked.path.startswith("/files/result-") else None
    )
    said = clone.run("--force", "wait")
    assert "the archived curve is used" in said
    assert (clone.folder / RUNS / "metrics.csv").read_text(encoding="utf-8").count("\n") == 3
    assert clone.lost("history") == []


@pytest.mark.parametrize(
    "curve",
    [
        "step,train_loss,train_accuracy,valid_loss\n1,2.5,0.4,\n2,1.5,0.5,\n",  # as many steps, less of each
        "step,train_loss,train_accuracy,valid_loss\n7,2.5,0.4,2\n8,1.5,0.5,2\n9,1.2,0.5,2\n",  # other steps
        "step,train_loss\n",
    ],
)
def test_a_training_curve_is_not_replaced_by_one_that_lacks_what_it_has(clone: Clone, curve: str) -> None:
    """Asked for its result file again, a server that has less of it by now, or other steps, takes nothing."""
    clone.paid.provider.results = curve.encode()
    said = clone.run("--force", "wait")
    assert "now has less than was archived; the archived curve is used" in said
    assert (clone.folder / RUNS / "metrics.csv").read_bytes() == RESULTS.encode()
    assert clone.lost("history") == []
    assert [line for line in clone.lost("report.md") if "その SHA-256" not in line] == []


def test_a_fuller_training_curve_replaces_the_archived_one(clone: Clone) -> None:
    """A result file with all that is archived and more, as from a server that was late, is taken."""
    clone.paid.provider.results = RESULTS.encode() + b"3,0.9,0.8,1.4,0.7\n"
    clone.run("--force", "wait")
    assert clone.kept("metrics.csv").read_bytes() == clone.paid.provider.results
    assert (clone.folder / RUNS / "metrics.csv").read_bytes() == clone.paid.provider.results


def test_what_the_server_no_longer_says_of_the_job_is_kept(clone: Clone) -> None:
    """Asked again, a server that forgot times, tokens and values of the job takes them from nobody."""
    (job,) = clone.paid.provider.jobs.values()
    job.update(hyperparameters={}, finished_at=None, trained_tokens=None)
    before = clone.paid.json("history", str(clone.config))["models"]
    clone.run("--force", "wait")
    assert clone.paid.json("history", str(clone.config))["models"] == before
    assert clone.lost("history") == []
    assert [line for line in clone.lost("report.md") if "その SHA-256" not in line] == []


def test_adopting_the_job_that_is_known_forgets_nothing_of_it(clone: Clone) -> None:
    """`ftrun adopt` with the job of this configuration keeps what it cost, and when it was trained."""
    before = clone.paid.json("history", str(clone.config))["models"]
    clone.paid.run("adopt", str(clone.config), "ftjob-1")
    assert clone.paid.json("history", str(clone.config))["models"] == before
    clone.run()
    assert clone.asked == 0
    assert clone.lost("history") == []


def test_adopting_our_own_running_job_leaves_it_paid_for_by_us(paid: Paid) -> None:
    """A job that was left running is settled at its end, and counts against the budget, adopted or not."""
    paid.run("run", str(paid.config), "--yes", "--detach", code=75)
    paid.run("adopt", str(paid.config), "ftjob-1")
    paid.run("run", str(paid.config), "--yes")
    jobs = [one for one in paid.json("ledger", str(paid.config))["entries"] if one["kind"] == "job"]
    assert [(one["standing"], one["what"], one["tokens"]) for one in jobs] == [("actual", "ftjob-1", 1000)]


def test_what_was_answered_before_a_failure_is_in_the_history(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends among the questions has kept the answers that it paid for: a clone asks the rest."""

    def hook(asked: Asked) -> Answer | None:
        if asked.path.endswith("/chat/completions") and questions(paid) > 1:
            return refusal(400, "no more")
        return None

    paid.provider.hook = hook
    paid.run("run", str(paid.config), "--yes", code=1)
    clone = cloned(paid, monkeypatch)
    assert len(records(clone.kept())) == 1
    paid.provider.hook = lambda asked: None
    clone.run()
    assert clone.asked == 3


def test_a_run_up_to_the_answers_keeps_them(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `--until evaluate` a clone has model, curve and answers, and makes the report without asking."""
    paid.run("run", str(paid.config), "--yes", "--until", "evaluate")
    clone = cloned(paid, monkeypatch)
    clone.run()
    assert clone.asked == 0
    assert "二番は？" in (clone.folder / RUNS / "report.md").read_text(encoding="utf-8")


def test_a_clone_goes_back_to_an_earlier_configuration(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both models' answers stay in their own history, and the one gone back to has its own report again."""
    epochs = ("--set", "train.hyperparameters.n_epochs=5")
    paid.run("run", str(paid.config), "--yes", *epochs)
    paid.run("run", str(paid.config), "--yes")
    clone = cloned(paid, monkeypatch)
    clone.run(*epochs)
    assert (clone.asked, len(paid.provider.jobs)) == (0, 2)
    assert clone.lost("history/*/answers.jsonl") == []
    assert {one["model"] for one in records(clone.folder / RUNS / "answers.jsonl")} == {"m", "ft:m:ftjob-1"}
    assert paid.json("compare", str(clone.config))["notes"] == []


def test_two_clones_that_asked_different_questions_can_be_merged(
    paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git joins the answers of both sides: neither is asked again."""
    paid.run("run", str(paid.config), "--yes")
    clones = [cloned(paid, monkeypatch, name) for name in ("here", "there")]
    for number, one in enumerate(clones):
        monkeypatch.chdir(one.folder)
        one.change(QUESTIONS, QUESTIONS + f"    - {{id: q{number}, user: '{number}は？'}}\n")
        one.run()
        git(one.folder, "commit", "-qam", "more")
    git(clones[0].folder, "fetch", "-q", str(clones[1].folder))
    git(clones[0].folder, "merge", "FETCH_HEAD", check=False)  # experiment and state differ too
    found = {one["prompt_id"] for one in records(clones[0].kept())}
    assert found == {"one", "two", "q0", "q1"}


def test_without_the_state_a_clone_still_has_its_answers(clone: Clone) -> None:
    """A lost state is found again at the server, and the answers in the history: nothing is paid twice."""
    (clone.folder / RUNS / "state.json").unlink()
    clone.run()
    assert (clone.asked, len(clone.paid.provider.jobs)) == (0, 1)
    assert clone.lost("history") == []


def test_a_clone_without_its_history_says_so_before_it_asks(clone: Clone) -> None:
    """Where the whole history is gone, plan and run say that all questions will be asked for again."""
    for path in (clone.folder / RUNS).glob("history/*/*"):
        path.unlink()
    clone.add(THIRD)
    gone = "earlier answers are neither here nor in history/: all will be asked for again"
    assert clone.paid.json("plan", str(clone.config))["notes"][1:] == [gone]
    assert gone in clone.run()
    assert clone.asked == 6


def test_failed_cases_are_found_in_a_clone(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """`augment --from-failures` takes the failed cases from the history."""
    text = paid.config.read_text(encoding="utf-8")
    paid.config.write_text(text.replace("一番は？}", "一番は？, expect: {contains: 別}}"), encoding="utf-8")
    paid.run("run", str(paid.config), "--yes")
    clone = cloned(paid, monkeypatch)
    assert paid.json("augment", str(clone.config), "--from-failures")["failed"] == 1


def test_answers_of_a_model_that_was_left_stay_with_that_model(paid: Paid) -> None:
    """Answers that a killed run for another model left in answers.jsonl are not taken for this one's."""
    paid.run("run", str(paid.config), "--yes")
    place = paid.folder / RUNS
    mine = (place / "answers.jsonl").read_bytes()
    (kept,) = place.glob("history/*/answers.jsonl")
    other = mine.replace(b"ftjob-1", b"ftjob-2")
    (place / "answers.jsonl").write_bytes(other)
    paid.add("description: other words\n")
    paid.run("run", str(paid.config))
    assert (place / "answers.jsonl").read_bytes() == mine
    assert kept.read_bytes() == mine
    assert questions(paid) == 4


def test_an_evaluation_in_a_clone_restores_all_that_a_report_needs(clone: Clone) -> None:
    """The report points to `ftrun eval`, which asks nobody and writes the report with the training curve."""
    error = clone.paid.json("report", str(clone.config), code=2)["error"]
    assert error["code"] == "nothing_to_report" and "ftrun eval" in error["hint"]
    clone.paid.run("eval", str(clone.config))
    assert (clone.asked, clone.paid.error.count("warning: the training curve")) == (0, 0)
    for name in ("metrics.csv", "report.html", "report.md"):
        assert (clone.folder / RUNS / name).exists(), name
    assert "Report: runs/toy/paid/report.html" in clone.paid.run("report", str(clone.config))
    assert clone.lost("report.md") == []
    assert clone.paid.run("run", str(clone.config)).startswith("Nothing to do")


@pytest.mark.parametrize("command", ["report", "metrics", "eval"])
def test_what_an_earlier_version_scored_is_compared_with_every_candidate(paid: Paid, command: str) -> None:
    """Earlier versions compared with the base alone: the answers say the rest, and nobody is asked."""
    paid.config.write_text(
        paid.config.read_text(encoding="utf-8").replace("[tuned, base]", "[tuned, base, m2]")
        + "    - {id: three, user: 三番は？, expect: {contains: はい}}\n",
        encoding="utf-8",
    )
    paid.provider.models["m2"] = model("m2")
    paid.run("run", str(paid.config), "--yes")
    one = {"asked": 3, "judged": 1, "pass_rate": 1.0, "passed": 1}
    older = {"candidates": dict.fromkeys(("base", "m2", "tuned"), one), "flips": []}
    (paid.folder / RUNS / "scores.json").write_text(json.dumps(older), encoding="utf-8")
    asked = questions(paid)
    shown = paid.run(command, str(paid.config))
    assert "every candidate scores 0%" in shown or "tuned − m2" in shown
    assert "Not compared" not in shown
    assert questions(paid) == asked
