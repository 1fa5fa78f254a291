"""Allocation: in list order, once each, whoever presses when, and only for those who may be randomised."""

from __future__ import annotations

import itertools
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, transaction

from studies.acting import acting
from studies.errors import AlreadyDone, ConsentMissing, NotAllowed, NotEligible, RandomisationRefused
from studies.models import Allocation, Participant
from studies.randomisation_desk import randomise
from tests import factories
from trialsite.services.connection import database_url

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 50
PARTICIPANTS = 500


def test_a_participant_gets_a_randomisation_number_and_a_kit(coordinator, participants, site, randomisation_list):
    participant = participants.ready(site)
    allocation = randomise(coordinator, participant=participant)
    assert allocation.randomisation_number.startswith("R")
    assert allocation.kit_number
    assert allocation.strata == {"site": "BER", "pain": "NEURO"} or set(allocation.strata) >= {"site"}
    participant.refresh_from_db()
    assert participant.status == Participant.Status.RANDOMISED


@pytest.mark.parametrize(
    ("lacking", "refusal"),
    [({"consented": False}, ConsentMissing), ({"included": False}, NotEligible)],
)
def test_randomising_is_refused_until_consent_and_eligibility(
    coordinator, participants, site, randomisation_list, lacking, refusal
):
    with pytest.raises(refusal):
        randomise(coordinator, participant=participants.ready(site, **lacking))
    assert not Allocation.objects.exists()
    assert randomise(coordinator, participant=participants.ready(site)).kit_number


def test_a_participant_is_randomised_once(coordinator, participants, site, randomisation_list):
    participant = participants.ready(site)
    randomise(coordinator, participant=participant)
    with pytest.raises(AlreadyDone):
        randomise(coordinator, participant=participant)


def test_withdrawn_consent_blocks_randomisation(coordinator, investigator, participants, site, randomisation_list):
    participant = participants.ready(site)
    with acting(investigator, "withdrawn"), transaction.atomic():
        participant.consents.update(withdrawn_at=factories.LONG_AGO, withdrawal_scope="treatment")
    with pytest.raises(ConsentMissing):
        randomise(coordinator, participant=participant)


def test_without_a_list_nobody_is_randomised(coordinator, participants, site):
    with pytest.raises(RandomisationRefused, match="no randomisation list"):
        randomise(coordinator, participant=participants.ready(site))


def test_a_coordinator_of_another_site_may_not_randomise(version, participants, site, randomisation_list):
    elsewhere = version.study.sites.exclude(pk=site.pk).first()
    stranger = factories.person("stella", version.study, "coordinator", elsewhere)
    with pytest.raises(NotAllowed):
        randomise(stranger, participant=participants.ready(site))


def test_allocation_refuses_a_snapshot_that_could_be_stale(
    coordinator, participants, site, randomisation_list, as_role
):
    participant = participants.ready(site)
    app = as_role("app")
    app.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    app.execute("SELECT set_config('trialsite.actor', 'cora', true), set_config('trialsite.reason', 'x', true)")
    with pytest.raises(psycopg.Error, match="READ COMMITTED"):
        app.execute("SELECT public.allocate(%s)", [participant.pk])


def test_a_rolled_back_allocation_leaves_no_gap_and_teaches_nothing(
    coordinator, participants, site, randomisation_list
):
    first, second = participants.ready(site), participants.ready(site)
    seen = []
    for participant in (first, second):
        try:
            with transaction.atomic():
                seen.append(randomise(coordinator, participant=participant).kit_number)
                raise RuntimeError  # noqa: TRY301
        except RuntimeError:
            pass
    assert seen[0] == seen[1]
    assert randomise(coordinator, participant=second).kit_number == seen[0]


def test_fifty_threads_at_once_get_every_row_once_and_in_order(version, participants, randomisation_list):
    """500 participants over two sites and their strata, a tenth rolled back."""
    keys = _many(version, participants)
    _allocate_at_once(keys, "SELECT * FROM public.allocate(%s)")
    _assert_list_order(keys)


