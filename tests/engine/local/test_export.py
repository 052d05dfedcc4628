"""ftrun.engine.export: other software loads what is written, and computes what the engine computes."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    PhiConfig,
    Qwen2Config,
    Qwen3Config,
)

from conftest import Ftrun
from engine.local.conftest import save_model
from ftrun.engine.export.answering import ask_engine, ask_llama, ask_peft, ask_transformers
from ftrun.engine.export.card import Facts
from ftrun.engine.export.exporting import export
from ftrun.engine.export.formats import GGUF_FILE, Format
from ftrun.engine.export.source import Source, find_source, load_chat, load_merged
from ftrun.engine.export.verifying import Asked, verify
from ftrun.engine.models.base import load_model
from ftrun.engine.models.lora import attach, new_adapter, save_adapter
from ftrun.errors import FtrunError, UsageError, UserError
from ftrun.files import FULL

# PEFT asks Transformers for a property by its old name
pytestmark = [pytest.mark.local, pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")]

ALL = bool(os.environ.get("FTRUN_TEST_ALL"))
FACTS = Facts(
    name="Café 1",
    model="ft:tiny:local::x",
    job_id="ftjob-1",
    data={"training data": "ab" * 32},
    hyperparameters={"n_epochs": 2},
    verdict=("✓ ship it", "Better than base."),
    system="短く、`」`で答えて。",
    sampling={"temperature": 0, "max_tokens": 24},
)
COMMON: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
ARCHITECTURES: Mapping[str, Any] = {
    "llama": LlamaConfig(**COMMON, attention_bias=True),
    "llama 3": LlamaConfig(**COMMON, head_dim=32, rope_parameters=LLAMA3, tie_word_embeddings=False),
    "mistral": MistralConfig(**COMMON, sliding_window=None),
    "qwen2": Qwen2Config(**COMMON),
    "qwen3": Qwen3Config(**COMMON, head_dim=16, tie_word_embeddings=True),
    "gemma 3": Gemma3TextConfig(
        **{**COMMON, "num_hidden_layers": 7, "initializer_range": 0.1},
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=16,
    ),
}


def tune(base: Path, folder: Path) -> Source:
    """Return the source of a model with a random adapter that changes a lot, written to `folder`."""
    model = load_model(str(base))
    generator = torch.Generator().manual_seed(3)
    adapter = {
        name: (a, torch.randn(b.shape, generator=generator) * 0.1)
        for name, (a, b) in new_adapter(model.layers, seed=1).items()
    }
    attach(model.layers, adapter)
    folder.mkdir(parents=True)
    save_adapter(folder, model.layers, base=str(base))
    return find_source(str(base), folder, print)


def task(source: Source, folder: Path) -> dict[str, Any]:
    """Return what the processes that ask are told: three questions, and one chat of several turns."""
    texts = ("猫は？", "A cat?", "犬 はわん、と鳴く")
    chats = [[{"role": "system", "content": "短く。"}, {"role": "user", "content": text}] for text in texts]
    turns = [{"role": "assistant", "content": "にゃあ"}, {"role": "user", "content": "犬は？"}]
    chats.append([*chats[0], *turns])
    questions = [{"id": str(number), "messages": chat, "max_tokens": 24} for number, chat in enumerate(chats)]
    return {
        "base": source.base,
        "adapter": str(source.adapter),
        "folder": str(folder),
        "questions": questions,
        "longest": 200,
    }


@pytest.fixture
def source(tiny_folder: Path, tmp_path: Path) -> Source:
    """Return the tiny model with an adapter."""
    return tune(tiny_folder, tmp_path / "adapter")


def test_peft_and_transformers_answer_as_the_engine_does(source: Source, tmp_path: Path) -> None:
    """Adapter and merged weights load unchanged elsewhere, and every greedy answer is the engine's."""
    export(source, FACTS, "adapter", tmp_path / "a")
    export(source, FACTS, "safetensors", tmp_path / "s")
    engine = ask_engine(task(source, tmp_path))
    assert len(set(engine.answers.values())) == 4 and not engine.refused
    plain = ask_engine({**task(source, tmp_path), "adapter": str(zero_adapter(source, tmp_path / "zero"))})
    assert plain.answers != engine.answers  # or the adapter would make no difference
    assert ask_peft(task(source, tmp_path / "a")).answers == engine.answers
    assert ask_transformers(task(source, tmp_path / "s")).answers == engine.answers


