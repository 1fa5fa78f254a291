"""The database keeps the blind, part two: what `app` may do, and what it could tell besides (docs/adr/0001).

`app` may allocate. Whatever the server says, counts, locks, writes or takes time for meanwhile is observed here,
participant by participant, and must let nobody guess the arm better than by chance.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import psycopg
import pytest

from tests.conftest import empty_tables
from tests.studies.intruder import BlindTrial, arm_in, begin_trial, halves, part_that_tells, tells

WAITING = 64


@pytest.fixture(scope="module")
def trial(django_db_setup: None, django_db_blocker: Any) -> Iterator[BlindTrial]:
    with django_db_blocker.unblock():
        begun = begin_trial(allocated=6, waiting=WAITING)
    yield begun
    with django_db_blocker.unblock():
        empty_tables()


@pytest.fixture
def app(trial: BlindTrial) -> Iterator[psycopg.Connection]:
    with trial.connect() as connection:
        yield connection


def allocate(app: psycopg.Connection, participant: int) -> tuple[str, str]:
    """The randomisation number and the kit."""
    row = app.execute("SELECT randomisation_number, kit_number FROM public.allocate(%s)", [participant]).fetchone()
    assert row
    return row


def test_the_measure_finds_what_tells_and_nothing_else():
    arms = ["KET", "MDZ", "MDZ", "KET"] * 16
    assert tells([len(arm) + ord(arm[0]) for arm in arms], arms)
    assert tells([arm if place % 8 else "?" for place, arm in enumerate(arms)], arms), "also through some noise"
    assert not tells([place % 2 for place in range(64)], arms)
    assert not tells(list(range(64)), arms), "what is seen once says nothing of others"
    hidden = [(place, ("same", arm == "KET")) for place, arm in enumerate(arms)]
    assert part_that_tells(hidden, arms) == "part 2, for example True"


def test_an_allocation_answers_two_numbers_and_nothing_more(app: psycopg.Connection, trial: BlindTrial):
    answer = app.execute("SELECT * FROM public.allocate(%s)", [trial.waiting[0]])
    assert [column.name for column in answer.description or ()] == ["randomisation_number", "kit_number"]
    assert not arm_in(str(answer.fetchall()))


# What the server says ------------------------------------------------------------------------------------

TALKATIVE = """
SELECT name, vartype, enumvals FROM pg_settings
WHERE context = 'user' AND name ~ '^(debug_|log_|trace_|plpgsql|client_min_messages|backtrace|event_source)'
  AND name <> 'debug_parallel_query'
