"""What people read at the end: report.html and report.md, made from the same facts. Measures nothing."""

from ftrun.report.facts import Facts
from ftrun.report.write import write_report

__all__ = ["Facts", "write_report"]
