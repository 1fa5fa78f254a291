"""docs/instruments.md is what the instrument files say."""

from __future__ import annotations

from pathlib import Path

from outcomes.scoring.catalogue import markdown

DOCUMENT = Path(__file__).parents[3] / "docs" / "instruments.md"


def test_the_catalogue_in_docs_is_current():
    says = "run: python -c 'from outcomes.scoring.catalogue import markdown; print(markdown())' > docs/instruments.md"
    assert DOCUMENT.read_text(encoding="utf-8") == markdown() + "\n", says


def test_the_catalogue_tells_rule_range_and_evidence():
    text = markdown()
    assert "| `affective` | mean of 12, 13, 14, 15 | 3/4 | 0 to 10 | worse |  |" in text
    assert "Alert `SUICIDALITY_ALERT_24H`: item 9 at least 1." in text
    assert (
        "which items form the subscales: Bremner 1998, J Trauma Stress 11:125; verify before use (remembered)" in text
    )
