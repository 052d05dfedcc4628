"""What many rows take: bytes for each, and processor time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.pipeline import gathering
from ftrun.data.pipeline.gathered import Spool
from ftrun.data.readers.sources import usable_files

SIZES = """\
import resource, sys
from pathlib import Path
from ftrun import data
from ftrun.data.pipeline import workers
from ftrun.experiment import build_experiment, read_document
workers.worker_count = lambda: 1
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
for name in sys.argv[1:]:
    data.examine(build_experiment(read_document(Path(name)), None))
    print(peak())
"""


def test_memory_grows_by_few_bytes_a_row(tmp_path: Path, chats: Any) -> None:
    """More rows than fit into some spans take at most 64 bytes each, and some slack for the allocator."""
    more = 200_000 if os.environ.get("FTRUN_TEST_ALL") else 40_000
    for name, rows in (("small", 30_000), ("large", 30_000 + more)):
        (tmp_path / f"{name}.jsonl").write_text(chats(range(rows)), "utf-8")
        text = f"version: 1\nname: {name}\ndata: {{sources: [{{path: {name}.jsonl}}]}}\n"
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SIZES, "small.yaml", "large.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    small, large = map(int, done.stdout.split())
    assert large - small < 64 * more + 8_000_000


def test_gathering_counts_processor_time(make: Any, chats: Any) -> None:
    """The benchmark's phases come from the pass itself."""
    findings = Findings()
    experiment = make({"a.jsonl": chats(range(20))})
    with Spool(experiment.project) as spool:
        seconds = gathering.gather(experiment, usable_files(experiment, findings), spool, findings).seconds
    assert set(seconds) == {"read", "make", "count", "check", "write"}
