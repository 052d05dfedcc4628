"""What ftrun remembers of an experiment on a target: the state file, and how it is kept whole."""

from ftrun.state.model import Intent, JobRecord, PartialUpload, StageRecord, State, Upload
from ftrun.state.store import StateStore

__all__ = ["Intent", "JobRecord", "PartialUpload", "StageRecord", "State", "StateStore", "Upload"]