def zero_adapter(source: Source, folder: Path) -> Path:
    """Write an adapter that changes nothing."""
    model = load_model(source.base)
    attach(model.layers, new_adapter(model.layers, seed=1))
    folder.mkdir()
    save_adapter(folder, model.layers, base=source.base)
    return folder


def test_merged_weights_are_rounded_once(source: Source, tmp_path: Path) -> None:
    """W + 2 B A to the last digit of float32; embeddings and norms stay as they are."""
    export(source, FACTS, "safetensors", tmp_path / "s")
    merged = load_file(tmp_path / "s" / "model.safetensors")
    base, adapter = (
        load_file(source.folder / "model.safetensors"),
        load_file(source.adapter / "adapter_model.safetensors"),
    )
    layer = "model.layers.1.mlp.down_proj"
    a, b = (adapter[f"base_model.model.{layer}.lora_{part}.weight"].double() for part in "AB")
    assert torch.equal(merged[f"{layer}.weight"], (base[f"{layer}.weight"].double() + 2 * b @ a).float())
    assert torch.equal(merged["model.embed_tokens.weight"], base["model.embed_tokens.weight"])
    assert {one.dtype for one in merged.values()} == {torch.float32}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_llama_cpp_computes_what_transformers_does(name: str, tiny_folder: Path, tmp_path: Path) -> None:
    """It loads each architecture, renders chats alike and scores next tokens alike, up to its rounding of
    keys and values to 16 bits.
    """
    xllamacpp = pytest.importorskip("xllamacpp")
    source = tune(save_model(ARCHITECTURES[name], tiny_folder, tmp_path / "base"), tmp_path / "adapter")
    export(source, FACTS, "gguf", tmp_path / "g")
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.verbosity = str(tmp_path / "g" / GGUF_FILE), 256, -1
    server = xllamacpp.Server(settings)
    merged, tokenizer = load_merged(source), load_chat(source).tokenizer
    for question in task(source, tmp_path)["questions"]:
        (choice,) = server.handle_chat_completions(
            {
                "messages": question["messages"],
                "max_tokens": 1,
                "logprobs": True,
                "top_logprobs": 20,
                "logit_bias": {"a": 100},  # which changes no score: without a whole character there are none
            }
        )["choices"]
        top = {one["id"]: one["logprob"] for one in choice["logprobs"]["content"][0]["top_logprobs"]}
        inputs = tokenizer.apply_chat_template(
            question["messages"], add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        with torch.inference_mode():
            scores = merged(**inputs).logits[0, -1].log_softmax(-1)
        assert [float(scores[token]) for token in top] == pytest.approx([*top.values()], abs=0.1)


def test_llama_cpp_is_asked_as_the_others_are(source: Source, tmp_path: Path) -> None:
    """Every question gets an answer, and the first words are the engine's."""
    pytest.importorskip("xllamacpp")
    export(source, FACTS, "gguf", tmp_path / "g")
    asked = task(source, tmp_path / "g")
    asked["questions"] = [{**one, "max_tokens": 2} for one in asked["questions"]]
    found, engine = ask_llama(asked), ask_engine(asked)
    assert found.answers == engine.answers and found.runtime.startswith("xllamacpp ")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (PhiConfig(**COMMON), "PhiForCausalLM"),
        (MistralConfig(**COMMON, sliding_window=8), "sliding"),
        (LlamaConfig(**COMMON, hidden_act="gelu"), "activation"),
        (
            LlamaConfig(**COMMON, rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}),
            "dynamic",
        ),
    ],
)
def test_what_llama_cpp_would_run_otherwise_is_refused(
    config: Any, words: str, tiny_folder: Path, tmp_path: Path
) -> None:
    """The message names it, and no folder is left."""
    source = tune(save_model(config, tiny_folder, tmp_path / "base"), tmp_path / "adapter")
    with pytest.raises(UsageError, match=words) as caught:
        export(source, FACTS, "gguf", tmp_path / "g")
    assert caught.value.code == "unsupported_export"
    assert {path.name for path in tmp_path.iterdir()} == {"base", "adapter"}


