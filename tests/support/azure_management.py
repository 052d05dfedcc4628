"""Azure's management API in memory, for tests of deployments."""

from __future__ import annotations

from typing import Any

from support.provider import KEY
from support.scripted_server import Answer, Asked, refusal

PLACE = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/acc/deployments/"


class Management:
    """The management API in memory: a deployment is there after some looks."""

    def __init__(self) -> None:
        self.up: dict[str, dict[str, Any]] = {}
        self.puts: list[str] = []
        self.deletes: list[str] = []
        self.end, self.busy = "Succeeded", 0
        self.filtered: dict[str, Answer] = {}  # by method: a proxy's own answers

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        assert asked.path.startswith(PLACE) and asked.query["api-version"]
        assert asked.headers["Authorization"] == f"Bearer {KEY}-management"
        name = asked.path.removeprefix(PLACE)
        if asked.method in self.filtered:
            return self.filtered[asked.method]
        if self.busy > 0:
            self.busy -= 1
            return refusal(503, "busy")
        if asked.method == "PUT":
            self.puts.append(name)
            self.up[name] = {"body": asked.body, "looks": 0}
            return Answer({"properties": {"provisioningState": "Accepted"}}, 201)
        if name not in self.up:
            return refusal(404, "no deployment")
        if asked.method == "DELETE":
            self.deletes.append(name)
            del self.up[name]
            return Answer(b"", 202)
        self.up[name]["looks"] += 1
        state = "Creating" if self.up[name]["looks"] < 3 else self.end
        return Answer({"properties": {"provisioningState": state}})
