"""The frozen dataclasses of an experiment: what the runner works with once the file is validated.

The JSON Schema is the contract; a parity test holds these classes to it. No input or output here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ftrun.experiment.target import Target

Share = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A Jinja2 template: its text, and the file it came from (None when inline).

    `place` is file, line and column of its first character for messages (None for --set); it changes
    nothing else, so it takes no part in comparisons and must stay out of fingerprints.
    """

    text: str
    file: Path | None = None
    place: tuple[Path, int, int] | None = field(default=None, compare=False, repr=False)


# a template, or tuples and mappings whose texts are templates
TemplateTree = Template | Mapping[str, Any] | tuple[Any, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSample:
    """How many rows of a source are used: a share (float below 1) or a count (int)."""

    size: Share
    seed: int = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql:
    """A query to a database; `url_env` names the variable that holds its address."""

    url_env: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A Hugging Face dataset: a folder (`path`), or one on the Hub (`id` at the commit `revision`)."""

    path: str | None = None
    id: str | None = None
    revision: str | None = None
    config: str | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data source as written: one of `path`, `sql` and `dataset` is given.

    `path` may hold globs; `base` is the folder that paths are relative to.
    """

    path: str | None = None
    base: Path
    key: tuple[str | int, ...]
    format: str | None = None
    encoding: str | None = None
    separator: str | None = None
    header_row: int | None = None
    records: str | None = None
    pause: str | None = None
    turns: int | None = None
    sheet: str | None = None
    query: str | None = None
    sql: Sql | None = None
    dataset: Dataset | None = None
    columns: Mapping[str, str] | None = None
    shape: str | None = None
    where: str | None = None
    sample: RowSample | None = None
    limit: int | None = None
    weight: float = 1.0
    group_by: tuple[str, ...] = ()
    order_by: str | None = None
    roles: Mapping[str, tuple[str, ...]] | None = None  # role of the API: what the file calls it


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How rows are divided: a share (float below 1), a count (int), or separate files.

    `stratify_by` is a column whose proportions every split keeps; rows equal in all columns of
    `group_by` stay in one split.
    """

    validation: Share | tuple[Source, ...] = 0
    test: Share | tuple[Source, ...] = 0
    seed: int = 42
    stratify_by: str | None = None
    group_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """How to ask for more rows. `target` None: the experiment's; `path` None: next to the first source.

    `path` is absolute; `max_usd` None: the experiment's budget holds.
    """

    target: str | None = None
    model: str = "base"
    kind: Literal["paraphrase", "new"] = "paraphrase"
    prompt: Template | None = None
    question: str | None = None
    per_row: int = 2
    max_rows: int = 100
    max_usd: float | None = None
    seed: int = 42
    sampling: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """General examples mixed into the training file so that less is forgotten: which share of it they are
    (between 0 and 1), and a file of ready chats (None: the set that ships).
    """

    share: float
    path: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where rows come from and how they are divided. `verbatim`: the files are sent byte for byte."""

    sources: tuple[Source, ...]
    split: Split | None = None
    dedupe: Literal["off", "exact", "near"] = "exact"
    legacy_functions: Literal["refuse", "upgrade"] = "refuse"
    sharegpt: Literal["refuse", "convert"] = "refuse"
    clean: tuple[str, ...] = ()  # rules that texts are cleaned by
    checks: Mapping[str, Literal["off", "warning", "error"]] = field(default_factory=dict)
    pii: Mapping[str, str] | str | None = None  # an action by kind, or one for all kinds
    verbatim: bool = False
    augment: Augment = field(default_factory=Augment)
    replay: Replay | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTemplate:
    """One entry of `prompt.messages`. In content parts and in calls every text is a template."""

    role: str
    content: TemplateTree = None
    weight: int | None = None
    name: Template | None = None
    tool_calls: TemplateTree = None
    tool_call_id: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The templates that turn a row into a training example; `messages` excludes the first three."""

    system: Template | None = None
    user: Template | None = None
    assistant: Template | None = None
    messages: tuple[MessageTemplate, ...] | None = None
    preferred: Template | None = None
    non_preferred: Template | None = None
    item: Mapping[str, Template] = field(default_factory=dict)
    tools: list[Any] | None = None  # as the API takes them, read from a file where one was named
    parallel_tool_calls: bool | None = None
    vars: Mapping[str, Any] = field(default_factory=dict)
    dependencies: str = ""  # digest of files that templates may include; "" when none does


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWhen:
    """When a running job is cancelled. `loss_above` is a training loss, `validation_worse` a number of
    evaluations. Not part of a job's spec: it ends a job, but never makes another.
    """

    validation_worse: int | None = None
    loss_above: float | None = None
    diverges: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadNames:
    """How uploaded files are called: `name` begins their names instead of the experiment's."""

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """How to announce the end of a run. `webhook_env` names a variable that holds an address."""

    bell: bool = False
    desktop: bool = False
    email: str | None = None
    webhook_env: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How the report is written; `language` None: the data's language."""

    language: Literal["en", "ja"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """The fine-tuning job; the names are the API's. `continue_from` is a tuned model's id, or the file
    of another experiment. `metadata` travels with the job and is not part of its spec.
    """

    method: Literal["supervised", "dpo", "reinforcement"] = "supervised"
    grader: Mapping[str, Any] | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    suffix: str | None = None
    continue_from: str | Path | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    stop_when: StopWhen = StopWhen()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a run may cost in US$ (None: no limit is set), and the rate for showing yen as well.

    `usd_per_month`: all targets together. `resend_after` is in seconds; None: an unclear create is never sent
    again without asking.
    """

    usd: float | None = None
    usd_per_month: float | None = None
    yen_per_usd: float | None = None
    resend_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalPrompt:
    """A question for every candidate. `system` is the experiment's own unless `own_system` is true.

    `group`: prompts with the same one belong together. `tools` are as the API takes them.
    """

    id: str
    user: str | None = None
    system: str | None = None
    own_system: bool = False
    messages: tuple[Mapping[str, Any], ...] | None = None
    reference: str | None = None
    expect: Any = None
    tools: tuple[Mapping[str, Any], ...] = ()
    tags: tuple[str, ...] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSpec:
    """An entry of `eval.models`. `model` is `tuned`, `base`, `few-shot`, `retrieval`, `ckpt-step-N` or a
    model's id; None: `answers`, a file of recorded answers, stands for it. `target` None: the experiment's.

    `system` replaces the experiment's system prompt where `own_system` is true (None: none). `few_shot` and
    `retrieval` are how many training examples or rows go into the prompt; None: what `model` means by itself.
    `plain`: it was written as a name alone.
    """

    name: str
    model: str | None = None
    target: str | None = None
    system: str | None = None
    own_system: bool = False
    few_shot: int | None = None
    retrieval: int | None = None
    answers: Path | None = None
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerSpec:
    """An entry of `eval.scorers`: its name and its options (paths in them are absolute)."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Candidates, questions, how they are sampled, how answers are scored, and what must hold.

    `prompts` includes those of files. `test_set`: whether the test split is asked too, or how many of its
    rows (a seeded sample). `recall_sample`: how many training questions are asked again. `general`: the
    general-ability set that ships, or a file of prompts; `general_prompts` are those of the file, or given as
    a list (empty: the set that ships). `repeat`: answers per question. `metric` None: the
    default one.
    """

    candidates: tuple[CandidateSpec, ...] = ()
    prompts: tuple[EvalPrompt, ...] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict)
    test_set: bool | int = False
    recall_sample: int = 0
    general: bool | Path = False
    general_prompts: tuple[EvalPrompt, ...] = ()
    repeat: int = 1
    metric: str | None = None
    scorers: tuple[ScorerSpec, ...] = ()
    gates: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Return the candidates' names."""
        return tuple(one.name for one in self.candidates)

    @property
    def asks(self) -> bool:
        """Return whether there is anything to ask or to score."""
        return bool(self.prompts or self.test_set or self.recall_sample or self.general)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The job that an experiment was imported from, and what of it was `missing` at the target."""

    job_id: str
    fine_tuned_model: str | None = None
    date: str | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A validated experiment for one target.

    `targets` are all targets of the file. `file` is the experiment file, `project` the folder that contains
    `runs/`, `files` all YAML files read.
    `trains` is False where the file has no `data` and `train`: there is only something to evaluate.
    `places` maps a key path (as a tuple) to (file, line, column) for error messages.
    """

    name: str
    description: str | None
    file: Path
    project: Path
    files: tuple[Path, ...]
    target: Target
    targets: tuple[Target, ...]
    data: Data
    prompt: Prompt
    train: Train
    budget: Budget
    state: str | None
    evaluation: Evaluation
    notify: Notify
    report: Report = Report()
    upload: UploadNames = UploadNames()
    imported: Imported | None = None
    trains: bool = True
    places: Mapping[tuple[str | int, ...], tuple[Path, int, int]]

    @property
    def contacts_target(self) -> bool:
        """Return whether its target is contacted: recorded answers and models elsewhere need none."""
        own = (None, self.target.name)
        asked = (one for one in self.evaluation.candidates if one.answers is None)
        return self.trains or any(one.target in own for one in asked)
