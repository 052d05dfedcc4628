"""The HTTP side of the engine: the fine-tuning protocol under /v1, as the openai SDK speaks it."""

from ftrun.engine.api.app import create_app as create_app
from ftrun.engine.api.batches.runs import BatchRuns as BatchRuns
from ftrun.engine.api.services import Services as Services
