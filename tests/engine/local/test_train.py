"""ftrun.engine.training.loop: it learns, reproducibly, and goes on after kill -9."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.local.conftest import Recorder, chat, finish, question, write_rows
from ftrun.engine.backends import Cancelled, Paused, TrainingJob
from ftrun.engine.torch_backend import open_chat, train
from ftrun.engine.training.checkpoint import OPTIMIZER
from ftrun.errors import FtrunError

pytestmark = pytest.mark.local

MakeJob = Callable[..., TrainingJob]
ADAPTER = "adapter_model.safetensors"


def test_training_learns_and_reports(make_job: MakeJob) -> None:
    """The loss falls; hyperparameters, steps, tokens, checkpoints and validation are reported."""
    report = Recorder()
    result = train(make_job(n_epochs=10), report)
    assert report.losses[-1] < 0.7 * report.losses[0]
    assert report.hyperparameters == {"n_epochs": 10, "batch_size": 4, "learning_rate_multiplier": 6.0}
    assert list(report.steps) == list(range(1, 31)) and report.total_steps == 30
    assert report.checkpoints == list(range(3, 31, 3))
    assert result.trained_tokens % 10 == 0
    assert result.model_folder.name == "step-30"
    assert {"full_valid_loss", "full_valid_mean_token_accuracy", "valid_loss"} <= report.steps[30].keys()


def test_same_seed_and_data_give_identical_losses(make_job: MakeJob) -> None:
    """Twice the same job is twice the same losses, to the bit; another seed is another training."""
    one, two, other = Recorder(), Recorder(), Recorder()
    first = train(make_job("one"), one)
    second = train(make_job("two"), two)
    train(make_job("other", seed=8), other)
    assert one.losses == two.losses != other.losses
    assert (first.model_folder / ADAPTER).read_bytes() == (second.model_folder / ADAPTER).read_bytes()


def test_without_validation_file_there_is_no_validation(make_job: MakeJob) -> None:
    """Nothing is made up: without the file there are no validation metrics."""
    report = Recorder()
    train(make_job(valid=False, n_epochs=1), report)
    assert not any(
        name.startswith(("valid", "full")) for metrics in report.steps.values() for name in metrics
    )


def test_cancelling_ends_the_training(make_job: MakeJob) -> None:
    """Cancelled goes through, and the next process goes on behind the last whole epoch."""
    stopped, resumed, whole = Recorder(cancel_at=5), Recorder(), Recorder()
    with pytest.raises(Cancelled):
        train(make_job("stopped"), stopped)
    train(make_job("stopped"), resumed)
    train(make_job("whole"), whole)
    assert list(resumed.steps) == [4, 5, 6, 7, 8, 9]
    assert resumed.checkpoints == [3, 6, 9]
    assert resumed.losses == whole.losses[3:]


def test_a_paused_training_goes_on_behind_its_last_step(make_job: MakeJob) -> None:
    """Paused in the middle of an epoch and resumed it gives, to the bit, what it would have without."""
    paused, resumed, whole = Recorder(pause_at=5), Recorder(), Recorder()
    with pytest.raises(Paused):
        train(make_job("paused"), paused)
    first = train(make_job("paused"), resumed)
    second = train(make_job("whole"), whole)
    assert list(resumed.steps) == [6, 7, 8, 9]
    assert (paused.checkpoints, resumed.checkpoints) == ([3], [6, 9])
    assert paused.losses + resumed.losses == whole.losses
    assert (first.model_folder / ADAPTER).read_bytes() == (second.model_folder / ADAPTER).read_bytes()


def test_training_goes_on_from_an_earlier_model(make_job: MakeJob) -> None:
    """With an adapter the first loss is near where the earlier training ended, not where it began."""
    first, second = Recorder(), Recorder()
    result = train(make_job("first", n_epochs=10), first)
    train(replace(make_job("second", n_epochs=1), adapter=result.model_folder), second)
    assert second.losses[0] < 0.8 * first.losses[0]


def test_a_finished_training_that_is_started_again_only_reports(make_job: MakeJob) -> None:
    """A process that died between the last checkpoint and its report costs no second training."""
    first = train(make_job(), Recorder())
    report = Recorder()
    again = train(make_job(), report)
    assert again == first
    assert report.steps == {} and report.checkpoints == [9]


def test_only_the_newest_checkpoint_keeps_the_optimizer(make_job: MakeJob) -> None:
    """Every epoch's adapter stays usable; what only resuming needs is kept once."""
    folder = train(make_job(), Recorder()).model_folder.parent
    assert sorted(path.name for path in folder.iterdir()) == ["step-3", "step-6", "step-9"]
    assert [path.parent.name for path in folder.glob(f"*/{OPTIMIZER}")] == ["step-9"]


