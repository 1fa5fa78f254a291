"""The kinds of forms a visit may need besides questionnaires."""

from __future__ import annotations

from typing import Literal

FormKind = Literal[
    "consent",
    "demography",
    "medical_history",
    "eligibility",
    "pain_classification",
    "vitals",
    "laboratory",
    "randomisation",
    "qst",
    "cpm",
    "infusion",
    "pharmacokinetics",
    "adverse_events",
    "concomitant_medication",
]

# Blood may be drawn only under a consent that covers it.
BLOOD_SAMPLES: frozenset[str] = frozenset({"laboratory", "pharmacokinetics"})
