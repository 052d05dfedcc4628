"""Reading an experiment file whole: extends, --set, template files, digest."""

from __future__ import annotations

from pathlib import Path

import pytest

import ftrun
from ftrun.errors import ConfigError
from ftrun.experiment import build_experiment, read_document

from .conftest import MINIMAL, Workplace


def test_extends_merges_deep_and_replaces_lists(place: Workplace) -> None:
    """Mappings are merged key by key; lists and values of the extending file win."""
    place.write(
        "base/base.yaml",
        "version: 1\nname: base\ndata: {sources: [{path: b1.csv}, {path: b2.csv}], dedupe: 'off'}\n"
        "train: {seed: 1, hyperparameters: {n_epochs: 2, batch_size: 4}}\n",
    )
    path = place.write(
        "x.yaml", "extends: base/base.yaml\nname: x\ntrain: {hyperparameters: {n_epochs: 9}}\n"
    )
    experiment = build_experiment(read_document(path))
    assert experiment.name == "x"
    assert experiment.train.seed == 1
    assert experiment.train.hyperparameters["n_epochs"] == 9
    assert experiment.train.hyperparameters["batch_size"] == 4
    assert [source.path for source in experiment.data.sources] == ["b1.csv", "b2.csv"]
    assert {source.base for source in experiment.data.sources} == {place.folder / "base"}
    assert {file.name for file in experiment.files} == {"x.yaml", "base.yaml"}


def test_templates_of_an_extended_file_are_relative_to_it(place: Workplace) -> None:
    """A .j2 path is looked for beside the file that names it."""
    place.write("base/p/s.j2", "base prompt\n")
    place.write("base/base.yaml", MINIMAL + "prompt: {system: p/s.j2}\n")
    experiment = build_experiment(read_document(place.write("x.yaml", "extends: base/base.yaml\n")))
    assert experiment.prompt.system is not None
    assert experiment.prompt.system.text == "base prompt\n"


def test_a_place_in_an_extended_file_is_reported_there(place: Workplace) -> None:
    """An error points to the file that holds the key, relative to the current directory."""
    place.write("base/base.yaml", MINIMAL + "train: {sed: 1}\n")
    problem = place.wrong("extends: base/base.yaml\n")[0]
    assert problem.place == "base/base.yaml:5:9"


@pytest.mark.parametrize(
    ("extends", "says"),
    [
        ("none.yaml", "there is no file none.yaml"),
        ("x.yaml", "circle: x.yaml -> x.yaml"),
        ("/etc/passwd", "does not end in .yaml"),
        (".", "does not end in .yaml"),
    ],
)
def test_an_extends_that_leads_nowhere_is_an_error(place: Workplace, extends: str, says: str) -> None:
    """Missing files, circles and files that are not YAML are named at the key's value."""
    problem = place.wrong(f"version: 1\nextends: {extends}\n")[0]
    assert says in problem.message
    assert problem.place == "x.yaml:2:10"


def test_set_overrides_any_key(place: Workplace) -> None:
    """Values are YAML, missing mappings are made, list entries go by index or [index], the end appends."""
    experiment = place.build(
        "eval: {prompts: [{id: a, user: x}]}\n",
        sets=(
            "train.hyperparameters.n_epochs=5",
            "train.suffix=no",
            "data.split={validation: 0.2}",
            "eval.prompts.0.user=別の質問",
            "eval.prompts[1]={id: b, user: y}",
            "prompt.user={{ q }}",
            "prompt.assistant={{ a }}",
        ),
    )
    assert experiment.train.hyperparameters["n_epochs"] == 5
    assert experiment.train.suffix == "no"
    assert experiment.data.split is not None
    assert experiment.data.split.validation == 0.2
    assert [prompt.user for prompt in experiment.evaluation.prompts] == ["別の質問", "y"]
    assert experiment.prompt.user is not None
    assert experiment.prompt.user.text == "{{ q }}"


