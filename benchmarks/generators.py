"""The other sides of benchmarks/answering.py: plain Transformers, and llama.cpp through llama-cpp-python.

`python generators.py KIND MODEL FORMAT` loads a model and reads JSON lines {"rows", "new"} from stdin:
prompts as token ids, and how many tokens to add to each, greedily and without an early end. It prints the
seconds of each. It imports nothing of ftrun: llama-cpp-python may be in another environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

Rows = Sequence[Sequence[int]]
PORTION = 2048  # tokens in one call of llama.cpp, at most
SEQUENCES, CONTEXT = 32, 640  # at once, and tokens of each


class Generator(Protocol):
    """A loaded model."""

    def generate(self, rows: Rows, new: int) -> None:
        """Add `new` tokens to each row, all rows at once."""
        ...


class Transformers:
    """`generate` of Transformers, rows padded on the left."""

    def __init__(self, folder: str, dtype: str) -> None:
        """Load the model in `folder` in the number format `dtype`."""
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()
        self._model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()

    def generate(self, rows: Rows, new: int) -> None:
        """Add `new` tokens to each row, all rows at once."""
        import torch

        width = max(map(len, rows))
        padded = [[0] * (width - len(row)) + list(row) for row in rows]
        shown = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        with torch.inference_mode():
            self._model.generate(
                input_ids=torch.tensor(padded),
                attention_mask=torch.tensor(shown),
                do_sample=False,
                max_new_tokens=new,
                min_new_tokens=new,
                pad_token_id=0,
            )


class LlamaCpp:
    """llama.cpp itself, many sequences in a batch: the server of llama-cpp-python answers one at a time."""

    def __init__(self, path: str, file_type: str) -> None:
        """Load the GGUF file at `path`: as it is, or converted to `file_type` (float16) first."""
        import llama_cpp as api  # type: ignore[import-not-found,unused-ignore]

        self._api = api
        self._quiet = api.llama_log_callback(lambda level, text, data: None)
        api.llama_log_set(self._quiet, None)
        api.llama_backend_init()
        if file_type == "float16":
            path = self._in_float16(path)
        model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
        how = api.llama_context_default_params()
        how.n_ctx, how.n_seq_max = SEQUENCES * CONTEXT, SEQUENCES
        how.n_batch = how.n_ubatch = PORTION
        how.n_threads = how.n_threads_batch = len(os.sched_getaffinity(0))
        self._context = api.llama_init_from_model(model, how)
        self._vocabulary = api.llama_vocab_n_tokens(api.llama_model_get_vocab(model))
        self._batch = api.llama_batch_init(PORTION, 0, 1)

    def generate(self, rows: Rows, new: int) -> None:
        """Add `new` tokens to each row, all rows at once."""
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)
        follow = self._decode(
            [(n, at, token) for n, row in enumerate(rows) for at, token in enumerate(row)], rows
        )
        for step in range(new - 1):
            follow = self._decode([(n, len(rows[n]) + step, token) for n, token in follow.items()], None)

    def _decode(self, tokens: list[tuple[int, int, int]], prompts: Rows | None) -> dict[int, int]:
        """Run (sequence, position, token) through the model; return the next token of each sequence."""
        follow: dict[int, int] = {}
        for start in range(0, len(tokens), PORTION):
            portion = tokens[start : start + PORTION]
            for index, (sequence, position, token) in enumerate(portion):
                self._batch.token[index], self._batch.pos[index] = token, position
                self._batch.n_seq_id[index], self._batch.seq_id[index][0] = 1, sequence
                last = prompts is None or position == len(prompts[sequence]) - 1
                self._batch.logits[index] = last
            self._batch.n_tokens = len(portion)
            if self._api.llama_decode(self._context, self._batch) != 0:
                raise SystemExit("llama.cpp could not decode")
            for index, (sequence, _, _) in enumerate(portion):
                if self._batch.logits[index]:
                    follow[sequence] = self._best(index)
        return follow

    def _best(self, index: int) -> int:
        import numpy as np

        scores = self._api.llama_get_logits_ith(self._context, index)
        return int(np.ctypeslib.as_array(scores, shape=(self._vocabulary,)).argmax())

    def _in_float16(self, path: str) -> str:
        """Convert a GGUF file; the weights keep the values that they have in ours."""
        how = self._api.llama_model_quantize_default_params()
        how.ftype, how.allow_requantize = self._api.LLAMA_FTYPE_MOSTLY_F16, True
        made = f"{path}.float16"
        if self._api.llama_model_quantize(path.encode(), made.encode(), how) != 0:
            raise SystemExit("llama.cpp could not convert the model")
        return made


KINDS: dict[str, Any] = {"transformers": Transformers, "llama.cpp": LlamaCpp}


def main(kind: str, model: str, number_format: str) -> None:
    """Serve stdin: one line of prompts, one line with the seconds."""
    generator: Generator = KINDS[kind](model, number_format)
    generator.generate([[1, 2, 3]], 2)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.perf_counter()
        generator.generate(asked["rows"], asked["new"])
        print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
