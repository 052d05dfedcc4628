"""Recording what tuned models answer while they still do: `ftrun rescue`."""

from ftrun.evaluation.rescued_files import RescuedFiles, rescued_of

__all__ = ["RescuedFiles", "rescued_of"]