def test_the_card_says_what_it_is_and_its_code_runs(source: Source, tmp_path: Path) -> None:
    """The Python lines of a model card print the model's answer to the card's own question."""
    export(source, FACTS, "adapter", tmp_path / "a")
    card = (tmp_path / "a" / "README.md").read_text(encoding="utf-8")
    for words in ("ftjob-1", "ab" * 32, "Better than base.", "`n_epochs` 2", "短く、`」`で答えて。"):
        assert words in card
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    lines = code.replace('"."', repr(str(tmp_path / "a"))).replace("print(", "said = (")
    found: dict[str, Any] = {}
    exec(lines, found)
    question = {"id": "q", "messages": found["messages"], "max_tokens": 24}
    asked = {**task(source, tmp_path), "questions": [question]}
    assert found["said"] == ask_engine(asked).answers["q"] != ""


def test_an_answer_ends_where_the_template_ends_it(tiny_folder: Path, tmp_path: Path) -> None:
    """The end of a turn that is no named token, as Gemma's, is written where other software looks for it."""
    from transformers import GenerationConfig

    base = tmp_path / "base"
    save_model(ARCHITECTURES["llama"], tiny_folder, base)
    template = (base / "chat_template.jinja").read_text(encoding="utf-8")
    (base / "chat_template.jinja").write_text(
        template.replace("<|im_end|>", "<end_of_turn>"), encoding="utf-8"
    )
    source = tune(base, tmp_path / "adapter")
    export(source, FACTS, "adapter", tmp_path / "a")
    assert GenerationConfig.from_pretrained(tmp_path / "a").eos_token_id == [2, 3]
    export(source, FACTS, "gguf", tmp_path / "g")
    assert 'PARAMETER stop "<end_of_turn>"' in (tmp_path / "g" / "Modelfile").read_text(encoding="utf-8")


def test_a_missing_base_model_is_a_mistake_of_the_user(tmp_path: Path) -> None:
    """A base folder that was deleted since is named with exit code 2."""
    with pytest.raises(UserError) as caught:
        find_source(str(tmp_path / "gone"), tmp_path, print)
    assert caught.value.exit_code == 2 and str(tmp_path / "gone") in str(caught.value)


