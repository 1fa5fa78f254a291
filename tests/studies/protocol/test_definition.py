"""Mistakes in a protocol: each is refused, on its line, with what to do. KALM with one passage changed."""

# ruff: noqa: E501 - one mistake a line, old and new side by side

from __future__ import annotations

from datetime import date

import pytest
from ruamel.yaml import YAML

from studies.protocol import ProtocolDefinition, cached_definition, check, load
from tests.studies.protocol.kalm import TEXT, changed, kalm, line_of, problems

MISTAKES = [
    # design
    ("block_sizes: [4, 6]", "block_sizes: [4, 5]", "randomisation.block_sizes[2]", "Arm ratio 1:1 cannot fill blocks of 5. Use block sizes that are multiples of 2."),
    ("ratio: {KET: 1, MDZ: 1}", "ratio: {KET: 1, MDZ: 2}", "randomisation.block_sizes[1]", "Arm ratio 1:2 cannot fill blocks of 4."),
    ("ratio: {KET: 1, MDZ: 1}", "ratio: {KET: 1, MDZ: 1, SAL: 2}", "ratio.SAL", "'SAL' is not an arm. The arms are KET, MDZ."),
    ("ratio: {KET: 1, MDZ: 1}", "ratio: {KET: 2}", "ratio", "The ratio does not say how many get MDZ."),
    ("    control: true\n", "", "arms", "No arm is the control."),
    ("code: EDI", "code: BER", "sites[BER].code", "'BER' is taken by an earlier entry."),
    ("time_zone: Europe/Lisbon", "time_zone: Europe/Lisboa", "sites[LIS].time_zone", "'Europe/Lisboa' is not a time zone"),
    ("country: PT", "country: Portugal", "sites[LIS].country", "a country's two letters"),
    ("  - code: MDZ", "  - code: mdz", "arms[mdz].code", "'mdz' is not a code: at most 20 capitals"),
    ('  version: "1.0"\n  sponsor', "  version: 1.0\n  sponsor", "study.version", 'put it in quotes: "1.0"'),
    # what would tell the arm
    ("concentration_mg_per_ml: 0.09", "concentration_mg_per_ml: 0.1", "arms[MDZ].regimen", "MDZ would run at 0.675 mL/h per kg, not at 0.75: the rate would tell the arm."),
    ("cap_mg: 5.4", "cap_mg: 5", "arms[MDZ].regimen.cap_mg", "is reached at 111.11"),
    ("      dose_mg_per_kg: 0.5\n", "      dose_mg_per_kg: 0.5\n      fixed_dose_mg: 40\n", "arms[KET].regimen", "either dose_mg_per_kg or fixed_dose_mg"),
    # eligibility
    ("18 <= age_years <= 75", "18 <= age <= 75", "eligibility[I1].expression", "'age' is not a finding that is known here."),
    ("18 <= age_years <= 75", "18 <= age_years <= old()", "eligibility[I1].expression", "'old()' is not allowed in"),
    ("expression: 18 <= age_years <= 75", "note: adults", "eligibility[I1].note", "'note' is not known here."),
    ("  - id: I2\n", "  - id: I1\n", "eligibility[I1].id", "'I1' is taken by an earlier entry."),
    ("when: pain_class == 'nociceptive'", "when: pain_klass == 'nociceptive'", "strata.factors[pain_stratum].levels[NOCI].when", "Did you mean 'pain_class'?"),
    ("type: number, unit: years, record: participant.age_years", "type: number, unit: years", "findings[age_years]", "exactly one of form, record, derived, instrument"),
    ("instrument: madrs, item: \"10\"", "instrument: madrs", "findings[madrs_item_10]", "names either its item or its score"),
    ("visits: [SCR, BL]", "visits: [SCR, BX]", "findings[madrs_item_10].visits", "'BX' is not a visit."),
    ("instrument: cssrs, score: any_behaviour", "instrument: csrs, score: any_behaviour", "findings[cssrs_behaviour].instrument", "No visit collects 'csrs'."),
    ("scope: [data, infusion, blood_samples]", "scope: []", "consent[1.0].scope", "at least 1 item"),
    ("          when: pain_class == 'nociceptive'\n", "", "strata.factors[pain_stratum].levels[NOCI]", "It is not said who belongs to NOCI. Give 'when'."),
    ("record: consent.is_current", "record: consent.current", "findings[consent_is_current].record", "This should be 'participant.age_years'"),
    ("  - {key: comorbidity,", "  - {key: comorbidities,", "findings[pain_class]", "'pain_class' follows from findings that are missing: comorbidity."),
    ("choices: [none, possible, probable], derived: pain_classification}", "choices: [none], derived: pain_classification}\n  - {key: grade, label: Grade, type: text, derived: pain_classification}", "findings[grade].key", "The pain classification gives"),
    # schedule
    ("    day: 14\n    plus_minus_days: 2", "    day: 14\n    plus_minus_days: 6", "visits[W2]", "The window of W2 opens on day 8, before that of W1 has closed (day 8)."),
    ("    days: [-28, -8]", "    days: [-8, -28]", "visits[SCR]", "ends (-28) before it begins (-8)"),
    ("    day: -14\n", "    day: -30\n", "visits[SCR]", "Day -30 is outside the window -28 to -8."),
    ("    day: 56\n    plus_minus_days: 5\n", "    day: 56\n", "visits[W8]", "W8 is planned, but has no window."),
    ("    days: [-28, -8]", "    days: [-28, -8]\n    plus_minus_days: 2", "visits[SCR]", "Give one window"),
    ("      - form: consent\n", "      - form: consent\n        instrument: dn4\n", "visits[SCR].assessments[1]", "either an instrument or a form"),
    ("      - instrument: dn4\n", "      - instrument: paindetect\n", "visits[SCR].assessments[9]", "'paindetect' is listed twice."),
    ("      - form: consent\n", "      - form: consents\n", "visits[SCR].assessments[1].form", "This should be 'consent'"),
    ("    - [49, 55] ", "    - [55, 49] ", "diary.days[2]", "The diary days end (49) before they begin (55)."),
    # infusion and safety
    ("at_minutes: [-15, 240]}", "at_minutes: [-15, 245]}", "visits[D0].assessments[3].at_minutes", "Minute 245 is not on the infusion clock"),
    ("infusion:\n  visit: D0", "infusion:\n  visit: D9", "infusion.visit", "'D9' is not a visit."),
    ("baseline_minute: -15", "baseline_minute: -20", "infusion", "no reading at the baseline minute -20"),
    ("hard: [20, 250], soft: [50, 110]", "hard: [20, 250], soft: [10, 110]", "infusion.parameters[hr]", "must lie within the hard one"),
    ("when: hr > 130", "when: heart > 130", "safety_rules[S06].when", "'heart' is not a finding"),
    ("when: hr >= 150", "when: hr", "safety_rules[S08].when", "'hr' is a number; a condition is either true or false."),
    (", resume_when: hr <= 110", "", "safety_rules[S06]", "A HOLD needs resume_when"),
    ("when: aldrete_score >= 9", "when: aldrete >= 9", "discharge[6].when", "Did you mean 'aldrete_score'?"),
    ("code: CSSRS_INCONSISTENT", "code: SUICIDE_ITEM_MISSING", "alerts[SUICIDE_ITEM_MISSING].code", "taken by an earlier entry"),
    ("instruments: [cadss23, bprs_positive]", "instruments: [cadss28, bprs_positive]", "arm_revealing.instruments[1]", "No visit collects 'cadss28'."),
    # analysis
    ("      role: primary\n", "      role: other\n", "analysis.endpoints", "Exactly one endpoint must have role: primary."),
    ("      order: 3\n", "      order: 7\n", "analysis.endpoints", "must be 1, 2, 3 without gaps; it is [1, 2, 4, 5, 6, 7]"),
    ("      instrument: sf_mpq_2\n      score", "      instrument: sf_mpq\n      score", "analysis.endpoints[affective_week4].instrument", "No visit collects 'sf_mpq'."),
    ("{code: WK5, label: Week 5, days: [29, 35]", "{code: WK5, label: Week 5, days: [30, 36]", "analysis.endpoints[pain_week4]", "The diary is not kept on all days from 30 to 36."),
    ("        - {code: D1, visit: D1}\n      at: D1", "        - {code: D1, visit: W8}\n      at: D1", "analysis.endpoints[madrs_day1]", "'madrs' is not collected at W8."),
    ("{active: KET, reference: MDZ}", "{active: KET, reference: SAL}", "analysis.models[primary_mmrm].contrasts", "'SAL' is not an arm."),
    ("covariates: [baseline, strata]\n      covariates_by", "covariates: [baseline, stratum]\n      covariates_by", "analysis.models[primary_mmrm].covariates", "'stratum' is not a covariate here. Use age_years, baseline"),
    ("timepoints: [WK1, WK2, WK3, WK4]\n", "timepoints: [WK1, WK2, WK3, WK9]\n", "analysis.models[primary_mmrm].timepoints", "'WK9' is not a timepoint of pain_week4."),
    ("      population: FAS\n      primary: true", "      population: ITT\n      primary: true", "analysis.models[primary_mmrm].population", "'ITT' is not a population of the plan."),
    ("  responders:\n    endpoint: pain_week4", "  responders:\n    endpoint: pain", "analysis.responders.endpoint", "'pain' is not an endpoint of the plan."),
    ("information: 112", "information: 40", "analysis.looks", "Look 2 must come later than look 1, with more information."),
    ("maximum_information: 143", "maximum_information: 150", "analysis.looks", "The last look must be at the maximum, 150 units."),
    ("{number: 2, information", "{number: 4, information", "analysis.looks", "numbered 1, 2, 3 without gaps"),
    ("clinical_cutoff: 2026-10-31", "clinical_cutoff: soon", "analysis.looks.planned[2].clinical_cutoff", "it is 'soon'."),
    ("      binding: false", "      binding: true", "analysis.looks.futility.binding", "This should be False"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "words"), MISTAKES, ids=[f"{m[2]}-{n}" for n, m in enumerate(MISTAKES)])
