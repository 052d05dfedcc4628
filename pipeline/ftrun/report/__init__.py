"""What people read at the end: report.html and report.md, made from the same facts. Measures nothing."""

from pathlib import Path

from ftrun.files import write_atomic
from ftrun.report.facts import Facts

HTML, MARKDOWN = "report.html", "report.md"


def write_report(facts: Facts, folder: Path) -> Path:
    """Write report.html and report.md into `folder`, each whole or not at all; return the HTML's path.

    The same facts give the same bytes.
    """
    # jinja2 costs 0.15 s, which callers that only gather facts don't need
    from ftrun.report.html import html_report
    from ftrun.report.markdown import markdown_report

    write_atomic(folder / MARKDOWN, markdown_report(facts))
    write_atomic(folder / HTML, html_report(facts))
    return folder / HTML


__all__ = ["Facts", "write_report"]
