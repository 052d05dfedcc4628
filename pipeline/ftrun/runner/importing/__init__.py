"""`ftrun import`: jobs of a provider become experiments with their data, in a folder for git."""

from ftrun.runner.importing.importing import ImportSource, import_jobs
from ftrun.runner.importing.jobs import MISSING_WORDS
from ftrun.runner.importing.results import FailedJob, ImportedJob, ImportResult

__all__ = ["MISSING_WORDS", "FailedJob", "ImportResult", "ImportSource", "ImportedJob", "import_jobs"]
