"""Reports of a look as pages: HTML for the doors, PDF for the file. Everything shown is in the result given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.reports.blocks import Report
from analysis.reports.closed_report import closed_report
from analysis.reports.failed_report import failed_report
from analysis.reports.masked_report import masked_report
from analysis.reports.open_report import open_report
from analysis.reports.page_html import html_page
from analysis.reports.page_pdf import pdf_file

__all__ = ["render"]


def render(result: Mapping[str, Any]) -> tuple[str, bytes]:
    """The pages of a result: one HTML page, and the same as PDF; the same result gives the same bytes.

    The page takes its style from /static/trialsite/report.css and has no script. Raises ValueError for a result that
    is of no known kind.
    """
    report = _report(result)
    return html_page(report), pdf_file(report)


def _report(result: Mapping[str, Any]) -> Report:
    makers = {"open": open_report, "closed": closed_report, "masked": masked_report, "failed": failed_report}
    kind = result.get("kind")
    if kind not in makers:
        raise ValueError(f"A result is open, closed, masked or failed; this one is {kind!r}.")
    return makers[kind](result)