"""


@pytest.fixture
def talkative(app: psycopg.Connection) -> list[str]:
    """Every setting that app may change is set so that the server says most; returned is what it says."""
    said: list[str] = []
    app.add_notice_handler(lambda notice: said.append(f"{notice.message_primary} {notice.message_detail}"))
    changed = 0
    for name, kind, _ in app.execute(TALKATIVE).fetchall():
        value = {"bool": "on", "enum": "debug5" if name == "client_min_messages" else None}.get(kind)
        if value:
            app.execute("SELECT set_config(%s, %s, false)", [name, value])
            changed += 1
    assert changed > 5
    app.execute("SELECT 1")
    assert any("Query" in line or "parse" in line.lower() or "plan" in line.lower() for line in said)
    said.clear()
    return said


def test_a_talkative_server_does_not_tell_the_arm(app: psycopg.Connection, trial: BlindTrial, talkative: list[str]):
    for participant in trial.waiting[:8]:
        allocate(app, participant)
    app.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert talkative, "the call itself is talked about"
    assert not arm_in("\n".join(talkative))
    assert "concealed" not in "\n".join(talkative)


def test_the_length_of_what_a_talkative_server_says_does_not_tell(
    app: psycopg.Connection, trial: BlindTrial, talkative: list[str]
):
    seen, arms = [], []
    for participant in trial.waiting:
        talkative.clear()
        kit = allocate(app, participant)[1]
        seen.append((len(talkative), sum(map(len, talkative))))
        arms.append(trial.arms_of_kits()[kit])
    assert part_that_tells(seen, arms) is None


# What goes wrong on the way to an allocation. The error names nothing of the row that was chosen.
GOING_WRONG = {
    "no actor": ["SELECT set_config('trialsite.actor', '', true)"],
    "no reason": ["SELECT set_config('trialsite.reason', '', true)"],
    "a time of entry that is none": ["SET trialsite.entered_at = 'yesterday noonish'"],
    "a snapshot that is too old": ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"],
    "a serializable transaction, whose locks on rows are public": ["SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"],
    "a transaction that may only read": ["SET TRANSACTION READ ONLY"],
    "a stratum of another site": [
        "UPDATE studies_participant SET stratum_id = (SELECT max(id) FROM studies_stratum), site_id = site_id"
        " WHERE id = {participant}",
        "UPDATE studies_participant SET status = 'randomised' WHERE id = {participant}",
    ],
    "a participant without a stratum": ["UPDATE studies_participant SET stratum_id = NULL WHERE id = {participant}"],
    "an actor whose name is too long": ["SELECT set_config('trialsite.actor', repeat('x', 200), true)"],
    "strata that are no JSON object": [
        "UPDATE studies_stratum SET levels = 'null'",
        "UPDATE studies_consent SET signed_at = 'infinity'",
    ],
    "a server that is cancelled at once": ["SET LOCAL statement_timeout = '1ms'", "SELECT set_config('x.x', '', true)"],
}


@pytest.mark.parametrize("steps", GOING_WRONG.values(), ids=GOING_WRONG)
def test_an_allocation_that_goes_wrong_tells_nothing_by(trial: BlindTrial, steps: list[str]):
    participant = trial.waiting[0]
    with trial.connect() as app:
        said = _failure(app, steps, participant)
    assert said
    assert not arm_in(said)
    numbers = {kit for kit in trial.arms_of_kits() if kit in said}
    assert numbers == set()


def _failure(app: psycopg.Connection, steps: Sequence[str], participant: int) -> str:
    """Everything that an error says, in all its fields."""
    try:
        for step in steps:
            app.execute(step.format(participant=participant))
        # Slow enough for a timeout of a millisecond, whatever the machine.
        app.execute("SELECT public.allocate(%s), pg_sleep(0.05)", [participant])
    except psycopg.Error as error:
        fields = [name for name in dir(error.diag) if not name.startswith("_")]
        return " ".join(str(getattr(error.diag, name)) for name in fields)
    return ""


def test_an_allocation_that_waits_for_another_tells_nothing_by_its_timeout(trial: BlindTrial):
    with trial.connect() as first, trial.connect() as second:
        allocate(first, trial.waiting[0])
        second.execute("SET lock_timeout = '20ms'")
        with pytest.raises(psycopg.Error, match="could not be randomised") as refusal:
            allocate(second, trial.waiting[2])
    assert (refusal.value.diag.message_detail, refusal.value.diag.schema_name) == (None, None)


@pytest.mark.parametrize("participant", ["NULL", "-1", "0", "9223372036854775807"])
def test_allocating_nobody_is_refused_with_a_sentence(app: psycopg.Connection, participant: str):
    with pytest.raises(psycopg.Error, match="There is no such participant") as refusal:
        app.execute(f"SELECT public.allocate({participant})")
    assert refusal.value.sqlstate == "TS011"


# What the server counts, locks and writes --------------------------------------------------------------

COUNTERS = {
    "rows read and written by this transaction": (
        "SELECT relname, seq_scan, seq_tup_read, idx_scan, idx_tup_fetch, n_tup_ins, n_tup_upd, n_tup_del,"
        " n_tup_hot_upd, n_tup_newpage_upd FROM pg_stat_xact_all_tables WHERE schemaname = 'concealed' ORDER BY 1"
    ),
    "calls of functions": "SELECT funcname, calls FROM pg_stat_xact_user_functions ORDER BY 1",
    "locks": (
        "SELECT locktype, relation, page, tuple, mode, granted FROM pg_locks"
        " WHERE pid = pg_backend_pid() AND relation >= 16384 ORDER BY 1, 2, 3, 4, 5"
    ),
    "other sessions' view": "SELECT state, wait_event FROM pg_stat_activity WHERE usename = 'app' ORDER BY pid",
    "sizes of tables and indexes": (
        "SELECT c.relname, pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'concealed' ORDER BY 1"
    ),
    "estimates of tables and indexes": (
        "SELECT c.relname, reltuples, relpages, relallvisible FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'concealed' ORDER BY 1"
    ),
    "sequences": "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'concealed' ORDER BY 1",
    "memory of the session": "SELECT count(*) FROM pg_cursors UNION ALL SELECT count(*) FROM pg_prepared_statements",
    "who blocks whom": "SELECT pg_blocking_pids(pg_backend_pid())::text",
    "the system columns of what was written": (
        "SELECT cmin::text::int % 64, length(t::text) - length(strata::text) FROM studies_allocation t"
        " ORDER BY id DESC LIMIT 1"
    ),
}


@pytest.mark.parametrize("query", COUNTERS.values(), ids=COUNTERS)
def test_what_changes_with_an_allocation_does_not_tell_its_arm_in(
    app: psycopg.Connection, trial: BlindTrial, query: str
):
    seen: list[Hashable] = []
    kits = []
    for participant in trial.waiting:
        before = app.execute(query).fetchall()
        kits.append(allocate(app, participant)[1])
        seen.append(_difference(before, app.execute(query).fetchall()))
    arms = trial.arms_of_kits()
    assert part_that_tells(seen, [arms[kit] for kit in kits]) is None


def _difference(before: list[tuple], after: list[tuple]) -> Hashable:
    """What grew, by how much, row by row; of rows that came or went, the rows."""
    if len(before) != len(after):
        return tuple(row for row in after if row not in before)
    return tuple(
        tuple(b - a if isinstance(a, int) and isinstance(b, int) else (a, b) for a, b in zip(x, y, strict=True))
        for x, y in zip(before, after, strict=True)
    )


def test_bytes_in_the_write_ahead_log_do_not_tell(app: psycopg.Connection, trial: BlindTrial):
    seen, kits = [], []
    for participant in trial.waiting:
        before = app.execute("SELECT pg_current_wal_insert_lsn()").fetchone()
        kits.append(allocate(app, participant)[1])
        grown = app.execute("SELECT pg_current_wal_insert_lsn() - %s", before).fetchone()
        seen.append(int(grown[0]) if grown else 0)
    arms = [trial.arms_of_kits()[kit] for kit in kits]
    assert min(seen) > 0
    assert part_that_tells(seen, arms) is None


def test_explaining_an_allocation_with_everything_does_not_tell(app: psycopg.Connection, trial: BlindTrial):
    seen, kits = [], []
    query = "EXPLAIN (ANALYZE, VERBOSE, BUFFERS, WAL, SETTINGS, MEMORY, SERIALIZE) SELECT * FROM public.allocate({})"
    for participant in trial.waiting:
        plan = [line for (line,) in app.execute(query.format(participant)).fetchall()]
        assert not arm_in(str(plan))
        kit = app.execute("SELECT kit_number FROM studies_allocation WHERE participant_id = %s", [participant])
        kits.append((kit.fetchone() or ("",))[0])
        seen.append(tuple(line for line in plan if "ime" not in line))
    assert part_that_tells(seen, [trial.arms_of_kits()[kit] for kit in kits]) is None


def test_the_time_an_allocation_takes_does_not_tell(app: psycopg.Connection, trial: BlindTrial):
    seen, kits = [], []
    for participant in trial.waiting:
        start = time.perf_counter()
        kits.append(allocate(app, participant)[1])
        seen.append(time.perf_counter() - start)
    assert not tells(halves(seen), [trial.arms_of_kits()[kit] for kit in kits])


# What was allocated, and what comes next ---------------------------------------------------------------


def test_fifty_allocations_rolled_back_teach_nothing(app: psycopg.Connection, trial: BlindTrial):
    """The next number is the same each time, and is given to whoever comes next in truth."""
    app.commit()
    seen = set()
    for _ in range(50):
        seen.add(allocate(app, trial.waiting[0]))
        app.rollback()
    assert len(seen) == 1
    assert allocate(app, trial.waiting[2]) == seen.pop()
    trail = app.execute("SELECT e::text FROM audit.event e WHERE kind <> 'protocolversion'").fetchall()
    assert not arm_in(str(trail))


def test_a_try_beyond_the_first_hands_out_the_rows_that_were_tried(app: psycopg.Connection, trial: BlindTrial):
    """Rolling back further ahead shows later kits, in the list's order, and none of their arms."""
    ahead = [allocate(app, participant) for participant in trial.waiting[:20]]
    app.rollback()
    again = [allocate(app, participant) for participant in trial.waiting[:20]]
    assert again == ahead
    arms = trial.arms_of_kits()
    assert len({arms[kit] for _, kit in ahead}) == 2


