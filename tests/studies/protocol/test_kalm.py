"""The demonstration protocol says what its document says. Oracles: tables of that document, written out."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from studies.protocol import check, json_schema, load
from studies.protocol.arm_revealing import Revealing
from tests.studies.protocol.kalm import PROTOCOLS, TEXT, kalm

AE = ["adverse_events", "concomitant_medication"]


def test_kalm_is_right_and_gives_no_warning():
    assert check(kalm(), TEXT, source="kalm-1.0.yaml") == []
    assert (kalm().study.code, kalm().study.version, kalm().planned_participants) == ("KALM", "1.0", 168)


@pytest.mark.parametrize(
    ("code", "days", "target", "place"),
    [
        ("SCR", (-28, -8), -14, "site"),
        ("BL", (-7, -1), -3, "site"),
        ("D0", (0, 0), 0, "infusion_unit"),
        ("W1", (6, 8), 7, "site"),
        ("W2", (12, 16), 14, "remote_or_site"),
        ("W4", (25, 31), 28, "site"),
        ("W8", (51, 61), 56, "remote"),
        ("W12", (77, 91), 84, "site"),
    ],
)
def test_visits_have_the_windows_of_the_schedule(code, days, target, place):
    visit = kalm().visit(code)
    assert (visit.calendar_days, visit.day, visit.place) == (days, target, place)


def test_day_one_is_18_to_30_hours_after_the_end_of_the_infusion():
    assert kalm().visit("D1").hours_after_infusion_end == (18, 30)


def test_early_termination_and_unscheduled_visits_have_no_window():
    assert [visit.id for visit in kalm().visits if visit.calendar_days is None] == ["ET", "UNS"]


# Table 1.5 of the document, by assessment: at which visits it is due.
SCHEDULE = {
    **dict.fromkeys(
        [
            "consent",
            "demography",
            "medical_history",
            "eligibility",
            "pain_classification",
            "paindetect",
            "dn4",
            "csi",
        ],
        "SCR",
    ),
    **dict.fromkeys(["bpi_sf", "promis29_v21", "sf_mpq_2"], "BL W1 W2 W4 W8 W12"),
    "sf_mpq_2_24h": "D1",
    "nrs_avg24": "D1",
    "pcs": "BL D1 W1 W4 W12",
    "pseq": "BL W4 W12",
    "tsk11": "BL W4 W12",
    "madrs": "SCR BL D1 W1 W2 W4 W12",
    "phq9": "SCR BL W1 W2 W4 W8 W12",
    "gad7": "BL W1 W2 W4 W12",
    "isi": "BL W1 W2 W4 W12",
    "panas": "BL D0 D1 W1 W2 W4 W12",
    "cssrs": "SCR BL D0 D1 W1 W2 W4 W8 W12",
    "qst": "BL D1 W1 W4 W12",
    "cpm": "BL D1 W1 W4 W12",
    "vitals": "SCR D1",
    "infusion": "D0",
    "randomisation": "D0",
    "cadss23": "D0 D1",
    "bprs_positive": "D0 D1",
    "pharmacokinetics": "D0 D1",
    "laboratory": "SCR D1 W1 W4 W12",
    "icsi": "SCR W4 W12",
    "sets": "BL",
    "treatment_guess": "D0 W4",
    "pgic": "W1 W2 W4 W8 W12",
    "eq5d5l": "BL W4 W8 W12",
    "adverse_events": "SCR BL D0 D1 W1 W2 W4 W8 W12",
    "concomitant_medication": "SCR BL D0 D1 W1 W2 W4 W8 W12",
}


def test_every_assessment_is_due_where_the_schedule_has_its_cross():
    due: dict[str, list[str]] = {}
    for visit in kalm().visits:
        for assessment in visit.assessments if visit.kind == "planned" else ():
            due.setdefault(assessment.key, []).append(visit.id)
    assert {key: " ".join(visits) for key, visits in due.items()} == SCHEDULE


def test_the_diary_is_daily_to_day_35_and_in_the_weeks_before_weeks_8_and_12():
    days = [day for day in range(-30, 100) if kalm().diary.due_on(day)]
    assert days == [*range(-7, 36), *range(49, 56), *range(77, 84)]


def test_due_assessments_come_in_the_order_of_the_paper_with_minutes_and_respondents():
    due = kalm().due_assessments("D0")
    assert [each.key for each in due[:2]] == ["randomisation", "infusion"]
    assert [each.minute for each in due if each.key == "cadss23"] == [-15, 40, 90, 120, 240]
    assert [each.minute for each in due if each.key == "pharmacokinetics"] == [-15, 15, 40, 60, 120, 240]
    assert [each.asked_of for each in due if each.key == "treatment_guess"] == [
        "participant",
        "infusion_nurse",
        "efficacy_rater",
    ]
    assert [each.key for each in kalm().due_assessments("W8")][-2:] == AE
    assert {each.recall for each in due if each.key == "cssrs"} == {"since last visit"}
    assert {(each.kind, each.key) for each in due} >= {("form", "infusion"), ("instrument", "panas")}


def test_the_infusion_clock_is_kept_to_three_minutes_then_to_five():
    infusion = kalm().infusion
    assert infusion.readings_at_minutes == (-15, 0, 15, 30, 40, 60, 90, 120, 180, 240)
    assert [infusion.tolerance_minutes(minute) for minute in (-15, 40, 60, 90, 240)] == [3, 3, 3, 5, 5]


def test_both_arms_are_public_and_one_is_the_control():
    assert [(arm.code, arm.control) for arm in kalm().arms] == [("KET", False), ("MDZ", True)]
    assert kalm().arm("MDZ").regimen.concentration_mg_per_ml == Decimal("0.09")


def test_there_are_eighteen_strata_of_site_and_pain_class():
    strata = kalm().strata_levels()
    assert len(strata) == 18
    assert strata["PER.NPL"] == {"site": "PER", "pain_stratum": "NPL"}


@pytest.mark.parametrize(
    ("pain_class", "grade", "level"),
    [
        ("neuropathic", "probable", "NEURO"),
        ("neuropathic", "possible", "NEURO"),
        ("mixed", "probable", "NEURO"),
        ("mixed", "definite", "NEURO"),
        ("mixed", "possible", "NPL"),
        ("mixed", "none", "NPL"),
        ("nociplastic", "none", "NPL"),
        ("nociceptive", "none", "NOCI"),
        ("unclassified", "none", None),
        ("mixed", None, None),
        (None, "definite", None),
    ],
)
def test_the_pain_class_decides_the_stratum(pain_class, grade, level):
    levels = kalm().stratum_levels_of("LIS", {"pain_class": pain_class, "neuropathic_grade": grade})
    assert levels == (None if level is None else {"site": "LIS", "pain_stratum": level})


def test_what_tells_the_arm_is_marked():
    marked = Revealing.of([kalm()])
    assert marked.tells("response", instrument="cadss23")
    assert marked.tells("reading", field="value")
    assert marked.tells("sample", form="pharmacokinetics")
    assert marked.tells("concomitantmedication", field="rescue_midazolam")
    assert not marked.tells("concomitantmedication", field="term")
    assert not marked.tells("response", instrument="phq9", form="vitals")


def test_the_consent_in_force_and_what_it_covers():
    assert kalm().consent_in_force(date(2025, 9, 30)) is None
    assert kalm().consent_in_force(date(2026, 1, 1), "BER").version == "1.0"
    assert all(kalm().may_collect("1.0", each) for each in ("phq9", "infusion", "pharmacokinetics"))


def test_looks_are_at_56_and_112_of_143_units_by_obrien_fleming_spending():
    looks = kalm().analysis.looks
    assert looks.fractions() == pytest.approx((56 / 143, 112 / 143, 1))
    assert (looks.alpha, looks.sides, looks.spending, looks.futility.binding) == (
        0.025,
        1,
        "lan_demets_of",
        False,
    )


def test_the_primary_analysis_is_a_mixed_model_on_weeks_1_to_4():
    model, endpoint = kalm().analysis.primary_model, kalm().analysis.primary_endpoint
    assert (model.endpoint, endpoint.at, endpoint.timepoint("WK4").days) == ("pain_week4", "WK4", (22, 28))
    assert (model.timepoints, model.df, model.covariance) == (
        ("WK1", "WK2", "WK3", "WK4"),
        "kenward_roger",
        "us",
    )
    assert endpoint.baseline.days == (-7, -1)
    assert endpoint.baseline.at_least == endpoint.timepoint("WK4").at_least == 4


def test_key_secondary_endpoints_come_in_their_fixed_sequence():
    ordered = sorted((each.order, each.id) for each in kalm().analysis.endpoints if each.order)
    assert [name for _, name in ordered] == [
        "affective_week4",
        "interference_week4",
        "responder30_week4",
        "madrs_day1",
        "madrs_week4",
        "dissociation_week4",
    ]


def test_findings_are_found_by_form_and_by_instrument():
    assert [each.key for each in kalm().findings_on_form("infusion")] == ["aldrete_score", "escort_present"]
    assert {each.key for each in kalm().findings_of_instrument("cssrs")} == {
        "cssrs_ideation",
        "cssrs_behaviour",
    }
    assert kalm().finding("diary_sd").diary.days == (-7, -1)


def test_asking_for_something_unknown_says_what_there_is():
    with pytest.raises(KeyError, match="no id 'W5' here; there is SCR, BL, D0"):
        kalm().visit("W5")


@pytest.mark.parametrize("path", sorted(PROTOCOLS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_protocol_shipped_is_right_and_fits_the_json_schema(path):
    text = path.read_text(encoding="utf-8")
    assert path.stem == "-".join((load(text, source=path.name).study.code.lower(), "1.0"))
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    data = load(text, source=path.name).model_dump(mode="json", exclude_none=True)
    assert list(Draft202012Validator(schema).iter_errors(data)) == []


def test_the_json_schema_refuses_what_is_not_known():
    data = YAML(typ="safe", pure=True).load(TEXT)
    data["visits"][0]["colour"] = "blue"
    errors = [error.message for error in Draft202012Validator(json_schema()).iter_errors({"visits": data["visits"]})]
    assert any("colour" in message for message in errors)


def test_ashar_is_an_imported_trial_of_three_arms_with_visits_in_order_only():
    ashar = load((PROTOCOLS / "ashar2022-1.0.yaml").read_text(encoding="utf-8"), source="ashar2022-1.0.yaml")
    assert (ashar.study.origin, ashar.planned_participants) == ("imported", 151)
    assert ashar.ratio == {"PRT": 1, "PLACEBO": 1, "USUAL_CARE": 1}
    assert [(visit.id, visit.day) for visit in ashar.visits] == [("T1", None), ("T2", None)]
    assert list(ashar.strata_levels()) == ["BOULDER"]
    assert check(ashar) == []
    assert [(each.active, each.reference) for each in ashar.analysis.primary_model.contrasts] == [
        ("PRT", "PLACEBO"),
        ("PRT", "USUAL_CARE"),
    ]
