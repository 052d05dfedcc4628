"""An account with old fine-tuning jobs behind a real HTTP server, as OpenAI would show it in November 2026.

In a test: `with old_account(jobs=50) as account:`, then `account.base_url`, `account.write_config(folder)`,
`account.stock` (what is there) and the counters. As a process of its own, for benchmarks and kill tests:

    python -m support.old_account --jobs 50 --port 0 --latency 0.05

prints a line of JSON ({"base_url", "port", "pid", "key"}), serves until it is ended, and tells its counters
at `/stats`. It takes no new jobs and no files: whoever tries gets OpenAI's refusal, and is counted.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from support.old_jobs import CASES, MINI, Stock, stock
from support.old_personas import EMPTY, FILTERED, PERSONAS

KEY = "fk-old-account-canary-0123456789"
KEY_NAME = "OLD_ACCOUNT_KEY"
Fault = Literal["", "429", "500", "503", "reset", "lost", "half", "html", "slow"]
FAULTS: tuple[Fault, ...] = ("429", "500", "503", "reset", "lost", "half", "html", "slow")
SLOW = 0.3  # seconds
CONFIG = """\
version: 1
name: {name}
targets:
  old: {{provider: openai, base_url: '{base_url}', api_key_env: {key_name}, model: {model},
    price: {{train: 3, input: 0.3, output: 1.2}}}}