def test_a_mistake_is_reported_where_it_stands_with_what_to_do(old, new, path, words):
    found = [problem for problem in problems(changed(old, new)) if problem.path == path]
    assert len(found) == 1, problems(changed(old, new))
    assert words in found[0].message


@pytest.mark.parametrize(
    ("passage", "old", "new"),
    [
        ("    expression: 18 <= age <= 75", "18 <= age_years <= 75", "18 <= age <= 75"),
        ("  - {id: S06", "when: hr > 130", "when: heart > 130"),
        ("  block_sizes: [4, 5]", "block_sizes: [4, 6]", "block_sizes: [4, 5]"),
        ("      - {number: 2, information: 112", "clinical_cutoff: 2026-10-31", "clinical_cutoff: soon"),
    ],
)
def test_a_mistake_has_the_line_on_which_it_stands(passage, old, new):
    text = changed(old, new)
    (found,) = problems(text)
    assert found.line == line_of(text, passage)


def test_mistakes_of_every_sort_are_reported_together():
    text = TEXT
    replacements = [
        ("block_sizes: [4, 6]", "block_sizes: [5]"),
        ("18 <= age_years <= 75", "18 <= age <= 75"),
        ("planned_participants: 168", "planed_participants: 168"),
        ("time_zone: Europe/Lisbon", "time_zone: Lisbon"),
        ("when: hr > 130", "when: heart > 130"),
        ("    place: infusion_unit\n", "    place: infusion_unit\n    place: site\n"),
    ]
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    assert {problem.path for problem in problems(text)} == {
        "randomisation.block_sizes[1]",
        "eligibility[I1].expression",
        "planned_participants",
        "planed_participants",
        "sites[LIS].time_zone",
        "safety_rules[S06].when",
        "visits[D0].place",
    }


