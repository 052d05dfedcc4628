"""Reports about texts: what `check` says of each file, through the command line from `init` on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Ftrun

CASES = Path(__file__).parent
Found = dict[str, dict[str, Any]]
Checked = Callable[..., Found]


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """Return a function that drafts an experiment over the file of a case and gives what `check` finds."""
    folder = tmp_path / "新しい フォルダ"
    folder.mkdir()
    ftrun = Ftrun(folder)

    def check(case: str, **changes: Any) -> Found:
        name = Path(case).name
        config = folder / "configs" / f"{Path(name).stem}.yaml"
        if not config.exists():
            shutil.copy(CASES / case, folder / name)
            drafted = ftrun("init", name)
            assert drafted.returncode == 0, drafted.stderr
        document = yaml.safe_load(config.read_text("utf-8"))
        document["data"].update(changes)
        config.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
        found = ftrun.json("check", f"configs/{config.name}")
        return {one["code"]: one for kind in ("errors", "warnings", "notes") for one in found[kind]}

    return check


def test_a_sign_for_pictures_is_trained_as_text(checked: Checked) -> None:
    """<image> is text, and a picture in a column is not used: a warning says so."""
    found = checked("13-images-column/images_col.jsonl")
    assert "<image> is trained as text" in found["image_token"]["message"]
    assert "messages[0].content" in found["image_token"]["message"]


@pytest.mark.parametrize(
    ("file", "shows", "cause"),
    [
        ("moji_1252.jsonl", "The café is open, and the fiancée", "Windows-1252"),
        ("moji_c1.jsonl", "It’s open at seven.", "Latin-1"),
    ],
)
def test_mojibake_shows_what_was_meant(checked: Checked, file: str, shows: str, cause: str) -> None:
    """The passage is shown repaired, with its cause; no control character, no cp932; the tip works."""
    found = checked(f"14-mojibake-message/{file}")
    assert shows in found["mojibake"]["message"]
    assert cause in found["mojibake"]["message"]
    assert "cp932" not in str(found)
    assert "control_character" not in found
    assert "data.clean: [mojibake]" in found["mojibake"]["hint"]
    assert "mojibake" not in checked(f"14-mojibake-message/{file}", clean=["mojibake"])


def test_html_in_answers_is_one_warning(checked: Checked) -> None:
    """Tags and entities of scraped answers are reported once, at the column, and the tip removes them."""
    found = checked("17-html/html.csv")
    assert found["html"]["message"].startswith("Answer: the answer has HTML: <p>")
    assert "7 more rows" in found["html"]["message"]
    assert "html" not in checked("17-html/html.csv", clean=["html"])


@pytest.mark.parametrize(
    ("file", "code", "rule"),
    [("crlf_chat.jsonl", "carriage_return", "newlines"), ("space_chat.jsonl", "outer_space", "trim")],
)
def test_a_cure_for_ready_chats(checked: Checked, file: str, code: str, rule: str) -> None:
    """What the tip says works for chats that have no template."""
    found = checked(f"20-tips-for-ready-chats/{file}")
    assert f"data.clean: [{rule}]" in found[code]["hint"]
    assert code not in checked(f"20-tips-for-ready-chats/{file}", clean=[rule])


def test_the_index_of_a_message_is_the_rows_own(checked: Checked) -> None:
    """A system prompt that the experiment adds does not move the messages that a finding names."""
    assert "messages[1].content" in checked("30-message-index/mail.jsonl")["pii_email"]["message"]


def test_old_separators_are_one_warning_that_names_them(checked: Checked) -> None:
    """The marks of prepare_data are named; the space that is one of them is not reported again."""
    found = checked("33-old-separators/legacy_marks.jsonl")
    message = found["old_separators"]["message"]
    assert r"“\n\n###\n\n”" in message
    assert "“ END”" in message
    assert "outer_space" not in found
    assert "old_separators" not in checked("33-old-separators/legacy_marks.jsonl", clean=["separators"])
