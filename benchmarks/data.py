"""Checking and preparing data, against the way of OpenAI's published data-preparation notebook, side by side.

Usage: python benchmarks/data.py [MEGABYTES] [chat|csv ...]. It makes its files itself: seeded chats in
Japanese and English under one system prompt, as chat rows and as a CSV that templates turn into such chats.

The yardstick is written anew after the notebook's description: it loads all lines with `json`, looks each
example over, counts with `tiktoken` as published and takes distributions with `numpy`, in one process.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MEGA = 1_000_000
SYSTEM = (
    "あなたは、相手の話の前提を確かめてから答える話し手です。根拠のない話には根拠を尋ね、答えは二、三文にまとめ、"
    "分からないことは分からないと言います。数字や固有名詞は、質問にあるものだけを使います。"
    "Answer in the language of the question, never invent facts, and keep a calm and friendly tone."
)
JAPANESE = """
人間 生活 政府 説明 方法 理由 質問 会社 仕事 学校 先生 子供 音楽 映画 料理 旅行 天気
健康 病院 お金 経済 社会 技術 計算 プログラム データ パソコン スマホ アプリ インターネット
それは つまり 例えば しかし だから なので とても 少し かなり 必ず たぶん おそらく 考える
思う 使う 作る 食べる 歩く 走る 話す 聞く 読む 書く 見る 買う 売る です ます でした
ました ません でしょう ですね ですか のです は が を に で と から まで より も の や
、 。 、 。 一 二 三 十 百 千 円 年 月 日 時 分
"""
ENGLISH = """
the of and to in is you that it he was for on are as with his they at be this have from or one had by word
but not what all were we when your can said there use an each which she do how their if will up other
about out many then them these so some her would make like him into time has look two more write go see
number no way could people my than first water been call who oil its now find long down day did get come
made may part answer study learn should country question because however probably different reason
computer music weather
"""
LIMIT = 65_536


def sentence(chance: random.Random, words: list[str], between: str, shortest: int, longest: int) -> str:
    """Return words in a row, with a number now and then."""
    chosen = chance.choices(words, k=chance.randint(shortest, longest))
    if chance.random() < 0.1:
        chosen.insert(len(chosen) // 2, str(chance.randint(1, 9999)))
    return between.join(chosen)


def chats(chance: random.Random) -> Iterator[list[dict[str, str]]]:
    """Yield chats of one to three turns without end, three of five in Japanese."""
    japanese, english = JAPANESE.split(), ENGLISH.split()
    while True:
        words, between = (japanese, "") if chance.random() < 0.6 else (english, " ")
        messages = [{"role": "system", "content": SYSTEM}]
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            messages.append({"role": "user", "content": sentence(chance, words, between, 8, 60)})
            messages.append({"role": "assistant", "content": sentence(chance, words, between, 20, 160)})
        yield messages


def make_chat(path: Path, size: int) -> None:
    """Write chat rows of `size` bytes in all."""
    written = 0
    with path.open("wb") as file:
        for messages in chats(random.Random(1)):
            line = json.dumps({"messages": messages}, ensure_ascii=False).encode() + b"\n"
            file.write(line)
            written += len(line)
            if written >= size:
                return


def make_csv(path: Path, size: int) -> None:
    """Write a table of questions and answers of `size` bytes in all; some values need quotes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("question", "answer"))
        for number, messages in enumerate(chats(random.Random(1))):
            question, answer = messages[1]["content"], messages[2]["content"]
            writer.writerow((question, f'"{answer}", he said.\n{question}' if number % 5 == 0 else answer))
            if number % 100 == 0 and file.tell() >= size:
                return


EXPERIMENTS = {
    "chat": "version: 1\nname: bench\ntargets: {t: {provider: openai, model: gpt-4.1-mini}}\ntarget: t\n"
    "data: {sources: [{path: rows.jsonl}], split: {validation: 0.1, test: 0.1}}\n",
    "csv": "version: 1\nname: bench\ntargets: {t: {provider: openai, model: gpt-4.1-mini}}\ntarget: t\n"
    "data: {sources: [{path: rows.csv}], split: {validation: 0.1, test: 0.1}}\n"
    f'prompt: {{system: {json.dumps(SYSTEM, ensure_ascii=False)}, user: "{{{{ question }}}}", '
    'assistant: "{{ answer }}"}\n',
}
MAKERS = {"chat": (make_chat, "rows.jsonl"), "csv": (make_csv, "rows.csv")}


class Watch(threading.Thread):
    """Samples the resident memory of a process and of those that it starts, from /proc."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.most_of_one, self.most_of_all = pid, 0.0, 0.0
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self._over.wait(0.05):
            sizes = [_resident(pid) for pid in (self.pid, *_children(self.pid))]
            self.most_of_one = max(self.most_of_one, *sizes)
            self.most_of_all = max(self.most_of_all, sum(sizes))

    def stop(self) -> None:
        """End the sampling."""
        self._over.set()
        self.join()


def _resident(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS:")), 0.0)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def measured(command: list[str], folder: Path) -> tuple[float, Watch, str]:
    """Return wall seconds, memory and output of a command."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "pipeline")}
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    watch = Watch(process.pid)
    watch.start()
    output, _ = process.communicate()
    took = time.perf_counter() - start
    watch.stop()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return took, watch, output


