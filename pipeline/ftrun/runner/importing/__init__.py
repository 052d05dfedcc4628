"""`ftrun import`: jobs of a provider become experiments with their data, in a folder for git."""

from ftrun.runner.importing.importing import (
    FailedJob,
    ImportedJob,
    ImportResult,
    Source,
    import_jobs,
)
from ftrun.runner.importing.jobs import MISSING_WORDS

__all__ = ["MISSING_WORDS", "FailedJob", "ImportResult", "ImportedJob", "Source", "import_jobs"]
