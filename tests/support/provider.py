"""A provider in memory, behind a real HTTP server: it counts what it commits, and fails on demand.

It keeps files, jobs and models, lets a job succeed after a few looks, and knows no idempotency keys. `plan`
chooses a fault for each call; one that kills ends the client's process, before or after the commit. `hook`
may answer first; the other switches say in what this provider differs from an ordinary one.
"""

from __future__ import annotations

import email
import email.policy
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from support.scripted_server import Answer, Asked, ScriptedServer, listed, refusal

KEY = "fk-0123456789abcdef-canary"
MODEL = "gpt-4.1-mini-2025-04-14"
PATIENCE = 120.0  # seconds: what waits for an event is not to fail because the machine is busy or slow
RESULTS = (
    "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"
    "1,2.0,0.5,2.1,0.4\n2,1.0,0.7,1.5,0.6\n"
)
USAGE = {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16}

Fault = Literal[
    "",
    "drop",
    "lose",
    "half",
    "html",
    "empty",
    "500",
    "503",
    "429",
    "slow",
    "kill-before",
    "kill-after",
    "hold",
    "307",
]
Hook = Callable[[Asked], Answer | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: its number from 1, and what it is for, such as `POST /files`."""

    number: int
    name: str


@dataclass(slots=True, kw_only=True)
class Provider:
    """A script for `ScriptedServer`, or after `start` a server of its own."""

    plan: Callable[[Call], Fault] = lambda call: ""
    victim: int | None = None  # the process that dies of a fault that kills
    hook: Hook = lambda asked: None
    looks: int = 2  # at a job until it has succeeded
    first_status: str = "validating_files"  # of a job that nobody has looked at
    hidden: float = 0.0  # seconds until lists show a new job
    listing: bool = True  # of files
    listed_status: str | None = None  # of files in lists, where it isn't the true one
    ignore_filter: bool = False
    refuse_filter: bool = False
    strip_metadata: bool = False
    results: bytes | None = RESULTS.encode()  # of a job's result file; None: it is gone, empty: there is none
    trained_tokens: int | None = 1000
    usage: Mapping[str, int] | None = field(default_factory=USAGE.copy)
    retry_after: str = "0.05"
    filtered: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # by a proxy, after the commit
    calls: list[Call] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    checkpoints: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=lambda: {MODEL: model(MODEL)})
    created: list[dict[str, Any]] = field(default_factory=list)  # what was asked of each job that was made
    files_made: int = 0
    answers: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    born: dict[str, float] = field(default_factory=dict)  # when a job was made; lists show others at once
    _server: ScriptedServer | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _looked: Counter[str] = field(default_factory=Counter)

    def start(self) -> Provider:
        """Begin to serve."""
        self._server = ScriptedServer(self)
        return self

    @property
    def base_url(self) -> str:
        """Return the address for a target."""
        assert self._server is not None
        return self._server.base_url

    def close(self) -> None:
        """Stop serving."""
        assert self._server is not None
        self.release.set()
        self._server.close()

    def live_jobs(self) -> list[dict[str, Any]]:
        """Return the jobs that somebody pays for."""
        return [job for job in self.jobs.values() if job["status"] not in ("failed", "cancelled")]

    def add_file(self, name: str, **more: Any) -> str:
        """Add a file and return its id."""
        self.files_made += 1
        file_id = f"file-{self.files_made}"  # an id that was given once is never given again
        base = {"id": file_id, "object": "file", "filename": name, "bytes": 3, "created_at": 1}
        self.files[file_id] = {**base, "purpose": "fine-tune", "status": "processed", **more}
        return file_id

    def add_job(self, **more: Any) -> str:
        """Add a job and return its id."""
        job_id = f"ftjob-{len(self.jobs) + 1}"
        self.jobs[job_id] = {
            "id": job_id,
            "object": "fine_tuning.job",
            "created_at": int(time.time()) + len(self.jobs),  # later than those before it
            "status": "running",
            "fine_tuned_model": None,
            "finished_at": None,
            "trained_tokens": None,
            "result_files": [],
            "organization_id": "org-test",
            "error": {},
            "metadata": {},
            **more,
        }
        return job_id

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request, or fail as planned."""
        with self._lock:
            call = Call(number=len(self.calls) + 1, name=f"{asked.method} {_kind(asked.path)}")
            self.calls.append(call)
        fault = self.plan(call)
        if fault in ("drop", "kill-before"):
            return self._cut(kill=fault == "kill-before")
        if fault == "hold":
            self.held.set()
            self.release.wait(PATIENCE)
        if fault == "slow":
            time.sleep(0.2)
        answer = self._refused(asked, fault) or self.hook(asked) or self._commit(asked)
        if fault in ("lose", "kill-after"):
            return self._cut(kill=fault == "kill-after")
        if call.name in self.filtered:
            status, body = self.filtered[call.name]
            answer = Answer(body, status)
        if fault == "html":
            return Answer(b"<html>hello</html>", answer.status, {"Content-Type": "text/html"})
        if fault == "empty":
            return Answer(b"{}", answer.status)
        return Answer(answer.body, answer.status, answer.headers, cut="half" if fault == "half" else "")

    def _refused(self, asked: Asked, fault: Fault) -> Answer | None:
        if fault not in ("500", "503", "429", "307"):
            return None
        query = f"?{urlencode(asked.query)}" if asked.query else ""
        more = {"429": {"Retry-After": self.retry_after}, "307": {"Location": f"/v1{asked.path}{query}"}}
        return refusal(int(fault), f"made to fail with {fault}", "rate_limit_exceeded", more.get(fault))

    def _cut(self, *, kill: bool) -> Answer:
        if kill and self.victim is not None:
            os.kill(self.victim, signal.SIGKILL)
        return Answer(b"", cut="whole")

    def _commit(self, asked: Asked) -> Answer:
        if asked.headers.get("Authorization") != f"Bearer {KEY}":
            return refusal(401, "Incorrect API key provided.", "invalid_api_key")
        parts = asked.path.strip("/").split("/")
        with self._lock:
            if parts[0] == "files":
                return self._about_files(asked, parts)
            if parts[:2] == ["fine_tuning", "jobs"]:
                return self._about_jobs(asked, parts[2:])
            if parts[0] == "models":
                return self._about_models(asked, "/".join(parts[1:]))
            if parts == ["chat", "completions"]:
                return Answer(self._said(asked.body))
        return refusal(404, f"there is no {asked.path}", "not_found")

    def _about_files(self, asked: Asked, parts: list[str]) -> Answer:
        if parts[2:] == ["content"]:
            content = self.contents.get(parts[1], self.results)
            return refusal(404, "no such file") if content is None else Answer(content)
        if len(parts) == 1 and asked.method == "POST":
            return Answer(self._new_file(asked))
        if len(parts) == 1:
            shown = {} if self.listed_status is None else {"status": self.listed_status}
            return listed([{**file, **shown} for file in reversed(self.files.values()) if self.listing])
        if parts[1] not in self.files:
            return refusal(404, "no such file", "not_found")
        if asked.method == "DELETE":
            del self.files[parts[1]]
            return Answer({"id": parts[1], "deleted": True})
        return Answer(self.files[parts[1]])

    def _new_file(self, asked: Asked) -> dict[str, Any]:
        head = f"Content-Type: {asked.headers['Content-Type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + asked.body, policy=email.policy.HTTP)
        part = next(part for part in message.iter_parts() if part.get_filename())
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        file_id = self.add_file(str(part.get_filename()), bytes=len(content), created_at=int(time.time()))
        self.contents[file_id] = content
        return self.files[file_id]

    def _about_jobs(self, asked: Asked, parts: list[str]) -> Answer:
        if not parts and asked.method == "POST":
            return Answer(self._shown(self._new_job(asked.body)))
        if not parts and self.refuse_filter and len(asked.query) > 1:
            return refusal(400, "Unknown parameter: metadata")
        if not parts:
            return listed(self._listed(asked.query))
        job = self.jobs.get(parts[0])
        if job is None:
            return refusal(404, "no such job", "not_found")
        match parts[1:]:
            case ["events"]:
                return listed(self.events.get(parts[0], [])[::-1])
            case ["checkpoints"]:
                return listed(self.checkpoints.get(parts[0], []))
            case ["cancel" | "pause" | "resume" as word]:
                job["status"] = {"cancel": "cancelled", "pause": "paused", "resume": "running"}[word]
            case _:
                self._look(job)
        return Answer(self._shown(job))

    def _new_job(self, request: dict[str, Any]) -> dict[str, Any]:
        self.created.append(request)
        job_id = self.add_job(
            status=self.first_status,
            model=request["model"],
            training_file=request["training_file"],
            validation_file=request.get("validation_file"),
            user_provided_suffix=request.get("suffix"),
            seed=request.get("seed", 0),
            hyperparameters=_resolved(request),
            metadata=request.get("metadata"),
        )
        self.born[job_id] = time.monotonic()
        return self.jobs[job_id]

    def _look(self, job: dict[str, Any]) -> None:
        self._looked[job["id"]] += 1
        if job["status"] not in ("validating_files", "running"):
            return
        job["status"] = "running"
        if self._looked[job["id"]] >= self.looks:
            name = f"ft:{job['model']}:{job['id']}"
            job.update(status="succeeded", fine_tuned_model=name, finished_at=int(time.time()))
            job.update(trained_tokens=self.trained_tokens)
            job.update(result_files=[] if self.results == b"" else [f"result-{job['id']}"])
            self.models[name] = model(name, owned_by="me")

    def _listed(self, query: Mapping[str, str]) -> list[dict[str, Any]]:
        now = time.monotonic()
        found = [job for name, job in self.jobs.items() if now - self.born.get(name, 0.0) >= self.hidden]
        for key, value in query.items():
            if key.startswith("metadata[") and not (self.ignore_filter or self.strip_metadata):
                wanted = key.removeprefix("metadata[").removesuffix("]")
                found = [job for job in found if (job["metadata"] or {}).get(wanted) == value]
        return [self._shown(job) for job in reversed(found)]

    def _shown(self, job: dict[str, Any]) -> dict[str, Any]:
        return {**job, "metadata": None} if self.strip_metadata else job

    def _about_models(self, asked: Asked, name: str) -> Answer:
        if not name:
            return listed(list(self.models.values()))
        if name not in self.models:
            return refusal(404, "no such model", "model_not_found")
        if asked.method == "DELETE":
            del self.models[name]
            return Answer({"id": name, "deleted": True})
        return Answer(self.models[name])

    def _said(self, request: dict[str, Any]) -> dict[str, Any]:
        self.answers += 1
        message = {"role": "assistant", "content": f"{request['model']} です"}
        return {
            "id": f"chat-{self.answers}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": self.usage,
        }


def model(name: str, **more: Any) -> dict[str, Any]:
    """Return a model as the API tells it."""
    return {"id": name, "object": "model", "created": 1, "owned_by": "p", **more}


def _resolved(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hyperparameters that a job uses: what was asked for, the rest chosen here."""
    method = request.get("method") or {"type": "supervised"}
    asked = method.get(method["type"], {}).get("hyperparameters") or request.get("hyperparameters") or {}
    chosen = {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 2.0}
    return chosen | {name: value for name, value in asked.items() if value != "auto"}


def _kind(path: str) -> str:
    """Return the path with ids left out: /files/file-1/content becomes /files/ID/content."""
    parts = path.strip("/").split("/")
    place = 2 if parts[0] == "fine_tuning" else 1
    if len(parts) > place and parts[0] in ("files", "fine_tuning", "models"):
        parts[place] = "ID"
    return "/" + "/".join(parts)
