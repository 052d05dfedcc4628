"""The documents that ship: complete, equal in both languages, and with examples that are valid."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from jsonschema import Draft202012Validator

from conftest import ROOT, Ftrun
from ftrun.cli.main import COMMANDS, commands
from ftrun.experiment import build_experiment, read_document, schema_text

READMES = ("README.md", "README.ja.md")
DOCUMENTS = (*READMES, *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")))
REHEARSE = "--set targets.local.model=rehearsal"
FAILURES = "--from-failures"
EVALUATED = ("--before", "--junit results.xml")
RUN_AS = {  # README commands that are run in another form here: a real model takes minutes, a page waits
    "configs/answers.yaml": f"configs/answers.yaml {REHEARSE}",
    "configs/hiroyuki.yaml": f"configs/hiroyuki.yaml {REHEARSE}",
    **{
        f"eval configs/answers.yaml {one}": f"eval configs/answers.yaml {one} {REHEARSE}" for one in EVALUATED
    },
    f"augment configs/hiroyuki.yaml {FAILURES}": f"augment configs/hiroyuki.yaml {FAILURES} {REHEARSE}",
    "review configs/hiroyuki.yaml": "review configs/hiroyuki.yaml --list",
}
STOPS = {  # README commands that need a key or a budget: exit code and a part of the message without one
    "augment configs/hiroyuki.yaml --with openai": (4, "Add --yes, or set a `budget"),
    "configs/hiroyuki.yaml --target openai": (2, "OPENAI_API_KEY is not set"),
}
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TARGETS_ONLY = "version: 1\nname: x\ndata: {sources: [{path: x.csv}]}\n"


def read(name: str) -> str:
    """Return a document's text."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str) -> list[tuple[str, str]]:
    """Return (language, text) of the code blocks of a document."""
    return FENCE.findall(read(name))


def test_every_dependency_has_its_line() -> None:
    """docs/dependencies.md lists what pyproject.toml requires, once each, and nothing else."""
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


def commands_shown(name: str) -> Iterator[str]:
    """Yield the arguments of every `ftrun` line in a document's shell blocks."""
    for language, text in blocks(name):
        for line in text.splitlines() if language == "sh" else ():
            words = line.partition("#")[0].strip()
            if words.startswith((".venv/bin/ftrun ", "ftrun ")):
                yield words.partition("ftrun ")[2]


def test_the_commands_of_the_readme_work(tmp_path: Path) -> None:
    """Every `ftrun` line works, in this order, in a fresh project; those that need a key say so."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    rows = "".join(f"質問{number}は何ですか？,答え{number}です。\n" for number in range(12))
    (tmp_path / "answers.csv").write_text("question,answer\n" + rows, encoding="utf-8")
    ftrun, shown = Ftrun(tmp_path), list(commands_shown("README.md"))
    assert RUN_AS.keys() | STOPS.keys() <= set(shown)
    for words in ["configs/hiroyuki.yaml", *shown]:  # the first is what `make run` does
        done = ftrun(*shlex.split(RUN_AS.get(words, words)))
        code, message = STOPS.get(words, (0, ""))
        assert done.returncode == code, (words, done.stdout, done.stderr)
        assert message in done.stderr, (words, done.stderr)


def test_the_japanese_guide_works(tmp_path: Path) -> None:
    """Its commands lead from its CSV to a judged model, with its questions, in a project of its own."""
    guide = "docs/ja/README.md"
    (tmp_path / "docs" / "ja").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "ja" / "faq.csv", tmp_path / "docs" / "ja")
    ftrun, config = Ftrun(tmp_path), tmp_path / "configs" / "faq.yaml"
    questions = next(text for language, text in blocks(guide) if language == "yaml")
    shown = list(commands_shown(guide))
    for words in shown:
        if words == "check configs/faq.yaml":
            draft = config.read_text(encoding="utf-8").partition("\neval:")[0]
            config.write_text(f"{draft}\n{questions}", encoding="utf-8")
        rehearsal = words == "configs/faq.yaml" or words.startswith(("chat", "history", "eval"))
        done = ftrun(*shlex.split(f"{words} {REHEARSE}" if rehearsal else words), env={"FTRUN_LANG": "ja"})
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    assert len(shown) >= 7 and "みなと書店" in config.read_text(encoding="utf-8")
    assert (tmp_path / "runs/faq/local/report.html").exists()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_inline_commands_exist(name: str) -> None:
    """Every command and option that a document names in its text is one that ftrun has."""
    context = click.Context(commands)
    for text in re.findall(r"`ftrun ([^`]+)`", read(name)):
        word, *rest = text.split()
        if word in ("--help", "--version"):
            continue
        command = commands.get_command(context, word if word in COMMANDS else "run")
        assert word in COMMANDS or word == "CONFIG" or "/" in word or word.endswith(".yaml"), (name, text)
        if isinstance(command, click.Group):
            command = command.commands[rest[0].split("|")[0]]
        known = {option for one in command.params for option in one.opts} if command else set()
        used = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", " ".join(rest)))
        assert used <= known, (name, text)


@pytest.mark.parametrize("name", READMES)
def test_the_targets_of_make_exist(name: str) -> None:
    """Every `make TARGET` in a README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z-]+)(?=[ `\n])", "\n".join(code(name)))) <= targets


def code(name: str) -> list[str]:
    """Return the code of a document, in blocks and in lines."""
    return [*(text for _, text in blocks(name)), *re.findall(r"`[^`\n]+`", read(name))]


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in READMES])
def test_the_examples_of_a_document_fit_the_schema(name: str, tmp_path: Path) -> None:
    """Every piece of YAML, put over a small experiment, is one that the schema takes."""
    (tmp_path / "base.yaml").write_text(TARGETS_ONLY, encoding="utf-8")
    schema = Draft202012Validator(json.loads(schema_text()))
    for number, text in enumerate(text for language, text in blocks(name) if language == "yaml"):
        path = tmp_path / f"{number}.yaml"
        path.write_text(f"extends: base.yaml\n{text}", encoding="utf-8")
        assert [error.message for error in schema.iter_errors(read_document(path).data)] == []


@pytest.mark.parametrize(
    "name", [*DOCUMENTS, "CHANGELOG.md", "benchmarks/README.md", "configs/data/README.md"]
)
def test_links_lead_to_files(name: str) -> None:
    """Every relative link of a document leads to a file of the repository."""
    links = re.findall(r"\]\(([^)#:]+)\)", read(name))
    assert [link for link in links if not (ROOT / name).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("name", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_map_names_what_there_is(name: str) -> None:
    """Every module, file and folder that the map names in backticks exists."""
    paths = set(re.findall(r"`([a-z_.]+/[\w./]*\w)/?`", read(name))) - {"cli/NAME.py"}
    modules = {
        re.sub(r"\.(?!py$|json$|md$|toml$|jsonl$|po$|txt$|yaml$)\w+$", "", path) for path in paths
    }  # a function at the end
    homes = [ROOT, ROOT / "pipeline/ftrun", *(ROOT / "pipeline/ftrun/data", ROOT / "tests")]
    missing = {
        path
        for path in modules
        if not any((home / path).exists() or (home / f"{path}.py").exists() for home in homes)
    }
    assert paths and not missing
