"""The documents that ship: complete, equal in both languages, and with examples that are valid."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from conftest import ROOT
from ftrun.experiment import build_experiment, read_document, schema_text

READMES = ("README.md", "README.ja.md")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TARGETS_ONLY = "version: 1\nname: x\ndata: {sources: [{path: x.csv}]}\n"


def read(name: str) -> str:
    """Return a document's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str) -> list[tuple[str, str]]:
    """Return (language, text) of the code blocks of a document."""
    return FENCE.findall(read(name))


def test_every_dependency_has_its_line() -> None:
    """What pyproject.toml asks for stands in docs/dependencies.md once, and nothing else does."""
    project = tomllib.loads(read("pyproject.toml"))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for group in [
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]:
        wanted += group
    names = {re.split(r"[\[<>=~!; ]", one)[0].lower() for one in wanted} - {"ftrun"}
    weights = read("docs/dependencies.md").partition("## Not dependencies")[0]
    listed = re.findall(r"^\| `([^`]+)` \|", weights, re.MULTILINE)
    assert sorted(listed) == sorted(names)


def test_both_readmes_have_the_same_parts() -> None:
    """The Japanese README has the English one's headings by level, tables and code blocks."""
    english, japanese = map(read, READMES)
    shapes = [re.findall(r"^(#+) |^(\|)", text, re.MULTILINE) for text in (english, japanese)]
    assert shapes[0] == shapes[1]
    languages = [[language for language, _ in blocks(name)] for name in READMES]
    assert languages[0] == languages[1]


def test_both_readmes_show_the_same_commands() -> None:
    """Apart from comments the shell lines are equal in both languages."""
    shown = [
        [
            line.partition("#")[0].strip()
            for language, text in blocks(name)
            if language == "sh"
            for line in text.splitlines()
        ]
        for name in READMES
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("name", READMES)
def test_the_experiments_in_a_readme_are_valid(name: str, tmp_path: Path) -> None:
    """The YAML in the READMEs loads as an experiment, on every target that it names."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "faq.j2").write_text("Be brief.\n", encoding="utf-8")
    for number, text in enumerate(text for language, text in blocks(name) if language == "yaml"):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text if "version:" in text else TARGETS_ONLY + text, encoding="utf-8")
        document = read_document(path)
        for target in document.data["targets"]:
            assert build_experiment(document, target).target.name == target


@pytest.mark.parametrize("name", ["docs/experiment-file.md", "docs/targets.md"])
def test_the_examples_of_a_document_fit_the_schema(name: str, tmp_path: Path) -> None:
    """Every piece of YAML, put over a small experiment, is one that the schema takes."""
    (tmp_path / "base.yaml").write_text(TARGETS_ONLY, encoding="utf-8")
    schema = Draft202012Validator(json.loads(schema_text()))
    for number, text in enumerate(text for language, text in blocks(name) if language == "yaml"):
        path = tmp_path / f"{number}.yaml"
        path.write_text(f"extends: base.yaml\n{text}", encoding="utf-8")
        assert [error.message for error in schema.iter_errors(read_document(path).data)] == []


@pytest.mark.parametrize("name", [*READMES, "CHANGELOG.md", "docs/dependencies.md", "docs/targets.md"])
def test_links_lead_to_files(name: str) -> None:
    """Every relative link of a document leads to a file of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", read(name))
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []
