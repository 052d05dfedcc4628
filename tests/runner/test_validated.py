"""That a configuration is known to be valid is the user's own knowledge, not what a repository says."""

from __future__ import annotations

import json
from pathlib import Path

from ftrun.experiment import read_document
from runner.conftest import Inside


def test_a_repository_cannot_vouch_for_its_own_file(inside: Inside, project: Path, guard: Path) -> None:
    """A committed `runs/cache.json` that names the file as valid spares no check."""
    config = project / "configs/toy.yaml"
    outside = project.parent / "outside"
    config.write_text(config.read_text().replace("name: toy", "name: ../../outside/toy"), encoding="utf-8")
    (project / "runs").mkdir()
    known = json.dumps({"validated": [read_document(config).digest]})
    (project / "runs/cache.json").write_text(known, encoding="utf-8")
    code, _out, error = inside("run", "configs/toy.yaml", "--yes")
    assert code == 2
    assert "is not allowed" in error
    assert not outside.exists()


def test_a_known_configuration_is_not_validated_again(inside: Inside, project: Path, guard: Path) -> None:
    """A run notes for the user which configuration is valid; a note that is damaged costs a validation."""
    run = ("run", "configs/toy.yaml", "--until", "check")
    assert inside(*run)[0] == 0
    note = guard / ".local/state/ftrun/validated.json"
    assert json.loads(note.read_text()) == [read_document(project / "configs/toy.yaml").digest]
    for damaged in ("{", "[[[", '{"a": 1}', "null", "[" * 100_000):
        note.write_text(damaged, encoding="utf-8")
        assert inside(*run)[0] == 0
        assert len(json.loads(note.read_text())) == 1