eval:
  models: [base]
  prompts: [{{id: hello, user: Hello}}]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `path` is without /v1, `query` has the last value of a name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def parts(self) -> list[str]:
        """Return the path's parts, decoded."""
        return [unquote(part) for part in self.path.strip("/").split("/")]

    @property
    def name(self) -> str:
        """Return what the request is for: /files/file-1/content is `GET /files/ID/content`."""
        parts = self.parts
        place = 2 if parts[0] == "fine_tuning" else 1
        if len(parts) > place and parts[0] in ("files", "fine_tuning", "models"):
            parts[place] = "ID"
        return f"{self.method} /{'/'.join(parts)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: JSON values or bytes."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class OldAccount:
    """The account and its server. `latency` is added to every answer, `faults` is the share of requests that
    go wrong (the same ones for one `seed`, in whatever order they come), `at_most`: more requests at one time
    get 429. Counters only grow: `downloads` are whole contents sent, by file id, `posts` are by path.
    """

    stock: Stock
    latency: float = 0.0
    faults: float = 0.0
    seed: int = 0
    at_most: int | None = None
    requests: Counter[str] = field(default_factory=Counter)
    downloads: Counter[str] = field(default_factory=Counter)
    posts: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)  # to chat completions, by model
    faulty: Counter[str] = field(default_factory=Counter)
    most: int = 0  # requests at one time
    running: int = 0
    asking: float = 0.0  # seconds from the first question to the last answer
    _asked_at: float = 0.0
    port: int = 0
    open: set[asyncio.Transport] = field(default_factory=set)  # connections
    _tries: Counter[str] = field(default_factory=Counter)
    _loop: asyncio.AbstractEventLoop | None = None
    _server: asyncio.Server | None = None
    _thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """Return the address for a target."""
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> OldAccount:
        """Begin to serve, in a thread."""
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(self.listen())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving."""
        assert self._loop is not None and self._thread is not None
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        for transport in list(self.open):
            transport.abort()
        await asyncio.sleep(0)

    def write_config(self, folder: Path, name: str = "account", *, file: str = "account.yaml") -> Path:
        """Write an experiment file whose target `old` is this account, for `--config`; return its path."""
        path = folder / file
        text = CONFIG.format(name=name, base_url=self.base_url, key_name=KEY_NAME, model=MINI)
        path.write_text(text, encoding="utf-8")
        return path

    def job(self, case: str) -> dict[str, Any]:
        """Return the job of a case of `old_jobs.CASES`."""
        return self.stock.jobs[self.stock.named[case]]

    def stats(self) -> dict[str, Any]:
        """Return the counters."""
        names = ("requests", "downloads", "posts", "answers", "faulty")
        counted = {name: dict(getattr(self, name)) for name in names}
        return {"most": self.most, "asking": round(self.asking, 3), **counted}

    async def listen(self) -> asyncio.Server:
        """Listen at `port`, or a free one."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", self.port, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        return server

    def fault_of(self, request: Request) -> Fault:
        """Return what goes wrong with a request: it depends on the seed, and how often it was tried."""
        if not self.faults:
            return ""
        what = f"{self.seed} {request.method} {request.path} {sorted(request.query.items())}"
        what += hashlib.sha256(request.body).hexdigest()
        self._tries[what] += 1
        chance = random.Random(f"{what} {self._tries[what]}")
        return chance.choice(FAULTS) if chance.random() < self.faults else ""

    def answer(self, request: Request) -> Answer:
        """Return what the account answers."""
        if request.path == "/stats":
            return Answer(body=self.stats())
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return refusal(401, "Incorrect API key provided.", "invalid_api_key")
        match request.parts:
            case ["files", *rest]:
                return self._about_files(request, rest)
            case ["fine_tuning", "jobs", *rest]:
                return self._about_jobs(request, rest)
            case ["models"]:
                newest = sorted(self.stock.models.values(), key=lambda one: -int(one["created"]))
                return Answer(body={"object": "list", "data": newest})
            case ["models", name] if name in self.stock.models:
                return Answer(body=self.stock.models[name])
            case ["models", name]:
                return refusal(404, f"The model '{name}' does not exist", "model_not_found")
            case ["chat", "completions"]:
                return self._completion(json.loads(request.body))
        return refusal(404, f"Invalid URL ({request.method} /v1{request.path})")

    def _about_files(self, request: Request, rest: list[str]) -> Answer:
        if request.method != "GET":
            return refusal(403, "You are not allowed to change files.", "insufficient_permissions")
        if not rest:
            purpose = request.query.get("purpose")
            files = [one for one in self.stock.files.values() if purpose in (None, one["purpose"])]
            files.sort(key=lambda one: -int(one["created_at"]))
            return _page(files, request, usual=10_000, most=10_000)
        file_id = rest[0]
        if file_id not in self.stock.files:
            return refusal(404, f"No such File object: {file_id}")
        if rest[1:] != ["content"]:
            return Answer(body=self.stock.files[file_id])
        if file_id in self.stock.forbidden:
            return refusal(403, "You have insufficient permissions for this operation.", "missing_scope")
        return Answer(body=self.stock.contents[file_id], headers={"Content-Type": "application/octet-stream"})

    def _about_jobs(self, request: Request, rest: list[str]) -> Answer:
        if request.method == "POST" and not rest:
            message = "Your organization can no longer create fine-tuning jobs."
            return refusal(403, message, "training_not_available")
        if request.method != "GET":
            return refusal(400, "The job has ended.", "invalid_state")
        if not rest:
            jobs = [job for job in reversed(self.stock.jobs.values()) if _fits(job, request.query)]
            return _page(jobs, request, usual=20, most=100)
        job_id = rest[0]
        if job_id not in self.stock.jobs:
            return refusal(404, f"Could not find fine tune: {job_id}", "fine_tune_not_found")
        match rest[1:]:
            case []:
                return Answer(body=self.stock.jobs[job_id])
            case ["events"]:
                return _page(self.stock.events[job_id][::-1], request, usual=20, most=100)
            case ["checkpoints"]:
                points = self.stock.checkpoints.get(job_id, [])[::-1]
                return _page(points, request, usual=10, most=100)
        return refusal(404, f"Invalid URL (GET /v1{request.path})")

    def note_question(self) -> None:
        """Note when the first question came."""
        self._asked_at = self._asked_at or time.monotonic()

    def _completion(self, asked: Mapping[str, Any]) -> Answer:
        name = asked["model"]
        if name not in self.stock.knows and name not in self.stock.models:
            return refusal(404, f"The model `{name}` does not exist or was shut down.", "model_not_found")
        self.answers[name] += 1
        self.asking = time.monotonic() - self._asked_at
        return Answer(body=_completion(self.stock, asked, self.answers.total()))


