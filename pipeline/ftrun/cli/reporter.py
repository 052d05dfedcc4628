"""Print the progress of a run to stderr: a line per event, and a live line on a terminal."""

from __future__ import annotations

import sys
import time
from typing import Any

from ftrun.cost.amounts import cost_words
from ftrun.language import localized
from ftrun.text import display_width, visible
from ftrun.waiting import report_waits_to

MARKS = {"run": "▶", "adopt": "⇄", "wait": "…", "skip": "✓"}
PLAIN_INTERVAL = 10.0  # seconds between progress lines if stderr is not a terminal


class Reporter:
    """Prints events; only warnings and waits if `quiet`."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = sys.stderr.isatty() and not quiet
        self._width = 0
        self._last_plain = 0.0
        self._step: dict[str, Any] = {}
        self._status = ""
        report_waits_to(lambda text: self("slow", text=text))

    def __call__(self, kind: str, **data: Any) -> None:
        """Print one event."""
        show = getattr(self, f"_on_{kind}", None)
        if show is not None and (not self.quiet or kind in ("warning", "slow")):
            show(**data)

    def line(self, text: str) -> None:
        """Print a line, after removing the live line."""
        self._clear()
        print(visible(text), file=sys.stderr, flush=True)

    def end(self) -> None:
        """Remove the live line."""
        self._clear()

    def _clear(self) -> None:
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            self._width = 0

    def _progress(self, text: str) -> None:
        """Show what changes constantly: in a live line on a terminal, else every few seconds."""
        if self.live:
            text = localized(visible(text))
            self._clear()
            sys.stderr.write(text)
            sys.stderr.flush()
            self._width = display_width(text)
        elif time.monotonic() - self._last_plain > PLAIN_INTERVAL:
            self._last_plain = time.monotonic()
            print(visible(text), file=sys.stderr, flush=True)

    def _on_started(self, *, stage: str, action: str, reasons: tuple[str, ...]) -> None:
        self.line(f"{MARKS[action]} {stage:<9} {'; '.join(reasons)}")

    def _on_skipped(self, *, stage: str, reasons: tuple[str, ...]) -> None:
        self.line(f"{MARKS['skip']} {stage:<9} {'; '.join(reasons)}")

    def _on_finished(self, *, stage: str, seconds: float) -> None:
        self._clear()
        if seconds >= 1:
            done = f"done in {clock(seconds)}"
            self.line(f"  {stage:<9} {done}")

    def _on_note(self, *, text: str) -> None:
        self.line(f"  {text}")

    def _on_slow(self, *, text: str) -> None:
        """Show a wait; on a terminal, until something else is shown."""
        if self.live:
            self._progress(f"  {text}")
        else:
            self.line(f"  {text}")

    def _on_warning(
        self, *, message: str, file: str | None = None, line: int | None = None, **_: Any
    ) -> None:
        place = f"{file}:{line}: " if file and line else f"{file}: " if file else ""
        self.line(f"  warning: {place}{message}")

    def _on_job(self, *, job_id: str, level: str, text: str) -> None:
        self.line(f"  {text}" if level == "info" else f"  {level}: {text}")

    def _on_uploaded(self, *, name: str, bytes: int, of: int) -> None:
        self._progress(f"  {name}: {bytes:,} of {of:,} bytes")

    def _on_plan(self, *, plan: Any) -> None:
        estimate = plan.estimate
        if estimate and plan.paid:
            tokens = f"{estimate['billable_tokens']:,} tokens to train on"
            self.line(f"  estimate: {tokens}, {cost_words(estimate)}")

    def _on_step(self, **data: Any) -> None:
        self._step = data
        self._progress(step_line(data))

    def _on_waiting(self, *, job_id: str, status: str, estimated_finish: int | None) -> None:
        if status == "running" and self._step:
            return
        left = f", about {clock(estimated_finish - time.time())} left" if estimated_finish else ""
        if self.live:
            self._progress(f"  job {job_id} is {status}{left}")
        elif status != self._status:  # waiting.py says now and then that it is still waiting
            self.line(f"  job {job_id} is {status}{left}")
        self._status = status

    def _on_imported(self, *, done: int, of: int, seconds: float) -> None:
        self._progress(f"  {done:,} of {of:,} jobs imported, {clock(seconds)}")

    def _on_answer(self, *, number: int, of: int, candidate: str, prompt_id: str) -> None:
        name = prompt_id
        self._progress(f"  answer {number} of {of}: {candidate} · {name}")


def step_line(data: dict[str, Any]) -> str:
    """Return a line such as `step 12/108 · loss 2.31 · 95 tokens/s · about 2:40 left`."""
    parts = [f"step {data['step']}" + (f"/{data['total_steps']}" if data.get("total_steps") else "")]
    for name, label in (("train_loss", "loss"), ("valid_loss", "validation loss")):
        if data.get(name) is not None:
            parts.append(f"{label} {data[name]:.3f}")
    if data.get("tokens_per_second"):
        parts.append(f"{data['tokens_per_second']:.0f} tokens/s")
    if data.get("seconds_left") is not None:
        n = max(0, round(data["seconds_left"]))
        parts.append(f"about {n} s left" if n < 60 else f"about {clock(n)} left")
    return "  " + " · ".join(parts)


def clock(seconds: float) -> str:
    """Return a duration as 42 s, 3:07 or 1:02:03."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    hours, minutes = divmod(whole // 60, 60)
    rest = f"{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
    return f"{hours}:{rest}" if hours else rest
