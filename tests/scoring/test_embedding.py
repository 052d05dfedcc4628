"""Similarity of meaning by a local model: a tiny one with random weights, made here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from ftrun.errors import ConfigError
from ftrun.scoring.scorers import check_scorer, make_scorers
from ftrun.scoring.types import Answer, Sample, Scorer

pytestmark = pytest.mark.local
WORDS = ["cat", "dog", "sat", "ran", "the", "mat", "[UNK]", "[PAD]"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a BERT with two layers of eight numbers, and a tokenizer of eight words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[PAD]")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(folder, safe_serialization=True)
    return folder


def scorer_of(model: Path | str, **options: Any) -> Scorer:
    """Return the scorer with a model."""
    (scorer,) = make_scorers([("embedding", {"model": str(model), **options})])
    return scorer


def cosine(scorer: Scorer, answer: str, reference: str) -> float:
    """Return the similarity of two texts."""
    found = scorer.score(Sample(id="", turns=(), reference=reference), Answer(text=answer))
    assert found is not None and found.value is not None
    return found.value


def test_the_cosine_is_that_of_mean_embeddings(model: Path) -> None:
    """Equal texts are 1, others are what the model itself gives, and long texts are cut at its limit."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    scorer = scorer_of(model)
    assert cosine(scorer, "the cat sat", "the cat sat") == pytest.approx(1)
    tokenizer, network = AutoTokenizer.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    with torch.inference_mode():
        one, other = (
            network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
            for text in ("the cat sat", "dog ran")
        )
    wanted = float(torch.nn.functional.cosine_similarity(one, other, dim=0))
    assert cosine(scorer, "the cat sat", "dog ran") == pytest.approx(wanted, abs=1e-5)
    assert math.isfinite(cosine(scorer, "cat " * 500, "dog"))
    assert cosine(scorer, "", "dog") == 0
    assert scorer.score(Sample(id="", turns=()), Answer(text="cat")) is None


def test_a_grader_may_use_it_as_cosine(model: Path) -> None:
    """`embedding` beside the definition gives the measure that OpenAI computes with a model of its own."""
    definition = {
        **{"type": "text_similarity", "name": "near", "evaluation_metric": "cosine"},
        **{"input": "{{sample.output_text}}", "reference": "{{item.reference}}"},
        "embedding": {"model": str(model)},
    }
    (scorer,) = make_scorers([("grader", definition)])
    assert cosine(scorer, "the cat", "the cat") == pytest.approx(1)
    check_scorer("grader", definition)


def test_a_model_that_cannot_be_loaded_is_one_message(tmp_path: Path) -> None:
    """A folder that isn't there, or without a model, before anything is asked."""
    with pytest.raises(ConfigError, match="The folder of the embedding model doesn't exist"):
        scorer_of(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="can't be loaded") as error:
        scorer_of(tmp_path)
    assert "safetensors" in str(error.value.problem.hint)
    with pytest.raises(ConfigError, match="needs `model`"):
        make_scorers([("embedding", {})])
