"""stdout in an encoding that lacks what is printed: a run ends as it would elsewhere, and JSON stays JSON."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from conftest import Ftrun


def test_no_encoding_of_stdout_ends_a_run(ftrun: Ftrun) -> None:
    """A run, a rerun and the views of data end with 0; what the encoding lacks is written as an escape."""
    first = ftrun("configs/toy.yaml", env={"PYTHONIOENCODING": "ascii"})
    assert (first.returncode, "\\u4e00\\u756a" in first.stdout) == (0, True), first
    for encoding in ("euc_jp", "cp932", "latin-1"):
        done = ftrun("data", "configs/toy.yaml", env={"PYTHONIOENCODING": encoding}, encoding=encoding)
        assert done.returncode == 0, done
        assert ("質問" in done.stdout) == (encoding != "latin-1")


def test_json_is_json_in_every_encoding(ftrun: Ftrun) -> None:
    """What the encoding lacks is escaped as JSON does it, beyond the first 65,536 characters too."""
    path = ftrun.folder / "configs/data/toy.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("質問", "é😀質問"), encoding="utf-8")
    for encoding in ("ascii", "latin-1", "cp932"):
        done = ftrun(
            "data", "configs/toy.yaml", "--json", env={"PYTHONIOENCODING": encoding}, encoding=encoding
        )
        assert done.returncode == 0, done
        assert "é😀質問" in json.loads(done.stdout)["examples"][0]["turns"][1]["text"]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_lead_nowhere(ftrun: Ftrun, closed: str) -> None:
    """A run that a daemon starts without standard streams ends as any other, and its files stay its own."""
    assert ftrun("configs/toy.yaml", "--until", "check").returncode == 0
    command = f"{sys.executable} -m ftrun configs/toy.yaml --force prepare --until check {closed}"
    done = subprocess.run(["sh", "-c", command], cwd=ftrun.folder, capture_output=True, check=False)
    assert done.returncode == 0, done
    assert ftrun.json("state", "verify", "configs/toy.yaml")
