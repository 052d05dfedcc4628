"""Each safety rule is broken on purpose in a copy of the program, and a test notices (R15)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT
from reliability import test_lost_answers, test_neighbours, test_open_calls, test_state_damage
from reliability.conftest import CREATE, Runs, finished, make_project
from support.forked import ForkServer
from support.provider import Call, Fault, Provider

Test = Callable[[Runs, Provider, Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A rule, where it stands in the program, what stands there when it is broken, and who notices."""

    file: str
    right: str
    wrong: str
    notices: Test


def _death_before_the_answer(runs: Runs, provider: Provider, place: Path) -> None:
    """A create that was sent and never answered, by a server that shows no jobs, is not sent again: by the
    state alone, where no note is left.
    """
    provider.plan = lambda call: "kill-after" if call.name == CREATE else ""
    provider.hidden = 60.0
    run = runs.start(place)
    provider.victim = run.pid
    run.wait()
    runs(place, env={"FTRUN_LOCKS": str(place / "locks of another user")})
    assert len(provider.jobs) == 1


def _death_without_a_state(runs: Runs, provider: Provider, place: Path) -> None:
    """The same with the state deleted: by the note alone."""
    provider.plan = lambda call: "kill-after" if call.name == CREATE else ""
    provider.hidden = 1000.0
    run = runs.start(place)
    provider.victim = run.pid
    run.wait()
    shutil.rmtree(place / "runs")
    runs(place)
    assert len(provider.jobs) == 1


def _late_list_without_a_state(runs: Runs, provider: Provider, place: Path) -> None:
    """A job that was made is found by its id, while no list shows it."""
    provider.hidden = 1000.0
    for _ in range(2):
        assert runs(place).wait() == 0
        shutil.rmtree(place / "runs")
    assert len(provider.jobs) == 1


def _state_is_durable(runs: Runs, provider: Provider, place: Path) -> None:
    """The state is fsynced before it takes its name, and its folder after."""
    points = runs(place).points
    at = points.index("rename state.json")
    assert points[at - 1] == "fsync", points[at - 2 : at + 2]
    assert points[at + 1] == "fsync", points[at - 2 : at + 2]


def _server_error(runs: Runs, provider: Provider, place: Path) -> None:
    test_lost_answers.test_a_server_error_may_have_made_a_job(runs, provider, place, "503")


def _two_clones(runs: Runs, provider: Provider, place: Path) -> None:
    test_neighbours.test_two_clones_on_one_machine_make_one_job(runs, provider, place)


def _edited_state(runs: Runs, provider: Provider, place: Path) -> None:
    test_state_damage.test_a_damaged_state_never_leads_to_a_second_job(runs, provider, place, "edited")


def _late_list(runs: Runs, provider: Provider, place: Path) -> None:
    """A job whose answer was lost, and that the list shows at the second look, is found."""
    names: list[str] = []

    def plan(call: Call) -> Fault:
        names.append(call.name)
        calls = names[names.index(CREATE) :].count("GET /fine_tuning/jobs") if CREATE in names else 0
        provider.hidden = 0.0 if calls > 2 else 1000.0  # a look is two calls, with a filter and without
        return "lose" if call.name == CREATE else ""

    provider.plan = plan
    finished(provider, place, runs(place))


def _earlier_state(runs: Runs, provider: Provider, place: Path) -> None:
    test_open_calls.test_a_state_from_before_the_create_is_refused_and_repaired(runs, provider, place)


def _links(runs: Runs, provider: Provider, place: Path) -> None:
    """Nothing is written behind a link that a repository carries."""
    (place / "runs").mkdir()
    (place / "elsewhere").mkdir()
    (place / "runs/toy").symlink_to(place / "elsewhere")
    runs(place)
    assert not list((place / "elsewhere").iterdir())


