"""A state that was torn, edited or comes from elsewhere is noticed and never taken for empty (R7)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftrun.errors import DecisionError, FtrunError
from ftrun.state.store import StateStore
from reliability.conftest import CREATE, FULL, Runs, finished
from support.provider import Provider


def creates(provider: Provider) -> int:
    """Return how many creates were sent."""
    return [call.name for call in provider.calls].count(CREATE)


def test_every_byte_counts(runs: Runs, provider: Provider, place: Path) -> None:
    """Cut anywhere or with any byte changed, the state is refused, or reads as it did."""
    runs(place)
    folder = place / "runs/toy/paid"
    whole = (folder / "state.json").read_bytes()
    store = StateStore(folder)
    good = store.load()
    assert good is not None
    for at in range(0, len(whole), 1 if FULL else 13):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x21]) + whole[at + 1 :]):
            store.path.write_bytes(damaged)
            try:
                found = store.load()
            except FtrunError:
                continue
            assert found == good, at


@pytest.mark.parametrize("damage", ["cut", "empty", "edited", "newer", "link", "conflict"])
def test_a_damaged_state_never_leads_to_a_second_job(
    runs: Runs, provider: Provider, place: Path, damage: str
) -> None:
    """The run stops with 4 or 1 and a way out before anything is sent, and mending it ends well."""
    runs(place)
    path = place / "runs/toy/paid/state.json"
    whole = path.read_bytes()
    text = whole.decode()
    match damage:
        case "cut":
            path.write_bytes(whole[: len(whole) // 2])
        case "empty":
            path.write_bytes(b"")
        case "edited":
            path.write_text(text.replace("ftjob-1", "ftjob-9"), encoding="utf-8")
        case "newer":
            path.write_text(json.dumps({**json.loads(text), "version": 99}), encoding="utf-8")
        case "link":
            path.rename(place / "elsewhere.json")
            path.symlink_to(place / "elsewhere.json")
        case _:
            path.write_text(f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n", encoding="utf-8")
    sent = len(provider.calls)
    run = runs(place)
    assert run.wait() in (1, 4), run.stdout
    assert run.document["error"]["hint"], run.document
    assert "state.json" in str(run.document["error"]["file"]) + run.document["error"]["message"]
    assert len(provider.calls) == sent
    path.unlink()
    path.write_bytes(whole)
    finished(provider, place, runs(place))
    assert creates(provider) == 1


def test_the_store_says_what_it_refuses(tmp_path: Path) -> None:
    """An unreadable state is a decision for a person, with the file named."""
    (tmp_path / "state.json").write_text("{", encoding="utf-8")
    with pytest.raises(DecisionError) as caught:
        StateStore(tmp_path).load()
    assert "state.json" in str(caught.value.problem.file)


@pytest.mark.parametrize("days", [-2, 2])
def test_a_wrong_clock_changes_nothing(runs: Runs, provider: Provider, place: Path, days: int) -> None:
    """With the clock two days off, before or after the job was made, the outcome is the same (R9)."""
    provider.plan = lambda call: "lose" if call.name == CREATE else ""
    run = runs(place, clock=days * 86_400.0)
    finished(provider, place, run)
    (place / "runs/toy/paid/state.json").unlink()
    finished(provider, place, runs(place, clock=-days * 86_400.0))
    assert creates(provider) == 1
