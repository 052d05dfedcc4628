"""Models of the Hugging Face Hub that suit fine-tuning here: licence, languages and memory of each.

They are known by their id alone: `model` may be any other id, too. Nothing is downloaded here. Licences and
languages are those of the models' pages in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ftrun.engine.backends import NumberFormat

BYTES: Mapping[NumberFormat, int] = {"float32": 4, "bfloat16": 2}  # of a parameter
# beside the weights, while it trains: PyTorch, activations and optimizer. Measured on two cores in all: with
# 0.13 billion parameters 1.4 GB in float32; with 0.6 billion 3.0 in bfloat16 and 5.4 in float32, of which 1.2
# were the mapped file
BASE_GB, PER_BILLION_GB = 0.8, 2.0
MANY = ("ar", "de", "en", "es", "fr", "it", "ja", "ko", "pt", "zh")  # and more


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """A model of the hub. `billions` are its parameters, `languages` ISO 639-1 codes.

    A `gated` model must be accepted on its page by a user who is logged in. `tools` says whether its chat
    template has them.
    """

    id: str
    license: str
    billions: float
    languages: tuple[str, ...]
    gated: bool = False
    tools: bool = False

    def memory_gb(self, format: NumberFormat) -> float:
        """Return about how many gigabytes its training takes in a number format."""
        return round(BASE_GB + self.billions * (BYTES[format] + PER_BILLION_GB), 1)


RECOMMENDED: tuple[Recommended, ...] = (
    Recommended(
        id="HuggingFaceTB/SmolLM2-360M-Instruct", license="Apache-2.0", billions=0.36, languages=("en",)
    ),
    Recommended(id="Qwen/Qwen3-0.6B", license="Apache-2.0", billions=0.6, languages=MANY, tools=True),
    Recommended(id="google/gemma-3-1b-it", license="Gemma", billions=1.0, languages=MANY, gated=True),
    Recommended(
        id="meta-llama/Llama-3.2-1B-Instruct",
        license="Llama 3.2",
        billions=1.24,
        languages=("de", "en", "es", "fr", "hi", "it", "pt", "th"),
        gated=True,
        tools=True,
    ),
    Recommended(id="Qwen/Qwen3-1.7B", license="Apache-2.0", billions=1.7, languages=MANY, tools=True),
    Recommended(
        id="llm-jp/llm-jp-3.1-1.8b-instruct4", license="Apache-2.0", billions=1.87, languages=("ja", "en")
    ),
    Recommended(
        id="ibm-granite/granite-3.3-2b-instruct",
        license="Apache-2.0",
        billions=2.5,
        languages=("ar", "cs", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pt", "zh"),
    ),
    Recommended(
        id="HuggingFaceTB/SmolLM3-3B",
        license="Apache-2.0",
        billions=3.1,
        languages=("de", "en", "es", "fr", "it", "pt"),
    ),
    Recommended(
        id="Qwen/Qwen3-4B-Instruct-2507", license="Apache-2.0", billions=4.0, languages=MANY, tools=True
    ),
    Recommended(id="Qwen/Qwen3-8B", license="Apache-2.0", billions=8.2, languages=MANY, tools=True),
)
