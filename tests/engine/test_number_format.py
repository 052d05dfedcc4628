"""ftrun.engine.models.number_format: what is chosen for which measurement, and what is kept of it."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import pytest

from ftrun.engine.models import number_format as number_formats
from ftrun.engine.models.matrix_products import Measurement
from ftrun.engine.models.number_format import (
    FILE,
    choose,
    format_setting,
    kept_measurement,
    measurement,
    number_format,
)
from ftrun.errors import UsageError
from support.engine_process import PATIENCE

FAST = Measurement(float32=100.0, bfloat16=700.0, error=0.015)
SLOW = Measurement(float32=100.0, bfloat16=20.0, error=0.015)
LITTLE_FASTER = Measurement(float32=100.0, bfloat16=120.0, error=0.015)
WRONG = Measurement(float32=100.0, bfloat16=700.0, error=0.5)
LACKING = Measurement(float32=100.0, bfloat16=0.0, error=math.inf)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty model cache."""
    monkeypatch.setenv("FTRUN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("found", "chosen", "said"),
    [
        (FAST, "bfloat16", "7.0 times as fast"),
        (SLOW, "float32", "only 0.2 times as fast"),
        (LITTLE_FASTER, "float32", "only 1.2 times as fast"),
        (WRONG, "float32", "are wrong"),
        (LACKING, "float32", "are wrong"),
    ],
)
def test_bfloat16_must_be_clearly_faster_and_right(found: Measurement, chosen: str, said: str) -> None:
    """A machine whose bfloat16 is slow, hardly faster, wrong or missing computes in float32, and says why."""
    assert choose(found) == chosen
    measurement(lambda: found)
    choice = number_format(cuda=False)
    assert choice.format == chosen and said in choice.reason


def test_a_machine_is_measured_once() -> None:
    """The first measurement is kept, whatever the next would find; one of infinite error, too."""
    assert kept_measurement() is None
    assert measurement(lambda: LACKING) == LACKING
    assert measurement(lambda: FAST) == LACKING == kept_measurement()


def test_two_that_find_nothing_measure_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a first run job and chat need it at once: one waits for the other, and both choose alike."""
    monkeypatch.setattr(number_formats, "LOCK_SECONDS", PATIENCE)
    found = dict[str, Measurement]()
    second = threading.Thread(target=lambda: found.update(second=measurement(lambda: FAST)))
    looked = threading.Event()

    def look() -> Measurement | None:
        kept = kept_measurement()
        if threading.current_thread() is second:
            looked.set()
        return kept

    def measure() -> Measurement:
        second.start()
        assert looked.wait(PATIENCE)  # in vain: nothing is kept yet
        return SLOW

    monkeypatch.setattr(number_formats, "kept_measurement", look)
    assert measurement(measure) == SLOW
    second.join(PATIENCE)
    assert found == {"second": SLOW}


@pytest.mark.parametrize(
    "damage", ["", "[]", "{", '{"KEY": 1}', '{"KEY": {"measured": {"float32": "x"}}}', "\ud800", "[" * 99999]
)
def test_a_damaged_file_is_measured_again(cache: Path, damage: str) -> None:
    """Whatever the file has become, it is replaced by a measurement that is kept."""
    measurement(lambda: SLOW)
    key = next(iter(json.loads((cache / FILE).read_text())))
    (cache / FILE).write_bytes(damage.replace("KEY", key).encode(errors="surrogatepass"))
    assert measurement(lambda: FAST) == FAST == kept_measurement()


def test_another_machine_is_measured_for_itself(cache: Path) -> None:
    """A cache that machines share keeps the measurement of each."""
    measurement(lambda: SLOW)
    kept = json.loads((cache / FILE).read_text())
    (cache / FILE).write_text(json.dumps({"another": {"measured": {}}}))
    assert measurement(lambda: FAST) == FAST
    assert json.loads((cache / FILE).read_text()).keys() == {"another", *kept}


def test_a_cache_that_cannot_be_written_is_measured_each_time(cache: Path) -> None:
    """No model fails to load because a number could not be kept."""
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("not a folder")
    assert measurement(lambda: SLOW) == SLOW
    assert measurement(lambda: FAST) == FAST


def test_the_setting_comes_before_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """FTRUN_DTYPE chooses on any machine; a training that has begun keeps its format."""
    measurement(lambda: SLOW)
    monkeypatch.setenv("FTRUN_DTYPE", "bfloat16")
    assert number_format(cuda=False).format == number_format(cuda=True).format == "bfloat16"
    assert number_format(cuda=False, begun="float32").format == "float32"
    monkeypatch.setenv("FTRUN_DTYPE", "")
    assert format_setting() == "auto"
    assert number_format(cuda=False).format == "float32"


def test_an_unknown_setting_names_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the value and what it can be."""
    monkeypatch.setenv("FTRUN_DTYPE", "float16")
    with pytest.raises(UsageError, match="'float16'") as caught:
        number_format(cuda=False)
    assert "auto, float32, bfloat16" in (caught.value.problem.hint or "")