def tokens_of_llama(gguf: Path, texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of texts in llama.cpp."""
    xllamacpp = pytest.importorskip("xllamacpp")
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.n_ctx, settings.verbosity = str(gguf), 64, -1
    server = xllamacpp.Server(settings)
    found = []
    for text in texts:
        request = urllib.request.Request(
            f"{server.listening_address}/tokenize",
            data=json.dumps({"content": text, "parse_special": True}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            found.append(json.load(answer)["tokens"])
    return found


TEXTS = [
    "人間は死んだ後どうなりますか？　12345 と ３４５。",
    " leading, trailing \n\n\n\ttabs  and   spaces ",
    "I've can't WE'LL x86_64 3.14159 1e-5 — “quotes” 👩‍🚀🇯🇵 ﷽ ไทย हिन्दी",
    "<|im_start|>user\nhi<|im_end|>\n<|endoftext|> <repo_name>",
]


@pytest.mark.parametrize("space", [False, True])
def test_llama_cpp_splits_texts_as_sentencepiece(space: bool, tiny_folder: Path, tmp_path: Path) -> None:
    """A tokenizer with a byte for what it doesn't know, as Gemma's and Llama 2's, has the same tokens."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["▁", *"aehilnorstu猫は鳴く、", "th", "an", "▁a", "▁th", "▁the", "er", "▁▁", "猫は", "in", "▁an"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    rank = {token: number for number, token in enumerate(tokens)}
    merges = [
        (token[:cut], token[cut:])
        for token in pieces
        for cut in range(1, len(token))
        if {token[:cut], token[cut:]} <= rank.keys()
    ]
    bpe = models.BPE(vocab=rank, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(bpe)
    if space:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    base = save_model(LlamaConfig(**COMMON), tiny_folder, tmp_path / "base")
    for path in base.glob("token*"):
        path.unlink()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    ).save_pretrained(base)
    source = tune(base, tmp_path / "adapter")
    export(source, FACTS, "gguf", tmp_path / "g")
    texts = [*TEXTS[:3], "the  anther then", "猫は鳴く、the猫"]
    ours = [load_chat(source).tokenizer(text)["input_ids"] for text in texts]
    assert tokens_of_llama(tmp_path / "g" / GGUF_FILE, texts) == ours


@pytest.mark.slow
@pytest.mark.skipif(not ALL, reason="takes minutes on a busy machine: `make test-all` runs it")
def test_llama_cpp_splits_texts_as_the_built_in_models_tokenizer(built_in: str, tmp_path: Path) -> None:
    """Texts of many kinds have the same tokens in llama.cpp, special tokens included."""
    from ftrun.engine.models.weights import model_folder

    source = tune(model_folder(built_in), tmp_path / "adapter")
    export(source, FACTS, "gguf", tmp_path / "g")
    ours = [load_chat(source).tokenizer(text)["input_ids"] for text in TEXTS]
    assert tokens_of_llama(tmp_path / "g" / GGUF_FILE, TEXTS) == ours


@pytest.mark.parametrize("kind", ["safetensors", "gguf"])
def test_a_full_disk_names_the_folder(source: Source, tmp_path: Path, kind: Format) -> None:
    """It is the system's error, not one of a library, and nothing is left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before, ignored = sorted(tmp_path.iterdir()), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(OSError) as caught:
            export(source, FACTS, kind, tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.errno in FULL and caught.value.filename == str(tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_from_an_experiment_to_answers_elsewhere(ftrun: Ftrun, tiny_folder: Path) -> None:
    """What `run` trained is exported and asked elsewhere by one command; it can be repeated, and says what it
    did.
    """
    path = ftrun.folder / "configs/toy.yaml"
    text = path.read_text(encoding="utf-8").replace("model: rehearsal", f"model: {tiny_folder}")
    evaluation = "eval:\n  models: [tuned]\n  sampling: {max_tokens: 8}\n"
    path.write_text(text.replace("eval:\n", evaluation), encoding="utf-8")
    assert ftrun("configs/toy.yaml").returncode == 0
    words = ("export", "configs/toy.yaml", "--to", "out")
    done = ftrun.json(*words, "--verify")
    folder = ftrun.folder / "out"
    assert done["verification"]["asked"] == done["verification"]["equal"] == 2
    assert {*done["files"], "ftrun-export.json"} == {one.name for one in folder.iterdir()}
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert done["model"] in card and done["job_id"] in card and "あなたは短く答えます。" in card
    again = ftrun(*words, "--format", "safetensors", env={"FTRUN_LANG": "ja"})
    assert again.returncode == 0 and str(folder) in again.stdout, again.stderr
    (folder / "model.safetensors").write_bytes(b"mine")
    assert ftrun.json(*words, code=2)["error"]["code"] == "folder_in_use"
    ftrun("rm", done["model"], "configs/toy.yaml", "--yes")
    assert ftrun.json("export", "configs/toy.yaml", "--to", "new", code=4)["error"]["code"] == "model_removed"


@pytest.mark.slow
def test_a_damaged_export_is_not_called_equal(source: Source, tmp_path: Path) -> None:
    """If the program can't load it, that is an error with its words; if answers differ, they are listed."""
    export(source, FACTS, "safetensors", tmp_path / "s")
    question = Asked(id="q", messages=[{"role": "user", "content": "猫は？"}], max_tokens=8)
    weights = load_file(tmp_path / "s" / "model.safetensors")
    weights["model.norm.weight"][:32] = 0
    save_file(weights, tmp_path / "s" / "model.safetensors", metadata={"format": "pt"})
    found = verify(tmp_path / "s", "safetensors", source, [question], print)
    assert (found.asked, found.equal, [one.id for one in found.differences]) == (1, 0, ["q"])
    (tmp_path / "s" / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(FtrunError, match="Transformers can't answer") as caught:
        verify(tmp_path / "s", "safetensors", source, [question], print)
    assert caught.value.exit_code == 1 and caught.value.code == "export_not_loadable"