def test_a_section_that_is_left_out_where_it_is_needed_is_named():
    start, end = TEXT.index("randomisation:\n"), TEXT.index("sites:\n")
    (found,) = problems(TEXT[:start] + TEXT[end:])
    assert found.message == "A study conducted here needs 'randomisation'."


def test_more_strata_than_an_eighth_of_the_participants_give_a_warning_on_their_line():
    text = changed("planned_participants: 168", "planned_participants: 140")
    warnings = check(load(text, source="changed.yaml"), text, source="changed.yaml")
    strata = next(warning for warning in warnings if warning.path == "strata")
    assert strata.line == line_of(text, "strata:\n")
    assert "18 strata are many for 140 participants (at most 17 are advised)" in strata.message


def test_sites_that_plan_other_numbers_than_the_study_and_a_ratio_that_leaves_a_rest_give_warnings():
    text = changed("planned_participants: 168", "planned_participants: 169")
    messages = [warning.message for warning in check(load(text, source="changed.yaml"))]
    assert any("The sites plan 168 participants, the study 169." in message for message in messages)
    assert any("169 participants do not divide by the ratio 1:1." in message for message in messages)


def test_a_list_shorter_than_a_site_gives_a_warning():
    text = changed("rows_per_stratum: 200", "rows_per_stratum: 41")
    (warning,) = check(load(text, source="changed.yaml"), text, source="changed.yaml")
    assert warning.line == line_of(text, "  rows_per_stratum: 41")
    assert "A list of 41 rows may be used up: up to 42 participants" in warning.message


