"""The report of a look that could not be computed: that it is so, and why. Sealed like any other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from analysis.reports.blocks import Paragraph, Report, table
from analysis.reports.wording import moment

Result = Mapping[str, Any]


def failed_report(result: Result) -> Report:
    """The report of a result of kind `failed` (analysis.look_results)."""
    about = result["about"]
    taken = datetime.fromisoformat(about["cut_taken_at"])
    facts = (
        ("Study", about["study"]),
        ("Look", str(about["look"])),
        ("Cut", about["cut"]),
        ("Cut taken", moment(about["cut_taken_at"])),
        ("Plan", about["plan_version"]),
        ("Code", about["code_version"]),
    )
    source = [
        ("SHA-256 of the cut's manifest", about["cut_manifest_sha256"]),
        ("SHA-256 of the plan", about["plan_sha256"]),
    ]
    return Report(
        title=f"{about['study']}: closed report, look {about['look']}",
        subtitle="This look could not be computed",
        audience="Confidential: DSMB",
        running=f"{about['study']} closed report. For the DSMB and the unblinded statistician only.",
        about=facts,
        answer="No decision: the data of this look broke the calculation.",
        first=(
            Paragraph(result["why"], "missing"),
            Paragraph(
                "At the open door this look counts as reported, so that nobody there can tell. The unblinded "
                "statistician reads the details under failures; after a correction, an unplanned look repeats it.",
                "note",
            ),
            table("Source", ("", "Value"), source, texts=[1]),
        ),
        blocks=(),
        day=(taken.year, taken.month, taken.day),
    )
