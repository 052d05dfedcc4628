"""Owns what the state holds, and its form in JSON: small, sorted, readable, without secrets.

Reads and writes no file.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

VERSION = 1


@dataclass(slots=True, kw_only=True)
class StageRecord:
    """What became of a stage: its fingerprint, its inputs in short form, and the facts that it found."""

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
class JobRecord:
    """A job that is ours; the key in `State.jobs` is its spec key."""

    job_id: str
    status: str
    attempt: int
    fine_tuned_model: str | None = None
    adopted: bool = False
    created_at: int | None = None
    error: str | None = None
    hyperparameters: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Intent:
    """A paid call about to be made, or made without a clear answer. `phase` sending: it may have left."""

    id: str
    phase: Literal["intent", "sending"]
    at: float
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class State:
    """All that is remembered of one experiment on one target.

    `identity` says which account or store the ids belong to. `attempts` counts, per spec without attempt,
    how often `--force train` asked for a further job.
    """

    experiment: str
    target: str
    file: str
    identity: dict[str, Any]
    lineage: str = field(default_factory=lambda: str(uuid.uuid4()))
    serial: int = 0
    stages: dict[str, StageRecord] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    jobs: dict[str, JobRecord] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values, with its version."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> State:
        """Return the state that `to_json` wrote; KeyError, TypeError or ValueError if it is none."""
        plain = {
            name: data[name] for name in ("experiment", "target", "file", "identity", "lineage", "serial")
        }
        return cls(
            **plain,
            stages={name: StageRecord(**record) for name, record in data["stages"].items()},
            uploads={sha: Upload(**record) for sha, record in data["uploads"].items()},
            jobs={spec: JobRecord(**record) for spec, record in data["jobs"].items()},
            intents={spec: Intent(**record) for spec, record in data["intents"].items()},
            attempts={spec: int(number) for spec, number in data["attempts"].items()},
        )

    def forget_remote(self) -> None:
        """Drop everything that belongs to a store or account that is not there any more."""
        self.uploads, self.jobs, self.intents, self.attempts = {}, {}, {}, {}
        for name in ("upload", "train", "wait", "evaluate", "report"):
            self.stages.pop(name, None)
