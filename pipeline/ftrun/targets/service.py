"""What the runner knows about a fine-tuning service: plain data in, plain data out, no SDK type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol

from ftrun.errors import DecisionError, FtrunError, PendingError
from ftrun.targets.limits import NO_LIMITS, RateLimits

SUCCEEDED = "succeeded"
# codes of errors that may be gone at the next call
TRANSIENT = ("unreachable", "api_error", "rate_limited", "unreadable_answer")
READING = 40.0  # seconds for all calls of a command that only reads: it must end within a minute
LIMITS = ("daily_limit", "queue_full")  # refusals that pass by themselves: nobody made an error
NOT_ALLOWED = ("not_eligible", "forbidden")  # refusals that only a person can do something about
OWN_CODES = (*LIMITS, *NOT_ALLOWED, "quota", "wrong_key")  # refusals whose code is kept
Changes = dict[
    str, str | None
]  # to a chat request: a refused parameter -> what is sent instead, None: nothing
UNUSABLE = ("error", "failed", "deleted", "expired", "cancelled")  # statuses of a file
DEAD = ("failed", "cancelled")  # every other status, even an unknown one, is "not finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file on the server. Times are Unix seconds."""

    id: str
    name: str
    bytes: int
    purpose: str = ""
    status: str | None = None
    status_details: str | None = None
    created_at: int | None = None
    expires_at: int | None = None

    @property
    def processed(self) -> bool:
        """Return whether the server has processed it; without a status it counts as processed."""
        return self.status in ("processed", None)

    @property
    def refused(self) -> bool:
        """Return whether no job can read it, now or later."""
        return self.status in UNUSABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteUpload:
    """A file that is being uploaded in parts; `expires_at` in Unix seconds."""

    id: str
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """A model on the server. `shutdown_date` is the server's text (OpenAI's), after which models tuned from
    it don't answer either; `training_ends` and `answers_end` (Azure's, of this model alone) are in Unix
    seconds; `fine_tunable` None: the server doesn't say.
    """

    id: str
    created_at: int | None = None
    owned_by: str | None = None
    shutdown_date: str | None = None
    fine_tunable: bool | None = None
    training_ends: int | None = None
    answers_end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """A job as it is requested from a server: file ids are the server's, `file_names` has the files' names by
    id, `own_hyperparameters` are those that only this service has.
    """

    model: str
    training_file: str
    validation_file: str | None
    hyperparameters: Mapping[str, Any]
    seed: int | None
    suffix: str | None
    metadata: Mapping[str, str]
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    own_hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    method: str = "supervised"
    grader: Mapping[str, Any] | None = None
    file_names: Mapping[str, str] = field(default_factory=dict)

    def with_metadata(self, **pairs: str) -> JobRequest:
        """Return the same request with more metadata."""
        return replace(self, metadata={**self.metadata, **pairs})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A fine-tuning job as a server describes it. Times are Unix seconds; `dtype` is the number format of the
    base model, which only our engine tells. `document` is all that the server says, as JSON values.
    """

    id: str
    status: str
    model: str
    training_file: str
    validation_file: str | None = None
    suffix: str | None = None
    fine_tuned_model: str | None = None
    error: str | None = None
    error_code: str | None = None
    created_at: int | None = None
    finished_at: int | None = None
    estimated_finish: int | None = None
    trained_tokens: int | None = None
    dtype: str | None = None
    seed: int | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    result_files: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    method: str = "supervised"
    grader: Mapping[str, Any] | None = None
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def succeeded(self) -> bool:
        """Return whether training succeeded."""
        return self.status == SUCCEEDED

    @property
    def dead(self) -> bool:
        """Return whether the job ended without a model."""
        return self.status in DEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of a job; `data` has the metrics of a step, if it is about one."""

    id: str
    created_at: int
    level: str
    message: str
    data: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """Return the event as in `events --json`."""
        return {
            "id": self.id,
            "created_at": self.created_at,
            "level": self.level,
            "message": self.message,
            "data": dict(self.data),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The server created the job."""

    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCreated:
    """The server certainly created no job: it refused, or the request was never sent.

    `code` says why; `retry_after`: the seconds that the server asks to wait; `told`: the answer's body.
    """

    reason: str
    hint: str | None = None
    code: str = "not_created"
    retry_after: float | None = None
    told: Any = None

    def as_error(self) -> FtrunError:
        """Return the error that ends the run: pending for a limit, a decision for an account that may not."""
        kind = PendingError if self.code in LIMITS else FtrunError
        return (DecisionError if self.code in NOT_ALLOWED else kind)(
            f"the job was not created: {self.reason}",
            code=self.code if self.code in OWN_CODES else "not_created",
            hint=self.hint or "Nothing was paid.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """The answer does not show whether a job was created."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A model's answer; `usage` counts tokens, `seconds` is wall time, `cut`: it reached the length limit.

    `refusal`: who refused to answer, `model` (the text is what it says instead) or `content_filter`.
    `tool_calls` are as the API has them. `finish_reason` and `system_fingerprint` are the server's words,
    None where it has none.
    """

    text: str
    usage: Mapping[str, int]
    seconds: float
    cut: bool = False
    refusal: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    limits: RateLimits = NO_LIMITS
    finish_reason: str | None = None
    system_fingerprint: str | None = None


class Service(Protocol):
    """A connected server of the fine-tuning protocol.

    A call that fails raises a ServiceError; one about a file, job or model that the server lacks raises
    a NotFoundError.
    """

    honours_keys: bool  # whether a create may be repeated under the same Idempotency-Key
    at_once: int  # how many questions may be asked at one time; with 1, one after the other
    busy_seconds: Callable[[], float | None]  # for about how long it has questions to answer, if it says so
    changes: dict[str, Changes]  # by model

    def end_within(self, seconds: float) -> None:
        """Give up every call, retries included, `seconds` from now."""
        ...

    def find_file(self, name: str, size: int) -> RemoteFile | None:
        """Return a usable training file of `size` bytes whose name says that it has this content, if any."""
        ...

    def file(self, file_id: str) -> RemoteFile:
        """Return the file; NotFoundError if the server doesn't have it or no job can use it."""
        ...

    def file_content(self, file_id: str) -> bytes:
        """Return the bytes of a file."""
        ...

    def upload(self, source: IO[bytes], name: str) -> RemoteFile:
        """Upload what `source` holds under `name`, in one request that is sent once."""
        ...

    def look_at_file(self, file_id: str) -> RemoteFile:
        """Return the file as it is, even one that the server has refused; NotFoundError as for `file`."""
        ...

    def begin_upload(self, name: str, size: int) -> RemoteUpload:
        """Announce a file of `size` bytes that will be uploaded in parts."""
        ...

    def add_part(self, upload_id: str, data: bytes) -> str:
        """Send a part and return its id."""
        ...

    def complete_upload(self, upload_id: str, parts: list[str], md5: str) -> RemoteFile:
        """Join the parts to a file, in this order; the server compares the MD5 (hex). Sent once."""
        ...

    def cancel_upload(self, upload_id: str) -> None:
        """Cancel an upload, if it still exists."""
        ...

    def find_jobs(self, request: JobRequest, *, others: Collection[str]) -> list[Job]:
        """Return the jobs with this request's spec key; if the server keeps no metadata, those that do the
        same work, except for the ids in `others`.
        """
        ...

    def create_job(self, request: JobRequest, key: str) -> Created | NotCreated | Unclear:
        """POST the job once, under the Idempotency-Key `key`."""
        ...

    def job(self, job_id: str) -> Job:
        """Return the job; NotFoundError if the server doesn't have it."""
        ...

    def cancel(self, job_id: str) -> Job:
        """Ask the server to stop the job."""
        ...

    def pause(self, job_id: str) -> Job:
        """Ask the server to pause the job."""
        ...

    def resume(self, job_id: str) -> Job:
        """Ask the server to resume a paused job."""
        ...

    def read_up_to(self, size: int) -> None:
        """Read answers of up to `size` bytes from now on: whole files, where the usual bound is too low."""
        ...

    def files(self, *, after: str | None = None, limit: int = 100) -> Iterator[RemoteFile]:
        """Yield the files of this account, newest first, in pages of `limit`; `after`: those that follow the
        file of this id.
        """
        ...

    def jobs(self, *, after: str | None = None) -> Iterator[Job]:
        """Yield the jobs of this account, newest first; `after`: those that follow the job of this id."""
        ...

    def models(self) -> list[RemoteModel]:
        """Return the models of this account."""
        ...

    def model(self, name: str) -> RemoteModel:
        """Return the model; NotFoundError if the server doesn't have it."""
        ...

    def expect_soon(self, model: str) -> None:
        """Note that `model` was created just now: it may take a while until it answers."""
        ...

    def delete_file(self, file_id: str) -> None:
        """Delete a file."""
        ...

    def delete_model(self, name: str) -> None:
        """Delete a tuned model."""
        ...

    def events(self, job_id: str, *, newest: int = 50) -> list[Event]:
        """Return the newest events, oldest first."""
        ...

    def checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        """Return the checkpoints: step, model, metrics."""
        ...

    def result_csv(self, file_id: str) -> str:
        """Return the text of a result file, decoded if it is base64."""
        ...

    def chat(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]],
        sampling: Mapping[str, Any],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        once: bool = False,
    ) -> Reply:
        """Ask `model`, which may call `tools`. With `once` nothing is tried again after a refusal for a limit
        or a lost answer: whoever asks does.
        """
        ...

    def chat_stream(
        self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]
    ) -> Iterator[str]:
        """Ask `model` and yield the answer in pieces."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...
