"""Every call to a server of the fine-tuning protocol, through the openai SDK's client."""

from ftrun.targets.api.chat import ChatCalls
from ftrun.targets.api.files import FileCalls
from ftrun.targets.api.jobs import JobCalls
from ftrun.targets.api.models import ModelCalls
from ftrun.targets.api.uploads import UploadCalls


class ApiService(FileCalls, UploadCalls, JobCalls, ModelCalls, ChatCalls):
    """A server of the protocol, reached through the official SDK."""


__all__ = ["ApiService"]
