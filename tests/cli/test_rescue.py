"""`ftrun rescue`: what tuned models and their bases answer is recorded once, priced, and never lost."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from support.azure_management import Management
from support.forked import Forked
from support.paid_project import Paid
from support.scripted_server import Answer, Asked, refusal

RESCUE = ("rescue", "toy.yaml", "--yes", "--train-rows", "3")
WITHHELD = {"error": {"message": "the prompt was filtered", "code": "content_filter", "param": "prompt"}}


def said(asked: Asked, *, content: str | None = None, ending: str = "stop") -> Answer | None:
    """Return an answer that depends on model and question; nothing to other calls."""
    if asked.path != "/chat/completions":
        return None
    text = f"{asked.body['model']}: {asked.body['messages'][-1]['content']}" if content is None else content
    choice = {"index": 0, "finish_reason": ending, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 10, "completion_tokens": 10}
    return Answer({"choices": [choice], "usage": usage, "system_fingerprint": "fp_1"})


def questions_asked(paid: Paid) -> int:
    """Return how many questions the server was asked."""
    return sum(call.name == "POST /chat/completions" for call in paid.provider.calls)


def lines_of(path: Path | str) -> list[dict[str, Any]]:
    """Return the lines of a JSONL file."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def rescued(paid: Paid, *words: str, code: int = 0) -> dict[str, Any]:
    """Rescue the project's experiment and return its entry."""
    entry = paid.json(*(words or RESCUE), code=code)["experiments"][0]
    assert isinstance(entry, dict)
    return entry


@pytest.fixture
def trained(paid: Paid) -> Paid:
    """Return the project with a tuned model, which was never asked anything."""
    paid.provider.hook = said
    paid.json("run", "toy.yaml", "--yes", "--until", "wait")
    return paid


