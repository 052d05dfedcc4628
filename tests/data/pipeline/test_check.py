"""Counting, pricing and judging the prepared data, and the document of `check --json`."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from ftrun import data
from ftrun.cost import prices
from ftrun.cost.models import encoding_of, limit_of
from ftrun.cost.price_table import price_table
from ftrun.cost.tokens import count_examples, text_counter
from ftrun.cost.tool_tokens import TOOLS
from ftrun.data.diagnostics.codes import CODES
from ftrun.data.diagnostics.distribution import distribution, histogram
from ftrun.errors import DataError
from ftrun.experiment.model import CandidateSpec, EvalPrompt, Evaluation, Source, Split, Train
from ftrun.experiment.target import Price, Target
from ftrun.protocol.spec import default_epochs

MINI = Target(name="openai", provider="openai", model="gpt-4.1-mini-2025-04-14")


KEYS = {"sum", "min", "max", "mean", "median", "p5", "p10", "p90", "p95"}


def test_counting_rules_on_a_hand_counted_example() -> None:
    """3 a message, 1 a name, 3 an example, and every text value: counted here in words, one token each."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "be kind now"},
        {"role": "user", "name": "kim", "content": "hello there"},
        {"role": "assistant", "content": "hello my friend", "weight": 1},
    ]
    (tokens,) = count_examples([{"messages": messages}], lambda texts: [len(text.split()) for text in texts])
    assert tokens.total == 3 + 3 * 3 + (1 + 3) + (1 + 1 + 1 + 2) + (1 + 3)
    assert tokens.assistant == 3


@pytest.mark.parametrize(
    ("encoding", "text", "tokens"), [("o200k_base", "hello world", 2), ("cl100k_base", "hello world", 2)]
)
def test_encodings_are_there_without_a_network(encoding: str, text: str, tokens: int) -> None:
    """Both encodings count offline, and special tokens in data are plain text."""
    count = text_counter(encoding)
    assert count([text]) == [tokens]
    assert count(["<|endoftext|>"])[0] > 1


def test_japanese_costs_more_in_the_old_encoding() -> None:
    """cl100k_base counts more for Japanese than o200k_base: the model decides which is used."""
    text = ["人間は死んだ後どうなりますか？それってあなたの感想ですよね。"]
    assert text_counter("cl100k_base")(text)[0] > text_counter("o200k_base")(text)[0]


@pytest.mark.parametrize(
    ("provider", "model", "encoding", "exact", "limit"),
    [
        ("openai", "gpt-4.1-mini-2025-04-14", "o200k_base", True, 65_536),
        ("openai", "gpt-4o-2024-08-06", "o200k_base", True, 65_536),
        ("openai", "ft:gpt-4o-mini-2024-07-18:org::abc", "o200k_base", True, 65_536),
        ("openai", "gpt-3.5-turbo-0125", "cl100k_base", True, 16_385),
        ("openai", "gpt-3.5-turbo-0613", "cl100k_base", True, 4_096),
        ("openai", "gpt-4-0613", "cl100k_base", True, 65_536),
        ("openai", "Qwen/Qwen3-8B", "o200k_base", False, 65_536),
        ("local", "smollm2-135m-instruct", "o200k_base", False, 8_192),
    ],
)
def test_models(provider: Any, model: str, encoding: str, exact: bool, limit: int) -> None:
    """The encoding and the limit are the model's own where they are known."""
    target = Target(name="t", provider=provider, model=model)
    assert encoding_of(target) == (encoding, exact)
    assert limit_of(target) == limit


def test_distribution_is_linear_between_values() -> None:
    """Quantiles lie on the line between the two nearest values."""
    found = distribution([4, 1, 3, 2])
    assert found == {
        "sum": 10, "min": 1, "max": 4, "mean": 2.5, "median": 2.5,
        "p5": pytest.approx(1.15), "p10": pytest.approx(1.3),
        "p90": pytest.approx(3.7), "p95": pytest.approx(3.85),
    }  # fmt: skip
    assert set(distribution([])) == KEYS
    assert histogram([1, 1, 9, 20], bars=4) == ((1, 5, 2), (6, 10, 1), (11, 15, 0), (16, 20, 1))


