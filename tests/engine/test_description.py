"""The description of the engine's API: true of every route, and of what the engine answers to anything."""

from __future__ import annotations

import re

import httpx2
from fastapi.routing import APIRoute

from ftrun.engine.api.app import ROUTERS
from ftrun.engine.api.description import description
from support.engine_process import Engine


def routes() -> set[tuple[str, str]]:
    """Return method and path of every route of the engine."""
    return {
        (method, route.path.replace(":path}", "}"))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }


def test_every_route_is_described_and_the_other_way() -> None:
    """Nothing is served that the description lacks, nothing described that is not served."""
    paths = description()["paths"]
    methods = {"get", "post", "put", "patch", "delete"}
    described = {
        (method.upper(), path) for path, item in paths.items() for method in item if method in methods
    }
    assert described == routes()


def test_every_part_of_the_description_is_used() -> None:
    """Each component is referred to, and each reference leads to one."""
    found = description()
    parts = {
        f"#/components/{kind}/{name}"
        for kind, named in found["components"].items()
        if kind != "securitySchemes"
        for name in named
    }
    assert set(re.findall(r"#/components/\w+/\w+", repr(found))) == parts


def test_the_engine_serves_it(engine: Engine) -> None:
    """/openapi.json is the description, for who has the token."""
    place = f"{engine.base_url.removesuffix('/v1')}/openapi.json"
    assert httpx2.get(place).status_code == 401
    answer = httpx2.get(place, headers={"Authorization": f"Bearer {engine.token}"})
    assert answer.json() == description()
