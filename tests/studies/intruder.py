"""What the tests of the blind share: a trial with its arms, and a measure of what an intruder can tell.

The intruder holds the role `app`: any SQL, any number of connections. The arms he is after are read here as
`concealer`, which nobody but the owner can become.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from django.db import connection
from psycopg import sql
from scipy.stats import chi2_contingency

from studies.models import ProtocolVersion, Site
from tests import factories
from tests.conftest import django_as
from trialsite.services.connection import database_url

ARMS = ("KET", "MDZ")
# Of observations without any connection with the arms one in a million is called telling.
SURPRISE = 1e-6
FEW = 5
SELDOM = object()
_ACT = (
    "SELECT set_config('trialsite.actor', 'mallory', {local}), set_config('trialsite.reason', 'because', {local}),"
    " set_config('trialsite.entered_at', '', {local})"
)


@dataclass(frozen=True)
class BlindTrial:
    """Participants with a kit, others who wait for one, and how to reach the database that keeps the blind."""

    name: str
    site: Site
    allocated: tuple[int, ...]
    waiting: tuple[int, ...]

    @contextmanager
    def connect(self, role: str = "app", *, autocommit: bool = False) -> Iterator[psycopg.Connection]:
        """A connection of its own, acting as mallory; what it did is rolled back."""
        with psycopg.connect(database_url(role, self.name), autocommit=autocommit) as own:
            own.execute(_ACT.format(local="false"))
            own.commit()
            yield own
            own.rollback()

    def arms(self) -> dict[int, str]:
        """The arm by participant."""
        return dict(self.concealed(_ARM_BY.format("a.participant_id", "JOIN")))

    def arms_of_kits(self) -> dict[str, str]:
        """The arm by kit number, of the whole list."""
        return dict(self.concealed(_ARM_BY.format("r.kit_number", "RIGHT JOIN")))

    def concealed(self, query: str) -> list[tuple]:
        with psycopg.connect(database_url("owner", self.name)) as owner:
            owner.execute("SET ROLE concealer")
            return owner.execute(query).fetchall()


_ARM_BY = "SELECT {}, r.arm FROM concealed.allocation a {} concealed.list_row r ON r.id = a.list_row_id"


def begin_trial(*, allocated: int, waiting: int = 0) -> BlindTrial:
    """The demo protocol with a list from the operating system's chance, and so many participants."""
    version = factories.kalm()
    factories.make_list(version.study, django_as)
    site = version.study.sites.get(code="BER")
    people = _ready(version, site, allocated + waiting)
    trial = BlindTrial(connection.settings_dict["NAME"], site, people[:allocated], people[allocated:])
    with trial.connect() as app:
        for participant in trial.allocated:
            app.execute("SELECT public.allocate(%s)", [participant])
        app.commit()
    return trial


def _ready(version: ProtocolVersion, site: Site, number: int) -> tuple[int, ...]:
    by = factories.person("ivan", version.study, "investigator", site)
    people = factories.Participants(version, by)
    return tuple(people.ready(site, ("NEURO", "NPL")[place % 2]).pk for place in range(number))


def readable_by(app: psycopg.Connection) -> list[str]:
    """Every table of ours that can be selected from by whose connection it is."""
    rows = app.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        " AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
    ).fetchall()
    return [name for (name,) in rows]


def arm_in(text: str) -> str | None:
    """The first arm named in a text: as a word, as hexadecimal, or as the bytes of a printed plan."""
    for arm in ARMS:
        octets = arm.encode()
        forms = rf"\b{arm}\b", octets.hex(), rf"\b{' '.join(str(octet) for octet in octets)}\b"
        if any(re.search(form, text) for form in forms):
            return arm
    return None


def tells(observed: Sequence[Hashable], arms: Sequence[str]) -> bool:
    """Whether the arm depends on what was observed, more than chance would have it once in a million.

    Pearson's chi-square test. What was seen of fewer than FEW participants is taken together: what is seen
    once says nothing of anybody else.
    """
    often = {seen for seen, number in Counter(observed).items() if number >= FEW}
    together = Counter((seen if seen in often else SELDOM, arm) for seen, arm in zip(observed, arms, strict=True))
    rows = [[together[seen, arm] for arm in ARMS] for seen in {seen for seen, _ in together}]
    if len(rows) < 2:
        return False
    return bool(chi2_contingency(rows, correction=False).pvalue < SURPRISE)


def part_that_tells(observed: Sequence[Hashable], arms: Sequence[str]) -> str | None:
    """Which part of what was observed tells: the whole, or any one number or word of it, exact or as high or low."""
    if tells(observed, arms):
        return "the whole"
    flat = [_flat(each) for each in observed]
    for place in range(min(map(len, flat))):
        column = [each[place] for each in flat]
        numbers = [value for value in column if isinstance(value, int | float)]
        if tells(column, arms) or (len(numbers) == len(column) and tells(halves(numbers), arms)):
            return f"part {place}, for example {column[0]}"
    return None


def _flat(seen: Hashable) -> list[Hashable]:
    if not isinstance(seen, tuple):
        return [seen]
    return [part for each in seen for part in _flat(each)]


def halves(values: Sequence[float]) -> list[bool]:
    """Which of the values lie in the upper half: what is left of a time or a size to guess from."""
    middle = sorted(values)[len(values) // 2]
    return [value >= middle for value in values]


def ruin_every_row(app: psycopg.Connection) -> Counter[str]:
    """Change every row of every table that `app` can write, in as many columns as its constraints let it.

    Returns how many columns were changed, by table.
    """
    changed: Counter[str] = Counter()
    for table, column, kind in app.execute(_WRITABLE).fetchall():
        name, place = sql.Identifier(*table.split(".")), sql.Identifier(column)
        for value in _WORSE.get(kind, ()):
            statement = sql.SQL("UPDATE {} SET {} = {}").format(name, place, sql.SQL(value).format(place))
            if _done(app, statement):
                changed[table] += 1
                break
    app.commit()
    return changed


def _done(app: psycopg.Connection, statement: sql.Composed) -> bool:
    try:
        with app.transaction():
            return app.execute(statement).rowcount > 0
    except psycopg.Error:
        return False


_WRITABLE = """
SELECT format('%s.%s', table_schema, table_name), column_name, data_type FROM information_schema.columns
WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
  AND has_column_privilege(format('%I.%I', table_schema, table_name), column_name, 'UPDATE')
  AND column_name <> 'id' AND column_name !~ '_id$' AND column_name <> ALL ('{entered_at, entered_by, changed_at,
      changed_by, changed_in, change_no, simulated}') ORDER BY 1, ordinal_position DESC
"""
_WORSE = {
    "boolean": ("NOT {}",),
    "text": ("'unblinded'", "{} || 'x'"),
    "character varying": ("'unblinded'", "'imported'", "{} || 'x'", "'x'"),
    "jsonb": ("""'{{"unblinded": true}}'""", "'[]'"),
    "smallint": ("{} + 1",),
    "integer": ("{} + 1",),
    "bigint": ("{} + 1",),
    "numeric": ("{} + 1",),
    "double precision": ("{} + 1",),
    "bytea": (r"'\x00'",),
    "date": ("{} + 1",),
    "timestamp with time zone": ("clock_timestamp()", "{} + interval '1 day'"),
}
