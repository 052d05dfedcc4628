"""`ftrun init` on tables: which column asks, what the other columns are for, and what it says of the rest."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftrun.experiment import build_experiment, read_document
from ftrun.scaffold.data_file import read_data_file
from ftrun.scaffold.propose import propose
from ftrun.scaffold.unclear import UnclearError
from scaffold.drafting import init

HERE = Path(__file__).parent
ASKED: dict[str, tuple[list[str], list[str]]] = {
    "ja": (
        ["営業時間は何時からですか？", "予約の変更方法を教えてください", "駐車場はありますか"],
        ["朝の七時からでございます。", "一覧から変更できます。", "はい、北側にございます。"],
    ),
    "zh": (
        ["泳池几点开门？", "怎么续卡？", "可以带狗吗"],
        ["早上七点开门。", "请到前台办理。", "狗不能进入。"],
    ),
    "ko": (
        ["몇 시에 여나요?", "어떻게 갱신하나요?", "주차장이 있나요?"],
        ["일곱 시에 엽니다.", "창구에서요.", "네, 있습니다."],
    ),
    "el": (
        ["Τι ώρα ανοίγει;", "Πώς πληρώνω;", "Υπάρχει πάρκινγκ;"],
        ["Στις επτά.", "Στο ταμείο.", "Ναι, βόρεια."],
    ),
    "ar": (
        ["متى يفتح المسبح؟", "كيف أدفع؟", "أين المفقودات؟"],
        ["في السابعة.", "في الاستقبال.", "في الطابق الأول."],
    ),
    "th": (
        ["เปิดกี่โมง", "ต่ออายุอย่างไร", "มีที่จอดรถไหมคะ"],
        ["เปิดเจ็ดโมงเช้า", "ติดต่อที่เคาน์เตอร์", "มี อยู่ทางทิศเหนือ"],
    ),
    "es": (
        ["¿A qué hora abre?", "¿Cómo pago?", "¿Hay sitio?"],
        ["A las siete.", "En el mostrador.", "Sí, al norte."],
    ),
}
NAMES = {
    "ja": ("質問", "回答"), "zh": ("问题", "答案"), "ko": ("질문", "답변"), "el": ("ΕΡΩΤΗΣΗ", "Απάντηση"),
    "ar": ("السؤال", "الجواب"), "th": ("คำถาม", "คำตอบ"), "es": ("Pregunta", "Respuesta"),
}  # fmt: skip
PLAIN = (
    ["Write a poem", "List three lakes", "Explain the rules"],
    ["Rain falls.", "Como, Garda, Ledro.", "No dogs."],
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def table(folder: Path, header: tuple[str, str], rows: list[tuple[str, str]]) -> Path:
    """Write a CSV of two columns."""
    path = folder / "表.csv"
    lines = [header, *rows]
    path.write_text("".join(f'"{one}","{two}"\n' for one, two in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("language", ASKED)
@pytest.mark.parametrize("header", ["own", ("col1", "col2"), ("A", "B"), ("B", "A"), ("text1", "text2")])
@pytest.mark.parametrize("answers_first", [False, True])
def test_questions_are_known_in_any_language_order_and_name(
    tmp_path: Path, language: str, header: Any, answers_first: bool
) -> None:
    """Names in the language say which column asks and, where names say nothing, the texts do."""
    asks, answers = NAMES[language] if header == "own" else header
    rows = list(zip(*ASKED[language], strict=True)) * 2
    if answers_first:
        path = table(tmp_path, (answers, asks), [(two, one) for one, two in rows])
    else:
        path = table(tmp_path, (asks, answers), rows)
    shape = propose(read_data_file(path)).shape
    assert shape.columns == {"user": asks, "assistant": answers}
    assert shape.guessed == (header != "own")


def test_columns_that_may_be_either_are_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where neither names nor texts tell, nothing is written, and the two commands that are printed work."""
    path = table(project, ("x", "y"), list(zip(*PLAIN, strict=True)) * 2)
    with pytest.raises(UnclearError) as caught:
        propose(read_data_file(path))
    assert [way.options for way in caught.value.ways] == [
        ("--user", "x", "--assistant", "y"),
        ("--user", "y", "--assistant", "x"),
    ]
    error = init(capsys, path.name, code=2)["error"]
    commands = [shlex.split(line)[-5:] for line in error["hint"].splitlines()[1:]]
    ways = (("x", "y"), ("y", "x"))
    assert commands == [["表.csv", "--user", one, "--assistant", two] for one, two in ways]
    assert not (project / "configs").exists()
    document = init(capsys, path.name, "--user", "y", "--assistant", "x")
    assert document["columns"] == {"user": "y", "assistant": "x"}


