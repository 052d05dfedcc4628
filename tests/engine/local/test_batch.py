"""ftrun.engine.inference.batch: many answers at once, each as it is alone; too little memory; no waste."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.local.conftest import Recorder, finish, question, save_model
from ftrun.engine.backends import Rejected, TrainingJob
from ftrun.engine.inference import batch, memory, reading
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.inference.cache import BatchCache
from ftrun.engine.inference.rows import Rows, next_scores
from ftrun.engine.models.base import LoadedModel, is_same, load_model
from ftrun.engine.questions import Progress, Question
from ftrun.engine.torch_backend import train

pytestmark = pytest.mark.local

SYSTEM = "あなたは猫です。" * 4


def different(count: int, adapters: tuple[Path | None, ...] = (None,)) -> list[Question]:
    """Return questions of several lengths and adapters; every other one is drawn with a seed."""
    return [
        question(
            str(n),
            "猫は何と鳴く？" + "にゃあ" * (n % 5),
            adapter=adapters[n % len(adapters)],
            max_tokens=6 + 5 * (n % 4),
            temperature=n % 2,
            seed=n,
        )
        for n in range(count)
    ]


def test_answers_in_a_batch_are_those_alone(tiny: LoadedModel, make_job: Callable[..., TrainingJob]) -> None:
    """Whatever else is in the batch, and with which adapter: the answer is the same."""
    adapter = train(make_job(n_epochs=5), Recorder()).model_folder
    asked = different(40, (None, adapter, None))
    together = finish(TorchChat(tiny), *asked)
    alone = TorchChat(tiny)
    for one in asked:
        told = finish(alone, one)[one.id]
        assert (told.text, told.usage) == (together[one.id].text, together[one.id].usage)
    assert len({told.text for told in together.values()}) > 20


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_padding_is_a_number_and_changes_nothing(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, dtype: str
) -> None:
    """Rows of very different lengths: what is left of a row sees nothing, and stays finite in all layers."""
    import torch

    monkeypatch.setenv("FTRUN_DTYPE", dtype)
    model = load_model(str(tiny_folder))
    states = list[torch.Tensor]()
    for layer in model.causal.base_model.layers:
        layer.register_forward_hook(lambda _, args, output: states.append(output))
    texts = [list(range(5, 5 + length)) for length in (90, 1, 7)]
    padded = torch.tensor([[0] * (90 - len(text)) + text for text in texts])
    cache = BatchCache(model.causal.config)
    with torch.inference_mode():
        together = [next_scores(model, cache, padded, [90, 1, 7])]
        together.append(next_scores(model, cache, padded[:, -1:], [91, 2, 8]))
        assert all(bool(output.isfinite().all()) for output in states)
        for row, text in enumerate(texts):
            for scores, ids in zip(together, (text, [*text, text[-1]]), strict=True):
                alone = model.hidden(torch.tensor([ids]), torch.arange(len(ids))[None])
                assert is_same(scores[row], model.logits(alone[0, -1]), model.dtype)


SMALL = {
    "vocab_size": 304,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "eos_token_id": 2,
    "pad_token_id": 2,
}


def test_windows_of_attention_are_right_in_a_batch(tiny_folder: Path, tmp_path: Path) -> None:
    """A model that sees only the last tokens in some layers answers as `generate` of Transformers does."""
    from transformers import Gemma3TextConfig

    kinds = ["sliding_attention", "full_attention", "sliding_attention"]
    config = Gemma3TextConfig(**SMALL, head_dim=16, num_hidden_layers=3, sliding_window=16, layer_types=kinds)
    model = load_model(str(save_model(config, tiny_folder, tmp_path)))
    assert compared_with_transformers(model) == 32


def test_an_architecture_with_another_cache_answers_one_at_a_time(tiny_folder: Path, tmp_path: Path) -> None:
    """Convolutions keep a state of their own kind: no batch, the same answers."""
    from transformers import Lfm2Config

    kinds = ["conv", "full_attention"]
    config = Lfm2Config(**SMALL, num_hidden_layers=2, layer_types=kinds)
    model = load_model(str(save_model(config, tiny_folder, tmp_path)))
    assert compared_with_transformers(model) == 1


def compared_with_transformers(model: LoadedModel) -> int:
    """Check greedy answers to four questions at once; return how many answers are computed together."""
    import torch

    asked = [question(str(n), "猫は何と鳴く？" + "にゃあ" * 4 * n) for n in range(4)]
    ours = TorchChat(model)
    told = finish(ours, *asked)
    for one in asked:
        ids = torch.tensor([model.encoder.prompt(one.messages)])
        ends = list(model.encoder.end_ids)
        theirs = model.causal.generate(ids, max_new_tokens=24, do_sample=False, eos_token_id=ends)
        text = model.tokenizer.decode(theirs[0, ids.shape[1] :], skip_special_tokens=True)
        assert told[one.id].text == text
    return ours.at_once


@pytest.fixture
def computed(tiny: LoadedModel) -> list[int]:
    """Return the number of tokens in each pass through the tiny model."""
    passes: list[int] = []
    tiny.causal.base_model.register_forward_pre_hook(
        lambda _, args, kwargs: passes.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    return passes


def turn(name: str, text: str, *earlier: dict[str, str]) -> Question:
    """Return a question after a system text and earlier turns."""
    messages = [{"role": "system", "content": SYSTEM}, *earlier, {"role": "user", "content": text}]
    return Question(id=name, messages=messages, adapter=None, sampling=question("", "").sampling)


def test_the_next_turn_of_a_chat_reads_only_what_is_new(tiny: LoadedModel, computed: list[int]) -> None:
    """The conversation so far is known, and the answer is the one of a model that knows nothing."""
    model, first = TorchChat(tiny), turn("a", "何と鳴く？")
    answer = {"role": "assistant", "content": finish(model, first)["a"].text}
    second = turn("b", "犬は？", {"role": "user", "content": "何と鳴く？"}, answer)
    computed.clear()
    told = finish(model, second)["b"]
    assert told.usage is not None
    new = sum(computed) - told.usage.completion_tokens + 1
    assert new < told.usage.prompt_tokens / 2 < len(tiny.encoder.prompt(first.messages))
    assert told == finish(TorchChat(tiny), second)["b"]


def test_what_many_prompts_begin_with_is_read_once(tiny: LoadedModel, computed: list[int]) -> None:
    """Twenty questions with one system text: it is computed for one of them, and changes no answer."""
    asked = [turn(str(n), f"{n}番の猫？") for n in range(20)]
    model = TorchChat(tiny)
    computed.clear()
    told = finish(model, *asked)
    tokens = sum(one.usage.completion_tokens for one in told.values() if one.usage)
    prompts = [len(tiny.encoder.prompt(one.messages)) for one in asked]
    assert min(prompts) > 60
    assert sum(computed) - tokens < sum(prompts) / 3
    for one in asked[::5]:
        assert finish(TorchChat(tiny), one)[one.id] == told[one.id]


def test_another_adapter_reads_the_prompt_itself(
    tiny: LoadedModel, make_job: Callable[..., TrainingJob]
) -> None:
    """Keys and values belong to the adapter that they were computed with."""
    adapter = train(make_job(n_epochs=5), Recorder()).model_folder
    base, tuned = question("base", "猫は？"), question("tuned", "猫は？", adapter=adapter)
    model = TorchChat(tiny)
    finish(model, base)
    assert finish(model, tuned)["tuned"] == finish(TorchChat(tiny), tuned)["tuned"]


def test_kept_prompts_are_bounded(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the prompts that were used last stay in memory."""
    monkeypatch.setattr(memory, "for_prefixes", lambda _: 100_000)
    model = TorchChat(tiny)
    finish(model, *(question(str(n), f"{n}は何と鳴く？") for n in range(12)))
    kept = model._prefixes._kept
    assert 1 < len(kept) < 12
    assert sum(prefix.size for prefix in kept) == model._prefixes._size <= 100_000
    before = {prefix.ids for prefix in kept}
    finish(model, question("large", "猫" * 80))  # larger than all that may be kept
    assert {prefix.ids for prefix in kept} == before