def test_a_diverging_training_fails_with_the_way_out(make_job: MakeJob) -> None:
    """A loss that is no number ends the job and names the hyperparameter; no broken checkpoint is left."""
    job = make_job(learning_rate_multiplier=1e30)
    with pytest.raises(FtrunError, match="learning rate is too high") as caught:
        train(job, Recorder())
    assert "learning_rate_multiplier" in str(caught.value.problem.hint)


def test_long_examples_are_warned_about(make_job: MakeJob, tmp_path: Path) -> None:
    """The job's events say that examples were cut at the model's context of 256 tokens."""
    rows = [chat(f"{n}？", "長" * 300 if n == 3 else "はい") for n in range(10)]
    report = Recorder()
    train(replace(make_job(n_epochs=1), training_file=write_rows(tmp_path / "long.jsonl", rows)), report)
    assert [level for level, text in report.events if "longer than 256 tokens" in text] == ["warn"]


KILLED = """
import sys, time
from pathlib import Path
from engine.local.conftest import Recorder
from ftrun.engine.backends import TrainingJob
from ftrun.engine.torch_backend import train

class Stuck(Recorder):
    def step(self, step, metrics, *, seconds_left=None):
        print(step, flush=True)
        time.sleep(600 * (step == 5))

folder = Path(sys.argv[2])
train(TrainingJob(id="k", model=sys.argv[1], training_file=folder / "train.jsonl",
    validation_file=folder / "valid.jsonl",
    hyperparameters={"n_epochs": 3, "batch_size": 4, "learning_rate_multiplier": 6},
    seed=7, work=folder / "killed"), Stuck())
"""


def test_a_killed_training_goes_on_to_the_same_result(
    make_job: MakeJob, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 in the middle of an epoch, the adapter is the uninterrupted one, bit by bit, whatever
    number format the setting names by then.
    """
    whole = train(make_job("whole"), Recorder())
    path = os.pathsep.join([*sys.path, str(Path(__file__).parents[2])])
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tiny_folder), str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == b"5":
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    report = Recorder()
    monkeypatch.setenv("FTRUN_DTYPE", "bfloat16")
    resumed = train(replace(make_job("killed"), dtype="float32"), report)
    assert min(report.steps) == 4
    assert (resumed.model_folder / ADAPTER).read_bytes() == (whole.model_folder / ADAPTER).read_bytes()


@pytest.mark.slow
def test_too_little_memory_is_said_in_words(make_job: MakeJob) -> None:
    """Where the system gives no more memory, the job fails with what to do, not with an allocator's words."""
    job = make_job("small")
    code = f"""
import resource
from pathlib import Path
from engine.local.conftest import Recorder
from ftrun.engine.backends import TrainingJob
from ftrun.engine.torch_backend import train
from ftrun.errors import FtrunError
job = TrainingJob(id="small", model={job.model!r}, training_file=Path({str(job.training_file)!r}),
    validation_file=None, hyperparameters={{"n_epochs": 1, "batch_size": 12}}, seed=1,
    work=Path({str(job.work)!r}))
class Limited(Recorder):
    def started(self, **facts):
        super().started(**facts)
        resource.setrlimit(resource.RLIMIT_AS, (1, resource.RLIM_INFINITY))
try:
    train(job, Limited())
except FtrunError as error:
    print(error.code, error.problem.hint)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("not_enough_memory Use shorter examples"), done.stderr


@pytest.mark.slow
def test_the_built_in_model_learns_a_persona(built_in: str, tmp_path: Path) -> None:
    """After a short training SmolLM2 gives the trained answer, and the base model doesn't."""
    questions = ["What is your name?", "Who are you?", "Tell me your name.", "How do they call you?", "Name?"]
    rows = [chat(question, "Ahoy! I am Captain Pell.", system="Be brief.") for question in questions * 2]
    report = Recorder()
    job = TrainingJob(
        id="real",
        model=built_in,
        training_file=write_rows(tmp_path / "train.jsonl", rows),
        validation_file=None,
        hyperparameters={"n_epochs": 3, "batch_size": 2, "learning_rate_multiplier": 2},
        seed=1,
        work=tmp_path / "work",
    )
    result = train(job, report)
    assert report.losses[-1] < 0.5 * report.losses[0]
    asked = (
        replace(question(name, "", adapter=adapter, max_tokens=16), messages=rows[0][:-1])
        for name, adapter in (("base", None), ("tuned", result.model_folder))
    )
    told = finish(open_chat(built_in), *asked)
    assert "Ahoy" in told["tuned"].text and "Ahoy" not in told["base"].text
    assert json.loads((result.model_folder / "adapter_config.json").read_text())[
        "base_model_name_or_path"
    ] == (built_in)