def test_no_character_of_a_number_tells_the_arm(trial: BlindTrial):
    """Over the whole list; the numbers of both kinds, each character, and each sum of characters."""
    rows = trial.concealed(
        "SELECT randomisation_number, kit_number, arm FROM concealed.list_row ORDER BY id LIMIT 1200"
    )
    arms = [arm for *_, arm in rows]
    assert len(arms) >= 400
    for kind in (0, 1):
        texts = [row[kind] for row in rows]
        assert len({len(text) for text in texts}) == 1
        for place in range(len(texts[0])):
            assert not tells([text[place] for text in texts], arms), (kind, place)
        assert not tells([sum(map(ord, text)) % 7 for text in texts], arms)
        assert not tells(halves([float(sum(map(ord, text))) for text in texts]), arms)


def test_neither_the_order_of_kits_nor_of_keys_nor_of_times_tells(app: psycopg.Connection, trial: BlindTrial):
    for participant in trial.waiting:
        allocate(app, participant)
    rows = app.execute(
        "SELECT kit_number, id, randomisation_number, extract(epoch FROM allocated_at)::float8, change_no"
        " FROM studies_allocation"
    ).fetchall()
    arms = [trial.arms_of_kits()[kit] for kit, *_ in rows]
    for column in range(5):
        values = [row[column] for row in rows]
        ranks = [sorted(values).index(value) for value in values]
        assert not tells([rank % 2 for rank in ranks], arms), column
        assert not tells(halves(ranks), arms), column


