"""Measure matrix products of this processor in float32 and bfloat16: how fast, and whether they are right."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

MOST_ERROR = 2**-5  # of a typical product; rounding to bfloat16 errs by 2**-6 at the largest values
ROWS, WIDTH, WIDER = 128, 576, 1536  # the tokens of a short batch, and a layer of a small model
SECONDS, ROUNDS = 0.3, 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The speed of matrix products in each format, in GFLOP/s of one thread, and the largest error of
    bfloat16's, as a share of a typical value.
    """

    float32: float
    bfloat16: float
    error: float

    @property
    def ratio(self) -> float:
        """Return how many times as fast bfloat16 is."""
        return self.bfloat16 / self.float32

    @property
    def right(self) -> bool:
        """Return whether the products in bfloat16 are those of float32, within its precision."""
        return self.error <= MOST_ERROR


def measure_products(product: Callable[[Any, Any], Any] | None = None) -> Measurement:
    """Measure the products of a linear layer, forward and backward, in both formats in turn.

    One thread, and the best of several rounds: so other processes on the machine change it little.
    """
    import torch

    multiply = product or torch.matmul
    random = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS, WIDTH, generator=random).bfloat16()
    weight = (torch.randn(WIDER, WIDTH, generator=random) / math.sqrt(WIDTH)).bfloat16()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            exact = x.float() @ weight.float().t()
            return _measure(multiply, (x.float(), weight.float()), (x, weight), exact)
    finally:
        torch.set_num_threads(threads)


def _measure(multiply: Callable[[Any, Any], Any], full: Any, half: Any, exact: Any) -> Measurement:
    """Measure `multiply` with the same layer in float32 (`full`) and bfloat16 (`half`)."""

    def layer(operands: Any) -> Any:
        y = multiply(operands[0], operands[1].t())
        multiply(y, operands[1])
        return y

    work = 4 * ROWS * WIDTH * WIDER / 1e9
    best = {"float32": math.inf, "bfloat16": math.inf}
    error, end = 0.0, time.perf_counter() + SECONDS
    for _ in range(ROUNDS):
        seconds, _y = _timed(lambda: layer(full))
        best["float32"] = min(best["float32"], seconds)
        try:
            seconds, y = _timed(lambda: layer(half))
        except RuntimeError:  # an operation that PyTorch does not have for this format here
            return Measurement(float32=work / best["float32"], bfloat16=0.0, error=math.inf)
        best["bfloat16"] = min(best["bfloat16"], seconds)
        error = max(error, _error(y.float(), exact))
        if time.perf_counter() > end:
            break
    return Measurement(float32=work / best["float32"], bfloat16=work / best["bfloat16"], error=error)


def _timed(call: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = call()
    return max(time.perf_counter() - began, 1e-9), result


def _error(y: Any, exact: Any) -> float:
    """Return the largest difference as a share of a typical value; infinity if something is not a number."""
    error = float((y - exact).abs().max() / exact.square().mean().sqrt())
    return error if math.isfinite(error) else math.inf
