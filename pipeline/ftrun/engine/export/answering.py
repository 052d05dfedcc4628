"""The process that asks an exported model: `python -m ftrun.engine.export.answering RUNTIME TASK ANSWERS`.

TASK and ANSWERS are JSON files. It is a process of its own because llama.cpp ends the process that it is in
when it meets a file that it can't run, and so that what a model took is free before the next one is loaded.
All of them compute in float32, greedily.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from ftrun.engine.backends import Rejected, backend_for
from ftrun.engine.export.formats import GGUF_FILE
from ftrun.engine.questions import Question, Sampling
from ftrun.engine.torch_backend import share_cores
from ftrun.files import write_json

Task = Mapping[str, Any]
ANSWERED = "question_answered"  # a line of the log


@dataclass(slots=True, kw_only=True)
class Answers:
    """Who answered, the answers by the ids of the questions, and why others were not answered.

    `longest` is the number of tokens of the longest prompt with its answer, if it was counted.
    """

    runtime: str
    answers: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    longest: int = 0


def ask_engine(task: Task) -> Answers:
    """Ask the engine's own model with the adapter, many questions at a time."""
    os.environ["FTRUN_DTYPE"] = "float32"
    chat = backend_for(task["base"]).open_chat(task["base"])
    found, most = Answers(runtime="ftrun"), {one["id"]: one["max_tokens"] for one in task["questions"]}
    for one in task["questions"]:
        sampling = Sampling(temperature=0, max_tokens=one["max_tokens"])
        question = Question(
            id=one["id"], messages=one["messages"], adapter=Path(task["adapter"]), sampling=sampling
        )
        try:
            chat.submit(question)
        except Rejected as error:
            found.refused[one["id"]] = str(error)
        else:
            found.answers[one["id"]] = ""
    while chat.busy:
        for progress in chat.step():
            found.answers[progress.id] += progress.piece
            if progress.error is not None:
                raise progress.error
            if progress.usage is not None:
                _report()
                tokens = progress.usage.prompt_tokens + most[progress.id]
                found.longest = max(found.longest, tokens)
    return found


def ask_peft(task: Task) -> Answers:
    """Ask PEFT, which loads the base model that the adapter names."""
    import torch
    from peft import PeftConfig, PeftModel
    from transformers import AutoModelForCausalLM

    folder = task["folder"]
    config = PeftConfig.from_pretrained(folder)
    base = AutoModelForCausalLM.from_pretrained(
        config.base_model_name_or_path, revision=config.revision or "main", dtype=torch.float32, **_cached()
    )
    return _generate(PeftModel.from_pretrained(base, folder), task, "peft")


def ask_transformers(task: Task) -> Answers:
    """Ask Transformers, which loads the merged model."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(task["folder"], dtype=torch.float32, local_files_only=True)
    return _generate(model, task, "transformers")


def ask_llama(task: Task) -> Answers:
    """Ask llama.cpp's server, with its own tokenizer and its own rendering of the chat template."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(Path(task["folder"], GGUF_FILE))
    settings.n_ctx, settings.n_parallel = task["longest"] + 64, 1
    settings.force_pure_content_parser = True  # a model's reasoning is a part of what the engine answers
    # it also listens on a port of loopback, which nobody needs here
    settings.api_keys, settings.ui, settings.verbosity = [secrets.token_hex()], False, -1
    server = xllamacpp.Server(settings)
    found = Answers(runtime=_version("xllamacpp"))
    for one in task["questions"]:
        request = {"messages": one["messages"], "temperature": 0, "max_tokens": one["max_tokens"]}
        said = server.handle_chat_completions(request)
        found.answers[one["id"]] = said["choices"][0]["message"]["content"]
        _report()
    return found


def _generate(model: Any, task: Task, package: str) -> Answers:
    """Ask a model of Transformers one question after the other, as the model card shows it."""
    import torch
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(task["folder"], local_files_only=True)
    config = GenerationConfig.from_pretrained(task["folder"])
    model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    found = Answers(runtime=_version(package))
    for one in task["questions"]:
        inputs = tokenizer.apply_chat_template(
            one["messages"], add_generation_prompt=True, return_dict=True, return_tensors="pt"
        ).to(model.device)
        config.max_new_tokens = one["max_tokens"]
        with torch.inference_mode():
            ids = model.generate(**inputs, generation_config=config)
        new = ids[0, inputs["input_ids"].shape[1] :]
        found.answers[one["id"]] = tokenizer.decode(new, skip_special_tokens=True)
        _report()
    return found


def _report() -> None:
    """Say in the log that a question is answered: who waits counts the lines."""
    print(ANSWERED, flush=True)


def _cached() -> dict[str, Any]:
    """Return how a base model is found that the engine downloaded from the hub."""
    from ftrun.engine.places import cache_home

    return {"cache_dir": cache_home() / "hub", "local_files_only": True}


def _version(package: str) -> str:
    return f"{package} {metadata.version(package)}"


RUNTIMES: Mapping[str, Callable[[Task], Answers]] = {
    "engine": ask_engine,
    "adapter": ask_peft,
    "safetensors": ask_transformers,
    "gguf": ask_llama,
}


def main(runtime: str, task: str, answers: str) -> int:
    """Ask all questions of the file `task` and write the file `answers`; 1 if the model can't be loaded."""
    share_cores()
    try:
        found = RUNTIMES[runtime](json.loads(Path(task).read_text(encoding="utf-8")))
    except Exception as error:  # of any library: the user gets its words
        write_json(Path(answers), {"error": f"{type(error).__name__}: {error}"})
        return 1
    document = {"runtime": found.runtime, "answers": found.answers, "refused": found.refused}
    write_json(Path(answers), {**document, "longest": found.longest})
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
