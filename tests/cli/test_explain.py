"""Every code that a user can meet is explained, in one place, and the nearest is proposed for others."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator

import pytest

from conftest import ROOT
from ftrun.cli import main
from ftrun.cli.explain import explanations
from ftrun.data.diagnostics.codes import CODES

PACKAGE = ROOT / "pipeline" / "ftrun"
# what other programs ask the engine's API; people meet the codes of the commands
OF_THE_API = ("engine/api/",)
EXITS = ("0", "1", "2", "3", "4", "5", "75", "130")


def _literals() -> Iterator[tuple[str, str]]:
    """Yield each code that is written out in the source, with its file."""
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if name.startswith(OF_THE_API):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                yield str(node.value.value), name


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["explain", *words])
    said = capsys.readouterr()
    return end.value.code, said.out, said.err


def test_every_code_of_the_source_is_explained() -> None:
    """A code without a section in docs/checks.md or docs/errors.md is one that nobody can look up."""
    known = explanations()
    missing = {
        (code, file) for code, file in _literals() if code not in known and code not in ("error", "None")
    }
    assert not missing, missing
    assert CODES.keys() <= known.keys()
    assert set(EXITS) <= known.keys()


def test_every_section_is_whole() -> None:
    """Each has a meaning, an example and a fix; a finding's fix is the one that `check` prints."""
    for code, found in explanations().items():
        for one in found:
            assert one.meaning and one.example and one.fix, code
            assert (one.severity is not None) == (one.kind == "finding"), code
            if one.kind == "finding":
                assert one.fix.startswith(re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", CODES[code].fix)), code


def test_a_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """What it means, an example and the fix; also as it is printed at the end of a finding."""
    for written in ("few_examples", "[few_examples]", "FEW-EXAMPLES"):
        code, out, _ = _run(capsys, written)
        assert code == 0 and out.startswith("few_examples (warning)\n")
        assert "Example: " in out and f"Fix: {CODES['few_examples'].fix}" in out
    code, out, _ = _run(capsys, "duplicates", "--json")
    kinds = [one["kind"] for one in json.loads(out)["explanations"]]
    assert (code, kinds) == (0, ["finding", "error"])
    assert "exit code" in _run(capsys, "75")[1]


@pytest.mark.parametrize(
    ("written", "near"), [("few_exampels", "few_examples"), ("lockd", "locked"), ("xyz", "lists all")]
)
def test_an_unknown_code_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str], written: str, near: str
) -> None:
    """Exit code 2, with what was probably meant."""
    code, _, err = _run(capsys, written)
    assert code == 2 and near in err


def test_all_codes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a code every one is listed with its first sentence."""
    listed = _run(capsys)[1]
    assert all(f"\n{code} " in f"\n{listed}" for code in (*CODES, "locked", "4"))
    assert set(json.loads(_run(capsys, "--json")[1])["codes"]) == explanations().keys()
