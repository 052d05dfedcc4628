"""The generation loop: answers to different questions are computed together, one token of each at a time.

Between two steps questions join, and answers that have ended or were cancelled leave. What joins is read
first, in portions, so that a long prompt doesn't hold up the others.
"""

from __future__ import annotations

import itertools
import queue
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ftrun.engine.backends import AT_ONCE, Rejected, TooLittleMemory
from ftrun.engine.inference import memory
from ftrun.engine.inference.answers import Answer, Encoding
from ftrun.engine.inference.embedding import Embedding, embed
from ftrun.engine.inference.prefixes import Prefixes
from ftrun.engine.inference.reading import Reading, bytes_per_token, is_short, next_reading
from ftrun.engine.inference.rows import Rows
from ftrun.engine.inference.sampling import choose
from ftrun.engine.inference.token_scores import log_probabilities
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.lora import Adapter, for_rows, load_adapter
from ftrun.engine.questions import Progress, Question

MOST_ADAPTERS = 8  # kept in memory besides those in use; reading one takes a fraction of a second


class TorchChat:
    """A loaded base model that answers with any of its adapters; see `ftrun.engine.backends.ChatModel`."""

    def __init__(self, model: LoadedModel) -> None:
        """Answer with `model`."""
        self._size = bytes_per_token(model)
        self.at_once = 1 if self._size is None else AT_ONCE
        self.dtype = str(model.dtype).removeprefix("torch.")
        self._model, self._limit = model, memory.for_answers(model.device)
        self._encoding = Encoding(model)
        self._adapters: dict[Path, Adapter] = {}
        self._answers: dict[str, Answer] = {}  # all that have not ended
        self._submitted: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._waiting: deque[Answer] = deque()
        self._readings: list[Reading] = []  # at most two: a long prompt, and short ones in between
        self._in_between = False
        self._rows = Rows(model)
        self._prefixes = Prefixes(memory.for_prefixes(model.device))
        self._most = self.at_once  # fewer after memory ran out, then one more with each answer that ends
        self._progress: list[Progress] = []

    def submit(self, question: Question) -> None:
        """Encode a question and put it into the queue; from one thread. Raises Rejected."""
        answer = Answer(question, self._encoding, self._adapter(question.adapter))
        if not self._fit([answer]):
            raise Rejected(
                f"The messages and max_tokens add up to {answer.most} tokens: too many for the "
                f"{self._limit >> 20} MB of memory available for answers. Lower max_tokens, shorten the "
                "messages, or use a smaller model or a machine with more memory.",
                code="not_enough_memory",
                param="max_tokens",
            )
        self._answers[answer.id] = answer
        self._submitted.put(answer)

    def embed(self, texts: Sequence[str | Sequence[int]], adapter: Path | None) -> Iterator[Embedding]:
        """Encode texts, from the thread of `submit`; return what computes their embeddings, from that of
        `step`. Raises Rejected, and TooLittleMemory while it computes.
        """
        self._encoding.check_size(
            max((len(one) for one in texts if isinstance(one, str)), default=0), param="input"
        )
        encoded = [self._encoding.raw.ids(text, special=False, param="input") for text in texts]
        longest = max(map(len, encoded), default=0)
        if longest > self._model.context:
            raise Rejected(
                f"This model's context is {self._model.context} tokens; an input has {longest}.",
                code="context_length_exceeded",
                param="input",
            )
        return self._embeddings(encoded, self._adapter(adapter))

    def _embeddings(self, texts: Sequence[Sequence[int]], weights: Adapter | None) -> Iterator[Embedding]:
        try:
            yield from embed(self._model, texts, weights)
        except Exception as error:
            if not memory.is_out_of_memory(error):
                raise
            self._prefixes.clear()
            raise TooLittleMemory(
                "There is not enough memory for these inputs. Shorten them, close other programs, or use a "
                "smaller model or a machine with more memory."
            ) from error

    def cancel(self, question: str) -> None:
        """Give up an answer, from any thread; an id that is unknown or ended changes nothing."""
        if (answer := self._answers.get(question)) is not None:
            answer.cancelled = True

    @property
    def busy(self) -> bool:
        """Return whether a step has something to do."""
        return bool(self._answers)

    def step(self) -> list[Progress]:
        """Read a portion of the prompts that wait, then generate one token of each answer."""
        self._progress = []
        try:
            with torch.inference_mode():
                self._let_go()
                self._read()
                self._generate()
        except Exception as error:  # whatever it is, the process keeps running
            self._recover(error)
        return self._progress

    def _let_go(self) -> None:
        """Take in what was submitted, and let cancelled answers leave."""
        while not self._submitted.empty():
            self._waiting.append(self._submitted.get())
        for answer in [answer for answer in self._waiting if answer.cancelled]:
            self._waiting.remove(answer)
            self._tell(answer.give_up())
        for reading in [one for one in self._readings if one.rows.answers[0].cancelled]:
            # only a long prompt takes more than one step to read, and it is read alone
            self._tell(reading.rows.answers[0].give_up())
            self._readings.remove(reading)
        for row, answer in reversed([*enumerate(self._rows.answers)]):
            if answer.cancelled:
                self._tell(answer.give_up())
                self._leave(row)

    def _read(self) -> None:
        """Read a portion of the prompts that are next; when they are read, their answers join the others."""
        if not self._readings:
            self._start_reading(self._waiting)
        elif not self._in_between and not self._readings[0].shared:
            self._start_reading([answer for answer in self._waiting if is_short(answer)])
        if not self._readings:
            return
        self._in_between = len(self._readings) > 1
        read, first = self._readings[-1], len(self._rows.answers)
        if (scores := read.advance()) is None:
            return
        if read.shared:
            self._prefixes.keep(read.rows.prefix(0, read.shared))
        self._rows.join(read.rows)
        self._readings.remove(read)
        self._add(scores, first)

    def _computed(self) -> list[Answer]:
        return [*self._rows.answers, *(answer for one in self._readings for answer in one.rows.answers)]

    def _start_reading(self, waiting: Sequence[Answer]) -> None:
        """Start to read some of those that wait, if there is room for them."""
        others, chosen = self._computed(), list[Answer]()
        for answer in itertools.islice(waiting, max(0, self._most - len(others))):
            if not self._fit([*others, *chosen, answer]):
                break  # nobody overtakes: an answer that needs much would wait for ever
            if answer.adapter == waiting[0].adapter:
                chosen.append(answer)
        if not chosen:
            return
        reading = next_reading(self._model, chosen, self._prefixes if self._size else None)
        for answer in reading.rows.answers:
            self._waiting.remove(answer)
        self._readings.append(reading)

    def _generate(self) -> None:
        if self._rows.answers:
            self._add(self._rows.generate())

    def _add(self, scores: Tensor, first: int = 0) -> None:
        """Choose the next token of the answers from row `first` on; those that have ended leave."""
        answers = self._rows.answers[first:]
        logprobs = log_probabilities(scores, [answer.sampling for answer in answers])
        tokens = choose(scores, [answer.sampler for answer in answers])
        ended = []
        for place, (answer, token) in enumerate(zip(answers, tokens, strict=True)):
            if isinstance(token, Rejected):
                progress = Progress(id=answer.id, error=token)
            else:
                progress = answer.add(token, logprobs.get(place))
            ends = progress.usage is not None or progress.error is not None
            if ends or progress.as_part():
                self._tell(progress)
            if ends:
                ended.append(first + place)
        # after all have their token, which is drawn only once: memory may run out here; and from the last
        # row up, because the last one takes the place of one that leaves
        for row in reversed(ended):
            self._leave(row)

    def _leave(self, row: int) -> None:
        """Let an answer leave; what it was is kept, for the next turn of a chat."""
        if self._size is not None:
            self._prefixes.keep(self._rows.prefix(row))
        self._rows.leave(row)

    def _tell(self, progress: Progress) -> None:
        if progress.usage is not None or progress.error is not None:
            del self._answers[progress.id]
            self._most = min(self._most + 1, self.at_once)
        self._progress.append(progress)

    def _recover(self, error: Exception) -> None:
        """Begin again with half as many answers if memory ran out, else fail those that met the error."""
        computed = self._computed()
        failed = [answer for answer in computed if answer.id in self._answers]
        if not computed and self._waiting:  # it could not even be started
            failed = [self._waiting.popleft()]
        self._rows, self._readings = Rows(self._model), []
        if memory.is_out_of_memory(error):
            if len(failed) > 1 or self._prefixes:
                # they are read again, each with the tokens that it has: nothing is repeated
                self._waiting.extendleft(reversed(failed))
                self._most = max(1, len(failed) // 2)
                failed = []
            self._prefixes.clear()
            error = TooLittleMemory(
                "There is not enough memory for this answer. Lower max_tokens, shorten the messages, close "
                "other programs, or use a smaller model or a machine with more memory."
            )
        for answer in failed:
            self._tell(Progress(id=answer.id, error=error))

    def _fit(self, answers: Sequence[Answer]) -> bool:
        """Return whether the memory for answers is enough for these to the end."""
        return len(answers) * max(answer.most for answer in answers) * (self._size or 0) <= self._limit

    def _adapter(self, folder: Path | None) -> Adapter | None:
        """Return an adapter, from memory if it was used recently."""
        if folder is None:
            return None
        layers = self._model.layers
        adapter = self._adapters.pop(folder, None) or for_rows(layers, load_adapter(folder, layers))
        self._adapters[folder] = adapter  # the last entry is the most recently used
        if len(self._adapters) > MOST_ADAPTERS:
            self._adapters.pop(next(iter(self._adapters)))
        return adapter
