"""Values of a file as answers to instruments: through the verbs, under their rules, and nothing guessed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from outcomes.imports.refusals import ImportRefused, SourceChanged
from outcomes.interchange.answers import take_answers
from outcomes.interchange.answers_planning import AnswersPlan, plan_answers
from outcomes.interchange.answers_reading import moment_of
from outcomes.interchange.document import Document
from outcomes.interchange.reading import Brought, read
from outcomes.interchange.records_mapping import RecordsMapping, load_mapping
from outcomes.interchange.sources import Source
from outcomes.models import ImportedCell, Response, Score
from outcomes.responses import enter
from studies.acting import acting
from studies.consents import withdraw_consent
from studies.errors import InvalidEntry
from studies.models import Participant, User
from studies.protocol import DocumentInvalid
from tests import factories
from tests.outcomes.interchange.files import ATTESTATION, FIELDS

pytestmark = pytest.mark.django_db

CHOICES = '"0, Not at all | 1, Some days | 2, Most days | 3, Always"'
DICTIONARY = "\n".join(
    (
        FIELDS,
        "record_id,gad,,text,Record,,,,,,,,",
        *(f"gad_{n},gad,,radio,Question {n},{CHOICES},,,,,,," for n in range(1, 8)),
        "gad_on,gad,,text,Answered,,,date_ymd,,,,,",
        "",
    )
)
HEADER = "record_id,redcap_event_name,gad_1,gad_2,gad_3,gad_4,gad_5,gad_6,gad_7,gad_on"
MAPPING = """
missing_codes: {NI: refused}
answers:
  study: KALM
  participant: "KALM-BER-{subject}"
  events: {baseline_arm_1: BL}
  forms:
    - form: gad
      instrument: gad7
      items: {gad_1: 1, gad_2: 2, gad_3: 3, gad_4: 4, gad_5: 5, gad_6: 6, gad_7: 7}
      completed_on: gad_on