def test_a_naive_allocation_fails_the_same_test(version, participants, randomisation_list):
    """Select, then insert, without the lock: what the lock is there for."""
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"]), autocommit=True) as owner:
        owner.execute("SET ROLE concealer")
        owner.execute(_without_lock(owner))
        owner.execute("GRANT EXECUTE ON FUNCTION public.allocate_naively(bigint) TO app")
    try:
        keys = _many(version, participants)
        with pytest.raises((AssertionError, psycopg.Error)):
            _allocate_at_once(keys, "SELECT * FROM public.allocate_naively(%s)")
            _assert_list_order(keys)
    finally:
        with psycopg.connect(database_url("owner", connection.settings_dict["NAME"]), autocommit=True) as owner:
            owner.execute("SET ROLE concealer")
            owner.execute("DROP FUNCTION public.allocate_naively(bigint)")


def _without_lock(owner) -> str:
    """The real function without its lock, and slow between reading and writing, as a busy server is."""
    source: str = owner.execute("SELECT pg_get_functiondef('public.allocate(bigint)'::regprocedure)").fetchone()[0]
    naive = source.replace("public.allocate(", "public.allocate_naively(").replace("allocate.", "allocate_naively.")
    naive = naive.replace("AND l.study_id = person.study_id FOR UPDATE", "AND l.study_id = person.study_id")
    naive = naive.replace(
        "    INSERT INTO concealed.allocation",
        "    PERFORM pg_sleep(0.005);\n    INSERT INTO concealed.allocation",
    )
    assert naive.count("FOR UPDATE") == source.count("FOR UPDATE") - 1
    return naive


def _many(version, participants) -> list[int]:
    sites = list(version.study.sites.order_by("code"))[:2]
    cells = itertools.cycle(itertools.product(sites, ("NEURO", "NPL")))
    return [participants.ready(*next(cells)).pk for _ in range(PARTICIPANTS)]


def _allocate_at_once(keys: list[int], statement: str) -> None:
    url = database_url("app", connection.settings_dict["NAME"])

    def work(mine: list[int]) -> None:
        with psycopg.connect(url) as app:
            for place, key in enumerate(mine):
                if place == 3:  # a tenth is rolled back, and tried again
                    _allocate(app, statement, key)
                    app.rollback()
                _allocate(app, statement, key)
                app.commit()

    shares = [keys[start::THREADS] for start in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, shares))


def _allocate(app: psycopg.Connection, statement: str, key: int) -> None:
    app.execute("SELECT set_config('trialsite.actor', 'cora', true), set_config('trialsite.reason', 'x', true)")
    app.execute(statement, [key])


def _assert_list_order(keys: list[int]) -> None:
    """Every participant has a row; within a stratum the rows are 1 to n, in the order they were committed."""
    with psycopg.connect(database_url("owner", connection.settings_dict["NAME"])) as owner:
        owner.execute("SET ROLE concealer")
        rows = owner.execute(
            "SELECT r.stratum_id, r.position, r.arm, a.participant_id FROM concealed.allocation a"
            " JOIN concealed.list_row r ON r.id = a.list_row_id"
            " JOIN public.studies_allocation o ON o.participant_id = a.participant_id"
            "  AND o.kit_number = r.kit_number ORDER BY o.change_no"
        ).fetchall()
    assert sorted(participant for *_, participant in rows) == sorted(keys)
    by_stratum = defaultdict(list)
    for stratum, position, arm, _ in rows:
        by_stratum[stratum].append((position, arm))
    for drawn in by_stratum.values():
        assert [position for position, _ in drawn] == list(range(1, len(drawn) + 1))
    _assert_blocks_balanced(by_stratum)


def _assert_blocks_balanced(by_stratum) -> None:
    """Blocks of 4 and 6: at no point may the arms of a stratum differ by more than half the largest block."""
    for drawn in by_stratum.values():
        difference = 0
        for _, arm in drawn:
            difference += 1 if arm == "KET" else -1
            assert abs(difference) <= 3
