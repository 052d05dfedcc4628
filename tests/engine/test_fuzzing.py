"""Whatever is sent to the engine: it answers as it is described, and never with a failure of its own.

Schemathesis makes requests from the description, valid and broken ones, and holds every answer to it. Names
of models, files and jobs that are here are put into the description first: else nearly all would be unknown.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.test_contract import DESCRIPTION
from ftrun.engine.api.description import description
from support.engine_process import Engine, finish, upload

FULL = bool(os.environ.get("FTRUN_TEST_ALL"))
SECONDS = 300  # of each of the two long runs


def names(engine: Engine) -> Mapping[str, list[str]]:
    """Return what is here, by the key or parameter that names it: some stays, some may be deleted."""
    with engine.client() as client:
        files = [upload(client) for _ in range(3)]
        jobs = [client.fine_tuning.jobs.create(model="rehearsal", training_file=files[0]) for _ in range(3)]
        models = [finish(client, job.id).fine_tuned_model or "" for job in jobs]
        response = client.responses.create(model="rehearsal", input="？").id
        line = {"method": "POST", "url": "/v1/embeddings", "body": {"model": "rehearsal", "input": "？"}}
        questions = "".join(json.dumps({"custom_id": str(number), **line}) + "\n" for number in range(3))
        asked = client.files.create(file=("asked.jsonl", questions.encode()), purpose="batch").id
        batch = client.batches.create(
            input_file_id=asked, endpoint="/v1/embeddings", completion_window="24h"
        ).id
        pending = client.uploads.create(
            purpose="fine-tune", filename="a.jsonl", bytes=9, mime_type="text/jsonl"
        ).id
    return {
        "model": ["rehearsal", models[0]],
        "training_file": [files[0]],
        "file_id": files,
        "job_id": [job.id for job in jobs],
        "fine_tuning_job_id": [job.id for job in jobs],
        "input_file_id": [asked],
        "batch_id": [batch],
        "upload_id": [pending],
        "previous_response_id": [response],
        "response_id": [response],
    }


def named(found: Any, here: Mapping[str, list[str]]) -> Any:
    """Return a description in which the keys and parameters of `here` have these values only."""
    if isinstance(found, list):
        return [named(one, here) for one in found]
    if not isinstance(found, dict):
        return found
    found = {key: named(value, here) for key, value in found.items()}
    if found.get("in") in ("path", "query") and found.get("name") in here:
        found["schema"] = {"type": "string", "enum": here[found["name"]]}
    properties = found.get("properties")
    if isinstance(properties, dict) and "object" not in properties:  # a request, not an answer
        for key in properties.keys() & here.keys():
            properties[key] = {"type": "string", "enum": here[key]}
    return found


@pytest.fixture
def fuzz(own_engine: Callable[..., Engine], tmp_path: Path) -> Callable[..., None]:
    """Return a way to run schemathesis over a description; the test fails with its report."""

    def run(described: Mapping[str, Any], path: str, *options: str) -> None:
        engine = own_engine()
        place = tmp_path / "description.json"
        place.write_text(json.dumps(named(described, names(engine))), encoding="utf-8")
        command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "run", str(place)]
        command += ["--url", engine.base_url.removesuffix("/v1") + path]
        command += ["-H", f"Authorization: Bearer {engine.token}", "--continue-on-failure", "--warnings=off"]
        command += ["--request-timeout=120", "--output-sanitize=false", *options]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS + 900, check=False
        )
        report = done.stdout + done.stderr
        assert done.returncode == 0, report
        cases = re.search(r"(\d+) generated", report)
        assert cases is not None and int(cases[1]) > 300, report

    return run


# What is valid may still be refused: schemas that no answer fits, jobs that have ended, wrong orders. And a
# request repeated with its Idempotency-Key has its first answer, though what that made may be deleted since.
LONG = (f"--max-time={SECONDS}", "--generation-database=none")
OURS = ("--exclude-checks=positive_data_acceptance,ensure_resource_availability",)


def test_a_sample_of_requests(fuzz: Callable[..., None]) -> None:
    """The same requests each time, some of every kind for every endpoint."""
    fuzz(description(), "", *OURS, "--max-examples=4", "--generation-deterministic")


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="takes minutes: `make test-all` runs it")
def test_requests_for_minutes(fuzz: Callable[..., None]) -> None:
    """Other requests each time."""
    fuzz(description(), "", *OURS, *LONG)


@pytest.mark.slow
@pytest.mark.skipif(not FULL, reason="takes minutes: `make test-all` runs it")
def test_requests_of_the_official_description(fuzz: Callable[..., None]) -> None:
    """What OpenAI's description allows fails nowhere, and good answers have the form that it says."""
    if not DESCRIPTION.exists():
        pytest.skip(f"the official API description is not here ({DESCRIPTION})")
    official = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    parts = official["components"]["schemas"]
    # it has a path that pauses a job, but not the status; and a list of no files has no first one
    parts["FineTuningJob"]["properties"]["status"]["enum"].append("paused")
    for name in ("first_id", "last_id"):
        parts["ListFilesResponse"]["properties"][name] = {"type": ["string", "null"]}
    checks = "--checks=not_a_server_error,response_schema_conformance"
    fuzz(official, "/v1", checks, *LONG)
