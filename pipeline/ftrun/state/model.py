"""What the state holds, and its JSON form: small, sorted, readable, without secrets. Reads and writes no
file.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeVar

from ftrun.state.forms import check, check_result

VERSION = 2
ENDED = ("succeeded", "stopped", "failed", "cancelled")
DEPLOY = "deploy"  # the stage whose record is a deployment that costs money by the hour
PLAIN = ("experiment", "target", "file", "identity", "lineage", "serial")


@dataclass(slots=True, kw_only=True)
class StageRecord:
    """The outcome of a stage: its fingerprint, its inputs in short form, and the facts that it found."""

    status: Literal["done", "failed", "running", "pending"]
    fingerprint: str
    inputs: dict[str, str] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    finished_at: str | None = None


@dataclass(slots=True, kw_only=True)
class Upload:
    """A file that the target has; the key in `State.uploads` is the SHA-256 of its bytes."""

    file_id: str
    name: str
    bytes: int


@dataclass(slots=True, kw_only=True)
class PartialUpload:
    """A file that goes to the target in parts; the key is as in `State.uploads`.

    `parts` are the server's ids of the parts that it has, in order, each of `part_bytes` but the last.
    """

    upload_id: str
    part_bytes: int
    expires_at: int | None = None
    parts: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class JobRecord:
    """A job that is ours; the key in `State.jobs` is its spec key.

    `spec` is the configuration as people read it, `intent` the one that made it, `settled` that the ledger
    knows what it cost. `seen` are jobs of the same work that were there before it, or that a person did not
    choose, `duplicates` further jobs with this spec that were alive when last looked.
    """

    job_id: str
    status: str
    attempt: int
    fine_tuned_model: str | None = None
    adopted: bool = False
    created_at: int | None = None
    finished_at: int | None = None
    trained_tokens: int | None = None
    error: str | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    intent: str | None = None
    settled: bool = False
    seen: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Return whether the job has ended, well or not."""
        return self.status in ENDED


@dataclass(slots=True, kw_only=True)
class Intent:
    """A request that is about to be sent, or has no clear answer. `phase` sending: it may have left.

    `seen` are jobs of the same work that existed before; `resends` counts unclear requests sent again.
    """

    id: str
    phase: Literal["intent", "sending"]
    at: float
    reason: str | None = None
    seen: list[str] = field(default_factory=list)
    resends: int = 0


@dataclass(slots=True, kw_only=True)
class State:
    """All that is remembered of one experiment on one target.

    `identity` says which account or store the ids belong to. `attempts` counts, per spec without attempt,
    how often `--force train` asked for a further job. `intents` are of jobs by spec key, `upload_intents` of
    files by hash.
    """

    experiment: str
    target: str
    file: str
    identity: dict[str, Any]
    lineage: str = field(default_factory=lambda: str(uuid.uuid4()))
    serial: int = 0
    stages: dict[str, StageRecord] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    partial_uploads: dict[str, PartialUpload] = field(default_factory=dict)
    upload_intents: dict[str, Intent] = field(default_factory=dict)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    @property
    def deployment(self) -> dict[str, Any] | None:
        """Return the facts of the deployment that ftrun created, or was about to, and that nobody removed."""
        record = self.stages.get(DEPLOY)
        if record is None or record.result.get("sku") is None or record.result.get("removed"):
            return None
        return record.result

    def forgotten_by(self, other: State | None) -> bool:
        """Return whether `other` knows nothing of a paid call that may have left and has no answer here, of a
        deployment, or of a job. Where there is no `other`, a job is looked for by its id.
        """
        if self.identity.get("provider") == "local":
            return False
        if self.deployment is not None and (other is None or DEPLOY not in other.stages):
            return True
        known = {**other.jobs, **other.intents} if other is not None else self.jobs
        sending = [key for key, one in self.intents.items() if one.phase == "sending"]
        return any(key not in known for key in (*sending, *self.jobs))

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values, with its version."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> State:
        """Return the state that `to_json` wrote; KeyError, TypeError or ValueError if it is none.

        FormError, a ValueError, names a field of another type than it must be.
        """
        check(cls, {name: value for name, value in data.items() if name != "version"}, "state", KINDS)
        for stage, record in data["stages"].items():
            found, done = record.get("result", {}), record["status"] == "done"
            check_result(stage, found, f"state.stages.{stage}.result", done=done)
        return cls(
            **{name: data[name] for name in PLAIN},
            stages=_records(StageRecord, data["stages"]),
            uploads=_records(Upload, data["uploads"]),
            partial_uploads=_records(PartialUpload, data["partial_uploads"]),
            upload_intents=_records(Intent, data["upload_intents"]),
            jobs=_records(JobRecord, data["jobs"]),
            intents=_records(Intent, data["intents"]),
            attempts=dict(data["attempts"]),
        )

    def forget_remote(self) -> None:
        """Drop everything that belongs to a store or account that no longer exists."""
        self.uploads, self.partial_uploads, self.upload_intents = {}, {}, {}
        self.jobs, self.intents, self.attempts = {}, {}, {}
        for name in ("upload", "train", "wait", "evaluate", "report"):
            self.stages.pop(name, None)


KINDS: Mapping[str, type[Any]] = {
    one.__name__: one for one in (StageRecord, Upload, PartialUpload, JobRecord, Intent)
}
Record = TypeVar("Record")


def _records(kind: Callable[..., Record], data: Mapping[str, Mapping[str, Any]]) -> dict[str, Record]:
    return {key: kind(**values) for key, values in data.items()}