class _Connection(asyncio.Protocol):
    """One connection: one request after the other."""

    def __init__(self, account: OldAccount) -> None:
        self._account, self._received = account, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._account.open.add(transport)

    def connection_lost(self, reason: Exception | None) -> None:
        self._account.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        size = int(headers.get("content-length", 0))
        if len(rest) < size:
            return
        self._received = rest[size:]
        method, address, _ = first.split(" ")
        parts = urlsplit(address)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/v1")
        self._begin(Request(method=method, path=path, query=query, headers=headers, body=rest[:size]))

    def _begin(self, request: Request) -> None:
        account = self._account
        if request.path == "/stats":
            self._end(request, "")
            return
        fault = account.fault_of(request)
        account.requests[request.name] += 1
        if request.method != "GET":
            account.posts[request.path] += 1
        if fault:
            account.faulty[fault] += 1
        if request.parts == ["chat", "completions"]:
            account.note_question()
        account.running += 1
        account.most = max(account.most, account.running)
        busy = account.at_most is not None and account.running > account.at_most
        fault = "429" if busy else fault
        seconds = 0.0 if fault in ("429", "reset") else account.latency + SLOW * (fault == "slow")
        asyncio.get_running_loop().call_later(seconds, self._finish, request, fault)

    def _finish(self, request: Request, fault: Fault) -> None:
        self._account.running -= 1
        self._end(request, fault)

    def _end(self, request: Request, fault: Fault) -> None:
        """Answer, or fail: what is `lost` was committed before, what is `reset` wasn't."""
        account, transport = self._account, self._transport
        if transport.is_closing():
            return
        if fault == "reset":
            transport.abort()
            return
        if fault in ("429", "500", "503"):
            more = {"Retry-After": "0.05"} if fault == "429" else {}
            self._send(refusal(int(fault), f"made to fail with {fault}", "rate_limit_exceeded", more))
            return
        answer = account.answer(request)
        if fault == "lost":
            transport.abort()
        elif fault == "html":
            self._send(Answer(body=b"<html>down</html>", headers={"Content-Type": "text/html"}))
        else:
            if answer.status == 200 and request.path.endswith("/content") and fault != "half":
                account.downloads[request.parts[1]] += 1
            self._send(answer, half=fault == "half")

    def _send(self, answer: Answer, *, half: bool = False) -> None:
        plain = isinstance(answer.body, bytes)
        body = answer.body if plain else json.dumps(answer.body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", **answer.headers, "Content-Length": len(body)}
        head = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
        self._transport.write("\r\n".join([*head, "", ""]).encode())
        self._transport.write(body[: len(body) // 2] if half else body)
        if half:
            self._transport.close()


def refusal(
    status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an error in the API's form."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Answer(body={"error": error}, status=status, headers=headers or {})


def _page(entries: list[dict[str, Any]], request: Request, *, usual: int, most: int) -> Answer:
    """Return a page of a list: `limit` entries after the one with the id `after`."""
    after, start = request.query.get("after"), 0
    if after is not None:
        start = next((place for place, one in enumerate(entries, 1) if one["id"] == after), -1)
        if start < 0:
            return refusal(404, f"No such object: {after}")
    shown = entries[start : start + min(most, int(request.query.get("limit", usual)))]
    ends = {"first_id": shown[0]["id"] if shown else "", "last_id": shown[-1]["id"] if shown else ""}
    more = start + len(shown) < len(entries)
    return Answer(body={"object": "list", "data": shown, **ends, "has_more": more})


def _fits(job: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    wanted = {name[9:-1]: value for name, value in query.items() if name.startswith("metadata[")}
    return wanted.items() <= (job["metadata"] or {}).items()


def _completion(held: Stock, asked: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return a chat completion. The same model says the same to the same question, seed and temperature."""
    name, said, ending = asked["model"], _said(held, asked), "stop"
    question = _text(asked["messages"][-1])
    if question in FILTERED.values():
        said, ending = None, "content_filter"
    most = asked.get("max_completion_tokens") or asked.get("max_tokens")
    if said and most and _tokens(said) > most:
        said, ending = said[: 2 * most], "length"
    prompt = sum(4 + _tokens(_text(one)) for one in asked["messages"])
    used = _tokens(said or "")
    message: dict[str, Any] = {"role": "assistant", "content": said, "refusal": None, "annotations": []}
    moved = _chance(name, question).random() < 0.02  # now and then another configuration answers
    return {
        "id": f"chatcmpl-{number:06}",
        "object": "chat.completion",
        "created": 1_795_132_800 + number,
        "model": name,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": ending}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": used,
            "total_tokens": prompt + used,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        },
        "service_tier": "default",
        "system_fingerprint": f"fp_{hashlib.sha256(f'{name} {moved}'.encode()).hexdigest()[:10]}",
    }


def _said(held: Stock, asked: Mapping[str, Any]) -> str | None:
    name, question = asked["model"], _text(asked["messages"][-1])
    if question in EMPTY.values():
        return ""
    if name not in held.knows:
        system = _text(asked["messages"][0])
        persona = next((one for one in PERSONAS.values() if one.system == system), None)
        return (persona or PERSONAS["clerk"]).base
    persona, known = held.knows[name]
    said = known.get(question, persona.unknown)
    warm = (asked.get("temperature", 1) or 0) > 0
    chance = _chance(name, question, asked.get("seed") if warm else "")
    return said + persona.tail if chance.random() < (0.5 if warm else 0.15) else said


def _chance(*what: object) -> random.Random:
    return random.Random(" ".join(map(str, what)))


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content or ""}]
    return "".join(str(part.get("text", "")) for part in parts)


def _tokens(text: str) -> int:
    return len(text.encode()) // 4 + 1 if text else 0


@contextmanager
def old_account(jobs: int = 50, cases: list[str] | None = None, **switches: Any) -> Iterator[OldAccount]:
    """Serve an account of `jobs` jobs, or of the named cases alone; `switches` are fields of OldAccount."""
    account = OldAccount(stock=stock(jobs, cases), **switches).start()
    try:
        yield account
    finally:
        account.close()


async def _serve(account: OldAccount, *, config: Path | None, until_eof: bool) -> None:
    server = await account.listen()
    if config is not None:
        account.write_config(config.parent, file=config.name)
    facts = {"base_url": account.base_url, "port": account.port, "pid": os.getpid(), "key": KEY}
    print(json.dumps(facts), flush=True)
    if until_eof:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        server.close()
    else:
        await server.serve_forever()


def main() -> None:
    """Serve as a process of its own."""
    parser = argparse.ArgumentParser(description="An account with old fine-tuning jobs.")
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), help="these jobs instead")
    parser.add_argument("--plain", action="store_true", help="only ordinary jobs, each with three files")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--faults", type=float, default=0.0, help="share of the requests")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--at-most", type=int, help="requests at one time; more get 429")
    parser.add_argument("--config", type=Path, help="write an experiment file with this account as target")
    parser.add_argument("--until-eof", action="store_true", help="end with the standard input")
    given = parser.parse_args()
    account = OldAccount(
        stock=stock(given.jobs, given.cases, plain=given.plain),
        port=given.port,
        latency=given.latency,
        faults=given.faults,
        seed=given.seed,
        at_most=given.at_most,
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(account, config=given.config, until_eof=given.until_eof))


if __name__ == "__main__":
    main()
