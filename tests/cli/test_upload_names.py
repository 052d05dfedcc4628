"""`upload.name` renames uploads; they are still found by what they contain, and nothing is uploaded again."""

from __future__ import annotations

import re
import shutil

import pytest

from support.paid_project import Paid

OWN = ("--set", "upload.name=Support-Bot")


def _names(paid: Paid) -> list[str]:
    return [file["filename"] for file in paid.provider.files.values()]


def test_an_own_name_keeps_split_and_hash(paid: Paid) -> None:
    """The name begins as the file says; the rest is as before."""
    paid.add("upload: {name: Support-Bot}\n")
    paid.json("run", paid.config, "--yes")
    (name,) = _names(paid)
    assert re.fullmatch(r"Support-Bot-train-[0-9a-f]{16}\.jsonl", name)


def test_another_name_changes_nothing_that_is_done(paid: Paid) -> None:
    """After a finished run there is nothing to do, whatever the name is set to."""
    paid.json("run", paid.config, "--yes")
    done = paid.json("run", paid.config, "--yes", *OWN)
    assert {stage["action"] for stage in done["stages"].values()} == {"skip"}
    assert len(_names(paid)) == 1


@pytest.mark.parametrize(("first", "second"), [((), OWN), (OWN, ()), (OWN, ("--set", "upload.name=other"))])
def test_a_lost_state_finds_files_under_any_name(
    paid: Paid, first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    """Without a state the file and its job are found by content and adopted, under whatever name."""
    paid.json("run", paid.config, "--yes", *first)
    shutil.rmtree(paid.folder / "runs")
    again = paid.json("run", paid.config, "--yes", *second)
    assert again["stages"]["upload"]["action"] == again["stages"]["train"]["action"] == "adopt"
    assert len(paid.provider.files) == len(paid.provider.created) == 1


@pytest.mark.parametrize("name", ["a b", "../x", "日本", "-x", "a" * 65, "", "x{split}", "a\nb"])
def test_a_name_that_no_file_should_have_is_refused(paid: Paid, name: str) -> None:
    """Letters, digits, dot, hyphen and underscore; else exit code 2 with the place."""
    paid.add(f"upload: {{name: {name!r}}}\n".replace("'", '"'))
    error = paid.json("run", paid.config, "--yes", code=2)["error"]
    assert "upload.name" in error["message"] and error["line"]
