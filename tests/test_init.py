"""`ftrun init`: whatever the shape of a data file, the experiment written from it is valid and reads it."""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from ftrun import data
from ftrun.cli import main
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment
from ftrun.experiment.templates import Renderer

JAPANESE = [(f"質問その{number}ですか？", f"答えは{number}ですにゃ。") for number in range(30)]
ENGLISH = [(f"What is {number}?", f"It is the number {number}.") for number in range(30)]
Pairs = Sequence[tuple[str, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the current one."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def init(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    """Run `ftrun init … --json`, check the exit code and return the document."""
    with pytest.raises(SystemExit) as exit_:
        main(["init", *words, "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert exit_.value.code == code, document
    return document


def load(path: str) -> Experiment:
    """Return the experiment file, validated as a run validates it."""
    return build_experiment(read_document(Path(path)))


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], mark: str = ",") -> Path:
    """Write a table whose values need no quotes."""
    lines = [mark.join(header), *(mark.join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


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
    assert result["files"]["train"]["examples"] == 27
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
        ("対応履歴_2026.csv", "experiment-2026"),
        ("質問.csv", "experiment"),
        ("_FAQ 1.csv", "faq-1"),
        ("faq.csv.gz", "faq"),
    ],
)
def test_the_name_is_made_of_the_files(
    project: Path, capsys: pytest.CaptureFixture[str], file: str, name: str
) -> None:
    """What a name may not have is left out, as are what is left over at its ends and the endings of files."""
    write_csv(project / "x.csv", ["question", "answer"], ENGLISH)
    raw = (project / "x.csv").read_bytes()
    (project / file).write_bytes(gzip.compress(raw) if file.endswith(".gz") else raw)
    assert init(capsys, file)["experiment"] == name


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


def test_a_guessed_encoding_is_told_with_what_it_gives(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where nothing proves the encoding the note shows the first row, so that a person can tell."""
    text = "q,a\n" + "".join(f"où {number},là-bas {number} été\n" for number in range(12))
    (project / "faq.csv").write_bytes(text.encode("cp1252"))
    assert "“où 0 là-bas 0 été”" in init(capsys, "faq.csv")["notes"][-1]


@pytest.mark.parametrize("kind", ["xlsx", "parquet", "sqlite", "csv.gz"])
def test_other_files_than_text(project: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """A workbook, a Parquet file, a database and a packed table become experiments that a check passes."""
    words = write_table(project / f"faq.{kind}", kind)
    document = init(capsys, f"faq.{kind}", *words)
    assert (document["columns"], document["rows"]) == ({"user": "質問", "assistant": "回答"}, 30)
    with pytest.raises(SystemExit) as exit_:
        main(["check", document["file"], "--json"])
    assert exit_.value.code == 0
    assert json.loads(capsys.readouterr().out)["files"]["train"]["examples"] == 27


def write_table(path: Path, kind: str) -> list[str]:
    """Write JAPANESE in a format of columns and return the words that `ftrun init` needs for it."""
    if kind == "xlsx":
        book = openpyxl.Workbook()
        book.worksheets[0].append(["other"])
        sheet = book.create_sheet("FAQ")
        for row in [("質問", "回答"), *JAPANESE]:
            sheet.append(row)
        book.save(path)
        return ["--sheet", "FAQ"]
    if kind == "parquet":
        names = ("質問", "回答")
        parquet.write_table(
            pyarrow.table(dict(zip(names, map(list, zip(*JAPANESE, strict=True)), strict=True))), path
        )
    elif kind == "sqlite":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE faq (質問, 回答)")
            connection.executemany("INSERT INTO faq VALUES (?, ?)", JAPANESE)
        connection.close()
        return ["--query", "SELECT 質問, 回答 FROM faq ORDER BY rowid"]
    else:
        text = "質問,回答\n" + "".join(f"{ask},{answer}\n" for ask, answer in JAPANESE)
        path.write_bytes(gzip.compress(text.encode("cp932")))
    return []


def test_chat_rows_need_no_columns(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ready chats pass as they are, behind a system prompt that they lack."""
    write_chats(project / "chats.jsonl", JAPANESE, system=None)
    document = init(capsys, "chats.jsonl")
    experiment = load(document["file"])
    assert document["columns"] is None
    assert experiment.prompt.user is None
    assert experiment.prompt.system is not None
    assert "アシスタント" in experiment.prompt.system.text


def test_chat_rows_keep_their_own_system_prompt(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Chats that all have a system message get no other one, and no prompt file is written."""
    write_chats(project / "chats.jsonl", ENGLISH, system="You are a cat.")
    document = init(capsys, "chats.jsonl")
    assert document["written"] == ["configs/chats.yaml"]
    assert load(document["file"]).prompt.system is None


def write_chats(path: Path, pairs: Pairs, *, system: str | None) -> None:
    """Write chat rows of two messages, or three with a system message."""
    head = [{"role": "system", "content": system}] if system else []
    rows = [
        {"messages": [*head, {"role": "user", "content": ask}, {"role": "assistant", "content": answer}]}
        for ask, answer in pairs
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_the_input_beside_an_instruction_is_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of instruction, input and output put the input under the instruction where there is one."""
    rows = [
        {"instruction": f"Add {index}", "input": "1" if index % 2 else "", "output": "sum"}
        for index in range(20)
    ]
    (project / "alpaca.json").write_text(json.dumps(rows), encoding="utf-8")
    renderer = Renderer(load(init(capsys, "alpaca.json")["file"]))
    assert renderer.render_row(rows[0])[1]["content"] == "Add 0"
    assert renderer.render_row(rows[1])[1]["content"] == "Add 1\n\n1"


LOG = [
    ("C1", "2026/4/1 9:05", "お客様", "色は選べますか？"),
    ("C2", "2026/4/1 9:06", "お客様", "送料はいくらですか？"),
    ("C1", "2026/4/1 10:10", "サポート", "黒と白からお選びいただけます。"),
    ("C2", "2026/4/1 9:07", "サポート", "五百円です。"),
]


def test_a_chat_log_becomes_conversations(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows of one message are grouped, ordered and given roles, by the names of columns and speakers."""
    write_csv(project / "log.csv", ["会話ID", "日時", "発言者", "本文"], LOG)
    document = init(capsys, "log.csv")
    assert document["rows"] == 2
    assert list(document["columns"].values()) == ["会話ID", "日時", "発言者", "本文"]
    source = load(document["file"]).data.sources[0]
    assert (source.group_by, source.order_by) == (("会話ID",), "日時")
    assert dict(source.roles or {}) == {"user": ("お客様",), "assistant": ("サポート",)}
    found = data.examine(load(document["file"]))
    assert [problem.code for problem in found.errors] == ["too_few_examples"]


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["トークID", "日時", "送信者タイプ", "内容"], {"お客様": "User", "サポート": "Account"}),
        (["thread_ts", "ts", "user", "text"], {"お客様": "U01", "サポート": "B02"}),
    ],
)
def test_logs_of_line_and_slack_are_known(
    project: Path, capsys: pytest.CaptureFixture[str], names: list[str], roles: dict[str, str]
) -> None:
    """The columns of their exports make a chat log, not a question in one and an answer in another."""
    write_csv(project / "log.csv", names, [(one, when, roles[who], said) for one, when, who, said in LOG])
    document = init(capsys, "log.csv")
    assert list(document["columns"].values()) == names
    found = load(document["file"]).data.sources[0].roles
    assert dict(found or {}) == {"user": (roles["お客様"],), "assistant": (roles["サポート"],)}


def test_a_log_without_conversations_is_told_what_it_lacks(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who speaks and what is known, but not which rows belong together: no pair of columns is asked for."""
    rows = [(("User", "Account")[n % 2], f"発言{n}です") for n in range(40)]
    write_csv(project / "log.csv", ["送信者タイプ", "内容"], rows)
    error = init(capsys, "log.csv", code=2)["error"]
    assert "looks like a chat log" in error["hint"] and "`conversation`" in error["hint"]


def test_conversations_of_sharegpt_are_converted(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The experiment says that they become chats, and the check passes."""
    rows = [
        {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]} for q, a in ENGLISH
    ]
    (project / "share.json").write_text(json.dumps(rows, indent=1))
    experiment = load(init(capsys, "share.json")["file"])
    assert experiment.data.sharegpt == "convert"
    result = data.examine(experiment)
    assert (len(result.errors), result.as_dict()["files"]["train"]["examples"]) == (0, 27)


def test_questions_and_answers_in_a_row_are_no_log(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where columns are called question and answer, other ones that a log has make none of it."""
    rows = [("C1", "客店"[n % 2], "x", *pair) for n, pair in enumerate(JAPANESE)]
    write_csv(project / "faq.csv", ["会話ID", "発言者", "内容", "質問", "回答"], rows)
    assert init(capsys, "faq.csv")["columns"] == {"user": "質問", "assistant": "回答"}


def test_who_speaks_first_asks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of two speakers with names that say nothing the first asks, which a note says; more are asked for."""
    people = {"お客様": "佐藤", "サポート": "山田"}
    rows = [(one, when, people[who], said) for one, when, who, said in LOG]
    names = ["thread_id", "time", "speaker", "text"]
    write_csv(project / "log.csv", names, rows)
    document = init(capsys, "log.csv")
    assert document["guessed"] is True
    assert "'佐藤' asks" in document["notes"][0]
    roles = load(document["file"]).data.sources[0].roles
    assert dict(roles or {}) == {"user": ("佐藤",), "assistant": ("山田",)}
    write_csv(project / "log.csv", names, [*rows, ("C2", "9:09", "鈴木", "x")])
    document = init(capsys, "log.csv", "--force")
    assert "鈴木" in document["notes"][0]


@pytest.mark.parametrize("shape", ["ready", "columns", "messages", "no prompt"])
def test_preferences_are_trained_by_dpo(
    project: Path, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    """A better and a worse answer, however they are written, become an experiment without errors."""
    rows: list[dict[str, Any]] = []
    for question, answer in JAPANESE:
        other = f"知りません。{question}"
        better, worse = ([{"role": "assistant", "content": text}] for text in (answer, other))
        asked = [{"role": "user", "content": question}]
        rows.append(
            {
                "ready": {
                    "input": {"messages": asked},
                    "preferred_output": better,
                    "non_preferred_output": worse,
                },
                "columns": {"質問": question, "良い回答": answer, "悪い回答": other},
                "messages": {"prompt": asked, "chosen": better, "rejected": worse},
                "no prompt": {"chosen": asked + better, "rejected": asked + worse},
            }[shape]
        )
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (project / "pairs.jsonl").write_text(text, encoding="utf-8")
    document = init(capsys, "pairs.jsonl")
    experiment = load(document["file"])
    assert document["method"] == experiment.train.method == "dpo"
    assert experiment.target.provider == "openai"
    assert data.examine(experiment).errors == ()
    assert "質問その" in (experiment.evaluation.prompts[0].user or "")


def test_rows_that_the_engine_cannot_train_on_get_another_target(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An experiment on rows with tools does not begin with a target that refuses them."""
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    rows = [
        {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}], "tools": tools}
        for q, a in ENGLISH
    ]
    (project / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    experiment = load(init(capsys, "chats.jsonl")["file"])
    assert experiment.target.provider == "openai"
    assert data.examine(experiment).errors == ()


@pytest.mark.parametrize(
    ("rows", "validation"), [(8, None), (11, None), (12, 2), (19, 2), (20, 0.1), (30, 0.1)]
)
def test_the_split_leaves_enough_to_train(
    project: Path, capsys: pytest.CaptureFixture[str], rows: int, validation: float | None
) -> None:
    """No split takes training below ten examples; where there are fewer than ten, a note says so."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH[:rows])
    document = init(capsys, "faq.csv")
    split = load(document["file"]).data.split
    assert (split.validation if split else None) == validation
    assert any("at least 10" in note for note in document["notes"]) == (rows < 10)


def test_questions_come_from_the_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The eval prompts are questions of the data, none invented, and the file says so."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    file = init(capsys, "faq.csv")["file"]
    asked = [prompt.user for prompt in load(file).evaluation.prompts]
    assert len(set(asked)) == 3
    assert set(asked) <= set(dict(ENGLISH))
    assert "Questions out of your data" in Path(file).read_text(encoding="utf-8")


def test_values_that_look_like_yaml_stay_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Questions with quotes, braces, colons and line separators, and a name such as `no`, are only text."""
    asked = [f'"{number}": {{{{ x }}}} # no\u2028\u0085 \\ é 😀' for number in range(12)]
    rows = "".join(json.dumps({"question": ask, "answer": "yes"}) + "\n" for ask in asked)
    (project / "no.jsonl").write_text(rows, encoding="utf-8")
    experiment = load(init(capsys, "no.jsonl")["file"])
    assert experiment.name == "no"
    assert {prompt.user for prompt in experiment.evaluation.prompts} <= set(asked)


def test_nothing_is_overwritten_unasked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An edited experiment stays; the same command on an unchanged one, or --force, goes through."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    file = Path(init(capsys, "faq.csv")["file"])
    before = file.read_text(encoding="utf-8")
    init(capsys, "faq.csv")
    file.write_text("mine", encoding="utf-8")
    error = init(capsys, "faq.csv", code=4)["error"]
    assert error["code"] == "exists"
    assert file.read_text(encoding="utf-8") == "mine"
    init(capsys, "faq.csv", "--force")
    assert file.read_text(encoding="utf-8") == before


def test_data_from_elsewhere_are_copied(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file outside the project, which a run would refuse, is copied into it and this is said."""
    outside = write_csv(project.parent / "faq.csv", ["question", "answer"], ENGLISH)
    document = init(capsys, str(outside))
    assert document["copied"] == "configs/data/faq.csv"
    assert load(document["file"]).data.sources[0].path == "data/faq.csv"
    assert (project / document["copied"]).read_bytes() == outside.read_bytes()


def test_data_in_the_project_stay_where_they_are(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in the project is not copied, and its path is relative to the experiment."""
    (project / "input").mkdir()
    write_csv(project / "input" / "質問 集.tsv", ["質問", "回答"], JAPANESE, mark="\t")
    document = init(capsys, "input/質問 集.tsv", "--name", "faq")
    assert document["copied"] is None
    source = load(document["file"]).data.sources[0]
    assert (source.base / source.path).resolve() == project / "input" / "質問 集.tsv"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("empty.csv", "", "empty_file"),
        ("header.csv", "question,answer\n", "empty_file"),
        ("data.pdf", "x", "unknown_format"),
        ("ragged.csv", "question,answer\na,b\nc\n", "ragged_row"),
        ("broken.jsonl", '{"question": \n', "json_syntax"),
    ],
)
def test_what_is_no_data_is_one_message(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, code: str
) -> None:
    """A file that holds no rows ends with 2, a message with the file and a hint, and nothing written."""
    (project / name).write_text(content, encoding="utf-8")
    error = init(capsys, name, code=2)["error"]
    assert error["file"] == name
    assert error["hint"]
    assert error["code"] == code
    assert not (project / "configs").exists()


def test_a_missing_file_names_its_neighbours(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path with a typo gives the data files that the folder has."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    assert "faq.csv" in init(capsys, "fag.csv", code=2)["error"]["hint"]


def test_the_next_commands_are_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the last two lines are the commands to check and to run."""
    write_csv(project / "faq.csv", ["question", "answer"], ENGLISH)
    with pytest.raises(SystemExit):
        main(["init", "faq.csv"])
    *_, check, run = capsys.readouterr().out.splitlines()
    assert check.endswith(" check configs/faq.yaml")
    assert run.endswith(" configs/faq.yaml")