def notebook(path: Path) -> None:
    """Look a chat file over as the notebook describes it, and print its sums; a table becomes chats first."""
    import numpy as np

    count = reference_encoding().encode
    with path.open(encoding="utf-8", newline="") as file:
        dataset = [json.loads(line) for line in file] if path.suffix == ".jsonl" else _chats_of(file)
    errors: Counter[str] = Counter()
    for example in dataset:
        errors.update(_format_errors(example))
    numbers = defaultdict(list)
    for example in dataset:
        messages = example["messages"]
        numbers["no system"].append(not any(one["role"] == "system" for one in messages))
        numbers["no user"].append(not any(one["role"] == "user" for one in messages))
        numbers["messages"].append(len(messages))
        numbers["tokens"].append(3 + sum(_tokens(message, count) for message in messages))
        answers = (one["content"] for one in messages if one["role"] == "assistant")
        numbers["assistant"].append(sum(len(count(answer)) for answer in answers))
    for name in ("messages", "tokens", "assistant"):
        values = numbers[name]
        shown = [np.min(values), np.max(values), np.mean(values), np.median(values), np.quantile(values, 0.1)]
        print(name, int(np.sum(values)), *map(float, shown), float(np.quantile(values, 0.9)))
    print("billed", sum(min(LIMIT, tokens) for tokens in numbers["tokens"]), dict(errors))


def _chats_of(table: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": row["question"]},
                {"role": "assistant", "content": row["answer"]},
            ]
        }
        for row in csv.DictReader(table)
    ]


def _tokens(message: dict[str, Any], count: Any) -> int:
    return 3 + sum(len(count(value)) + (key == "name") for key, value in message.items())


def _format_errors(example: Any) -> Iterator[str]:
    if not isinstance(example, dict):
        yield "data_type"
        return
    messages = example.get("messages")
    if not messages:
        yield "missing_messages_list"
        return
    for message in messages:
        if "role" not in message or "content" not in message:
            yield "message_missing_key"
        if any(key not in ("role", "content", "name", "function_call", "weight") for key in message):
            yield "message_unrecognized_key"
        if message.get("role") not in ("system", "user", "assistant", "function"):
            yield "unrecognized_role"
        content = message.get("content")
        if (not content and not message.get("function_call")) or not isinstance(content, str):
            yield "missing_content"
    if not any(message.get("role") == "assistant" for message in messages):
        yield "example_missing_assistant_message"


def reference_encoding() -> Any:
    """Return tiktoken's o200k_base, made from the vocabulary inside toktok: nothing is downloaded."""
    import tiktoken
    import tiktoken_ext.openai_public as public
    import toktok

    vocabulary = toktok._encoding("o200k_base")  # the one way to its tokens
    ordinary = range(min(rank for _, rank in vocabulary.special_tokens()) - 1)
    ranks = {vocabulary.decode_single_token_bytes(rank): rank for rank in ordinary}
    public.load_tiktoken_bpe = lambda *_, **__: ranks
    return tiktoken.Encoding(**public.o200k_base())


def main() -> None:
    """Measure both sides in turn on the same data and print throughput, memory and phases."""
    words = sys.argv[1:]
    if words[:1] == ["notebook"]:
        notebook(Path(words[1]))
        return
    size = int(words[0]) * MEGA if words else 500 * MEGA
    for kind in words[1:] or ["chat", "csv"]:
        with tempfile.TemporaryDirectory(prefix="ftrun-bench-") as folder:
            compare(kind, size, Path(folder))


def compare(kind: str, size: int, folder: Path) -> None:
    """Print one comparison."""
    make, name = MAKERS[kind]
    make(folder / name, size)
    (folder / "bench.yaml").write_text(EXPERIMENTS[kind], "utf-8")
    size = (folder / name).stat().st_size
    ftrun = [sys.executable, "-m", "ftrun"]
    print(f"{kind}: {size / MEGA:.0f} MB, {len(os.sched_getaffinity(0))} cores")
    took, memory, _ = measured([*ftrun, "check", "bench.yaml", "--json"], folder)
    ours = _line("ftrun check", size, took, memory)
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); import data; data.phases()"
    took, memory, output = measured([sys.executable, "-c", code], folder)
    both = _line("prepare and check of ftrun run", size, took, memory)
    took, memory, sums = measured([sys.executable, __file__, "notebook", str(folder / name)], folder)
    theirs = _line("the notebook's way", size, took, memory)
    print(f"  ratio: check {ours / theirs:.1f}, prepare and check {both / theirs:.1f} (goal 10)")
    print(output, end="")
    print("  sums of the yardstick:", *(f"    {line}" for line in sums.splitlines()), sep="\n")


def _line(what: str, size: int, took: float, memory: Watch) -> float:
    speed = size / MEGA / took
    print(
        f"  {what:32}{took:7.1f} s {speed:7.2f} MB/s; resident {memory.most_of_one:.0f} MB at most, "
        f"{memory.most_of_all:.0f} MB with all processes"
    )
    return speed


def phases() -> None:
    """Prepare and check ./bench.yaml and print where the processor time went."""
    from ftrun import data
    from ftrun.data import gather
    from ftrun.experiment import build_experiment, read_document

    experiment = build_experiment(read_document(Path("bench.yaml"), ()), None)
    seconds: dict[str, float] = {}
    take = gather._take

    def noted(gathered: Any, *rest: Any) -> None:
        take(gathered, *rest)
        seconds.update(gathered.seconds)

    gather._take = noted
    start = time.process_time()
    data.prepare_inputs(experiment)
    seconds["main: hash the sources"] = time.process_time() - start
    start = time.process_time()
    prepared = data.prepare(experiment, Path("out"))
    seconds["main: hand out, collect, divide, write"] = time.process_time() - start
    start = time.process_time()
    result = data.check(experiment, prepared)
    seconds["main: check"] = time.process_time() - start
    print("  processor seconds by phase:")
    for phase, took in sorted(seconds.items(), key=lambda one: -one[1]):
        print(f"    {phase:40}{took:7.2f}")
    print(f"    tokens of train: {result.files['train'].tokens['sum']}")


if __name__ == "__main__":
    main()
