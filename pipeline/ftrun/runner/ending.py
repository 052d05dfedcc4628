"""What ends for the experiments of a project: of every target of every file until when its model can be
trained and answers, which tuned models that takes away, and what to do while there is time.

Reads files, states and the dated table, and asks no server.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from ftrun.cost.availability import End, Ends, ends_of, is_known, service_of, title_of
from ftrun.cost.candidates import priced_target
from ftrun.cost.models import base_model
from ftrun.errors import FtrunError
from ftrun.evaluation.rescued_files import recorded_models
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.experiment.target import Target
from ftrun.paid.removed_models import removed_at
from ftrun.runner.experiment_files import experiment_files
from ftrun.runner.session import runs_folder
from ftrun.runner.validated import is_valid
from ftrun.state import State, StateStore

PLACEHOLDER = "TARGET"  # in a command, for a target that the file doesn't have yet
RESCUE = ("ftrun", "rescue")
Status = Literal["over", "settled", "may_be_over", "soon", "later", "unknown"]
ORDER: tuple[Status, ...] = ("over", "may_be_over", "soon", "later", "settled", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A model that an experiment uses at a target: the target's own, with the `tuned` models in its state, or
    that of a `candidate`.

    `recorded` has the date of the recorded answers of a tuned model. `archive`: the experiment was imported;
    `replaced`: another one continues elsewhere. `used`: it is not only in the file. `port_to`: a target of
    the file that doesn't end.
    """

    experiment: Experiment
    target: Target
    ends: Ends
    candidate: str | None = None
    tuned: tuple[str, ...] = ()
    recorded: Mapping[str, str] = field(default_factory=dict)
    trains: bool = False
    archive: bool = False
    replaced: bool = False
    used: bool = True
    port_to: str | None = None

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """Return the tuned models whose answers nobody recorded."""
        return tuple(model for model in self.tuned if model not in self.recorded)

    def relevant(self) -> tuple[End, ...]:
        """Return the ends that matter: of training only where the experiment trains."""
        ends = (self.ends.answers, self.ends.training if self.trains else None)
        return tuple(one for one in ends if one is not None)

    def status(self, now: date, within: int) -> Status:
        """Return what is over, or ends within so many days; a "not before" never says that it is over."""
        ends = self.relevant()
        if not self.used:
            return "later" if ends else "unknown"
        past = [one for one in ends if one.days(now) <= 0]
        if any(not one.not_before for one in past):
            return "settled" if self.archive or self.replaced else "over"
        if past:
            return "may_be_over"
        if any(one.days(now) <= within for one in ends):
            return "soon"
        return "later" if ends else "unknown"

    def answers(self, now: date) -> bool:
        """Return whether the tuned models may still answer."""
        end = self.ends.answers
        return end is None or end.not_before or end.days(now) > 0

    def to_do(self, now: date) -> Iterator[str]:
        """Yield the commands that are left to do."""
        at, to = () if self._is_own else ("--target", self.target.name), self.port_to or PLACEHOLDER
        file = shown_path(self.experiment.file)
        if self.unrecorded and self.answers(now):
            yield shlex.join((*RESCUE, file, *at))
        if self.tuned and not self.candidate and not self.replaced and self.experiment.trains:
            yield shlex.join(("ftrun", "port", file, *at, "--to", to))
        elif self.trains and not self.tuned:
            yield shlex.join(("ftrun", "run", file, "--target", to))

    @property
    def _is_own(self) -> bool:
        return self.target.name == self.experiment.target.name

    def as_dict(self, now: date, within: int) -> dict[str, Any]:
        """Return the use as in `doctor --ci --json`."""
        status = self.status(now, within)
        pressing = status in ("over", "may_be_over", "soon")
        return {
            "config": shown_path(self.experiment.file),
            "experiment": self.experiment.name,
            "target": self.target.name,
            "provider": self.target.provider,
            "candidate": self.candidate,
            "used": self.used,
            "status": status,
            **self.ends.as_dict(),
            "tuned": [{"model": one, "answers_recorded": self.recorded.get(one)} for one in self.tuned],
            "to_do": list(self.to_do(now)) if pressing else [],
        }


