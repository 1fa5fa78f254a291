"""What a site finds out about one fictional person who is eligible for KALM, as it would be typed."""

from __future__ import annotations

FINDINGS: dict[str, dict[str, float | bool]] = {
    "medical_history": {
        "pain_duration_months": 40,
        "pain_days_per_month": 28,
        "analgesics_stable_days": 90,
        "opioid_mg_per_day": 0,
        "benzodiazepine_mg_per_day": 0,
        "gilbert_syndrome": False,
    },
    "vitals": {"screening_sbp": 124, "screening_dbp": 78, "weight_kg": 71.5, "height_cm": 169},
    "laboratory": {"alt_times_uln": 0.6, "ast_times_uln": 0.5, "bilirubin_times_uln": 0.4, "egfr": 92},
    "pain_classification": {
        "lesion_history": True,
        "plausible_distribution": True,
        "sensory_signs": True,
        "confirming_test": True,
        "pain_is_chronic": True,
        "pain_is_regional": False,
        "not_entirely_nociceptive": True,
        "not_entirely_neuropathic": False,
        "hypersensitivity_history": False,
        "comorbidity": False,
        "evoked_hypersensitivity": False,
        "tissue_damage": False,
    },
}
STRATUM = "NEURO"
MADRS = {str(item): 1 for item in range(1, 11)}
CSSRS = dict.fromkeys(("i1", "i2", "b_actual", "b_interrupted", "b_aborted", "b_preparatory"), 0)
# A week of evenings: mean 6, SD 0.816.
DIARY = [
    {"average": average, "worst": average + 2, "least": average - 3, "sleep": 5, "rescue_doses": 0}
    for average in (5, 6, 7, 6, 5, 7, 6)
]
# The questions the protocol asks of the investigator: inclusion criteria hold, exclusion criteria do not.
ANSWERS = {"I4": "met", "I7": "met"} | {f"E{number}": "not_met" for number in range(1, 9)}
# Brief Pain Inventory: severity (7 + 3 + 6 + 5) / 4 = 5.25, interference 35 / 7 = 5.
BPI = {"3": 7, "4": 3, "5": 6, "6": 5, "8": 40, "9a": 5, "9b": 6, "9c": 3, "9d": 7, "9e": 2, "9f": 8, "9g": 4}
BPI_SEVERITY = 5.25


def qst_trials() -> list[dict[str, object]]:
    """Heat pain thresholds of the foot and the other foot: means 44 and 46 degrees."""
    readings = {"test": (43.0, 44.0, 45.0), "control": (45.0, 46.0, 47.0)}
    return [
        {"area": area, "parameter": "HPT", "trial": trial, "value": value}
        for area, values in readings.items()
        for trial, value in enumerate(values, start=1)
    ]