def test_paths_from_set_are_relative_to_the_experiment_file(place: Workplace) -> None:
    """--set gives paths as if written in CONFIG, also for keys of an extended file."""
    place.write("base/base.yaml", MINIMAL)
    path = place.write("x.yaml", "extends: base/base.yaml\n")
    experiment = build_experiment(read_document(path, ["data.sources.0.path=other.csv"]))
    assert experiment.data.sources[0].base == place.folder


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.seed", "--set takes KEY=VALUE"),
        ("=1", "--set takes KEY=VALUE"),
        ("a..b=1", "--set takes KEY=VALUE"),
        ("data.sources.7.path=x", "'7' is not an index of this list: use 0 to 1"),
        ("name.x=1", "not a mapping"),
        ("train.seed=[1", "--set train.seed: this is not valid YAML"),
        ("train.seed=\udcff", "not UTF-8"),
        ("extends=x.yaml", "can only be set in the file"),
        ("train.sed=1", "--set: train.sed: unknown key"),
        ("train.seed=-1", "--set: train.seed: -1 is not allowed"),
    ],
)
def test_a_wrong_set_names_itself(place: Workplace, override: str, says: str) -> None:
    """An override that can't be read or is not allowed says so and points to no line."""
    problem = place.wrong_with("", sets=[override])
    assert says in problem.message
    assert problem.line is None


def test_the_project_is_the_folder_or_the_parent_of_configs(place: Workplace) -> None:
    """`runs/` is next to `configs`, otherwise next to the file."""
    place.write("a/configs/x.yaml", MINIMAL)
    place.write("b/x.yaml", MINIMAL)
    assert read_document(Path("a/configs/x.yaml")).project == place.folder / "a"
    assert read_document(Path("b/x.yaml")).project == place.folder / "b"


def test_the_digest_changes_with_every_byte_that_counts(
    place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """YAML, template files, included files, overrides and version are all in it; the folder's name is not."""

    def digest(folder: str, *, system: str = "s", part: str = "p", sets: tuple[str, ...] = ()) -> str:
        place.write(f"{folder}/s.j2", system + "{% include 'part.j2' %}")
        place.write(f"{folder}/part.j2", part)
        return read_document(
            place.write(f"{folder}/x.yaml", MINIMAL + "prompt: {system: s.j2}\n"), sets
        ).digest

    first = digest("a")
    assert len(first) == 64
    assert digest("b") == first
    changed = [digest("a", system="t"), digest("a", part="q"), digest("a", sets=("train.seed=1",))]
    monkeypatch.setattr(ftrun, "__version__", "99")
    assert len({first, *changed, digest("a")}) == 5


def test_dependencies_follow_the_files_that_templates_may_include(place: Workplace) -> None:
    """Only a prompt that includes has dependencies, and they change with any .j2 file of the folder."""
    place.write("part.j2", "1")
    assert place.build("prompt: {system: plain}\n").prompt.dependencies == ""
    including = "prompt: {system: \"{%- include 'part.j2' %}\"}\n"
    before = place.build(including).prompt.dependencies
    place.write("part.j2", "2")
    assert before
    assert place.build(including).prompt.dependencies != before


def test_a_template_file_must_be_a_file_of_the_project(
    place: Workplace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A missing file, one outside, and a link to the outside are refused at their place."""
    outside = tmp_path_factory.mktemp("outside") / "secret.j2"
    outside.write_text("secret")
    (place.folder / "link.j2").symlink_to(outside)
    for value, says in (("none.j2", "there is no file"), (str(outside), "outside"), ("link.j2", "outside")):
        problem = place.wrong_with(f"prompt: {{system: {value}}}\n")
        assert says in problem.message
        assert problem.place == "x.yaml:5:18"


def test_a_template_file_that_is_not_utf8_is_named(place: Workplace) -> None:
    """The error points into the template file and recognises Shift_JIS."""
    place.write("s.j2", "一行目\n二行目".encode("cp932"))
    problem = place.wrong_with("prompt: {system: s.j2}\n")
    assert problem.place == "s.j2:1:1"
    assert "Shift_JIS" in (problem.hint or "")


def test_a_missing_experiment_file_names_the_nearest(place: Workplace) -> None:
    """A mistyped file name gets the file that is there."""
    place.write("hiroyuki.yaml", MINIMAL)
    with pytest.raises(ConfigError) as caught:
        read_document(Path("hiroyuk.yaml"))
    assert caught.value.problem.hint == "Did you mean hiroyuki.yaml?"
