"""The calls about models: which there are, until when, and deleting a tuned one."""

from __future__ import annotations

from ftrun.targets.api.connection import Connection, calling, every
from ftrun.targets.api.reading import model_of
from ftrun.targets.service import RemoteModel


class ModelCalls(Connection):
    """The calls about models."""

    def models(self) -> list[RemoteModel]:
        """Return the models of this account."""
        with calling("listing models"):
            return [model_of(raw) for raw in every(self._client.models.list())]

    def model(self, name: str) -> RemoteModel:
        """Return the model; NotFoundError if the server doesn't have it."""
        with calling(f"asking for model {name}"):
            return model_of(self._client.models.retrieve(name))

    def delete_model(self, name: str) -> None:
        """Delete a tuned model."""
        with calling(f"deleting model {name}"):
            self._client.models.delete(name)