def test_a_cancelled_answer_leaves_and_disturbs_nobody(tiny: LoadedModel) -> None:
    """Cancelled while it waits, while it is read or while it is generated: the others are as they were."""
    asked = different(40)
    whole = finish(TorchChat(tiny), *asked)
    model = TorchChat(tiny)
    for one in asked:
        model.submit(one)
    gone, told = {"2", "39", "20"}, dict[str, str]()
    steps = 0
    while model.busy:
        steps += 1
        if steps == 3:
            for name in (*gone, "unknown"):
                model.cancel(name)
        for progress in model.step():
            told[progress.id] = told.get(progress.id, "") + progress.piece
    assert all(told[one.id] == whole[one.id].text for one in asked if one.id not in gone)
    assert all(len(told[name]) < len(whole[name].text) for name in gone)


def test_a_long_prompt_holds_nobody_up(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is read in portions, the other answer gets its token at each step, and a later one is read."""
    monkeypatch.setattr(reading, "PORTION", 48)
    model = TorchChat(tiny)
    model.submit(question("short", "猫は？", max_tokens=12))
    model.step()
    model.submit(question("long", "長い話。" * 20, max_tokens=4))
    news: list[list[Progress]] = []
    while model.busy:
        if len(news) == 2:
            model.submit(question("later", "猫は？", max_tokens=2))
        news.append([*model.step()])
    later = next(step for step, told in enumerate(news) if any(one.id == "later" for one in told))
    began = next(step for step, told in enumerate(news) if any(one.id == "long" for one in told))
    assert began > later
    assert sum(any(one.id == "short" for one in told) for told in news[:began]) > 2
    monkeypatch.undo()
    assert len(finish(TorchChat(tiny), question("long", "長い話。" * 20, max_tokens=4))["long"].text) > 0


def test_a_question_that_never_fits_is_refused(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do; one that fits only later waits and is answered."""
    monkeypatch.setattr(memory, "for_answers", lambda _: 100 * 1024)
    model = TorchChat(tiny)
    with pytest.raises(Rejected, match="Lower max_tokens") as caught:
        model.submit(question("big", "猫は？", max_tokens=230))
    assert (caught.value.code, caught.value.param) == ("not_enough_memory", "max_tokens")
    told = finish(model, *(question(str(n), f"猫{n}は？", max_tokens=100) for n in range(5)))
    assert all(one.error is None and one.usage for one in told.values())


def test_an_error_fails_the_answers_that_met_it(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next question is answered."""
    model = TorchChat(tiny)
    with monkeypatch.context() as broken:
        broken.setattr(batch, "choose", lambda *_: 1 / 0)
        told = finish(model, question("a", "猫は？"), question("b", "犬は？"))
    assert [type(one.error) for one in told.values()] == [ZeroDivisionError] * 2
    assert finish(model, question("c", "猫は？"))["c"].error is None


@pytest.mark.parametrize(("where", "what"), [(batch, "choose"), (Rows, "read"), (Rows, "prefix")])
def test_a_want_of_memory_changes_no_answer(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch, where: Any, what: str
) -> None:
    """Wherever it runs out: what is read again goes on with its usage and its random numbers, and while
    other questions wait the batch grows again.
    """
    asked = different(60)
    whole = finish(TorchChat(tiny), *asked)
    usual, calls, sizes = getattr(where, what), 0, list[int]()

    def fails_once(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 9:
            raise MemoryError
        return usual(*arguments)

    class Watched(TorchChat):
        def _recover(self, error: Exception) -> None:
            super()._recover(error)
            sizes.append(self._most)

        def step(self) -> list[Progress]:
            told = super().step()
            if sizes:
                sizes.append(len(self._rows.answers))
            return told

    monkeypatch.setattr(where, what, fails_once)
    assert finish(Watched(tiny), *asked) == whole
    assert sizes[0] < max(sizes)


# a model with 64 KB of keys and values per token, in a process that may take little more memory than it has
LIMITED = """
import json, resource, sys
from pathlib import Path
import torch
from engine.local.conftest import finish, question
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.models.base import load_model

torch.set_num_threads(1)
model = load_model(sys.argv[1])
sizes = []

class Watched(TorchChat):
    def _recover(self, error):
        sizes.append(len(self._computed()))
        super()._recover(error)

def ask(limit_mb, *asked):
    chat = Watched(model)
    finish(chat, question("warm", "a", max_tokens=2))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * 4096 + (limit_mb << 20), resource.RLIM_INFINITY))
    done = finish(chat, *asked)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return {name: [one.text, one.usage and one.usage.completion_tokens, repr(one.error)]
            for name, one in done.items()}

many = [question(str(n), "cat" * n, max_tokens=12) for n in range(6)]
whole, limited = ask(4000, *many), ask(24, *many)
long, short = question("long", "cat" * 40), question("short", "a", max_tokens=2)
print(json.dumps([whole, limited, sizes, ask(9, long), ask(9, short)]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process")
def test_too_little_memory_makes_batches_smaller(tiny_folder: Path, tmp_path: Path) -> None:
    """Nothing that was told is repeated or changed; what can't be answered alone fails with advice."""
    from transformers import LlamaConfig

    config = LlamaConfig(**SMALL | {"num_key_value_heads": 4}, head_dim=1024, num_hidden_layers=2)
    save_model(config, tiny_folder, tmp_path)
    path = os.pathsep.join([*sys.path, str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        # what is freed goes back to the system, so that the limit counts
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    whole, limited, sizes, long, short = json.loads(done.stdout)
    assert limited == whole and [error for _, _, error in whole.values()] == ["None"] * 6
    assert len(sizes) > 2 and max(sizes) > 1
    assert "TooLittleMemory('There is not enough memory for this answer. Lower max_tokens" in long["long"][2]
    assert short["short"][2] == "None"
