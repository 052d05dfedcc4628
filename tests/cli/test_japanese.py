"""The command line in Japanese: no sentence stays English, and what programs read stays as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import CONFIG, Ftrun
from ftrun.cli.help_text import wrapped
from ftrun.cli.main import COMMANDS
from ftrun.language import screen_language
from ftrun.text import display_width

JAPANESE = {"FTRUN_LANG": "ja_JP.UTF-8"}
# what stays English in a line: code, quotes, paths, options, ids, keys
KEPT = re.compile(r"`[^`]*`|「[^」]*」|'[^']*'|\"[^\"]*\"|\S*[/_.:=\[\]{}<>|-]\S*|\$\S+|[A-Z_]{2,}")
SENTENCE = re.compile(r"(?:\b[A-Za-z][a-z]*\b[,;]? ){3}[A-Za-z]+")
ROWS = "q,a\n" + "".join(f"{n} 番の質問ですか？,{n} 番の答えです。\n" for n in range(12))


def english(text: str) -> list[str]:
    """Return the lines in which four English words follow each other, apart from code and names."""
    return [line for line in text.splitlines() if SENTENCE.search(KEPT.sub("¤", line))]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a project in a folder with a space and Japanese characters."""
    folder = tmp_path / "実験 一"
    (folder / "configs" / "data").mkdir(parents=True)
    (folder / "configs" / "data" / "toy.csv").write_text(ROWS, encoding="utf-8")
    (folder / "configs" / "toy.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_japanese(command: str, tmp_path: Path) -> None:
    """Every command's help is Japanese, with lines that fit and the options' names as they are."""
    done = Ftrun(tmp_path)(*command.split(), "--help", env={**JAPANESE, "COLUMNS": "90"}, encoding="utf-8")
    assert done.returncode == 0 and "使い方: ftrun" in done.stdout and "--help" in done.stdout
    assert "[default" not in done.stdout and "[required]" not in done.stdout
    assert not english(done.stdout)
    assert all(display_width(line) <= 92 for line in done.stdout.splitlines())
    if not command:
        listed = re.findall(r"^  (\S+)  ", done.stdout.partition("コマンド:")[2], re.MULTILINE)
        assert listed == list(COMMANDS)  # also where a name is a word, such as `data`


def test_a_run_is_japanese(project: Path) -> None:
    """Drafting, checking, planning, running and looking at an experiment speak Japanese only."""
    ftrun, config = Ftrun(project), "configs/toy.yaml"
    for words in (
        ["init", "configs/data/toy.csv", "--name", "drafted"],
        ["check", config],
        ["plan", config],
        [config, "--detach"],
        [config],
        [config],
        ["status", config],
        ["data", config],
        ["doctor"],
        ["models"],
    ):
        done = ftrun(*words, env=JAPANESE, encoding="utf-8")
        said = done.stdout + done.stderr
        rehearsed = [line for line in english(said) if "[rehearsal]" not in line]
        assert re.search("[ぁ-ん]", said) and not rehearsed, (words, rehearsed)


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["check", "configs/none.yaml"], 2, "そのファイルはありません"),
        (["check", "configs/toy.yaml", "--nothing"], 2, "オプション '--nothing' はありません"),
        (["check"], 2, "引数 'CONFIG' がありません"),
        (["check", "configs/toy.yaml", "--set", "train.suffix"], 2, "KEY=VALUE"),
        (["configs/toy.yaml", "--target", "openai"], 2, "そのターゲットはありません"),
        (["wait", "configs/toy.yaml"], 2, "まだありません"),
    ],
)
def test_errors_are_japanese(project: Path, words: list[str], code: int, part: str) -> None:
    """An error keeps its exit code, and says in Japanese what is wrong."""
    done = Ftrun(project)(*words, env=JAPANESE, encoding="utf-8")
    assert done.returncode == code and part in done.stderr and "エラー: " in done.stderr
    assert not english(done.stderr)


def _chat(turns: int) -> str:
    """Return an export of LINE in which two invented people write."""
    said = "".join(
        f"09:{n:02d}\t太郎\t{n} 時は空いている？\n09:{n:02d}\t花子\t{n} 時に会おう\n" for n in range(turns)
    )
    return f"[LINE] 花子とのトーク履歴\n保存日時：2026/01/10 12:00\n\n2026/01/05(月)\n{said}"


DRAFTS = {
    "kto.jsonl": "".join(
        f'{{"prompt": "{n} 番は？", "completion": "{n} 番です。", "label": {str(n % 3 > 0).lower()}}}\n'
        for n in range(18)
    ),
    "dpo.jsonl": "".join(
        f'{{"prompt": "{n}？", "chosen": "{n} です", "rejected": "不明"}}\n' for n in range(12)
    ),
    "semicolons.csv": ROWS.replace(",", ";"),
    "index.csv": "".join(f"{n or ''},{line}\n" for n, line in enumerate(ROWS.splitlines())),
    "title.csv": f"問い合わせ一覧\n{ROWS}",
    "records.json": '{"items": [' + ", ".join(f'{{"q": "{n}？", "a": "{n} です"}}' for n in range(12)) + "]}",
    "blank.csv": f"{ROWS}空ですか？,\n",
    "labels.csv": "text,label\n" + "".join(f"{n} 番の感想です,{n % 2}\n" for n in range(12)),
    "line.txt": _chat(40),
    "unclear.csv": "左,右\n" + "".join(f"赤 {n},青 {n}\n" for n in range(12)),
    "separators.csv": "a;b,c\n" + "".join(f"{n};{n},{n}\n" for n in range(12)),
    "python.jsonl": "{'q': '何時？', 'a': '九時'}\n",
    "tree.jsonl": "".join(
        f'{{"message_id": "{n}", "parent_id": {f"{chr(34)}{(n - 1) // 2}{chr(34)}" if n else "null"},'
        f' "role": "{"assistant" if n % 2 else "prompter"}", "text": "文 {n}"}}\n'
        for n in range(20)
    ),
}


