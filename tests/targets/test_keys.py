"""Keys are refused before anything is sent when they can't be keys, and never shown."""

from __future__ import annotations

import pytest

from ftrun.errors import UsageError
from ftrun.targets.credentials import key_from

BAD = [
    "",
    "YOUR_API_KEY",
    "your-api-key-here",
    "<paste key>",
    "sk-...",
    "sk-xxxxxxxxxxxx",
    "ｓｋ-ａｂｃｄｅｆｇｈ１２３４",
    "sk-abcdefgh12345678\n",
    " sk-abcdefgh12345678",
    "sk-abcd efgh12345678",
    "'sk-abcdefgh12345678'",
    "“sk-abcdefgh12345678”",
    "sk-1",
    "sk-abc\x00defgh12345",
]


@pytest.mark.parametrize("value", [value for value in BAD if "\x00" not in value])
def test_what_is_no_key_is_refused_and_not_shown(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A placeholder, a full-width key, one with a line break: exit code 2, and the value stays unsaid."""
    monkeypatch.setenv("SOME_KEY", value)
    with pytest.raises(UsageError) as caught:
        key_from("SOME_KEY", "openai")
    assert "SOME_KEY" in str(caught.value)
    assert value.strip() == "" or value.strip() not in f"{caught.value}{caught.value.problem.hint}"


@pytest.mark.parametrize("value", ["sk-proj-A1b2C3d4E5f6G7h8", "sk-" + "x" * 45, "0a1b2c3d4e5f6789"])
def test_what_can_be_a_key_is_taken(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of several providers' shapes pass."""
    monkeypatch.setenv("SOME_KEY", value)
    assert key_from("SOME_KEY", "openai") == value