@pytest.mark.parametrize(
    ("examples", "epochs"), [(10, 10), (3, 25), (33, 3), (34, 3), (8333, 3), (8334, 2), (30_000, 1), (0, 25)]
)
def test_auto_epochs(examples: int, epochs: int) -> None:
    """Few examples are seen more often, very many less often."""
    assert default_epochs(examples) == epochs


def test_prices_have_the_right_magnitude() -> None:
    """Training costs 1 to 100 US$ a million tokens, answers more than questions: not off by a thousand."""
    table = price_table()
    assert table["unit"].startswith("US$ per million tokens")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", table["date"])
    for price in table["models"].values():
        assert 1 <= price["train"] <= 100
        assert 0.05 <= price["input"] < price["output"] <= 100


def test_price_of_a_million_tokens(make: Any) -> None:
    """A million tokens on gpt-4.1-mini cost 5 US$ an epoch, with the evaluation on top until it is done."""
    prompts = (EvalPrompt(id="a", user="hello"), EvalPrompt(id="b", user="x", system=None, own_system=True))
    experiment = make(
        {},
        target=MINI,
        train=Train(hyperparameters={"n_epochs": 2}),
        evaluation=Evaluation(
            candidates=tuple(CandidateSpec(name=one, model=one) for one in ("tuned", "base")),
            prompts=prompts,
            sampling={"max_tokens": 1000},
        ),
    )
    estimate = prices.price(experiment, examples=1000, train_tokens=1_000_000)
    assert (estimate["n_epochs"], estimate["billable_tokens"]) == (2, 2_000_000)
    assert estimate["train_usd"] == 10.0
    # two candidates: 4,000 tokens out at 3.2, and each question with a usual example (1,000) for its prompt
    assert estimate["eval_usd"] == pytest.approx((4 * 1000 * 3.2 + 2 * (1000 + 2 * 8) * 0.8) / 1e6, rel=0.01)
    assert estimate["usd"] == pytest.approx(10.0 + estimate["eval_usd"])
    done = prices.price(experiment, examples=1000, train_tokens=1_000_000, train=False, evaluate=False)
    assert done["usd"] == 0


def test_price_elsewhere(make: Any) -> None:
    """Local costs nothing; another server's price is unknown unless the target says it."""
    local = make({})
    assert prices.price(local, examples=50, train_tokens=5000)["usd"] == 0
    other = replace(MINI, base_url="https://example.invalid/v1", api_key_env="K")
    assert prices.price(replace(local, target=other), examples=50, train_tokens=5000)["usd"] is None
    priced = replace(other, price=Price(train=1, input=1, output=1))
    assert prices.price(replace(local, target=priced), examples=50, train_tokens=10**6)["usd"] == 3.0
    unknown = replace(MINI, model="gpt-9")
    assert prices.price(replace(local, target=unknown), examples=50, train_tokens=5000)["usd"] is None


def test_check_document(make: Any, chats: Any, tmp_path: Path) -> None:
    """The document has the fixed keys, and null for files that are not there."""
    experiment = make({"a.jsonl": chats(range(60))}, split=Split(validation=0.1), target=MINI)
    prepared = data.prepare(experiment, tmp_path / "out")
    found = data.check(experiment, prepared).as_dict()
    assert found == data.check(experiment, tmp_path / "out").as_dict()
    assert found == data.examine(experiment).as_dict()
    train = found["files"]["train"]
    assert set(train) == {
        "examples", "messages", "tokens", "assistant_tokens", "missing_system", "missing_user", "over_limit"
    }  # fmt: skip
    assert (train["examples"], train["missing_system"], train["missing_user"]) == (54, 54, 0)
    assert set(train["tokens"]) == KEYS
    assert found["files"]["test"] is None
    assert found["errors"] == found["warnings"] == []
    estimate = found["estimate"]
    assert estimate["train_tokens"] == train["tokens"]["sum"]
    assert estimate["billable_tokens"] == 3 * estimate["train_tokens"]
    assert (estimate["encoding"], estimate["exact"]) == ("o200k_base", True)
    assert estimate["usd"] == pytest.approx(estimate["billable_tokens"] * 5 / 1e6)