"""
GOOD = "T0001,baseline_arm_1,2,1,2,1,2,1,0,2026-02-03"


def files(*rows: str) -> Brought:
    content = "\n".join((HEADER, *rows)) + "\n"
    dictionary = Source("dictionary.csv", DICTIONARY.encode())
    return Brought(Source("gad.csv", content.encode()), dictionary=dictionary, options=mapping().options, project="G")


def mapping(text: str = MAPPING) -> RecordsMapping:
    return load_mapping(text, name="mapping.yaml")


def taken(
    user: User, *rows: str, changed: Literal["refuse", "correct", "leave"] = "refuse", reason: str = ""
) -> AnswersPlan:
    return take_answers(user, document=read(files(*rows)), mapping=mapping(), changed=changed, reason=reason)


def test_a_row_of_redcap_becomes_a_scored_form_of_the_participant(coordinator: User, participant: Participant):
    planned = taken(coordinator, GOOD)
    assert (len(planned.new), planned.equal) == (1, ())
    response = Response.objects.get(participant=participant, instrument__key="gad7")
    assert response.visit is not None
    assert (response.source, response.visit.code, response.entered_by) == ("import", "BL", "cora")
    # 2 + 1 + 2 + 1 + 2 + 1 + 0.
    assert Score.objects.get(response=response, name="total").number == 9
    assert response.completed_at.astimezone().date().isoformat() in {"2026-02-02", "2026-02-03"}


def test_the_same_answers_again_change_nothing(coordinator: User, participant: Participant):
    taken(coordinator, GOOD)
    again = taken(coordinator, GOOD)
    assert (again.is_nothing, again.equal) == (True, (("KALM-BER-T0001", "BL", "gad7"),))
    assert Response.objects.filter(instrument__key="gad7").count() == 1


def test_missing_codes_and_empty_cells_are_reasons_and_no_numbers(coordinator: User, participant: Participant):
    taken(coordinator, "T0001,baseline_arm_1,2,1,2,1,2,NI,,2026-02-03")
    items = {item.item: item for item in Response.objects.get(instrument__key="gad7").items.all()}
    assert (items["6"].value, items["6"].missing_reason) == (None, "refused")
    assert (items["7"].value, items["7"].missing_reason) == (None, "not_in_source")


def test_changed_answers_are_corrected_with_a_reason_or_not_at_all(coordinator: User, participant: Participant):
    taken(coordinator, GOOD)
    changed = GOOD.replace(",2,1,2,", ",3,1,2,")
    with pytest.raises(SourceChanged, match="row 2, column gad_1 .* stored '2', in the file '3'"):
        taken(coordinator, changed)
    with pytest.raises(InvalidEntry, match="Give the reason"):
        taken(coordinator, changed, changed="correct")
    taken(coordinator, changed, changed="leave")
    assert Score.objects.get(name="total", response__instrument__key="gad7").number == 9
    taken(coordinator, changed, changed="correct", reason="read again from REDCap")
    assert Score.objects.get(name="total", response__instrument__key="gad7").number == 10


REFUSED = {
    "nobody is enrolled": ("T0999,baseline_arm_1,2,1,2,1,2,1,0,2026-02-03", "KALM has no participant KALM-BER-T0999"),
    "an event without a visit": (GOOD.replace("baseline", "month_6"), "The mapping names no visit for this event."),
    "no day of the answers": (GOOD.replace("2026-02-03", ""), "Nothing says when it was answered."),
    "a day ahead": (
        GOOD.replace("2026-02-03", "2126-02-03"),
        "column gad_on: '2126-02-03': 3 Feb 2126 00:00 lies ahead",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_an_answer_is_refused_with_its_row(case: str, coordinator: User, participant: Participant):
    row, words = REFUSED[case]
    with pytest.raises(ImportRefused) as refused:
        taken(coordinator, row)
    assert "row 2" in str(refused.value)
    assert words in str(refused.value)
    assert not Response.objects.filter(instrument__key="gad7").exists()


def test_forms_that_are_refused_can_be_left_out(coordinator: User, participant: Participant):
    rows = (REFUSED["nobody is enrolled"][0], GOOD)
    done = take_answers(coordinator, document=read(files(*rows)), mapping=mapping(), refused="leave")
    assert (len(done.new), done.left_out, [each.row for each in done.refused]) == (1, 1, [2])
    assert Response.objects.filter(instrument__key="gad7").count() == 1


def test_two_rows_for_one_form_are_refused(coordinator: User, participant: Participant):
    both = mapping(MAPPING.replace("{baseline_arm_1: BL}", "{baseline_arm_1: BL, again_arm_1: BL}"))
    document = read(files(GOOD, GOOD.replace("baseline", "again")))
    assert [str(each) for each in plan_answers(document, both).refused] == [
        "row 3, column gad: 'KALM-BER-T0001': Row 2 gives Generalised Anxiety Disorder 7 of KALM-BER-T0001 at this"
        " visit already."
    ]


def test_without_consent_in_force_nothing_is_taken(coordinator: User, participant: Participant):
    withdraw_consent(
        coordinator,
        consent=participant.consents.get(),
        scope="collection",
        withdrawn_at=timezone.now(),
        reason="asked for it",
    )
    with pytest.raises(ImportRefused, match="row 2, column gad: .*has no consent in force: nothing may be collected"):
        taken(coordinator, GOOD)


def test_what_a_participant_answered_is_not_corrected_by_a_file(coordinator: User, participant: Participant):
    entry = replace(plan_answers(read(files(GOOD)), mapping()).new[0], source=Response.Source.PARTICIPANT, missing={})
    with acting(coordinator, "filled in at the door"):
        enter(coordinator, [entry])
    with pytest.raises(ImportRefused, match="A participant's own answers are not changed"):
        taken(coordinator, GOOD.replace(",2,1,2,", ",3,1,2,"), changed="correct", reason="read again")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-03-29T02:30:00", "The clock of Europe/Berlin was changed at this time, which never stood there."),
        ("2026-10-25T02:30:00", "The clock of Europe/Berlin was changed at this time, which stood there twice."),
        ("03.02.2026", "A date is expected as 2024-05-31"),
    ],
)
def test_a_time_that_is_none_on_the_sites_clock_is_refused(text: str, words: str):
    with pytest.raises(ValueError, match=words):
        moment_of(text, ZoneInfo("Europe/Berlin"))
    assert moment_of("2026-10-25T02:30:00+01:00", ZoneInfo("Europe/Berlin")).utcoffset() == timedelta(hours=1)


def wider(*choices: str, row: str = GOOD) -> Document:
    """The file with other codes in its dictionary."""
    plain = files(row)
    dictionary = Source("dictionary.csv", DICTIONARY.replace(CHOICES, f'"{" | ".join(choices)}"').encode())
    return read(Brought(plain.file, dictionary=dictionary, options=plain.options, project="G"))


def test_a_value_out_of_the_instruments_range_is_refused_even_if_the_dictionary_takes_it(
    coordinator: User, participant: Participant
):
    plain = DICTIONARY.replace(f"radio,Question 1,{CHOICES}", "text,Question 1,").encode()
    file = files(GOOD.replace(",2,1,2,", ",4,1,2,")).file
    document = read(Brought(file, dictionary=Source("dictionary.csv", plain), project="G"))
    words = "row 2, column gad_1: '4': Nervousness is 4; allowed is 0 to 3 (whole numbers)."
    assert [str(each) for each in plan_answers(document, mapping()).refused] == [words]


def test_fields_that_count_otherwise_are_refused_until_the_mapping_says_what_their_codes_are(
    coordinator: User, participant: Participant
):
    """1 to 4 for 0 to 3: most of these values would pass for other answers."""
    document = wider(
        "1, Not at all", "2, Some days", "3, Most days", "4, Always", row=GOOD.replace(",0,2026", ",1,2026")
    )
    refused = plan_answers(document, mapping()).refused
    assert len(refused) == 7
    assert "column gad_1: '4': Its codes are 1, 2, 3, 4; Nervousness has 0 to 3." in str(refused[0])
    recoded = mapping(MAPPING + "      codes: {1: 0, 2: 1, 3: 2, 4: 3}\n")
    take_answers(coordinator, document=document, mapping=recoded)
    # 1 + 0 + 1 + 0 + 1 + 0 + 0.
    assert Score.objects.get(name="total", response__instrument__key="gad7").number == 3


def test_a_code_that_says_why_there_is_no_answer_is_none_of_the_items(coordinator: User, participant: Participant):
    choices = ("0, Not at all", "1, Some days", "2, Most days", "3, Always", "NI, Refused")
    assert len(plan_answers(wider(*choices), mapping()).new) == 1


def test_all_answers_are_saved_or_none(coordinator: User, participant: Participant):
    with pytest.raises(ImportRefused):
        taken(coordinator, GOOD, "T0999,baseline_arm_1,2,1,2,1,2,1,0,2026-02-03")
    assert not Response.objects.filter(instrument__key="gad7").exists()


def test_the_data_manager_takes_answers_and_nobody_else_who_may_not_enter_them(version, participant: Participant):
    monitor = factories.person("mona", version.study, "monitor")
    with pytest.raises(ImportRefused, match="row 2, column gad: .*: Your role does not allow you to enter Generalised"):
        taken(monitor, GOOD)
    assert not Response.objects.filter(instrument__key="gad7").exists()
    manager = factories.person("dora", version.study, "data_manager")
    taken(manager, GOOD)
    taken(manager, GOOD.replace(",2,1,2,", ",3,1,2,"), changed="correct", reason="read again")
    assert Score.objects.get(name="total", response__instrument__key="gad7").number == 10


def test_what_tells_the_arm_is_for_the_infusion_unit_alone(version, nurse: User, participant: Participant):
    side_effects = mapping(MAPPING.replace("instrument: gad7", "instrument: cadss23"))
    manager = factories.person("dora", version.study, "data_manager")
    document = read(files(GOOD))
    assert "Your role does not allow you" in str(plan_answers(document, side_effects, user=manager).refused[0])
    assert plan_answers(document, side_effects, user=nurse).refused == ()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (("instrument: gad7", "instrument: gad8"), "There is no instrument 'gad8'."),
        (("gad_7: 7", "gad_7: 8"), "has no item 8."),
        (("gad_7: 7", "gad_7: 6"), "Item 6 is mapped twice, from gad_6 too."),
        (('"KALM-BER-{subject}"', "somebody"), "Write {subject} where the file's subject stands."),
        (("NI: refused", "NI: unknown"), "missing_codes"),
    ],
)
def test_a_mapping_that_contradicts_the_instruments_is_refused(wrong: tuple[str, str], words: str):
    with pytest.raises(DocumentInvalid) as refused:
        mapping(MAPPING.replace(*wrong))
    assert words in str(refused.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gad.csv").write_bytes(files(GOOD).file.content)
    (tmp_path / "dictionary.csv").write_text(DICTIONARY)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    return tmp_path


def run(folder: Path, *options: str) -> str:
    out = StringIO()
    about = ("--dictionary", str(folder / "dictionary.csv"), "--mapping", str(folder / "mapping.yaml"))
    call_command("import_records", str(folder / "gad.csv"), "--study", "GAD", *about, *options, stdout=out)
    return out.getvalue()


def test_the_command_shows_first_and_takes_values_and_answers_together(
    folder: Path, coordinator: User, participant: Participant
):
    shown = run(folder)
    assert "9 new, 0 changed, 0 equal" in shown
    assert "answers: 1 forms new, 0 changed, 0 equal, 0 refused" in shown
    assert "Nothing was written. Give --take to take it." in shown
    with pytest.raises(CommandError, match="name a member of the site's staff with --as"):
        run(folder, "--take", "--attested-by", ATTESTATION)
    assert not ImportedCell.objects.exists()
    done = run(folder, "--take", "--attested-by", ATTESTATION, "--as", "cora")
    assert "Taken." in done
    assert ImportedCell.objects.count() == 9
    assert Response.objects.filter(instrument__key="gad7").count() == 1
    assert "Everything in it is here already." in run(folder)