def drafted(
    project: Path, capsys: pytest.CaptureFixture[str], case: str, name: str
) -> tuple[dict[str, Any], Any]:
    """Draft a case's file; return the document and the experiment."""
    for path in (HERE / case).iterdir():
        shutil.copyfile(path, project / path.name)
    document = init(capsys, name)
    return document, build_experiment(read_document(Path(document["file"])))


def test_a_system_column_is_the_system_prompt(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row brings its own, and so does every question."""
    document, experiment = drafted(project, capsys, "07-system-column", "sys_col.csv")
    assert experiment.prompt.system.text == "{{ system }}"
    assert document["unused"] == []
    assert {prompt.system for prompt in experiment.evaluation.prompts} == {"You are Gene."}


@pytest.mark.parametrize(("name", "unused"), [("context_col.csv", []), ("dolly.jsonl", ["category"])])
def test_a_context_is_asked_with_its_question(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, unused: list[str]
) -> None:
    """It goes into the user message where a row has one; what is not used is listed."""
    document, experiment = drafted(project, capsys, "08-context-column", name)
    assert "{{ context }}" in experiment.prompt.user.text
    assert document["unused"] == unused
    assert any("leaflet says" in str(prompt.user) for prompt in experiment.evaluation.prompts)


def test_pictures_are_said_to_be_unused() -> None:
    """A column of image paths beside ready chats is named."""
    proposal = propose(read_data_file(HERE / "13-images-column" / "images_col.jsonl"))
    assert proposal.unused == ("images",)
    assert "The pictures of 'images' are not used: models here learn texts alone." in proposal.notes


def test_files_beside_a_training_file_are_held_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """val.jsonl beside train.jsonl is the validation file, and the folder gives the name."""
    document, experiment = drafted(project, capsys, "29-train-val-siblings", "train.jsonl")
    assert document["experiment"] == "project"
    assert [source.path for source in experiment.data.split.validation] == ["../val.jsonl"]
    assert document["held_out"] == {"validation": ["val.jsonl"]}


@pytest.mark.parametrize("language", ["es", "he", "ko"])
def test_other_languages_get_a_model_that_knows_them(
    project: Path, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    """The usual small model knows English alone; a note and a second target say so."""
    name = next((HERE / "32-language-note").glob(f"enc-{language}-*")).name
    document, experiment = drafted(project, capsys, "32-language-note", name)
    assert "local-multilingual: {provider: local, model: gemma-3-270m}" in experiment.file.read_text("utf-8")
    assert any(
        "Use `--target local-multilingual` or `--target openai` for that." in one for one in document["notes"]
    )


def test_rows_without_an_answer_are_left_out(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Blank, white and null answers are no rows, their lines are named, and the check passes."""
    rows = [{"question": f"What is {number}?", "answer": f"It is {number}."} for number in range(24)]
    rows[3]["answer"], rows[5]["answer"] = "", " \u3000"
    lines = [json.dumps(row) for row in rows]
    lines[7] = '{"question": "What is 7?", "answer": null}'
    (project / "faq.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    document = init(capsys, "faq.jsonl")
    assert document["rows"] == 21
    assert "Left out: lines 4, 6, 8." in document["notes"]
    assert not any("Fix this" in note for note in document["notes"])


def test_names_that_the_texts_contradict_are_asked_about(tmp_path: Path) -> None:
    """A column that is called the answer and holds the questions is no answer without a person's word."""
    rows = [(two, one) for one, two in zip(*ASKED["ko"], strict=True)] * 2
    path = table(tmp_path, ("question", "answer"), rows)
    with pytest.raises(UnclearError) as caught:
        propose(read_data_file(path))
    assert [way.options[1::2] for way in caught.value.ways] == [
        ("question", "answer"),
        ("answer", "question"),
    ]
    shape = propose(read_data_file(path), user="answer", assistant="question").shape
    assert shape.columns == {"user": "answer", "assistant": "question"}