JOBS = "targets/api/jobs.py"
CREATION = "paid/creation.py"
RULES = {
    "retries on": Broken(
        file=JOBS,
        right="once = self._make_client(0)",
        wrong="once = self._make_client(2)",
        notices=_server_error,
    ),
    "redirects on": Broken(
        file="targets/api/connection.py",
        right="follow_redirects=False",
        wrong="follow_redirects=True",
        notices=test_lost_answers.test_a_redirected_create_is_not_followed,
    ),
    "no fsync": Broken(
        file="files.py",
        right="yield file\n                file.flush()\n                _sync(file)",
        wrong="yield file",
        notices=_state_is_durable,
    ),
    "links are followed": Broken(
        file="files.py",
        right="if os.path.islink(one):",
        wrong="if not one:",
        notices=_links,
    ),
    "no lock of a run": Broken(
        file="state/locks.py",
        right="            lock.acquire()\n    except filelock",
        wrong="            lock.is_locked\n    except filelock",
        notices=test_neighbours.test_a_second_run_stops_while_the_first_one_creates,
    ),
    "no lock of the clones": Broken(
        file=CREATION,
        right="with held_by_user(job_lock(context, key), what=what, wait=context.settings.wait_for_lock):",
        wrong="if what and held_by_user:",
        notices=_two_clones,
    ),
    "intent after the call": Broken(
        file=CREATION,
        right="    context.save(no_way_back=True)\n    outcome = _send(context, key, intent)",
        wrong="    del context.state.intents[key]\n    context.save()\n"
        "    outcome = _send(context, key, intent)\n    context.state.intents[key] = intent",
        notices=_death_before_the_answer,
    ),
    "no note before the call": Broken(
        file=CREATION,
        right="    leave_note(context, job_lock(context, key), intent)\n",
        wrong="",
        notices=_death_without_a_state,
    ),
    "no note of what was made": Broken(
        file=CREATION,
        right="    leave_note(context, job_lock(context, key), intent, made=job.id)\n",
        wrong="    take_back_note(context, job_lock(context, key))\n",
        notices=_late_list_without_a_state,
    ),
    "a server error is a no": Broken(
        file="targets/api/failures.py",
        right="REFUSED = (400, 401, 403, 404, 413, 422)",
        wrong="REFUSED = (400, 401, 403, 404, 413, 422, 500, 503)",
        notices=_server_error,
    ),
    "any state will do": Broken(
        file="state/store.py",
        right="        if last.forgotten_by(state):",
        wrong="        if last.forgotten_by(last):",
        notices=_earlier_state,
    ),
    "a state is believed unchecked": Broken(
        file="state/store.py",
        right="if claimed != digest(data):",
        wrong="if not claimed:",
        notices=_edited_state,
    ),
    "the first look is the last": Broken(
        file="paid/finding.py",
        right="            if found or left <= 0:\n                return found",
        wrong="            return found",
        notices=_late_list,
    ),
    "what a person did not confirm is confirmed": Broken(
        file=CREATION,
        right="return sending and not context.settings.confirm_not_created and not context.local",
        wrong="return sending and context.settings.confirm_not_created and not context.local",
        notices=_death_before_the_answer,
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_noticed(rule: str, tmp_path: Path, provider: Provider) -> None:
    """The test passes with the program as it is, and fails with this one rule broken."""
    broken = RULES[rule]
    copy = tmp_path / "pipeline"
    shutil.copytree(ROOT / "pipeline", copy)  # with its bytecode: only what is broken is compiled again
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    path = copy / "ftrun" / broken.file
    text = path.read_text(encoding="utf-8")
    assert text.count(broken.right) == 1, "the rule is not written there any more: fix this table"
    path.write_text(text.replace(broken.right, broken.wrong), encoding="utf-8")
    (tmp_path / "runs").mkdir()
    server = ForkServer(copy)
    runs = Runs(tmp_path / "runs", server)
    try:
        with pytest.raises(AssertionError):
            broken.notices(runs, provider, make_project(tmp_path / "project", provider))
    finally:
        runs.close()
        server.close()


@pytest.mark.parametrize(
    "test",
    [
        _death_before_the_answer,
        _death_without_a_state,
        _late_list_without_a_state,
        _state_is_durable,
        _late_list,
        _links,
    ],
)
def test_the_rules_hold_in_the_program_as_it_is(
    runs: Runs, provider: Provider, place: Path, test: Test
) -> None:
    """What notices a broken rule has nothing to say of the program itself."""
    test(runs, provider, place)
