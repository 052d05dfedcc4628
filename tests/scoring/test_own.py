"""Own scorers: loaded when the command line names them, and the examples of docs/scorers.md are true."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from ftrun.errors import ConfigError
from ftrun.experiment.model import ScorerSpec
from ftrun.scoring.scorers import METRICS, make_scorers, scorers_for
from ftrun.scoring.types import Answer, Sample

DOCUMENT = (ROOT / "docs" / "scorers.md").read_text(encoding="utf-8")
SAMPLE = Sample(id="1", turns=())


def blocks(language: str) -> list[str]:
    """Return the code blocks of docs/scorers.md in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)


def install(folder: Path, entry_points: str, source: str = "") -> None:
    """Put a package with entry points into a folder, as pip would."""
    info = folder / "my_scorers-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-scorers\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[ftrun.scorers]\n{entry_points}", encoding="utf-8")
    (folder / "my_scorers.py").write_text(source, encoding="utf-8")


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder of packages that Python finds."""
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("my_scorers", None)


@pytest.fixture
def polite(packages: Path) -> Path:
    """Install the example of the documentation."""
    (source,) = blocks("python")
    (project,) = (tomllib.loads(text) for text in blocks("toml"))
    points = project["project"]["entry-points"]["ftrun.scorers"]
    install(packages, "".join(f"{name} = {value}\n" for name, value in points.items()), source)
    return packages


@pytest.mark.usefixtures("polite")
def test_the_example_of_the_documentation_works() -> None:
    """It scores, takes the options of the experiment file, and leaves out what it can't judge."""
    (scorer,) = make_scorers([], entry_points=["polite"])
    values = [scorer.score(SAMPLE, Answer(text=text)) for text in ("そうです。", "そうだ。", "")]
    assert [one and (one.value, one.explanation) for one in values] == [
        (1, ""),
        (0, "ends with そうだ"),
        None,
    ]
    *_, spec = (yaml.safe_load(text)["eval"]["scorers"][0] for text in blocks("yaml"))
    ((name, options),) = spec.items()
    found = scorers_for([ScorerSpec(name=name, options=options)], [SAMPLE], entry_points=["polite"])
    asked = found[0].score(SAMPLE, Answer(text="お待ちください。"))
    assert asked is not None and asked.value == 1
    assert [one.name for one in found].count("polite") == 1


@pytest.mark.usefixtures("polite")
def test_it_is_never_loaded_because_of_a_file() -> None:
    """A name in `eval.scorers` alone is an unknown scorer, and imports nothing."""
    with pytest.raises(ConfigError, match="There is no scorer called polite") as error:
        make_scorers([("polite", {})])
    assert "--scorer polite" in str(error.value.problem.hint)
    assert "my_scorers" not in sys.modules


def test_a_built_in_one_may_be_named_as_well() -> None:
    """`--scorer rouge` adds it without changing the file."""
    assert [one.name for one in make_scorers([("length", {})], entry_points=["rouge"])] == ["length", "rouge"]


@pytest.mark.parametrize(
    ("entry", "source", "message"),
    [
        ("other = my_scorers:f", "def f(): ...", "No installed package has a scorer called mine"),
        ("mine = my_scorers:f", "raise RuntimeError('boom')", "can't be imported: RuntimeError: boom"),
        ("mine = my_scorers:f", "", "can't be imported: AttributeError"),
        ("mine = nowhere_at_all:f", "", "can't be imported: ModuleNotFoundError"),
        ("mine = my_scorers:f", "f = 3", "is not a function that returns a scorer"),
        ("mine = my_scorers:f", "def f(x): ...", "can't be created: TypeError"),
        ("mine = my_scorers:f", "def f(): ...", "is not a scorer: it has no `name`."),
        ("mine = my_scorers:f", "class f:\n    name = 'mine'", "it has no method `score(sample, answer)`."),
        (
            "mine = my_scorers:f",
            "class f:\n    name = 'mine'\n    score = print\n    metrics = []",
            "it has no `metrics`, a list of at least one.",
        ),
        (
            "mine = my_scorers:f",
            "class M:\n    name = binary = scale = resampled = 1\n"
            "class f:\n    name = 'mine'\n    score = print\n    metrics = [M]",
            "a metric has no higher_is_better, combine.",
        ),
    ],
)
def test_what_is_no_scorer_is_one_clear_message(
    packages: Path, entry: str, source: str, message: str
) -> None:
    """A missing name, an import that fails, and objects that lack something; no traceback."""
    install(packages, f"{entry}\n", source)
    with pytest.raises(ConfigError) as error:
        make_scorers([], entry_points=["mine"])
    assert message in str(error.value) and error.value.code == "own_scorer"


ROW = re.compile(r"^\| `(.+?)` \| `(.*?)` \| `(.*?)` \| ([\d.]+) \|$", re.MULTILINE)


@pytest.mark.parametrize(("scorer", "reference", "answer", "value"), ROW.findall(DOCUMENT))
def test_the_examples_of_the_documentation_are_true(
    scorer: str, reference: str, answer: str, value: str
) -> None:
    """Each row of its tables is computed."""
    spec = yaml.safe_load(scorer)
    ((name, options),) = spec.items() if isinstance(spec, dict) else ((spec, {}),)
    sample = Sample(id="1", turns=(), reference=reference)
    (made,) = make_scorers([(name, options)], samples=[sample])
    found = made.score(sample, Answer(text=answer))
    assert found is not None and found.value == pytest.approx(float(value), abs=1e-4)


def test_the_documentation_has_every_scorer_and_metric() -> None:
    """Nothing that can be written in `eval.scorers` is missing, and its YAML is accepted."""
    for name, metrics in METRICS.items():
        for one in (name, *metrics):
            assert re.search(rf"`{one}`|[{{ ]{one}: ", DOCUMENT), one
    assert len(ROW.findall(DOCUMENT)) >= 15
    (graded,) = [yaml.safe_load(text) for text in blocks("yaml") if "multi" in text]
    ((name, options),) = graded["eval"]["scorers"][0].items()
    assert make_scorers([(name, options)])[0].name == "quality"
