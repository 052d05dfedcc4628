"""What git tracks in `runs/`: states, histories and ledgers of targets that cost money, and reports."""

from __future__ import annotations

from pathlib import Path

from ftrun.files import write_atomic

GITIGNORE = """\
# written by ftrun: what a remote target costs money to make again belongs into git, the rest does not
*
!.gitignore
!.gitattributes
!*/
!state.json
!report.md
!ledger.jsonl
!augment.answers.jsonl
!**/history/**
# a local target's store is this machine's own: its state means nothing elsewhere
{local}
"""
GITATTRIBUTES = """\
# written by ftrun: two clones' ledgers are both true
ledger.jsonl merge=union
# and so are their answers
answers.jsonl merge=union
augment.answers.jsonl merge=union
"""


def write_gitignore(runs: Path, local_targets: tuple[str, ...]) -> None:
    """Write `runs/.gitignore`, adding the folders of local targets to those that it names already."""
    path = runs / ".gitignore"
    kept = {line for line in _lines(path) if line.startswith("*/")}
    local = sorted(kept | {f"*/{name}/" for name in local_targets})
    _write(path, GITIGNORE.format(local="\n".join(local)).rstrip() + "\n")
    _write(runs / ".gitattributes", GITATTRIBUTES)


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_bytes() != text.encode():
        write_atomic(path, text)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
