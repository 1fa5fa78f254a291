"""The kinds of forms a visit may need besides questionnaires, and the records that conditions may name."""

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

# What the trial keeps of a participant anyway, and conditions may name.
RecordField = Literal[
    "participant.age_years",
    "participant.sex",
    "consent.is_current",
    "consent.came_first",
]

# Blood may be drawn only under a consent that covers it.
BLOOD_SAMPLES: frozenset[str] = frozenset({"laboratory", "pharmacokinetics"})