def test_answers_are_recorded_with_how_they_were_asked(
    trained: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tuned and base, eval prompts and training rows; a rerun asks nobody, needs no key, changes no byte."""
    entry = rescued(trained)
    assert (entry["status"], entry["answers"], entry["asked"]) == ("done", {"tuned": 4, "base": 4}, 8)
    assert entry["usd"] == pytest.approx(8 * 20 / 1e6)
    line = lines_of(entry["file"])[0]
    assert (line["prompt_id"], line["candidate"], line["answer"]) == (
        "one",
        "tuned",
        "ft:m:ftjob-1: 一番は？",
    )
    assert line["sampling"] == {"temperature": 0, "max_tokens": 256, "seed": 42}
    assert line["usage"] == {"prompt_tokens": 10, "completion_tokens": 10} and line["seconds"] >= 0
    assert (line["system_fingerprint"], line["finish_reason"], line["refusal"]) == ("fp_1", "stop", None)
    assert line["at"].startswith("20") and line["messages"] == [{"role": "user", "content": "一番は？"}]
    manifest = json.loads(Path(entry["manifest"]).read_text(encoding="utf-8"))
    assert (
        manifest["sha256"] == hashlib.sha256(Path(entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    )
    assert (manifest["model"], manifest["base"], manifest["missing"]) == ("ft:m:ftjob-1", "m", 0)
    before, asked = contents(trained.folder), questions_asked(trained)
    monkeypatch.delenv("SOME_KEY")
    again = rescued(trained)
    assert again["asked"] == 0 and questions_asked(trained) == asked
    assert {**entry, "asked": 0, "usd": 0.0} == again
    after = contents(trained.folder)
    assert {name for name in after if after[name] != before.get(name)} <= {
        name for name in after if name.endswith((".lock", "ledger.json"))
    }


def test_the_questions_ask_exactly_the_same(trained: Paid) -> None:
    """The file of questions as eval prompts, the file of answers as a candidate: nobody is asked again."""
    entry = rescued(trained)
    questions = lines_of(entry["questions"])
    assert [one["_from"] for one in questions] == ["prompts", "training", "training", "training"]
    asked = questions_asked(trained)
    document = trained.json(
        *("eval", "toy.yaml", "--yes", "--set", "eval.prompts=[{path: rescued/toy-paid.questions.jsonl}]"),
        *("--set", "eval.models=[tuned, base, {name: old, answers: rescued/toy-paid.jsonl}]"),
    )
    assert questions_asked(trained) == asked
    found = document["candidates"]
    assert found["old"]["model"] == found["tuned"]["model"] == "ft:m:ftjob-1"
    pairs = {(one["a"], one["b"]): one for one in document["comparisons"]}
    assert pairs["tuned", "old"]["difference"] == 0
    (warning,) = document["warnings"]
    assert warning.startswith("All judged questions are in the training data")


def test_an_evaluation_pays_for_nothing_that_was_rescued_and_the_other_way_round(trained: Paid) -> None:
    """The same request is asked once, whichever command comes first."""
    trained.json("run", "toy.yaml", "--yes")
    first = questions_asked(trained)
    assert first == 1 and rescued(trained)["asked"] == 7
    trained.json("eval", "toy.yaml", "--yes", "--set", "eval.models=[tuned, base]")
    assert questions_asked(trained) == 8


def test_several_answers_per_question(trained: Paid) -> None:
    """Each has a number and a seed of its own; that temperature 0 gives the same answer is said."""
    trained.run(*RESCUE, "--samples", "3")
    assert "with temperature 0, which gives (nearly) the same answer" in trained.error
    entry = rescued(trained, *RESCUE, "--samples", "3")
    lines = [
        one for one in lines_of(entry["file"]) if (one["prompt_id"], one["candidate"]) == ("one", "tuned")
    ]
    assert [(one["repeat"], one["sampling"]["seed"]) for one in lines] == [(0, 42), (1, 43), (2, 44)]
    words = (
        "eval",
        "toy.yaml",
        "--yes",
        "--set",
        "eval.models=[{name: old, answers: rescued/toy-paid.jsonl}]",
    )
    assert trained.json(*words)["candidates"]["old"]["model"] == "ft:m:ftjob-1"


def test_less_asked_later_keeps_all(trained: Paid) -> None:
    """Fewer rows, one sample, no base: what was recorded stays."""
    entry = rescued(trained, *RESCUE, "--samples", "2")
    again = rescued(trained, "rescue", "toy.yaml", "--yes", "--train-rows", "0", "--no-base")
    assert again["answers"] == entry["answers"] == {"tuned": 8, "base": 8}
    assert again["sha256"] == entry["sha256"] and again["date"] == entry["date"]


def test_a_question_with_another_text_takes_the_id(trained: Paid) -> None:
    """The older one, and its answers, get a longer id: nothing is lost, and both can be asked."""
    rescued(trained)
    text = trained.config.read_text(encoding="utf-8").replace("一番は？", "二番は？")
    trained.config.write_text(text, encoding="utf-8")
    entry = rescued(trained)
    assert entry["answers"] == {"tuned": 5, "base": 5} and entry["asked"] == 2
    answers = {(one["prompt_id"], one["candidate"]): one["answer"] for one in lines_of(entry["file"])}
    assert answers["one", "tuned"].endswith("二番は？")
    (older,) = [name for name, who in answers if name.startswith("one-") and who == "base"]
    assert answers[older, "base"] == "m: 一番は？"
    users = {one["id"]: one["user"] for one in lines_of(entry["questions"])}
    assert (users["one"], users[older]) == ("二番は？", "一番は？")
    assert rescued(trained)["sha256"] == entry["sha256"]


def test_held_out_rows_are_asked_with_their_references(paid: Paid) -> None:
    """All of the test split; where there is none, of the validation split; as many as wanted."""
    paid.provider.hook = said
    paid.config.write_text(
        paid.config.read_text(encoding="utf-8").replace(
            "data: {sources: [{path: toy.csv}]}",
            "data: {sources: [{path: toy.csv}], split: {validation: 2, seed: 1}}",
        ),
        encoding="utf-8",
    )
    rows = "".join(f"質問{number},答え{number}\n" for number in range(20))
    (paid.folder / "toy.csv").write_text("q,a\n" + rows, encoding="utf-8")
    paid.json("run", "toy.yaml", "--yes", "--until", "wait")
    entry = rescued(paid, "rescue", "toy.yaml", "--yes", "--train-rows", "0")
    questions = [one for one in lines_of(entry["questions"]) if one["_from"] == "validation"]
    assert len(questions) == 2 and all(one["reference"].startswith("答え") for one in questions)
    assert all(one["id"].startswith("validation:") for one in questions)
    (paid.folder / "rescued" / "toy-paid.json").unlink()
    shutil.rmtree(paid.folder / "rescued")
    words = ("rescue", "toy.yaml", "--yes", "--train-rows", "0", "--validation-rows", "1")
    assert rescued(paid, *words)["answers"] == {"tuned": 2, "base": 2}


def test_a_budget_that_is_too_small_asks_nobody(trained: Paid) -> None:
    """Exit 4 before anything is sent; the price is said with tokens."""
    error = trained.json(*RESCUE, "--set", "budget.usd=0.0000001", code=4)["error"]
    assert error["code"] == "over_budget" and "--no-base" in error["hint"] and questions_asked(trained) == 0
    error = trained.json(*RESCUE, "--set", "budget.usd_per_month=0.0000001", code=4)["error"]
    assert error["code"] == "over_month" and questions_asked(trained) == 0
    trained.run(*RESCUE)
    assert "8 of 8 answers will be requested (" in trained.error and "US$0.0021" in trained.error


def test_nobody_agreed(trained: Paid) -> None:
    """Without --yes, a budget or a terminal: exit 4, and nothing is asked."""
    error = trained.json("rescue", "toy.yaml", code=4)["error"]
    assert error["code"] == "not_confirmed" and questions_asked(trained) == 0
    assert rescued(trained, "rescue", "toy.yaml", "--set", "budget.usd=1")["status"] == "done"


def test_a_kill_loses_no_answer_that_came(trained: Paid) -> None:
    """kill -9 while many are asked: the next run asks for the others, and the files are whole."""
    many = ", ".join(f"{{id: p{n}, user: '質問その{n}'}}" for n in range(40))
    words = [*RESCUE, "--train-rows", "0", "--set", f"eval.prompts=[{many}]"]
    words += ["--set", "targets.paid.concurrency=4"]
    asked_for, killed, lock = Counter[tuple[str, str]](), list[Forked](), threading.Lock()

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        with lock:
            asked_for[asked.body["model"], asked.body["messages"][-1]["content"]] += 1
            if len(asked_for) == 30 and len(killed) == 1:
                os.killpg(killed[0].pid, signal.SIGKILL)
                killed.append(killed[0])
        return said(asked)

    trained.provider.hook = hook
    killed.append(Ftrun(trained.folder).start(*words))
    killed[0].communicate()
    assert killed[0].returncode == -signal.SIGKILL
    assert not (trained.folder / "rescued").exists()
    entry = rescued(trained, *words)
    assert entry["answers"] == {"tuned": 40, "base": 40} and len(asked_for) == 80
    assert sum(count > 1 for count in asked_for.values()) <= 4, "no more than were under way"
    assert rescued(trained, *words)["sha256"] == entry["sha256"]


def test_a_file_that_a_person_changed_is_left_alone(trained: Paid) -> None:
    """What is missing is asked, all is written under another name, and an evaluation says what changed."""
    file = Path(rescued(trained)["file"])
    edited = file.read_text(encoding="utf-8").replace("ft:m:ftjob-1: 一番は？", "訂正した答え")
    file.write_text(edited, encoding="utf-8")
    entry = rescued(trained, "rescue", "toy.yaml", "--yes", "--train-rows", "4")
    assert entry["asked"] == 2 and entry["answers"] == {"tuned": 5, "base": 5}
    assert Path(entry["file"]).name.startswith("toy-paid-") and file.read_text(encoding="utf-8") == edited
    assert rescued(trained, "rescue", "toy.yaml", "--yes", "--train-rows", "4")["sha256"] == entry["sha256"]
    said_of_it = trained.run("rescue", "toy.yaml", "--train-rows", "4")
    assert "toy-paid.jsonl" in said_of_it and "was changed after it was recorded" in said_of_it
    words = ("eval", "toy.yaml", "--set", "eval.models=[{name: old, answers: rescued/toy-paid.jsonl}]")
    warnings = trained.json(*words)["warnings"]
    assert sum("was changed after it was recorded" in one for one in warnings) == 1


@pytest.mark.parametrize("damage", ["torn", "no manifest", "foreign"])
def test_damaged_files_are_never_overwritten(trained: Paid, damage: str) -> None:
    """A torn file, one without its manifest, one of another experiment: each stays, byte for byte."""
    entry = rescued(trained)
    file, manifest = Path(entry["file"]), Path(entry["manifest"])
    if damage == "torn":
        file.write_bytes(file.read_bytes()[:-20])
    elif damage == "no manifest":
        manifest.unlink()
    else:
        facts = {**json.loads(manifest.read_text(encoding="utf-8")), "model": "ft:another"}
        manifest.write_text(json.dumps(facts), encoding="utf-8")
    before = contents(file.parent)
    again = rescued(trained)
    assert again["file"] != entry["file"] and again["answers"] == entry["answers"] and again["asked"] == 0
    after = contents(file.parent)
    assert {name: after[name] for name in before} == before


def test_a_kill_between_two_files_is_no_change_by_a_person(trained: Paid) -> None:
    """The manifest names what it replaces: the next run writes what is missing under the same name."""
    entry = rescued(trained)
    folder = Path(entry["file"]).parent
    before = contents(folder)
    rescued(trained, "rescue", "toy.yaml", "--yes", "--train-rows", "4")
    after = contents(folder)
    manifest = json.loads(after[entry["manifest"]])
    old = json.loads(before[entry["manifest"]])
    manifest["replaces"] = {name: old[name] for name in ("sha256", "questions_sha256")}
    Path(entry["manifest"]).write_text(json.dumps(manifest), encoding="utf-8")
    for name in (entry["file"], entry["questions"]):
        Path(name).write_bytes(before[name])
    again = rescued(trained, "rescue", "toy.yaml", "--yes", "--train-rows", "4")
    assert again["file"] == entry["file"] and again["asked"] == 0
    assert contents(folder)[entry["file"]] == after[entry["file"]]
    assert "replaces" not in json.loads(Path(entry["manifest"]).read_text(encoding="utf-8"))


def test_withheld_refused_and_empty_answers_are_what_they_are(trained: Paid) -> None:
    """They are recorded, counted and listed; a question that the filter withholds is one, too."""

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        question = asked.body["messages"][-1]["content"]
        if question == "一番は？":
            return said(asked, content="", ending="content_filter")
        if question == "質問3":
            return Answer(WITHHELD, 400)
        if question == "質問0":
            return said(asked, ending="length")
        return said(asked, content="") if question == "質問6" else said(asked)

    trained.provider.hook = hook
    entry = rescued(trained)
    assert entry["status"] == "done" and entry["answers"] == {"tuned": 4, "base": 4}
    by_user = {one["user"]: one["id"] for one in lines_of(entry["questions"])}
    assert entry["filtered"] == ["one", by_user["質問3"]] and entry["empty"] == [by_user["質問6"]]
    assert entry["cut"] == [by_user["質問0"]]
    line = next(one for one in lines_of(entry["file"]) if one["prompt_id"] == by_user["質問3"])
    assert (line["refusal"], line["finish_reason"], line["answer"]) == (
        "content_filter",
        "content_filter",
        "",
    )
    assert "withheld by the content filter: 2 (one, " in trained.run(*RESCUE)


def test_one_question_that_is_refused_stops_nothing(trained: Paid) -> None:
    """It is said and left out; all others are answered, by both."""

    def hook(asked: Asked) -> Answer | None:
        if asked.path == "/chat/completions" and asked.body["messages"][-1]["content"] == "質問3":
            return refusal(400, "This model's maximum context length is 8 tokens", "context_length_exceeded")
        return said(asked)

    trained.provider.hook = hook
    entry = rescued(trained)
    assert entry["status"] == "done" and entry["answers"] == {"tuned": 3, "base": 3}
    assert len(entry["left_out"]) == 1 and entry["missing"] == 2
    assert "maximum context length" in trained.error


def test_parameters_that_a_model_refuses_are_left_out(trained: Paid) -> None:
    """As in an evaluation; each line says what was changed."""

    def hook(asked: Asked) -> Answer | None:
        if asked.path == "/chat/completions" and "temperature" in asked.body:
            return refusal(
                400, "Unsupported parameter: 'temperature' is not supported", "unsupported_parameter"
            )
        return said(asked)

    trained.provider.hook = hook
    entry = rescued(trained)
    assert all(one["changes"] == {"temperature": None} for one in lines_of(entry["file"]))


def test_a_base_that_is_gone_is_no_reason_to_lose_the_tuned_models_answers(trained: Paid) -> None:
    """It is said once, and the command succeeds."""
    trained.provider.hook = lambda asked: (
        refusal(404, "The model `m` does not exist", "model_not_found")
        if asked.path == "/chat/completions" and asked.body["model"] == "m"
        else said(asked)
    )
    entry = rescued(trained)
    assert entry["status"] == "done" and entry["answers"] == {"tuned": 4, "base": 0}
    assert entry["missing"] == 4 and "does not exist" in entry["without_base"]
    assert trained.error.count("the base model is not asked") == 1


def test_a_tuned_model_that_is_gone_is_one_message(trained: Paid) -> None:
    """Exit 1, and its base isn't asked."""
    models = list[str]()

    def hook(asked: Asked) -> Answer | None:
        if asked.path == "/chat/completions":
            models.append(asked.body["model"])
            return refusal(404, "The model does not exist", "model_not_found")
        return None

    trained.provider.hook = hook
    trained.provider.models = {name: one for name, one in trained.provider.models.items() if name == "m"}
    error = trained.json(*RESCUE, code=1)["error"]
    assert error["code"] == "model_gone" and "ft:m:ftjob-1" in error["message"]
    assert set(models) == {"ft:m:ftjob-1"}
    assert trained.json(*RESCUE, code=1)["error"]["code"] == "model_gone"
    assert len(models) == 1, "that it is gone is remembered"


def test_own_questions_from_the_command_line(trained: Paid, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A file of questions, wherever it is; without references too."""
    own = tmp_path_factory.mktemp("elsewhere") / "own.csv"
    own.write_text("user\n私の質問\n", encoding="utf-8")
    entry = rescued(trained, "rescue", "toy.yaml", "--yes", "--train-rows", "0", "--prompts", str(own))
    assert entry["answers"] == {"tuned": 2, "base": 2}
    assert [one["id"] for one in lines_of(entry["questions"])] == ["one", "own:2"]


IMPORTED = """\
version: 1
name: gone
targets:
  paid: {{provider: openai, model: m, base_url: '{base_url}', api_key_env: SOME_KEY,
    price: {{train: 1, input: 1, output: 1}}}}
eval:
  models: [{{name: tuned, model: 'ft:m:old'}}, base]
imported: {{job_id: ftjob-9, fine_tuned_model: 'ft:m:old', missing: [training_file]}}
"""


def test_a_model_whose_data_are_gone_is_asked_the_users_questions(paid: Paid) -> None:
    """With nothing to ask: exit 2 and the way out; with --prompts it works."""
    paid.provider.hook = said
    text = IMPORTED.format(base_url=paid.server.base_url)
    config = paid.folder / "gone.yaml"
    config.write_text(text.replace("base]", "base]\n  general: true"), encoding="utf-8")
    entry = rescued(paid, "rescue", "gone.yaml", "--yes", "--no-base")
    assert entry["answers"]["tuned"] > 10 and lines_of(entry["questions"]) == []
    shutil.rmtree(paid.folder / "rescued")
    own = paid.folder / "own.jsonl"
    own.write_text('{"id": "a", "user": "元気？"}\n', encoding="utf-8")
    config.write_text(text, encoding="utf-8")
    error = paid.json("rescue", "gone.yaml", "--yes", code=2)["error"]
    assert "--prompts" in (error["hint"] or "")
    entry = rescued(paid, "rescue", "gone.yaml", "--yes", "--prompts", "own.jsonl")
    assert entry["answers"] == {"tuned": 1, "base": 1}
    manifest = json.loads(Path(entry["manifest"]).read_text(encoding="utf-8"))
    assert (manifest["job_id"], manifest["model"]) == ("ftjob-9", "ft:m:old")


def test_rows_with_tools_of_a_preference_and_with_images(paid: Paid) -> None:
    """Tools are sent, a preference's question is asked, images are left out and said."""
    paid.provider.hook = said
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    image = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]

    def row(question: Any, answer: dict[str, Any], **more: Any) -> str:
        messages = [{"role": "system", "content": "短く。"}, {"role": "user", "content": question}]
        return json.dumps({"messages": [*messages, {"role": "assistant", **answer}], **more})

    rows = [row(f"質問{n}", {"content": f"答え{n}"}) for n in range(12)]
    rows += [row("呼んで", {"content": None, "tool_calls": [call]}, tools=[tool])]
    rows += [row(image, {"content": "絵です"})]
    (paid.folder / "toy.jsonl").write_text("\n".join(rows), encoding="utf-8")
    text = paid.config.read_text(encoding="utf-8").replace("toy.csv", "toy.jsonl")
    start = text.index("prompt:")
    paid.config.write_text(text[:start] + text[text.index("eval:") :], encoding="utf-8")
    paid.json("run", "toy.yaml", "--yes", "--until", "wait")
    entry = rescued(paid, "rescue", "toy.yaml", "--yes", "--train-rows", "20")
    assert entry["answers"] == {"tuned": 14, "base": 14}
    assert (
        "rows of the training data with images, audio or files, which are not asked: 1"
        in paid.run("rescue", "toy.yaml", "--yes")
        or "which are not asked: 1" in paid.error
    )
    (with_tools,) = [one for one in lines_of(entry["questions"]) if "tools" in one]
    assert with_tools["expect"] == {"tool_call": {"name": "f", "arguments": {}}}
    sent = [one.body for one in paid.server.asked if one.path == "/chat/completions" and "tools" in one.body]
    assert len(sent) == 2


def test_many_at_once(trained: Paid) -> None:
    """--all: those with a tuned model, side by side; the others in a line, and what fails stops nobody."""
    configs = trained.folder / "configs"
    configs.mkdir()
    text = IMPORTED.format(base_url=trained.server.base_url)
    for number in range(5):
        own = text.replace("name: gone", f"name: e{number}").replace("ft:m:old", f"ft:m:old{number}")
        prompts = "  prompts: [{id: a, user: あ}, {id: b, user: い}]\nimported:"
        (configs / f"e{number}.yaml").write_text(own.replace("imported:", prompts), encoding="utf-8")
    (configs / "untrained.yaml").write_text(
        trained.config.read_text(encoding="utf-8")
        .replace("toy.csv", "../toy.csv")
        .replace("name: toy", "name: untrained"),
        encoding="utf-8",
    )
    (configs / "broken.yaml").write_text("version: 1\nname: broken\neval: {prompts: 3}\n", encoding="utf-8")
    (configs / "parts.yaml").write_text("version: 1\n", encoding="utf-8")
    trained.provider.hook = lambda asked: (
        refusal(404, "gone", "model_not_found")
        if asked.path == "/chat/completions" and asked.body["model"] == "ft:m:old3"
        else said(asked)
    )
    document = trained.json("rescue", "--all", "--yes", code=1)
    found = {Path(one["config"]).stem: one for one in document["experiments"]}
    done = {name for name, one in found.items() if one["status"] == "done"}
    assert done == {"e0", "e1", "e2", "e4"} and found["e3"]["error"]["code"] == "model_gone"
    assert all(found[name]["answers"] == {"tuned": 2, "base": 2} for name in done)
    assert {Path(one["config"]).stem for one in document["skipped"]} == {"untrained", "parts"}
    assert found["broken"]["status"] == "failed" and document["error"]["code"] == "model_gone"
    said_of_it = trained.run("rescue", "--all", "--yes", code=1)
    assert "not rescued: configs/parts.yaml (not an experiment: it has no `name`)" in said_of_it
    assert "as recorded before: the answers of 4 experiments" in said_of_it and "e0 on" not in said_of_it
    assert "so that nobody is asked: 4 of 5" in trained.error and "e0 on" not in trained.error
    assert "git add configs/rescued" in said_of_it and " port configs/e0.yaml --to local" in said_of_it


def test_one_consent_for_all(trained: Paid) -> None:
    """Those with a budget that is enough are asked, those without wait for a yes."""
    configs = trained.folder / "configs"
    configs.mkdir()
    text = IMPORTED.format(base_url=trained.server.base_url)
    for name, budget in (
        ("rich", "budget: {usd: 1}\n"),
        ("poor", "budget: {usd: 0.0000001}\n"),
        ("open", ""),
    ):
        own = text.replace("name: gone", f"name: {name}").replace("ft:m:old", f"ft:m:{name}")
        prompts = f"  prompts: [{{id: a, user: あ}}]\n{budget}imported:"
        (configs / f"{name}.yaml").write_text(own.replace("imported:", prompts), encoding="utf-8")
    document = trained.json("rescue", "--all", code=4)
    found = {one["experiment"]: one for one in document["experiments"]}
    assert found["rich"]["status"] == "done" and found["poor"]["error"]["code"] == "over_budget"
    assert found["open"]["error"]["code"] == "not_confirmed"
    assert {one.body["model"] for one in trained.server.asked if one.path == "/chat/completions"} == {
        *("ft:m:rich", "m")
    }


def test_a_missing_consent_to_several_is_said_once(trained: Paid) -> None:
    """One message with the price of all, not one per experiment."""
    configs = trained.folder / "configs"
    configs.mkdir()
    text = IMPORTED.format(base_url=trained.server.base_url)
    for name in ("one", "two", "three"):
        own = text.replace("name: gone", f"name: {name}").replace("ft:m:old", f"ft:m:{name}")
        prompts = "  prompts: [{id: a, user: あ}]\nimported:"
        (configs / f"{name}.yaml").write_text(own.replace("imported:", prompts), encoding="utf-8")
    trained.run("rescue", "--all", code=4)
    assert trained.error.count("nobody is here to confirm it") == 1


def test_a_model_that_must_be_deployed_is_deployed_asked_and_removed(
    azure: Paid, management: Management
) -> None:
    """As in a run; its base, which has no deployment, is said and left out."""
    azure.json("run", azure.config, "--yes", "--until", "wait")
    words = ("rescue", str(azure.config), "--yes", "--train-rows", "3")
    entry = rescued(azure, *words)
    (name,) = management.puts
    assert management.deletes == [name] and entry["answers"]["tuned"] == 4 and entry["without_base"]
    assert rescued(azure, *words, "--no-base")["asked"] == 0 and management.puts == [name]


def test_usage(trained: Paid) -> None:
    """Neither files nor --all, or both; an experiment without a tuned model."""
    assert "or pass --all" in trained.json("rescue", code=2)["error"]["message"]
    assert trained.json("rescue", "toy.yaml", "--all", code=2)["error"]["code"] == "usage"
    assert trained.json("rescue", "--all", code=2)["error"]["code"] == "no_experiments"
    error = trained.json(*RESCUE, "--set", "train.suffix=other", code=2)["error"]
    assert error["code"] == "no_model" and questions_asked(trained) == 0


def test_a_fresh_clone_asks_nobody(trained: Paid) -> None:
    """What git has, the state and the recorded answers, is enough; the files stay as they are."""
    entry = rescued(trained)
    before, asked = contents(trained.folder / "rescued"), questions_asked(trained)
    state = (trained.folder / "runs/toy/paid/state.json").read_bytes()
    shutil.rmtree(trained.folder / "runs")
    (trained.folder / "runs/toy/paid").mkdir(parents=True)
    (trained.folder / "runs/toy/paid/state.json").write_bytes(state)
    assert rescued(trained)["sha256"] == entry["sha256"] and questions_asked(trained) == asked
    assert contents(trained.folder / "rescued") == before


def test_preferences_are_asked_their_questions(paid: Paid) -> None:
    """The preferred answer is the reference."""
    paid.provider.hook = said
    answers = {"preferred_output": "良い", "non_preferred_output": "悪い"}
    rows = [
        {
            "input": {"messages": [{"role": "user", "content": f"質問{n}"}]},
            **{name: [{"role": "assistant", "content": text}] for name, text in answers.items()},
        }
        for n in range(12)
    ]
    (paid.folder / "toy.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    text = paid.config.read_text(encoding="utf-8").replace("toy.csv", "toy.jsonl")
    start = text.index("prompt:")
    paid.config.write_text(
        text[:start] + "train: {method: dpo}\n" + text[text.index("eval:") :], encoding="utf-8"
    )
    paid.json("run", "toy.yaml", "--yes", "--until", "wait")
    entry = rescued(paid)
    assert entry["answers"] == {"tuned": 4, "base": 4}
    assert [one.get("reference") for one in lines_of(entry["questions"])] == [None, "良い", "良い", "良い"]


def test_ctrl_c_writes_what_came_and_resumes(trained: Paid) -> None:
    """SIGINT while many are asked: exit 130 soon, the answers that came are in the file, the rest follows."""
    many = ", ".join(f"{{id: p{n}, user: '質問その{n}'}}" for n in range(30))
    words = [*RESCUE, "--train-rows", "0", "--set", f"eval.prompts=[{many}]"]
    words += ["--set", "targets.paid.concurrency=2"]
    enough, lock, count = threading.Event(), threading.Lock(), Counter[str]()

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        with lock:
            count["asked"] += 1
            if count["asked"] == 12:
                enough.set()
        if enough.is_set() and not count["resumed"]:
            count["waited"] += 1
            resumed.wait(20)
        return said(asked)

    resumed = threading.Event()
    trained.provider.hook = hook
    process = Ftrun(trained.folder).start(*words)
    assert enough.wait(60)
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    assert process.returncode == 130 and time.monotonic() - start < 5
    resumed.set()
    count["resumed"] = 1
    lines = lines_of(trained.folder / "rescued" / "toy-paid.jsonl")
    assert 5 <= len(lines) < 60
    entry = rescued(trained, *words)
    assert entry["answers"] == {"tuned": 30, "base": 30} and entry["missing"] == 0


def test_ctrl_c_ends_several_at_once(trained: Paid) -> None:
    """Exit 130 soon; each writes down what it has, and the same command asks for the rest."""
    configs = trained.folder / "configs"
    configs.mkdir()
    prompts = ", ".join(f"{{id: p{n}, user: '質問その{n}'}}" for n in range(20))
    for number in range(3):
        text = IMPORTED.format(base_url=trained.server.base_url).replace("name: gone", f"name: e{number}")
        text = text.replace("ft:m:old", f"ft:m:old{number}").replace(
            "api_key_env", "concurrency: 4, api_key_env"
        )
        text = text.replace("imported:", f"  prompts: [{prompts}]\nimported:")
        (configs / f"e{number}.yaml").write_text(text, encoding="utf-8")
    enough, resumed, count, lock = threading.Event(), threading.Event(), Counter[str](), threading.Lock()

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        with lock:
            count["asked"] += 1
            if count["asked"] == 40:
                enough.set()
        if enough.is_set():
            resumed.wait(0.3)
        return said(asked)

    trained.provider.hook = hook
    process = Ftrun(trained.folder).start("rescue", "--all", "--yes")
    assert enough.wait(60)
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130 and time.monotonic() - start < 5 and "To resume: " in error
    resumed.set()
    asked = count["asked"]
    document = trained.json("rescue", "--all", "--yes")
    assert all(one["answers"] == {"tuned": 20, "base": 20} for one in document["experiments"])
    assert count["asked"] - asked <= 120 - 40 + 12


def test_data_that_can_no_longer_be_prepared(trained: Paid) -> None:
    """Where the file names the model, what was prepared earlier is asked; edited data make no other file."""
    trained.add("imported: {job_id: ftjob-1, fine_tuned_model: 'ft:m:ftjob-1'}\n")
    (trained.folder / "toy.csv").unlink()
    entry = rescued(trained)
    assert entry["answers"] == {"tuned": 4, "base": 4}
    assert "the data can't be prepared now" in trained.error
    lines = "".join(f"問{n},答{n}\n" for n in range(12))
    (trained.folder / "toy.csv").write_text(f"q,a\n{lines}", encoding="utf-8")
    edited = rescued(trained)
    assert Path(edited["file"]) == Path(entry["file"]) and edited["answers"] == {"tuned": 7, "base": 7}


def test_what_port_trains_on_this_machine_is_not_rescued_with_all(ftrun: Ftrun, project: Path) -> None:
    """An experiment of this machine is; one that compares itself with recorded answers is listed."""
    ftrun.json("run", "configs/toy.yaml", "--until", "wait")
    (entry,) = ftrun.json("rescue", "--all", "--train-rows", "1", "--no-base")["experiments"]
    assert entry["usd"] == 0 and entry["answers"]["tuned"] > 0
    name = Path(entry["file"]).name
    with (project / "configs/toy.yaml").open("a", encoding="utf-8") as file:
        file.write(f"  models: [tuned, {{name: old, answers: rescued/{name}}}]\n")
    document = ftrun.json("rescue", "--all")
    assert document["experiments"] == [] and "to replace" in document["skipped"][0]["reason"]
