"""Say what there is instead of a path that this engine lacks: mistyped, or of another part of the API."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from starlette.routing import Route

from ftrun.engine.api.errors import ApiError

# what the API has elsewhere, by the beginning of its path, and what to do here
ELSEWHERE: Mapping[str, str] = {
    "/v1/fine_tuning/checkpoints": (
        "checkpoint permissions share a model with other projects, and this engine has none: whoever has its "
        "token can use every checkpoint."
    ),
    "/v1/moderations": "this engine has no moderation model and judges no texts.",
    "/v1/images": "this engine has no models of images.",
    "/v1/videos": "this engine has no models of videos.",
    "/v1/audio": "this engine has no models of speech.",
    "/v1/realtime": "this engine has no models of speech.",
    "/v1/assistants": "this engine has no assistants; ask a model with /v1/chat/completions.",
    "/v1/threads": "this engine keeps no threads; send the conversation to /v1/chat/completions.",
    "/v1/conversations": "this engine keeps no conversations; send the messages to /v1/chat/completions.",
    "/v1/vector_stores": "this engine has no vector stores.",
    "/v1/evals": "this engine has no evals; `ftrun eval` evaluates a model.",
    "/v1/containers": "this engine has no containers.",
    "/v1/organization": "this engine has no organization, projects or users: it has one token.",
    "/v1/projects": "this engine has no organization, projects or users: it has one token.",
    "/v1/fine-tunes": "this is OpenAI's fine-tuning API of 2022; use /v1/fine_tuning/jobs.",
    "/v1/edits": "this is of OpenAI's API of 2022; use /v1/chat/completions.",
    "/v1/engines": "this is of OpenAI's API of 2022; use `model` instead of `engine`, and /v1/models.",
    "/openai/": "this is a path of Azure; use a client of OpenAI's API, with a base_url that ends in /v1.",
}


def no_such_path(method: str, path: str, routes: Sequence[Route]) -> ApiError:
    """Return the 404 for a path that none of the `routes` has."""
    for beginning, reason in ELSEWHERE.items():
        if f"{path}/".startswith(beginning):
            return ApiError(f"{method} {path}: {reason}", status=404, code="unsupported_endpoint")
    near = _meant(path, routes)
    if near is not None:
        message = f"There is no {path} here. Did you mean {near}? A base_url of this engine ends in /v1."
        return ApiError(message, status=404)
    places = sorted({route.path.partition("/{")[0] for route in routes if route.path.startswith("/v1/")})
    return ApiError(f"There is no {path} here. This engine has {', '.join(places)}.", status=404)


def not_allowed(method: str, path: str, routes: Sequence[Route]) -> ApiError:
    """Return the 405 for a path that some of the `routes` have, for other methods."""
    methods = {one for route in routes if route.path_regex.match(path) for one in route.methods or ()}
    error = ApiError(f"{method} {path} is not possible, only {', '.join(sorted(methods))}.", status=405)
    error.headers["allow"] = ", ".join(sorted(methods))
    return error


def _meant(path: str, routes: Sequence[Route]) -> str | None:
    """Return the path that one with a wrong base_url or a mistyped word was meant to be."""
    plain = re.sub("/+", "/", path).rstrip("/")
    for one in (plain, f"/v1{plain}", plain.replace("/v1/v1/", "/v1/")):
        if one != path and any(route.path_regex.match(one) for route in routes):
            return one
    fixed = [route.path for route in routes if "{" not in route.path]
    return next(iter(difflib.get_close_matches(plain, fixed, n=1, cutoff=0.8)), None)
