"""Install the pinned dependencies and PyTorch for this machine; run by the Python to install them for.

usage: install.py [REQUIREMENTS]     (environment: TORCH, TORCH_VERSION, TORCH_CPU_INDEX)

PyTorch is the CPU build if the machine has no NVIDIA GPU, to avoid gigabytes of CUDA. pip mostly waits for
the network, so three of it work at a time. They compile no modules, which would take longer than everything
else; at the end, those that commands and tests need are compiled. Messages are in the user's language.
"""

from __future__ import annotations

import importlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "-qq", "install", "--no-compile")
VARIABLES = ("FTRUN_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
ANY_TORCH = "torch>=2.6,<3"
PARTS = 2  # of the dependencies, each with a pip of its own
# packages of which little is needed: what a run loads of them is compiled by loading it
LARGE = (
    *("torch", "transformers", "sympy", "networkx", "mpmath"),
    *("numpy", "nltk", "joblib", "setuptools", "pip"),
)
LOADED = "transformers.models.llama.modeling_llama, transformers.models.auto.tokenization_auto"


def main(requirements: Path | None) -> int:
    """Install everything; 1 if something could not be installed."""
    if requirements is None:
        return 0 if _install_torch() else 1
    say("installing the dependencies (about 210 MB)", "依存パッケージをインストールしています（約 210 MB）")
    # other builds of PyTorch bring dependencies of their own, and no two pips may install the same package
    together = _wants_cpu_build()
    with tempfile.TemporaryDirectory() as folder:
        pips = [_start(part) for part in _parts(requirements, Path(folder))]
        installed = _install_torch("--no-deps") if together else True
        statuses = [pip.wait() for pip in pips]
    if any(statuses) or not installed or not (together or _install_torch()):
        return 1
    _compile()
    return 0


def say(english: str, japanese: str, file: TextIO = sys.stdout) -> None:
    """Print a message in the user's language: the first variable that is set decides."""
    language = next(filter(None, map(os.environ.get, VARIABLES)), "")
    print(japanese if language.lower().startswith("ja") else english, file=file, flush=True)


def _parts(requirements: Path, folder: Path) -> list[Path]:
    """Divide the packages of a requirements file among several."""
    packages = re.findall(r"^[^\s#](?:.*\\\n)*.*\n", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    paths = [folder / f"{number}.txt" for number in range(PARTS)]
    for number, path in enumerate(paths):
        path.write_text("".join(packages[number::PARTS]), encoding="utf-8")
    return paths


def _start(requirements: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*PIP, "--no-deps", "--require-hashes", "-r", str(requirements)])


def _wants_cpu_build() -> bool:
    given = os.environ.get("TORCH")
    return not given and platform.system() == "Linux" and shutil.which("nvidia-smi") is None


def _install_torch(*options: str) -> bool:
    """Install PyTorch, unless it is there or unwanted; return whether nothing failed."""
    given = os.environ.get("TORCH")
    if given == "none" or find_spec("torch") is not None:
        return True
    if not _wants_cpu_build():
        say(
            "installing PyTorch (several gigabytes if it includes CUDA)",
            "PyTorch をインストールしています（CUDA を含む場合は数 GB）",
        )
        return _pip(*options, given or ANY_TORCH)
    version, index = os.environ["TORCH_VERSION"], os.environ["TORCH_CPU_INDEX"]
    say(
        f"installing PyTorch {version} for the CPU (about 200 MB)",
        f"PyTorch {version}（CPU 版）をインストールしています（約 200 MB）",
    )
    build = f"torch=={version}+cpu"
    # try the configured registry or folder first, then PyTorch's own index
    if _pip(*options, build, stderr=subprocess.DEVNULL):
        return True
    if _pip(*options, "--retries", "1", "--extra-index-url", index, build):
        return True
    python = platform.python_version()
    say(
        f"No CPU build of PyTorch {version} for Python {python} could be installed. Choose one:\n"
        "  another index:                      make setup TORCH_CPU_INDEX=https://...\n"
        f"  another build (several gigabytes):  make setup TORCH='{ANY_TORCH}'\n"
        "  no training, rehearsals only:       make setup TORCH=none",
        f"Python {python} 用の PyTorch {version}（CPU 版）をインストールできませんでした。"
        "次から選んでください。\n"
        "  別のインデックスを使う:       make setup TORCH_CPU_INDEX=https://...\n"
        f"  別のビルドを使う（数 GB）:    make setup TORCH='{ANY_TORCH}'\n"
        "  学習せず、リハーサルだけ使う: make setup TORCH=none",
        file=sys.stderr,
    )
    return False


def _pip(*arguments: str, stderr: int | None = None) -> bool:
    return subprocess.run([*PIP, *arguments], stderr=stderr, check=False).returncode == 0


def _compile() -> None:
    """Compile the modules that are needed, also where processes are told to keep no compiled ones."""
    say("compiling the installed packages (10 to 30 seconds)", "コンパイルしています（10〜30 秒）")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    importlib.invalidate_caches()
    loading = [sys.executable, "-c", f"import {LOADED}" if find_spec("torch") else ""]
    load = subprocess.Popen(loading, env=environment, stderr=subprocess.DEVNULL)
    large = f"site-packages.({'|'.join(LARGE)}).|.tests."
    folder = sysconfig.get_path("purelib")
    subprocess.run([sys.executable, "-m", "compileall", "-qq", "-j", "0", "-x", large, folder], check=False)
    load.wait()  # what can't be loaded is reported where it is needed


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    except KeyboardInterrupt:
        sys.exit(130)
