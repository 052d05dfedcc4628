"""Responses of /v1/responses with the items of their conversations, which later requests refer to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.engine.store.database import Database
from ftrun.engine.store.records import now

KEPT_SECONDS = 30 * 24 * 3600  # as in the API

Item = Mapping[str, Any]


class UnknownResponse(Exception):
    """A response, or one that it continues, is not kept, or no longer."""


class Responses:
    """The responses of a store: JSON objects of the API, whose output is among their items."""

    def __init__(self, database: Database) -> None:
        """Use the tables of `database`."""
        self._database = database

    def add(self, response: Mapping[str, Any], given: Sequence[Item]) -> None:
        """Keep a response and the items that were `given` with its request."""
        head = {name: value for name, value in response.items() if name != "output"}
        with self._database.transaction():
            self._database.write(
                "INSERT INTO responses (id, created_at, previous, response) VALUES (?, ?, ?, ?)",
                response["id"],
                now(),
                response["previous_response_id"],
                json.dumps(head),
            )
            for is_given, items in ((1, given), (0, response["output"])):
                for item in items:
                    self._database.write(
                        "INSERT INTO response_items (id, response_id, given, item) VALUES (?, ?, ?, ?)",
                        item["id"],
                        response["id"],
                        is_given,
                        json.dumps(item),
                    )

    def get(self, name: str) -> dict[str, Any] | None:
        """Return a response; None if it is not kept."""
        row = self._database.row("SELECT response FROM responses WHERE id = ?", name)
        if row is None:
            return None
        return {**json.loads(row["response"]), "output": self._items(name, "given = 0")}

    def delete(self, name: str) -> bool:
        """Delete a response with its items and return whether there was one."""
        return self._database.write("DELETE FROM responses WHERE id = ?", name) == 1

    def given(self, name: str) -> list[dict[str, Any]]:
        """Return the items that were given with the request for a response."""
        return self._items(name, "given = 1")

    def conversation(self, name: str) -> list[dict[str, Any]]:
        """Return all items up to the end of a response, oldest first. Raises UnknownResponse."""
        found: list[dict[str, Any]] = []
        previous: str | None = name
        while previous is not None:
            row = self._database.row("SELECT previous FROM responses WHERE id = ?", previous)
            if row is None:
                raise UnknownResponse(previous)
            found[:0] = self._items(previous, "1")
            previous = row["previous"]
        return found

    def item(self, name: str) -> dict[str, Any] | None:
        """Return the item with an id; None if no response that is kept has it."""
        query = "SELECT item FROM response_items WHERE id = ? ORDER BY seq DESC LIMIT 1"
        row = self._database.row(query, name)
        return None if row is None else json.loads(row["item"])

    def sweep(self) -> None:
        """Delete what has been kept long enough."""
        self._database.write("DELETE FROM responses WHERE created_at < ?", now() - KEPT_SECONDS)

    def _items(self, name: str, which: str) -> list[dict[str, Any]]:
        query = f"SELECT item FROM response_items WHERE response_id = ? AND {which} ORDER BY seq"  # noqa: S608
        return [json.loads(row["item"]) for row in self._database.rows(query, name)]
