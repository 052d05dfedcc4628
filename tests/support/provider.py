"""Owns a provider in memory, as a script for `ScriptedServer`: files, jobs that end after some looks, models,
answers. What a test wants otherwise it sets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from support.scripted_server import Answer, Asked, listed, refusal

Hook = Callable[[Asked], Answer | None]


class Provider:
    """A server of the protocol without faults of its own; `hook` may answer first."""

    def __init__(self, *, looks: int = 2, models: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Let jobs succeed after `looks` looks; `models` are the base models with more of their fields."""
        self.looks, self.hook = looks, (lambda asked: None)  # type: Hook
        self.files: dict[str, dict[str, Any]] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.checkpoints: dict[str, list[dict[str, Any]]] = {}
        self.models = {name: {"id": name, "object": "model", **more} for name, more in (models or {}).items()}
        self.created: list[Any] = []

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        special = self.hook(asked)
        if special is not None:
            return special
        parts = asked.path.strip("/").split("/")
        if parts[0] == "files":
            return self._files(asked, parts)
        if parts[:2] == ["fine_tuning", "jobs"]:
            return self._jobs(asked, parts[2:])
        if parts[0] == "models":
            return self._models(asked, "/".join(parts[1:]))
        if parts == ["chat", "completions"]:
            said = {"role": "assistant", "content": f"{asked.body['model']} です"}
            return Answer({"id": "c", "choices": [{"index": 0, "message": said}], "usage": None})
        return refusal(404, f"no {asked.path}")

    def add_file(self, name: str, **more: Any) -> str:
        """Add a file and return its id."""
        file_id = f"file-{len(self.files) + 1}"
        base = {"id": file_id, "filename": name, "bytes": 3, "created_at": 1, "purpose": "fine-tune"}
        self.files[file_id] = {**base, "status": "processed", **more}
        return file_id

    def add_job(self, **more: Any) -> str:
        """Add a job and return its id."""
        number = len(self.jobs) + 1
        job_id = f"ftjob-{number}"
        base = {"id": job_id, "object": "fine_tuning.job", "status": "running", "created_at": number}
        self.jobs[job_id] = {**base, "fine_tuned_model": None, "result_files": [], "metadata": {}, **more}
        return job_id

    def _files(self, asked: Asked, parts: list[str]) -> Answer:
        if asked.method == "POST":
            name = re.search(rb'filename="([^"]+)"', asked.body)
            data = asked.body.split(b"\r\n\r\n")[-1].split(b"\r\n--")[0]
            assert name is not None
            made = self.add_file(name[1].decode(), bytes=len(data))
            return Answer(self.files[made])
        if len(parts) == 1:
            return listed(list(self.files.values())[::-1])
        if parts[1] not in self.files:
            return refusal(404, "no such file")
        if asked.method == "DELETE":
            del self.files[parts[1]]
            return Answer({"id": parts[1], "deleted": True})
        return Answer(self.files[parts[1]])

    def _jobs(self, asked: Asked, parts: list[str]) -> Answer:
        if not parts:
            if asked.method == "POST":
                self.created.append(asked.body)
                given = {
                    name: asked.body.get(name) for name in ("model", "training_file", "suffix", "metadata")
                }
                return Answer(self.jobs[self.add_job(**given)])
            return listed(list(self.jobs.values())[::-1])
        job = self.jobs.get(parts[0])
        if job is None:
            return refusal(404, "no such job")
        if parts[1:] == ["events"]:
            return listed(self.events.get(parts[0], [])[::-1])
        if parts[1:] == ["checkpoints"]:
            return listed(self.checkpoints.get(parts[0], []))
        if parts[1:] == ["cancel"]:
            job["status"] = "cancelled"
        elif parts[1:] in (["pause"], ["resume"]):
            job["status"] = "paused" if parts[1] == "pause" else "running"
        elif job["status"] == "running":
            self._look(job)
        return Answer(job)

    def _look(self, job: dict[str, Any]) -> None:
        job["looks"] = job.get("looks", 0) + 1
        if job["looks"] >= self.looks:
            name = f"ft:{job['model']}:{job['id']}"
            job.update(status="succeeded", fine_tuned_model=name, finished_at=2)
            self.models[name] = {"id": name, "object": "model", "owned_by": "me"}

    def _models(self, asked: Asked, name: str) -> Answer:
        if not name:
            return listed(list(self.models.values()))
        if name not in self.models:
            return refusal(404, "no such model", "model_not_found")
        if asked.method == "DELETE":
            del self.models[name]
            return Answer({"id": name, "deleted": True})
        return Answer(self.models[name])


CONFIG = """\
version: 1
name: toy
targets:
  paid: {{provider: openai, model: m, base_url: '{base_url}', api_key_env: SOME_KEY,
    settle: 0.1s, poll: {{min: 0.01, max: 0.02}}, price: {{train: 1, input: 1, output: 1}}}}
data: {{sources: [{{path: toy.csv}}]}}
prompt: {{user: "{{{{ q }}}}", assistant: "{{{{ a }}}}"}}
eval:
  models: [tuned]
  prompts: [{{id: one, user: 一番は？}}]
"""
