"""Links in somebody else's repository in place of what is written lead nowhere; those of the user work."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Ftrun
from reliability.conftest import WORDS, Runs, finished, make_project
from support.provider import Provider

MINE = "mine\n"


def written(place: Path) -> Iterator[Path]:
    """Yield every file and folder below `runs` that a run has left, relative to the project."""
    return (path.relative_to(place) for path in [place / "runs", *sorted((place / "runs").rglob("*"))])


def make_outside(folder: Path) -> dict[Path, bytes]:
    """Make a folder of the user's with a start file, and return its content."""
    (folder / "deep").mkdir(parents=True)
    for path in (folder / "file", folder / "state.json", folder / "deep" / "answers.jsonl"):
        path.write_text(MINE, encoding="utf-8")
    return content(folder)


def content(folder: Path) -> dict[Path, bytes]:
    """Return what is in a folder."""
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def test_no_link_in_a_repository_is_written_through(runs: Runs, provider: Provider, tmp_path: Path) -> None:
    """With a link in place of any file or folder that a run writes, nothing outside changes, nothing is sent,
    and the run says which path it is.
    """
    model = make_project(tmp_path / "model", provider)
    finished(provider, model, runs(model))
    paths = [*written(model), Path("runs/toy/paid/run.json"), Path("runs/toy/paid/.state.json.1.tmp")]
    assert {"answers.cache.jsonl", "ledger.jsonl", "history", ".gitignore"} <= {path.name for path in paths}
    sent = len(provider.calls)
    for number, path in enumerate(paths):
        outside = tmp_path / "outside" / str(number)
        before = make_outside(outside)
        place = make_project(tmp_path / "places" / str(number), provider)
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        is_folder = (model / path).is_dir()
        (place / path).symlink_to(outside if is_folder else outside / ("file" if number % 2 else "new"))
        run = runs(place)
        assert run.wait() == 4, (path, run.stdout, run.stderr)
        assert run.document["error"]["file"] == str(place / path), path
        assert content(outside) == before, path
        assert len(provider.calls) == sent, path


def test_a_link_in_a_repository_is_not_read_either(runs: Runs, provider: Provider, place: Path) -> None:
    """Where report, metrics or history became a link, nothing is copied into what git keeps."""
    finished(provider, place, runs(place))
    secret = place.parent / "secret"
    secret.write_text("do not publish", encoding="utf-8")
    for name in ("report.md", "metrics.csv", "state.json", "ledger.jsonl", "history"):
        path = place / "runs/toy/paid" / name
        path.rename(place / "aside")
        path.symlink_to(secret)
        for words in (
            WORDS,
            (*WORDS, "--force", "report"),
            ("status", "toy.yaml", "--target", "paid", "--json"),
        ):
            run = runs(place, *words)
            assert (run.wait(), run.document["error"]["file"]) == (4, str(path)), (name, words)
        path.unlink()
        (place / "aside").rename(path)
    assert all(b"publish" not in one for one in content(place / "runs").values())


def test_links_that_the_user_chose_are_followed(
    ftrun: Ftrun, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Project, runs folder, store, cache, locks, temporary files and a named page may lie behind links."""
    real, links = tmp_path_factory.mktemp("real"), tmp_path_factory.mktemp("links")
    for name in ("project", "runs", "home", "cache", "locks", "tmp", "pages"):
        (real / name).mkdir(parents=True)
        (links / name).symlink_to(real / name)
    shutil.copytree(project / "configs", real / "project" / "configs")
    own = {"FTRUN_HOME": "home", "FTRUN_CACHE": "cache", "FTRUN_LOCKS": "locks", "TMPDIR": "tmp"}
    env = {name: str(links / folder) for name, folder in own.items()}
    os.environ["FTRUN_HOME"] = str(links / "home")  # the guard ends the engine there
    config, page = str(links / "project/configs/toy.yaml"), str(links / "pages/page.html")
    ftrun.json("plan", config, env=env)
    assert ftrun("check", config, "--html", page, env=env).returncode == 0
    assert (real / "pages/page.html").is_file()
    assert ftrun(config, "--until", "check", env=env).returncode == 0
    assert (real / "project/runs/toy/local/check.json").is_file()
    for how, words in (
        ({}, ("--runs-dir", str(links / "runs"))),
        ({"FTRUN_RUNS_DIR": str(links / "runs")}, ()),
    ):
        assert ftrun.json(config, *words, env=env | how)["status"] == "done"
    assert (real / "runs/toy/local/report.html").is_file()


@pytest.mark.parametrize("link", ["configs", "configs/faq.yaml", "configs/prompts", "configs/data"])
def test_init_writes_through_no_link(ftrun: Ftrun, tmp_path: Path, link: str) -> None:
    """A link in place of what `ftrun init` writes is refused and named, with --force too."""
    here, outside = tmp_path / "here", tmp_path / "outside"
    before = make_outside(outside)
    (here / link).parent.mkdir(parents=True)
    (here / link).symlink_to(outside / "file" if link.endswith("yaml") else outside)
    (tmp_path / "faq.csv").write_text("question,answer\n" + "a?,b\n" * 20, encoding="utf-8")
    ftrun.folder = here
    for words in ((), ("--force",)):
        found = ftrun.json("init", "../faq.csv", *words, code=4)
        assert found["error"]["file"] == str(here / link)
    assert content(outside) == before
    assert [path.name for path in here.rglob("*") if path.is_file() and not path.is_symlink()] == []


@pytest.mark.parametrize("link", ["page.html", "out"])
def test_a_named_page_goes_through_no_link_of_the_repository(
    ftrun: Ftrun, project: Path, tmp_path_factory: pytest.TempPathFactory, link: str
) -> None:
    """`--html FILE` below the current folder is refused where FILE or its folder is a link."""
    before = make_outside(outside := tmp_path_factory.mktemp("outside"))
    (project / link).symlink_to(outside / "file" if "." in link else outside)
    page = link if "." in link else f"{link}/page.html"
    found = ftrun.json("check", "configs/toy.yaml", "--html", page, code=4)
    assert found["error"]["file"] == str(project / link)
    assert content(outside) == before


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_a_pipe_or_a_folder_in_place_of_the_state_is_refused(
    runs: Runs, provider: Provider, place: Path, kind: str
) -> None:
    """Neither is waited for, and neither is taken for a state that is not there yet."""
    path = place / "runs/toy/paid/state.json"
    path.parent.mkdir(parents=True)
    os.mkfifo(path) if kind == "pipe" else path.mkdir()
    run = runs(place)
    assert (run.wait(), run.document["error"]["file"]) == (4, str(path)), run.stdout
    assert not provider.calls
