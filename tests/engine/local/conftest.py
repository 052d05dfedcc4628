"""A tiny random model that trains in a blink, and the built-in model's weights, fetched once a session."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

pytest.importorskip("torch")

from ftrun.engine.backends import Cancelled, ChatModel, NumberFormat, Paused, TrainingJob
from ftrun.engine.models.base import LoadedModel, load_model
from ftrun.engine.models.weights import model_folder
from ftrun.engine.questions import Question, Sampling, TokenScore, Usage

# the last one has no name such as eos_token, as Gemma's end of turn has none
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<end_of_turn>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXT = "猫は何と鳴きますか？ にゃあと鳴くよね。 What does the cat say? It says meow. 犬はわんと鳴くよね。"


@dataclass
class Recorder:
    """A TrainingReport that keeps what it is told, and may cancel or pause at a step."""

    cancel_at: int | None = None
    pause_at: int | None = None
    events: list[tuple[str, str]] = field(default_factory=list)
    steps: dict[int, dict[str, float]] = field(default_factory=dict)
    checkpoints: list[int] = field(default_factory=list)
    hyperparameters: Mapping[str, int | float | str] = field(default_factory=dict)
    total_steps: int = 0
    dtype: NumberFormat | None = None

    def event(self, message: str, *, level: Literal["info", "warn", "error"] = "info") -> None:
        self.events.append((level, message))

    def started(
        self,
        *,
        hyperparameters: Mapping[str, int | float | str],
        total_steps: int,
        dtype: NumberFormat | None = None,
    ) -> None:
        self.hyperparameters, self.total_steps, self.dtype = hyperparameters, total_steps, dtype

    def step(self, step: int, metrics: Mapping[str, float], *, seconds_left: float | None = None) -> None:
        if step == self.cancel_at:
            raise Cancelled
        self.steps[step] = dict(metrics)
        if step == self.pause_at:
            raise Paused

    def checkpoint(self, step: int, folder: Path, metrics: Mapping[str, float]) -> None:
        self.checkpoints.append(step)

    @property
    def losses(self) -> list[float]:
        return [metrics["train_loss"] for metrics in self.steps.values()]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Compute with one thread: for a model this small a second one only waits, longest on a busy machine."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute in float32 on every machine, unless a test chooses otherwise: its tolerances are float32's."""
    monkeypatch.setenv("FTRUN_DTYPE", "float32")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a random two-layer Llama, a byte-level tokenizer and a chat template."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[2],
        unk_token=SPECIAL[0],
        chat_template=TEMPLATE,
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def save_model(config: Any, tiny_folder: Path, folder: Path) -> Path:
    """Save a random model of another architecture to `folder`, with the tiny model's tokenizer."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoTokenizer.from_pretrained(tiny_folder).save_pretrained(folder)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture
def tiny(tiny_folder: Path) -> LoadedModel:
    """Return the tiny model, loaded anew."""
    return load_model(str(tiny_folder))


@pytest.fixture(scope="session")
def weights_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model cache with the built-in model: FTRUN_TEST_CACHE, or one of the session."""
    named = os.environ.get("FTRUN_TEST_CACHE")
    cache = Path(named) if named else tmp_path_factory.mktemp("cache")
    before = os.environ.get("FTRUN_CACHE")
    os.environ["FTRUN_CACHE"] = str(cache)
    try:
        model_folder("smollm2-135m-instruct")
    finally:
        del os.environ["FTRUN_CACHE"]
        if before is not None:
            os.environ["FTRUN_CACHE"] = before
    return cache


@pytest.fixture
def built_in(weights_cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the built-in model's name, its weights in the cache."""
    monkeypatch.setenv("FTRUN_CACHE", str(weights_cache))
    return "smollm2-135m-instruct"


def chat(user: str, assistant: str, *, system: str | None = "短く答えて。") -> list[dict[str, Any]]:
    """Return the messages of one question and answer."""
    head = [{"role": "system", "content": system}] if system else []
    return [*head, {"role": "user", "content": user}, {"role": "assistant", "content": assistant}]


def question(name: str, text: str, *, adapter: Path | None = None, **sampling: Any) -> Question:
    """Return a question to a chat model, greedy and of 24 tokens unless `sampling` says otherwise."""
    how = Sampling(**{"temperature": 0, "max_tokens": 24, **sampling})
    return Question(id=name, messages=chat(text, "")[:-1], adapter=adapter, sampling=how)


@dataclass
class Told:
    """What a chat model told of one answer."""

    pieces: list[str] = field(default_factory=list)
    scores: list[TokenScore] = field(default_factory=list)
    usage: Usage | None = None
    error: Exception | None = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def finish(model: ChatModel, *questions: Question) -> dict[str, Told]:
    """Ask all at once, step until nothing is left, and return what was told of each."""
    for one in questions:
        model.submit(one)
    told: dict[str, Told] = {}
    while model.busy:
        for progress in model.step():
            of = told.setdefault(progress.id, Told())
            of.pieces += [progress.piece] if progress.piece else []
            of.scores += progress.scores
            of.usage, of.error = progress.usage or of.usage, progress.error or of.error
    return told


def write_rows(path: Path, chats: Sequence[Sequence[Mapping[str, Any]]]) -> Path:
    """Write chats as a training file."""
    rows = (json.dumps({"messages": list(messages)}, ensure_ascii=False) + "\n" for messages in chats)
    path.write_text("".join(rows), encoding="utf-8")
    return path


@pytest.fixture
def make_job(tmp_path: Path, tiny_folder: Path) -> Callable[..., TrainingJob]:
    """Return a way to make jobs of twelve short chats; `name` tells their folders apart."""
    training = write_rows(
        tmp_path / "train.jsonl", [chat(f"猫{n}は何と鳴く？", f"にゃあ{n}だよね。") for n in range(12)]
    )
    validation = write_rows(tmp_path / "valid.jsonl", [chat("犬は何と鳴く？", "わんだよね。")])

    def make(name: str = "job", *, valid: bool = True, seed: int = 7, **hyperparameters: Any) -> TrainingJob:
        return TrainingJob(
            id=name,
            model=str(tiny_folder),
            training_file=training,
            validation_file=validation if valid else None,
            hyperparameters={
                "n_epochs": 3,
                "batch_size": 4,
                "learning_rate_multiplier": 6,
                **hyperparameters,
            },
            seed=seed,
            work=tmp_path / name,
        )

    return make
