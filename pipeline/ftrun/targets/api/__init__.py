"""Every call to a server of the fine-tuning protocol, through the openai SDK's client."""

from ftrun.targets.api.files import FileCalls, UploadCalls
from ftrun.targets.api.jobs import JobCalls
from ftrun.targets.api.models import ModelCalls


class ApiService(FileCalls, UploadCalls, JobCalls, ModelCalls):
    """A server of the protocol, reached through the official SDK."""


__all__ = ["ApiService"]
