"""No room for temporary files: the message names the folder that they are in."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """\
version: 1
name: toy
targets: {local: {provider: local, model: rehearsal}}
data: {sources: [{path: rows.csv}]}
prompt: {user: "{{ q }}", assistant: "{{ a }}"}
"""


@pytest.mark.parametrize("words", [("check",), ("run", "--until", "check")])
def test_a_full_disk_names_the_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Where the rows of a pass find no room, the run ends with 1 and says in which folder."""
    (tmp_path / "rows.csv").write_text(
        "q,a\n" + "".join(f"q{n},{'x' * 500}{n}\n" for n in range(400)), "utf-8"
    )
    (tmp_path / "toy.yaml").write_text(CONFIG, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-B", "-m", "ftrun", words[0], "toy.yaml", *words[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
    )
    where = tmp_path if words == ("check",) else tmp_path / "runs/toy/local"
    assert (done.returncode, f"File too large: {where}" in done.stderr) == (1, True), done