def test_a_visit_that_counts_from_an_infusion_needs_one():
    start, end = TEXT.index("infusion:\n  visit"), TEXT.index("alerts:\n")
    found = problems(TEXT[:start] + TEXT[end:])
    assert [problem.path for problem in found if "that the protocol lacks" in problem.message] == ["visits[D1]"]


def test_comments_layout_and_the_order_of_keys_do_not_change_the_hash():
    plain = YAML(typ="safe", pure=True).load(TEXT)
    again = ProtocolDefinition.model_validate({key: plain[key] for key in sorted(plain, reverse=True)})
    assert again == kalm()
    assert again.sha256 == kalm().sha256
    assert load(TEXT.replace("# ", "#  "), source="x").sha256 == kalm().sha256


@pytest.mark.parametrize(
    ("old", "new"),
    [("when: hr > 130", "when: hr > 131"), ("1.0e-9", "1.0e-8"), ("Aged 18 to 75", "Aged 18 to  75")],
)
def test_any_change_of_content_changes_the_hash(old, new):
    assert load(changed(old, new), source="x").sha256 != kalm().sha256


def test_a_stored_definition_equals_what_was_loaded_and_is_read_once():
    assert ProtocolDefinition.model_validate_json(kalm().canonical_json()) == kalm()
    assert cached_definition(TEXT) is cached_definition(TEXT)
    assert cached_definition(TEXT) == kalm()


def test_a_definition_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        kalm().planned_participants = 3


LATER_CONSENT = """
  - version: "2.0"
    in_force_from: 2026-02-01
    in_force_from_at_site: {PER: 2026-04-01}
    scope: [data]
"""


def test_a_later_consent_comes_into_force_site_by_site_and_covers_what_it_says():
    text = changed(
        "    scope: [data, infusion, blood_samples]\n",
        "    scope: [data, infusion, blood_samples]" + LATER_CONSENT,
    )
    protocol = load(text, source="x")
    days = [date(2026, 1, 31), date(2026, 2, 1), date(2026, 4, 1)]
    versions = {(day, site): protocol.consent_in_force(day, site).version for day in days for site in ("BER", "PER")}
    assert [site for (_, site), version in versions.items() if version == "1.0"] == ["BER", "PER", "PER"]
    assert [protocol.may_collect("2.0", each) for each in ("phq9", "infusion", "laboratory")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "in_force_from: 2026-02-01",
            "in_force_from: 2025-02-01",
            "List versions in the order they came into force.",
        ),
        ("{PER: 2026-04-01}", "{XXX: 2026-04-01}", "'XXX' is not a site."),
    ],
)
def test_consent_versions_out_of_order_or_at_unknown_sites_are_refused(old, new, words):
    consent = "    scope: [data, infusion, blood_samples]" + LATER_CONSENT.replace(old, new)
    (found,) = problems(changed("    scope: [data, infusion, blood_samples]\n", consent))
    assert words in found.message


def test_a_placebo_without_drug_and_a_fixed_regimen_can_be_written():
    text = TEXT.replace(
        "      dose_mg_per_kg: 0.045\n      cap_mg: 5.4\n      concentration_mg_per_ml: 0.09",
        "      concentration_mg_per_ml: 0",
    )
    assert load(text, source="x").arm("MDZ").regimen.dose_mg_per_kg is None
    fixed = (
        text.replace(
            "      dose_mg_per_kg: 0.5\n      cap_mg: 60\n      concentration_mg_per_ml: 1.0",
            "      fixed_dose_mg: 80\n      concentration_mg_per_ml: 0.8",
        )
        .replace("rate_ml_h_per_kg: 0.75", "fixed_rate_ml_h: 50")
        .replace("  minutes: 40\n", "  minutes: 120\n")
    )
    assert load(fixed, source="x").infusion.fixed_rate_ml_h == 50