def test_too_few_examples_blame_what_took_them(make: Any, chats: Any) -> None:
    """Below ten examples the split is blamed if it took them, repeated rows if they did, else the file."""
    (few,) = data.examine(make({"a.jsonl": chats(range(9))})).errors
    assert (few.code, few.line) == ("too_few_examples", 10)
    (split,) = data.examine(make({"a.jsonl": chats(range(12))}, split=Split(test=4))).errors
    assert (split.code, split.line) == ("too_few_examples", 20)
    assert "data.split leaves 8 of 12 rows to train on, 10 are needed: 4 to test" in split.message
    assert split.hint == (
        "With these 12 rows `test: 2` leaves 10 to train on; what is asked for needs 14 rows."
    )
    (repeated,) = data.examine(make({"a.jsonl": chats([1, 2] * 10)})).errors
    assert "18 more repeat" in repeated.message
    result = data.examine(make({"a.jsonl": chats(range(10))}))
    assert not result.errors
    assert [warning.code for warning in result.warnings] == ["few_examples"]


def test_warnings_have_the_place_of_the_first(make: Any, chats: Any, tmp_path: Path) -> None:
    """Repeated rows, leaks and examples over the limit are counted, and the first of each is located."""
    long = chats([1]).replace("質問1", "word " * 9000 + "end")
    experiment = make(
        {"a.jsonl": chats(range(60)) + chats([5, 6]) + long, "t.jsonl": chats([99, 7])}, paths=["a.jsonl"]
    )
    own = (Source(path="t.jsonl", base=tmp_path, key=("data", "split", "test", 0)),)
    experiment = replace(experiment, data=replace(experiment.data, split=Split(test=own)))
    result = data.examine(experiment)
    where = {warning.code: (Path(str(warning.file)).name, warning.line) for warning in result.warnings}
    assert where.pop("language_mix") == ("a.jsonl", 63)  # the long question is in English
    assert where == {"duplicates": ("a.jsonl", 61), "over_limit": ("a.jsonl", 63), "leak": ("t.jsonl", 2)}
    assert "2 rows" in next(one.message for one in result.warnings if one.code == "duplicates")
    train = result.files["train"]
    assert train is not None
    assert train.over_limit == 1
    assert train.billed_tokens < train.tokens["sum"]


def test_what_was_counted_is_counted_anew_when_it_no_longer_holds(
    make: Any, chats: Any, tmp_path: Path
) -> None:
    """Without tally.json, or with another model, the prepared files give the same numbers."""
    long = chats([1]).replace("質問1", "word " * 9000 + "end")
    files = {"a.jsonl": "\n" + chats(range(60)) + long, "b.jsonl": chats([*range(60, 70), 3])}
    experiment = make(files, split=Split(validation=0.1, test=5), dedupe="off")
    folder = tmp_path / "out"
    data.prepare(experiment, folder)
    first = data.check(experiment, folder)
    (folder / "tally.json").unlink()
    assert data.check(experiment, folder).as_dict() == first.as_dict()
    (folder / "tally.json").write_text('{"holds for": 1}', "utf-8")
    assert data.check(experiment, folder).as_dict() == first.as_dict()
    over = next(warning for warning in first.warnings if warning.code == "over_limit")
    assert (Path(str(over.file)).name, over.line) == ("a.jsonl", 62)
    old = data.check(replace(experiment, target=replace(MINI, model="gpt-4-0613")), folder)
    more, fewer = old.files["train"], first.files["train"]
    assert more is not None and fewer is not None and more.tokens["sum"] > fewer.tokens["sum"]
    (folder / "sources.jsonl").unlink()
    found = data.check(experiment, folder)
    assert found.files == first.files
    over = next(warning for warning in found.warnings if warning.code == "over_limit")
    assert Path(str(over.file)).name == "train.jsonl"