@pytest.mark.parametrize("name", DRAFTS)
def test_drafts_are_japanese(project: Path, name: str) -> None:
    """What `init` says of a file that it reads, or can't read, is Japanese."""
    (project / name).write_text(DRAFTS[name], encoding="utf-8")
    done = Ftrun(project)("init", name, "--name", "drafted", env=JAPANESE, encoding="utf-8")
    said = done.stdout + done.stderr
    assert done.returncode in (0, 2) and re.search("[ぁ-ん]", said) and not english(said)


def test_findings_are_japanese(project: Path) -> None:
    """Findings say in Japanese what they found in a column with a Japanese name, and where else."""
    rows = (
        "質問,回答\n"
        + "".join(f"{n} 番？,<p>{n} 番です</p>\n" for n in range(9))
        + "何？,<image>\n次？, 空白です\n無？,N/A\n"
    )
    (project / "bad.csv").write_text(rows, encoding="utf-8")
    ftrun = Ftrun(project)
    assert ftrun("init", "bad.csv", "--name", "bad", env=JAPANESE, encoding="utf-8").returncode == 0
    done = ftrun("check", "configs/bad.yaml", env=JAPANESE, encoding="utf-8")
    assert "[html]" in done.stdout and "日本語をほとんど知りません" in done.stdout
    assert done.stdout.count("日本語をほとんど") == 1 and not english(done.stdout)


def test_decisions_and_the_past_are_japanese(project: Path) -> None:
    """A decision (4) and what was run are told in Japanese; a code's explanation has a Japanese fix."""
    ftrun, config = Ftrun(project), "configs/toy.yaml"
    asked = ftrun("models", "--accept", "gemma-3-270m", env=JAPANESE, encoding="utf-8")
    assert asked.returncode == 4 and not english(asked.stderr)
    assert ftrun(config, env=JAPANESE, encoding="utf-8").returncode == 0
    for words in (["history", config], ["status", config], ["data", config, "--row", "1"]):
        done = ftrun(*words, env=JAPANESE, encoding="utf-8")
        said = [line for line in english(done.stdout + done.stderr) if "設定  " not in line]  # of keys
        assert done.returncode == 0 and not said, words
    explained = ftrun("explain", "html", env=JAPANESE, encoding="utf-8").stdout
    assert "html (警告)" in explained and "直し方: `data.clean: [html]` を書いてください" in explained


@pytest.mark.parametrize(
    "words", [["check", "configs/toy.yaml"], ["plan", "configs/toy.yaml"], ["check", "none"]]
)
def test_json_never_changes(project: Path, words: list[str]) -> None:
    """`--json` gives the same bytes in every language."""
    ftrun = Ftrun(project)
    english_run, japanese_run = (ftrun(*words, "--json", env=env) for env in ({}, JAPANESE))
    assert english_run.stdout == japanese_run.stdout and english_run.stderr == japanese_run.stderr


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LC_ALL": "C", "LANG": "ja_JP.UTF-8"}, "en"),
        ({"FTRUN_LANG": "en", "LC_ALL": "ja_JP"}, "en"),
        ({"LC_MESSAGES": "ja", "LANG": "de_DE"}, "ja"),
        ({"LC_ALL": "", "LANG": "ja"}, "ja"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_of_the_screen(environment: dict[str, str], language: str) -> None:
    """The first variable that is set decides; what is neither Japanese nor English is English."""
    assert screen_language(environment) == language


def test_rows_are_shown_as_they_are(project: Path) -> None:
    """A row that says what ftrun says is not translated."""
    rows = "q,a\n" + "".join(f"{n} 番？,Nothing to do.\n" for n in range(12))
    (project / "configs" / "data" / "toy.csv").write_text(rows, encoding="utf-8")
    done = Ftrun(project)("data", "configs/toy.yaml", env=JAPANESE, encoding="utf-8")
    assert done.returncode == 0 and "\n    Nothing to do.\n" in done.stdout


def test_the_report_follows_the_data(project: Path) -> None:
    """Of Japanese data the report is Japanese without Japanese on the screen; `report.language` decides."""
    ftrun, report = Ftrun(project), project / "configs" / ".." / "runs" / "toy" / "local"
    assert ftrun("configs/toy.yaml", env={"FTRUN_LANG": "en"}).returncode == 0
    assert "## 学習" in (report / "report.md").read_text(encoding="utf-8")
    page = (report / "report.html").read_text(encoding="utf-8")
    assert '<html lang="ja">' in page and "回答の比較" in page
    planned = ftrun.json("plan", "configs/toy.yaml", "--set", "report.language=en")
    assert [one["stage"] for one in planned["steps"] if one["action"] != "skip"] == ["report"]
    assert ftrun("configs/toy.yaml", "--set", "report.language=en").returncode == 0
    assert "## Training" in (report / "report.md").read_text(encoding="utf-8")


def test_lines_of_japanese_are_broken_by_width() -> None:
    """Lines fit, no word is divided, and none begins with a full stop."""
    text = "データファイルから configs/experiment.yaml という新しい実験を書きます。" * 3
    lines = wrapped(text, 40)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(display_width(line) <= 42 for line in lines) and not any(line[0] in "。、" for line in lines)
    assert sum("configs/experiment.yaml" in line for line in lines) == 3
