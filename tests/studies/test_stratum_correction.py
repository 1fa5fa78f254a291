"""A stratum found wrong after randomisation is kept beside the one it was; nothing that was allocated changes."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from studies.acting import acting
from studies.errors import AlreadyDone, InvalidEntry, NotAllowed
from studies.models import Allocation, AuditEvent, Deviation, Participant, Stratum, StratumCorrection
from studies.randomisation_desk import correct_stratum, possible_strata, randomise, standing_stratum

pytestmark = pytest.mark.django_db


def _stratum(participant: Participant, code: str) -> Stratum:
    return participant.study.strata.get(code=code)


def test_a_correction_stands_beside_the_allocation_and_is_a_deviation(investigator, randomised):
    before = Allocation.objects.values().get(participant=randomised)
    correct_stratum(
        investigator, participant=randomised, stratum=_stratum(randomised, "BER.NPL"), reason="lesion ruled out"
    )
    assert Allocation.objects.values().get(participant=randomised) == before
    randomised.refresh_from_db()
    assert (str(randomised.stratum), str(standing_stratum(randomised))) == ("BER.NEURO", "BER.NPL")
    deviation = Deviation.objects.get(participant=randomised)
    assert (deviation.kind, "lesion ruled out" in deviation.description) == ("stratum", True)
    event = AuditEvent.objects.get(kind="stratumcorrection")
    assert (event.actor, event.reason, event.participant_id) == ("ivan", "lesion ruled out", randomised.pk)


def test_the_list_goes_on_where_it_was_after_a_correction(coordinator, investigator, randomised, unallocated):
    correct_stratum(investigator, participant=randomised, stratum=_stratum(randomised, "BER.NPL"), reason="wrong")
    # Both stand in the stratum they were randomised in: the second row of its list, not the first of another.
    assert str(randomise(coordinator, participant=unallocated).stratum) == "BER.NEURO"
    assert Allocation.objects.filter(stratum__code="BER.NEURO").count() == 2


def test_a_wrong_correction_is_corrected_by_another_and_both_stay(investigator, randomised):
    for code in ("BER.NPL", "BER.NOCI", "BER.NEURO"):
        correct_stratum(investigator, participant=randomised, stratum=_stratum(randomised, code), reason="read again")
    assert str(standing_stratum(randomised)) == "BER.NEURO"
    assert [str(row) for row in randomised.stratum_corrections.order_by("pk")] == ["BER.NPL", "BER.NOCI", "BER.NEURO"]


@pytest.mark.parametrize(
    ("code", "reason", "refusal", "said"),
    [
        ("BER.NPL", " ", InvalidEntry, "how the stratum came to be wrong"),
        ("EDI.NPL", "wrong", InvalidEntry, "no stratum of site BER"),
        ("BER.NEURO", "wrong", AlreadyDone, "stands in BER.NEURO already"),
    ],
)
def test_a_correction_that_cannot_be_is_refused(investigator, randomised, code, reason, refusal, said):
    with pytest.raises(refusal, match=said):
        correct_stratum(investigator, participant=randomised, stratum=_stratum(randomised, code), reason=reason)
    assert not StratumCorrection.objects.exists()


def test_nothing_is_corrected_before_randomisation_nor_by_a_coordinator(
    coordinator, investigator, randomised, unallocated
):
    npl = _stratum(randomised, "BER.NPL")
    with pytest.raises(InvalidEntry, match="has not been randomised"):
        correct_stratum(investigator, participant=unallocated, stratum=npl, reason="wrong")
    with pytest.raises(NotAllowed):
        correct_stratum(coordinator, participant=randomised, stratum=npl, reason="wrong")


def test_the_strata_to_choose_from_are_those_of_the_site(randomised):
    assert [str(each) for each in possible_strata(randomised)] == ["BER.NEURO", "BER.NPL", "BER.NOCI"]


def test_no_sql_of_app_changes_a_correction_or_the_stratum_of_a_randomised_participant(
    investigator, randomised, unallocated
):
    npl = _stratum(randomised, "BER.NPL")
    correct_stratum(investigator, participant=randomised, stratum=npl, reason="wrong")
    change = "UPDATE studies_participant SET stratum_id = %s WHERE id = %s"
    with acting(investigator, "wrong"):
        for statement, values, said in (
            (change, [npl.pk, randomised.pk], "stays as it was"),
            ("UPDATE studies_stratumcorrection SET reason = 'x'", [], "permission denied"),
            ("DELETE FROM studies_stratumcorrection", [], "permission denied"),
        ):
            with pytest.raises(DatabaseError, match=said), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement, values)
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change, [npl.pk, unallocated.pk])
            assert cursor.rowcount == 1
