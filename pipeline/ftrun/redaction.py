"""Hide secrets: a key that was used is never written to a file or printed.

Code that reads a secret from the environment registers it with `keep_secret`; whatever goes to a terminal or
a file passes through here.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO
from urllib.parse import quote

from ftrun.text import escape_controls

HIDDEN = "[key hidden]"
# an address with a user name or password; that of a proxy may have no scheme
WITH_PASSWORD = re.compile(r"//[^/\s]*@|^[^/\s]+:[^/\s]+@")
SHORTEST = 8  # characters: hiding anything shorter would damage ordinary text

# variables that our own child processes inherit: none of them is meant to hold a secret
INHERITED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP", "TERM"),
        *("LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_MESSAGES", "LC_MONETARY", "LC_NUMERIC", "LC_TIME"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS", "PYTHONHASHSEED"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV", "CONDA_PREFIX"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LD_PRELOAD"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"),
        *("FTRUN_HOME", "FTRUN_CACHE", "FTRUN_ENGINE_IDLE", "FTRUN_CHAT_IDLE", "FTRUN_ACCEPT_GEMMA_TERMS"),
        *("FTRUN_DTYPE", "FTRUN_ENGINE_JOBS", "FTRUN_REHEARSAL_SECONDS_PER_STEP"),
        *(
            "HF_HOME",
            "HF_HUB_CACHE",
            "HF_TOKEN_PATH",
            "HF_ENDPOINT",
            "HF_HUB_OFFLINE",
            "TRANSFORMERS_OFFLINE",
        ),
        *("PIP_CONFIG_FILE", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"),
        *("PIP_CERT", "PIP_CACHE_DIR", "UV_CACHE_DIR"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *(
            "NVIDIA_VISIBLE_DEVICES",
            "HIP_VISIBLE_DEVICES",
            "ROCR_VISIBLE_DEVICES",
            "HSA_OVERRIDE_GFX_VERSION",
        ),
        "TOKENIZERS_PARALLELISM",
    )
)
SECRET_NAME = re.compile(
    "KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE
)  # in the rest of a variable of such a family
THREADS_AND_DEVICES = ("CUDA_", "PYTORCH_", "TORCH_", "OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_")

_secrets: set[str] = set()


def keep_secret(value: str) -> None:
    """Hide `value`, also as it is spelled in a URL or in JSON, in whatever is written from now on."""
    if len(value) >= SHORTEST:
        in_json = (json.dumps(value, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
        _secrets.update((value, quote(value, safe=""), *in_json))


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a child process: the variables on our list, except for those that hold a
    known secret or an address with a password, such as a proxy's or a package index's.
    """
    return {
        name: value
        for name, value in environment.items()
        if (name in INHERITED or (name.startswith(THREADS_AND_DEVICES) and not SECRET_NAME.search(name)))
        and hide(value) == value
        and not WITH_PASSWORD.search(value)
    }


def _longest_first() -> list[str]:
    """Return the secrets, the longest first: hiding a part of one would leave the rest."""
    return sorted(_secrets, key=len, reverse=True)


def hide(text: str) -> str:
    """Return `text` with the known secrets hidden."""
    for secret in _longest_first():
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def hide_in(value: Any) -> Any:
    """Return JSON values with the known secrets hidden."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, Mapping):
        return {hide_in(key): hide_in(inner) for key, inner in value.items()}
    return [hide_in(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def hide_in_bytes(data: bytes) -> bytes:
    """Return `data` with the known secrets hidden."""
    for secret in _longest_first():
        if secret.encode() in data:
            data = data.replace(secret.encode(), HIDDEN.encode())
    return data


class _Stream:
    """A text stream that hides secrets, translates messages and escapes control characters.

    Everything else is passed on to the stream.
    """

    def __init__(self, stream: TextIO, translate: Callable[[str], str] | None) -> None:
        self._stream, self._translate = stream, translate

    def write(self, text: str) -> int:
        shown = hide(text)
        self._stream.write(escape_controls(self._translate(shown) if self._translate else shown))
        return len(text)

    def write_escaped(self, text: str) -> int:
        """Write text that is translated and escaped: the escape sequences in it are our own colours."""
        self._stream.write(hide(text))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def safe_output(translate: Callable[[str], str] | None = None) -> Iterator[None]:
    """Let stdout and stderr hide secrets, translate messages and escape control characters in this block.

    What their encoding lacks is written as an escape such as `\\u2713`: printing must not end a run.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError):  # its position can't be read: leave it as it is
                stream.reconfigure(errors="backslashreplace")
    sys.stdout, sys.stderr = _Stream(sys.stdout, translate), _Stream(sys.stderr, translate)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
