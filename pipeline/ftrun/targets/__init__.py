"""The places where experiments run: OpenAI, any server of its protocol, and the engine on this machine.

`identity_of` is cheap; `connect` loads the openai SDK, which only `targets.api` imports.
"""

from ftrun.targets.addresses import server_of
from ftrun.targets.connect import (
    address_of,
    connect,
    identity_of,
    is_local,
    reachable,
    same_account,
    takes_tools,
)
from ftrun.targets.credentials import agree, hide_keys
from ftrun.targets.errors import NotFoundError, ServiceError, get_or_none
from ftrun.targets.service import (
    TRANSIENT,
    Created,
    Event,
    Job,
    JobRequest,
    NotCreated,
    RemoteFile,
    RemoteModel,
    Reply,
    Service,
    Unclear,
)

__all__ = [
    "TRANSIENT",
    "Created",
    "Event",
    "Job",
    "JobRequest",
    "NotCreated",
    "NotFoundError",
    "RemoteFile",
    "RemoteModel",
    "Reply",
    "Service",
    "ServiceError",
    "Unclear",
    "address_of",
    "agree",
    "connect",
    "get_or_none",
    "hide_keys",
    "identity_of",
    "is_local",
    "reachable",
    "same_account",
    "server_of",
    "takes_tools",
]
