"""Owns a provider to try ftrun against: a real HTTP server that counts what it commits, and fails on demand.

It keeps files and jobs in memory, lets a job succeed after a few looks, knows no idempotency keys. A fault
is chosen for each call by `plan`; one that kills ends the client's process, before or after the commit.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

KEY = "fk-canary-4711-never-written-anywhere"
MODEL = "gpt-4.1-mini-2025-04-14"
PATIENCE = 120.0  # seconds: what waits for an event is not to fail because the machine is busy or slow
RESULTS = (
    "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"
    "1,2.0,0.5,2.1,0.4\n2,1.0,0.7,1.5,0.6\n"
)

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
Answer = tuple[int, dict[str, Any] | bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: its number from 1, and what it is for, such as `POST /files`."""

    number: int
    name: str


@dataclass(slots=True, kw_only=True)
class Provider:
    """A server of the protocol on loopback. `plan` chooses a fault for each call; `victim` dies of it."""

    plan: Callable[[Call], Fault] = lambda call: ""
    victim: int | None = None
    looks: int = 2  # at a job until it has succeeded
    hidden: float = 0.0  # seconds until lists show a new job
    listing: bool = True  # of files
    ignore_filter: bool = False
    refuse_filter: bool = False
    strip_metadata: bool = False
    results: bytes | None = RESULTS.encode()  # what a result file holds, None where it is gone
    retry_after: str = "0.05"
    filtered: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # by a proxy, after the commit
    calls: list[Call] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _born: dict[str, float] = field(default_factory=dict)

    def start(self) -> Provider:
        """Begin to serve."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _pass(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_DELETE = _pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                """Say nothing of clients that were killed."""

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    @property
    def base_url(self) -> str:
        """Return the address for a target."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        """Stop serving."""
        assert self._server is not None
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def live_jobs(self) -> list[dict[str, Any]]:
        """Return the jobs that somebody pays for."""
        return [job for job in self.jobs.values() if job["status"] not in ("failed", "cancelled")]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = urlsplit(handler.path).path.removeprefix("/v1")
        with self._lock:
            call = Call(number=len(self.calls) + 1, name=f"{handler.command} {_kind(path)}")
            self.calls.append(call)
        fault = self.plan(call)
        if fault in ("drop", "kill-before"):
            self._cut(handler, kill=fault == "kill-before")
            return
        if fault == "hold":
            self.held.set()
            self.release.wait(PATIENCE)
        if fault == "slow":
            time.sleep(0.2)
        status, document = self._refusal(fault) or self._commit(handler, path, body)
        if fault in ("lose", "kill-after"):
            self._cut(handler, kill=fault == "kill-after")
            return
        status, document = self.filtered.get(call.name, (status, document))
        self._send(handler, status, document, fault)

    def _refusal(self, fault: Fault) -> Answer | None:
        if fault not in ("500", "503", "429", "307"):
            return None
        return int(fault), {"error": {"message": f"made to fail with {fault}", "code": "rate_limit_exceeded"}}

    def _cut(self, handler: BaseHTTPRequestHandler, *, kill: bool) -> None:
        if kill and self.victim is not None:
            os.kill(self.victim, signal.SIGKILL)
        handler.close_connection = True
        handler.connection.close()

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, document: dict[str, Any] | bytes, fault: Fault
    ) -> None:
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        data = {"html": b"<html>hello</html>", "empty": b"{}"}.get(fault, data)
        handler.send_response(status)
        handler.send_header("Content-Type", "text/html" if fault == "html" else "application/json")
        handler.send_header("Content-Length", str(len(data)))
        if status == 307:
            handler.send_header("Location", handler.path)
        if status == 429:
            handler.send_header("Retry-After", self.retry_after)
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2] if fault == "half" else data)
        if fault == "half":
            handler.wfile.flush()
            self._cut(handler, kill=False)

    def _commit(self, handler: BaseHTTPRequestHandler, path: str, body: bytes) -> Answer:
        if handler.headers.get("Authorization") != f"Bearer {KEY}":
            return 401, {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}
        query = parse_qs(urlsplit(handler.path).query)
        with self._lock:
            match handler.command, _kind(path):
                case "GET", "/files":
                    files = list(self.files.values()) if self.listing else []
                    return 200, {"object": "list", "data": files, "has_more": False}
                case "POST", "/files":
                    return 200, self._new_file(handler.headers["Content-Type"], body)
                case "GET", "/files/ID/content":
                    found = self.contents.get(path.split("/")[2], self.results)
                    return (404, {"error": {"message": "no such file"}}) if found is None else (200, found)
                case "GET", "/files/ID":
                    return self._found(self.files, path)
                case "GET", "/fine_tuning/jobs" if self.refuse_filter and len(query) > 1:
                    return 400, {"error": {"message": "Unknown parameter: metadata", "code": None}}
                case "GET", "/fine_tuning/jobs":
                    return 200, {"object": "list", "data": self._listed(query), "has_more": False}
                case "POST", "/fine_tuning/jobs":
                    return 200, self._shown(self._new_job(json.loads(body)))
                case "GET", "/fine_tuning/jobs/ID":
                    return self._looked_at(path.split("/")[3])
                case "POST", "/fine_tuning/jobs/ID/cancel":
                    self.jobs[path.split("/")[3]]["status"] = "cancelled"
                    return 200, self._shown(self.jobs[path.split("/")[3]])
                case "GET", "/fine_tuning/jobs/ID/events" | "/fine_tuning/jobs/ID/checkpoints":
                    return 200, {"object": "list", "data": [], "has_more": False}
                case "GET", "/models/ID":
                    return 200, {"id": path.split("/")[2], "object": "model", "created": 1, "owned_by": "p"}
                case "GET", "/models":
                    known = [{"id": MODEL, "object": "model", "created": 1, "owned_by": "p"}]
                    return 200, {"object": "list", "data": known}
                case "POST", "/chat/completions":
                    return 200, self._answer(json.loads(body))
        return 404, {"error": {"message": f"there is no {path}", "code": "not_found"}}

    def _found(self, things: dict[str, dict[str, Any]], path: str) -> Answer:
        found = things.get(path.split("/")[2])
        return (200, found) if found else (404, {"error": {"message": "no such file", "code": "not_found"}})

    def _new_file(self, content_type: str, body: bytes) -> dict[str, Any]:
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        part = next(part for part in message.iter_parts() if part.get_filename())
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = f"file-{len(self.contents) + 1}"  # an id that was given once is never given again
        self.contents[name] = content
        self.files[name] = {
            "id": name,
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": part.get_filename(),
            "purpose": "fine-tune",
            "status": "processed",
        }
        return self.files[name]

    def _new_job(self, request: dict[str, Any]) -> dict[str, Any]:
        name = f"ftjob-{len(self.jobs) + 1}"
        self._born[name] = time.monotonic()
        self.jobs[name] = {
            "id": name,
            "object": "fine_tuning.job",
            "created_at": int(time.time()),
            "status": "validating_files",
            "model": request["model"],
            "training_file": request["training_file"],
            "validation_file": request.get("validation_file"),
            "user_provided_suffix": request.get("suffix"),
            "seed": request.get("seed", 0),
            "hyperparameters": {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 2.0},
            "metadata": request.get("metadata"),
            "fine_tuned_model": None,
            "finished_at": None,
            "trained_tokens": None,
            "result_files": [],
            "organization_id": "org-test",
            "error": {},
            "looks": 0,
        }
        return self.jobs[name]

    def _looked_at(self, name: str) -> Answer:
        job = self.jobs.get(name)
        if job is None:
            return 404, {"error": {"message": "no such job", "code": "not_found"}}
        job["looks"] += 1
        if job["status"] in ("validating_files", "running"):
            job["status"] = "running"
            if job["looks"] >= self.looks:
                job.update(status="succeeded", fine_tuned_model=f"ft:{job['model']}:org::{name}")
                job.update(finished_at=int(time.time()), trained_tokens=1000, result_files=[f"result-{name}"])
        return 200, self._shown(job)

    def _listed(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        now = time.monotonic()
        found = [job for name, job in self.jobs.items() if now - self._born[name] >= self.hidden]
        for key, values in query.items():
            if key.startswith("metadata[") and not (self.ignore_filter or self.strip_metadata):
                wanted = key.removeprefix("metadata[").removesuffix("]")
                found = [job for job in found if (job["metadata"] or {}).get(wanted) == values[0]]
        return [self._shown(job) for job in reversed(found)]

    def _shown(self, job: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in job.items() if name != "looks"}
        return {**shown, "metadata": None} if self.strip_metadata else shown

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.answers += 1
        text = f"{request['model'][:2]} answers {request['messages'][-1]['content']}"
        return {
            "id": f"chat-{self.answers}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request["model"],
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            ],
            "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16},
        }


def _kind(path: str) -> str:
    """Return the path with ids left out: /files/file-1/content becomes /files/ID/content."""
    parts = path.strip("/").split("/")
    place = 2 if parts[0] == "fine_tuning" else 1
    if len(parts) > place and parts[0] in ("files", "fine_tuning", "models"):
        parts[place] = "ID"
    return "/" + "/".join(parts)