@pytest.mark.parametrize("line", ["{}", '{"messages": 3}', '{"messages": [{}]}', "[]", '{"messages"'])
def test_a_damaged_prepared_file_is_named(make: Any, chats: Any, tmp_path: Path, line: str) -> None:
    """A line that is no example any more is an error with its place, not a smaller number."""
    experiment = make({"a.jsonl": chats(range(60))})
    data.prepare(experiment, tmp_path / "out")
    lines = (tmp_path / "out/train.jsonl").read_text("utf-8").splitlines()
    lines[6] = line
    (tmp_path / "out/train.jsonl").write_text("\n".join(lines), "utf-8")
    with pytest.raises(DataError) as caught:
        data.check(experiment, tmp_path / "out")
    assert (caught.value.code, caught.value.problem.line) == ("damaged_file", 7)


def test_good_rows_are_counted_beside_errors(make: Any, columns: Any) -> None:
    """A result with errors still has the numbers of the rows that are good."""
    rows = "".join(f"question {n},answer {n}\n" for n in range(20))
    result = data.examine(make({"a.csv": "q,a\n" + rows + " , \n"}, prompt=columns))
    assert [(error.code, error.line) for error in result.errors] == [("empty_content", 22)] * 2
    assert result.files["train"] is not None
    assert result.files["train"].examples == 20


def test_hopeless_files_are_counted_not_listed(make: Any) -> None:
    """More than a thousand problems are summed up."""
    result = data.examine(make({"a.jsonl": "nonsense\n" * 1500}))
    assert len(result.errors) == 1001
    assert "500 more" in result.errors[-1].message


def test_published_counts_of_chats_and_functions() -> None:
    """By the published rules: 3 a message, 1 a name, 3 an example; functions by the cookbook's recipe."""
    count = text_counter("cl100k_base")
    chat = [{"role": "user", "name": "neko", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    assert count(["user", "neko", "hi", "assistant", "hello"]) == [1, 2, 1, 1, 1]
    (tokens,) = count_examples([{"messages": chat}], count, "gpt-3.5-turbo")
    assert tokens == (6 + 3 * 2 + 1 + 3, 1, 0)
    unit = {"type": "string", "description": "Unit.", "enum": ["c", "f"]}
    parameters = {"type": "object", "properties": {"unit": unit}, "required": ["unit"]}
    function = {"name": "weather", "description": "Weather now.", "parameters": parameters}
    tools = [{"type": "function", "function": function}]
    row = {"messages": chat, "tools": tools}
    words = sum(count(["weather:Weather now", "c", "f", "unit:string:Unit"]))
    for family, each, exact in (("gpt-3.5-turbo", 10, True), ("gpt-4o", 7, True), ("gpt-4.1", 7, False)):
        (more,) = count_examples([row], count, family)
        assert more.total - tokens.total == each + 3 + 3 - 3 + 3 * 2 + words + 12
        assert (more.flags == 0) is exact
    function["parameters"] = {"type": "object", "properties": {"place": {"type": "object"}}}
    assert count_examples([row], count, "gpt-4o")[0].flags == TOOLS


def test_every_code_is_documented() -> None:
    """docs/checks.md explains each code once, with an example and the fix that ftrun prints."""
    text = (ROOT / "docs/checks.md").read_text("utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(CODES)
    for code, section in sections.items():
        assert section.strip().startswith(CODES[code].severity.capitalize() + ".")
        assert "- Example: " in section
        assert f"- Fix: {CODES[code].fix}" in section


def test_importing_the_data_is_cheap() -> None:
    """`import ftrun.data` loads neither a tokenizer nor jinja2 nor rich."""
    code = "import sys, ftrun.data; print({'toktok', 'tiktoken', 'jinja2', 'rich', 'csv'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
