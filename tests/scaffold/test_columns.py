"""`ftrun init` on tables: which column asks, which answers, in which encoding, under which name."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from ftrun.cli import main
from ftrun.experiment.templates.rendering import Renderer
from ftrun.scaffold.naming import name_of

from .drafting import ENGLISH, JAPANESE, init, load, write_csv


@pytest.mark.parametrize(
    ("user", "assistant"),
    [
        ("質問", "回答"),
        ("問い", "答え"),
        ("Q", "A"),
        ("Ｑ", "Ａ"),
        ("User", "ASSISTANT"),
        ("prompt", "completion"),
        ("instruction", "output"),
        ("input", "output"),
        (" Question ", "answer."),
    ],
)
def test_columns_are_known_by_name(
    project: Path, capsys: pytest.CaptureFixture[str], user: str, assistant: str
) -> None:
    """Usual names of questions and answers are recognised in any case and width, among other columns."""
    rows = [("1", answer, question, "x") for question, answer in JAPANESE]
    write_csv(project / "faq.csv", ["id", assistant, user, "tag"], rows)
    document = init(capsys, "faq.csv")
    assert document["columns"] == {"user": user, "assistant": assistant}
    assert document["guessed"] is False
    experiment = load(document["file"])
    row = {"id": "1", assistant: "a", user: "u", "tag": "x"}
    columns = experiment.data.sources[0].columns or {}
    renamed = {next((new for new, old in columns.items() if old == name), name): row[name] for name in row}
    messages = Renderer(experiment).render_row(renamed)
    assert [message["content"] for message in messages[1:]] == ["u", "a"]


def test_a_drafted_experiment_passes_the_data_check(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What init writes is read, rendered and counted by `ftrun check` without an error."""
    write_csv(project / "faq.csv", ["質問", "回答"], JAPANESE)
    file = init(capsys, "faq.csv")["file"]
    with pytest.raises(SystemExit) as exit_:
        main(["check", file, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (exit_.value.code, result["errors"]) == (0, [])
    assert result["files"]["train"]["examples"] == 24
    assert result["files"]["train"]["missing_system"] == 0


def test_a_column_that_templates_cannot_name_is_renamed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Columns such as `Q 1` get a new name in `columns:`, and the templates use that."""
    write_csv(project / "faq.csv", ["Q 1", "A 1"], ENGLISH)
    document = init(capsys, "faq.csv")
    experiment = load(document["file"])
    assert experiment.data.sources[0].columns == {"user": "Q 1", "assistant": "A 1"}
    assert experiment.prompt.user is not None
    assert experiment.prompt.user.text == "{{ user }}"


@pytest.mark.parametrize(
    "names", [("ご質問内容", "回答内容"), ("question_text", "answer_text"), ("お問い合わせ内容", "返信文")]
)
def test_columns_are_known_by_a_name_in_theirs(
    project: Path, capsys: pytest.CaptureFixture[str], names: tuple[str, str]
) -> None:
    """`ご質問内容` is a 質問: nothing is guessed, and no note says that the names say nothing."""
    write_csv(project / "faq.csv", names, JAPANESE)
    document = init(capsys, "faq.csv")
    assert tuple(document["columns"].values()) == names
    assert not document["guessed"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("対応履歴_2026.csv", "taio-rireki-2026"),
        ("質問.csv", "shitsumon"),
        ("お客様対応履歴.csv", "okyakusama-taio-rireki"),
        ("고객문의.csv", "gogaegmunui"),
        ("Вопросы клиентов.csv", "voprosy-klientov"),
        ("train.csv", "project"),
        ("訓練データ.csv", "project"),
        ("train-00000-of-00002.csv", "project"),
        ("_FAQ 1.csv", "faq-1"),
        ("faq.csv.gz", "faq"),
    ],
)
def test_the_name_is_made_of_the_files(
    project: Path, capsys: pytest.CaptureFixture[str], file: str, name: str
) -> None:
    """It is readable ASCII in any script; a file that is only called train has the name of its folder."""
    write_csv(project / "x.csv", ["question", "answer"], ENGLISH)
    raw = (project / "x.csv").read_bytes()
    (project / file).write_bytes(gzip.compress(raw) if file.endswith(".gz") else raw)
    assert init(capsys, file)["experiment"] == name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("[LINE] みどり商店とのトーク.txt", "midori-shoten"),
        ("[LINE] 花子とのトーク履歴.txt", "hanako"),
        ("[LINE] Chat with Ana.txt", "ana"),
        ("WhatsApp Chat with Ana.txt", "ana"),
        ("WhatsApp-Chat mit Müller.txt", "muller"),
        ("FAQ (未回答あり).csv", "faq-mi-kaito-ari"),
        ("旅館の案内.csv", "ryokan-no-annai"),
        ("旅館問答.csv", "luguanwenda"),
        ("营业时间.csv", "yingyeshijian"),
    ],
)
def test_a_name_is_read_in_one_language(file: str, name: str) -> None:
    """Japanese never gets a Chinese reading in between, and a chat export has the name of its partner."""
    assert name_of(Path(file)) == name


def test_a_first_line_that_is_a_row_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table without names has its first row taken for them; a note says so."""
    write_csv(project / "faq.csv", ENGLISH[0], ENGLISH[1:])
    notes = init(capsys, "faq.csv")["notes"]
    assert any("“What is 0?” reads like a row" in note for note in notes)


def test_unknown_columns_are_guessed_by_content_and_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With names that say nothing the two columns of text are taken in order, and a note says so."""
    rows = [(str(index), ask, answer) for index, (ask, answer) in enumerate(ENGLISH)]
    write_csv(project / "faq.csv", ["n", "foo", "bar"], rows)
    document = init(capsys, "faq.csv")
    assert document["columns"] == {"user": "foo", "assistant": "bar"}
    assert "'foo' asks" in document["notes"][0]


def test_ambiguous_columns_are_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three columns of like texts are an error that names them and the options; with these it works."""
    rows = [(ask, answer, ask + answer) for ask, answer in ENGLISH]
    write_csv(project / "faq.csv", ["foo", "bar", "baz"], rows)
    error = init(capsys, "faq.csv", code=2)["error"]
    assert error["code"] == "ambiguous_columns"
    assert "--user COLUMN --assistant COLUMN. Columns: foo, bar, baz" in error["hint"]
    document = init(capsys, "faq.csv", "--user", "bar", "--assistant", "foo")
    assert document["columns"] == {"user": "bar", "assistant": "foo"}


def test_a_column_that_is_not_there_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--user with a typo gives the nearest column and all that are there."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    error = init(capsys, "faq.csv", "--user", "questoin", code=2)["error"]
    assert error["hint"] == "Did you mean 'question'? Columns: question, answer."


def test_shift_jis_is_recognised(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A cp932 file is read as such, and the experiment says so."""
    text = "質問,回答\n" + "".join(f"{ask},{answer}\n" for ask, answer in JAPANESE)
    (project / "faq.csv").write_bytes(text.encode("cp932"))
    document = init(capsys, "faq.csv")
    experiment = load(document["file"])
    assert experiment.data.sources[0].encoding == "cp932"
    assert document["notes"] == ["The file is cp932, not UTF-8; the experiment says so."]
    assert experiment.evaluation.prompts[0].user in dict(JAPANESE)


def test_an_encoding_that_is_not_sure_is_asked_for(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing proves the encoding nothing is written, and the command for each candidate works."""
    text = "q,a\n" + "".join(f"Gdzie jest {number}?,obok wejścia {number}\n" for number in range(12))
    (project / "faq.csv").write_bytes(text.encode("cp1250"))
    error = init(capsys, "faq.csv", code=2)["error"]
    assert error["code"] == "encoding"
    assert error["hint"].splitlines()[0].endswith("init faq.csv --encoding cp1250")
    assert not (project / "configs").exists()
    document = init(capsys, "faq.csv", "--encoding", "cp1250")
    assert document["encoding"] == "cp1250"
    prompts = load(document["file"]).evaluation.prompts
    assert all(prompt.reference and "wejścia" in prompt.reference for prompt in prompts)