@dataclass(slots=True, kw_only=True)
class Survey:
    """What the experiments of a project use, and what of them can't be read: files in `broken`, states in
    `notes`.
    """

    experiments: int = 0
    uses: list[Use] = field(default_factory=list)
    broken: list[FtrunError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def survey(files: Sequence[Path] | None, runs: Path | None) -> Survey:
    """Return what the experiments in `files` use, None: all below the current folder. There, files that have
    no name are there for others to extend.
    """
    found = Survey()
    experiments: list[Experiment] = []
    for file in experiment_files() if files is None else files:
        try:
            document = read_document(file)
            if files is None and isinstance(document.data, dict) and "name" not in document.data:
                continue
            experiments.append(build_experiment(document, None, validated=is_valid(document.digest)))
        except FtrunError as error:
            found.broken.append(error)
    replaced = _replaced(experiments)
    found.experiments = len(experiments)
    recorded = {folder: _recorded(folder) for folder in {one.file.parent for one in experiments}}
    for one in experiments:
        known = recorded[one.file.parent]
        found.uses += _uses(one, known, runs, found.notes, replaced=one.file in replaced)
    return found


def _replaced(experiments: Iterable[Experiment]) -> set[Path]:
    """Return the files that another one extends for another target, as `ftrun port` writes it."""
    found: set[Path] = set()
    targets = {one.file: one.target for one in experiments}
    for one in experiments:
        found |= {
            file
            for file in one.files
            if file in targets and file != one.file and service_of(targets[file]) != service_of(one.target)
        }
    return found


def _uses(
    experiment: Experiment,
    recorded: Mapping[str, str],
    runs: Path | None,
    notes: list[str],
    *,
    replaced: bool,
) -> Iterator[Use]:
    archive, known = experiment.imported is not None, set[str]()
    for target in experiment.targets:
        if target.name != experiment.target.name and ("targets", target.name) not in experiment.places:
            continue  # one that is built in
        state = _state(experiment, target, runs, notes)
        tuned = _tuned(experiment, target, state, runs)
        own = target.name == experiment.target.name
        known |= {*tuned}
        trains = experiment.trains and (own or bool(tuned)) and (own or is_known(target))
        yield Use(
            experiment=experiment,
            target=target,
            ends=ends_of(target),
            tuned=tuned,
            recorded={model: recorded[model] for model in tuned if model in recorded},
            trains=trains,
            archive=archive,
            replaced=replaced,
            used=bool(tuned) or (own and (experiment.trains or experiment.evaluation.asks)),
            port_to=_elsewhere(experiment, target),
        )
    for use in _candidates(experiment, recorded, archive=archive, replaced=replaced):
        if not known.intersection(use.tuned):  # an imported experiment without data names its own model
            yield use


def _candidates(
    experiment: Experiment, recorded: Mapping[str, str], *, archive: bool, replaced: bool
) -> Iterator[Use]:
    """Yield the models that are asked by their ids."""
    own = {(one.name, one.model) for one in experiment.targets}
    for spec in experiment.evaluation.candidates:
        target = priced_target(experiment, spec)
        if target is None or (target.name, target.model) in own:
            continue
        model = target.model
        tuned = (model,) if base_model(model) != model else ()
        yield Use(
            experiment=experiment,
            target=target,
            ends=ends_of(target),
            candidate=spec.name,
            tuned=tuned,
            recorded={one: recorded[one] for one in tuned if one in recorded},
            archive=archive,
            replaced=replaced,
            port_to=_elsewhere(experiment, target),
        )


def _elsewhere(experiment: Experiment, target: Target) -> str | None:
    """Return a target of the file that has no end, first one on this machine."""
    others = [one for one in experiment.targets if one.name != target.name and service_of(one) is None]
    others.sort(key=lambda one: one.provider != "local")
    return next((one.name for one in others if not one.rehearses), None)


def _state(experiment: Experiment, target: Target, runs: Path | None, notes: list[str]) -> State | None:
    if target.provider == "local":
        return None
    if experiment.state is not None:
        notes.append(f"{experiment.name}: its state is stored elsewhere and was not read")
        return None
    try:
        return StateStore(_run_folder(experiment, target, runs)).load()
    except FtrunError as error:
        notes.append(str(error))
        return None


def _run_folder(experiment: Experiment, target: Target, runs: Path | None) -> Path:
    return runs_folder(experiment.file, runs) / experiment.name / target.name


def _tuned(experiment: Experiment, target: Target, state: State | None, runs: Path | None) -> tuple[str, ...]:
    """Return the tuned models that the state knows and nobody deleted, oldest first."""
    if state is None:
        return ()
    folder = _run_folder(experiment, target, runs)
    made = sorted(state.jobs.items(), key=lambda one: one[1].created_at or 0)
    names = (
        job.fine_tuned_model
        for key, job in made
        if job.fine_tuned_model and not removed_at(folder, key, job.fine_tuned_model)
    )
    return tuple(dict.fromkeys(names))


def _recorded(configs: Path) -> dict[str, str]:
    """Return the newest day of each model's recorded answers, by the model."""
    found: dict[str, str] = {}
    for one in recorded_models(configs):
        found[one.model] = max(one.day, found.get(one.model, ""))
    return found


def grouped(uses: Iterable[Use], now: date, within: int) -> list[tuple[Status, list[Use]]]:
    """Return the uses by status, end and model, the most urgent first."""
    found: dict[tuple[int, str, str, str], list[Use]] = {}
    for use in uses:
        status = use.status(now, within)
        first = min((one.day.isoformat() for one in use.relevant()), default="")
        found.setdefault((ORDER.index(status), first, use.ends.base, title_of(use.target)), []).append(use)
    return [(ORDER[key[0]], found[key]) for key in sorted(found)]


def as_one(uses: Sequence[Use]) -> Ends:
    """Return the ends of uses that share a model, as ends of that model; of training if one trains."""
    ends = replace(uses[0].ends, model=uses[0].ends.base)
    return ends if any(one.trains for one in uses) else replace(ends, training=None)
