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

__all__ = ["render", "render_html", "render_pdf"]


def render(result: Mapping[str, Any]) -> tuple[str, bytes]:
    """Page and PDF of one result, its figures drawn once for both. Raises ValueError as `render_html` does."""
    report = _report(result)
    return html_page(report), pdf_file(report)


def render_html(result: Mapping[str, Any]) -> str:
    """One self-contained page of an open or closed result; style from /static/trialsite/report.css.

    Raises ValueError for a result that is neither.
    """
    return html_page(_report(result))


def render_pdf(result: Mapping[str, Any]) -> bytes:
    """The same as PDF, byte for byte the same for the same result. Raises ValueError as above."""
    return pdf_file(_report(result))


def _report(result: Mapping[str, Any]) -> Report:
    makers = {"open": open_report, "closed": closed_report, "masked": masked_report, "failed": failed_report}
    kind = result.get("kind")
    if kind not in makers:
        raise ValueError(f"A result is open, closed, masked or failed; this one is {kind!r}.")
    return makers[kind](result)