@pytest.mark.parametrize(
    "change",
    [
        "status = 'screening'",
        "status = 'screening', stratum_id = (SELECT max(id) FROM studies_stratum)",
        "status = 'screening', study_id = study_id, identifier = 'somebody else'",
        "status = 'screening', id = id + 1000000",
    ],
)
def test_nobody_draws_twice_whatever_is_written_on_him(app: psycopg.Connection, trial: BlindTrial, change: str):
    """A second row for the same person would be compared with the first."""
    participant = trial.allocated[0]
    with pytest.raises(psycopg.Error) as refusal:
        app.execute(f"UPDATE studies_participant SET {change} WHERE id = %s", [participant])
        allocate(app, participant)
    assert refusal.value.sqlstate in ("TS004", "TS011", "TS012", "TS014")
    assert "randomised" in str(refusal.value) or "no such participant" in str(refusal.value)


def test_choosing_the_stratum_chooses_the_list_and_shows_no_more(app: psycopg.Connection, trial: BlindTrial):
    """`app` may move a participant to any stratum before randomisation; it draws from that one's list."""
    strata = [
        key for (key,) in app.execute("SELECT id FROM studies_stratum WHERE study_id = %s", [trial.site.study_id])
    ]
    seen, kits = [], []
    for participant, stratum in zip(trial.waiting, itertools.cycle(strata), strict=False):
        app.execute("UPDATE studies_participant SET stratum_id = %s WHERE id = %s", [stratum, participant])
        kits.append(allocate(app, participant)[1])
        seen.append(stratum)
    assert not tells(seen, [trial.arms_of_kits()[kit] for kit in kits])


def test_notifications_of_the_server_carry_nothing(trial: BlindTrial):
    with trial.connect(autocommit=True) as listener, trial.connect() as app:
        for (channel,) in app.execute("SELECT DISTINCT pg_listening_channels() UNION SELECT 'arms'").fetchall():
            listener.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(channel)))
        sources = app.execute(
            "SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname IN ('public', 'concealed', 'audit') AND p.prosrc ~* 'notify'"
        ).fetchall()
        assert sources == []
        allocate(app, trial.waiting[0])
        assert list(listener.notifies(timeout=0.1)) == []


def test_the_trail_of_an_allocation_holds_what_the_coordinator_saw(app: psycopg.Connection, trial: BlindTrial):
    numbers = allocate(app, trial.waiting[0])
    events = app.execute(
        "SELECT kind, new FROM audit.event WHERE participant_id = %s AND kind IN ('allocation', 'participant')"
        " AND transaction = pg_current_xact_id()::text::bigint ORDER BY id",
        [trial.waiting[0]],
    ).fetchall()
    assert [kind for kind, _ in events] == ["allocation", "participant"]
    entered = events[0][1]
    assert (entered["randomisation_number"], entered["kit_number"]) == numbers
    assert set(entered) == {
        "participant_id", "stratum_id", "strata", "randomisation_number", "kit_number", "allocated_at", "allocated_by",
    }  # fmt: skip
