"""GET /ftrun/models: where an adapter is, for those on this machine who export it."""

from __future__ import annotations

from pathlib import Path

import openai

from ftrun.engine.launch import Endpoint, tuned_model
from support.engine_process import Engine, finish, upload


def test_the_engine_says_where_a_tuned_model_is(engine: Engine, client: openai.OpenAI) -> None:
    """Base model, job and folder of a model or a checkpoint; nothing for a base model or an unknown name."""
    job = finish(client, client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client)).id)
    endpoint = Endpoint(base_url=engine.base_url, token=engine.token, store="", pid=0)
    assert job.fine_tuned_model is not None
    (checkpoint, *_) = client.fine_tuning.jobs.checkpoints.list(job.id).data
    for name in (job.fine_tuned_model, checkpoint.fine_tuned_model_checkpoint):
        found = tuned_model(endpoint, name)
        assert found is not None and (found["base"], found["job_id"]) == ("rehearsal", job.id)
        assert Path(found["folder"]).is_dir()
    for name in ("rehearsal", "ft:rehearsal:local::none", "a/../b"):
        assert tuned_model(endpoint, name) is None
