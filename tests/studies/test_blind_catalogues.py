"""The database keeps the blind, part three: what its catalogues say of `app`, and what they say to it.

A way that nobody thought of needs a right that nobody meant to give: these tests list all of them.
"""

from __future__ import annotations

import itertools
import re

import psycopg

from tests.studies.intruder import ARMS, BlindTrial, arm_in


def test_app_has_no_right_at_all_on_anything_concealed(app: psycopg.Connection):
    rights = app.execute(
        """
        SELECT 'schema', has_schema_privilege('app', n.oid, 'USAGE') OR has_schema_privilege('app', n.oid, 'CREATE')
          FROM pg_namespace n WHERE nspname = 'concealed'
        UNION ALL
        SELECT c.relname, has_any_column_privilege('app', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
               OR has_table_privilege('app', c.oid, 'DELETE, TRUNCATE, TRIGGER, MAINTAIN')
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'concealed' AND relkind = 'r'
        UNION ALL
        SELECT c.relname, has_sequence_privilege('app', c.oid, 'USAGE, SELECT, UPDATE')
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE nspname = 'concealed' AND relkind = 'S'
        UNION ALL
        SELECT p.proname, has_function_privilege('app', p.oid, 'EXECUTE')
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE nspname = 'concealed'
        """
    ).fetchall()
    assert {name for name, _ in rights} >= {"schema", "list_row", "allocation", "account", "read_arms"}
    assert [name for name, has in rights if has] == []


def test_app_is_nobody_elses_member_and_has_no_attribute(app: psycopg.Connection):
    attributes = "rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    assert app.execute(f"SELECT {attributes} FROM pg_roles WHERE rolname = 'app'").fetchone() == (False,) * 5
    others = app.execute("SELECT rolname FROM pg_roles WHERE rolname <> 'app' AND pg_has_role('app', oid, 'MEMBER')")
    assert others.fetchall() == []


def test_nothing_can_be_created_by_app_anywhere(app: psycopg.Connection):
    schemas = app.execute("SELECT nspname FROM pg_namespace WHERE has_schema_privilege('app', oid, 'CREATE')")
    assert schemas.fetchall() == []
    rights = "has_database_privilege('app', oid, 'CREATE') OR has_database_privilege('app', oid, 'TEMP')"
    assert app.execute(f"SELECT datname FROM pg_database WHERE {rights}").fetchall() == []


def test_allocate_is_the_only_function_of_ours_that_app_may_call(app: psycopg.Connection):
    callable_by_app = app.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')"
        " AND has_function_privilege('app', p.oid, 'EXECUTE')"
    )
    assert callable_by_app.fetchall() == [("allocate(bigint)",)]


def test_every_function_with_its_owners_rights_looks_nowhere_that_app_can_write(app: psycopg.Connection):
    functions = app.execute(
        "SELECT p.oid::regprocedure::text, p.proconfig FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    ).fetchall()
    assert len(functions) >= 9
    unsafe = [name for name, config in functions if "search_path=pg_catalog, pg_temp" not in (config or [])]
    assert unsafe == []


def test_no_index_or_table_belongs_to_one_arm(attacked: BlindTrial):
    """The server's counters are public: what belongs to one arm would tell each allocation's."""
    partial = attacked.concealed(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'concealed'"
        " AND (i.indpred IS NOT NULL OR pg_get_indexdef(i.indexrelid) ~ 'arm')"
    )
    assert partial == []
    divided = attacked.concealed(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'concealed' AND (c.relkind = 'p' OR c.relispartition)"
    )
    assert divided == []
    assert {arm for (arm,) in attacked.concealed("SELECT arm FROM concealed.list_row")} == set(ARMS)


def test_the_place_of_a_row_in_the_file_says_nothing_of_its_place_on_the_list(attacked: BlindTrial):
    """The length of every record of the write-ahead log is public, and an arm's name has a length.

    Whoever watched while a list was stored row by row in its order could read the arms off the lengths.
    """
    rows = attacked.concealed("SELECT stratum_id, position FROM concealed.list_row WHERE position > 0 ORDER BY id")
    neighbours = sum((stratum, place + 1) == after for (stratum, place), after in itertools.pairwise(rows))
    assert neighbours < len(rows) / 10


def test_everything_that_app_can_read_is_silent_about_arms(app: psycopg.Connection, attacked: BlindTrial):
    """Catalogues, statistics, function sources, tables, the trail: row by row, as text."""
    given = {kit for (kit,) in app.execute("SELECT kit_number FROM public.studies_allocation")}
    coming = attacked.arms_of_kits().keys() - given
    number = re.compile(r"\bK-\w{4}-\w{4}-\w\b")
    seed = str(attacked.concealed("SELECT seed FROM concealed.list_seed")[0][0])
    told = []
    for relation in _readable(app):
        for (row,) in app.execute(f"SELECT t::text FROM {relation} t").fetchall():
            # What the protocol says of the arms in general everybody knows.
            general = "arms:" in row and relation in ("public.studies_protocolversion", "audit.event")
            if seed in row or not coming.isdisjoint(number.findall(row)) or (arm_in(row) and not general):
                told.append((relation, row[:200]))
    assert told == []


def _readable(app: psycopg.Connection) -> list[str]:
    """Every table and view that can be selected from, but for a few that show a session its own statements."""
    rows = app.execute(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'v', 'm') AND has_table_privilege(c.oid, 'SELECT')"
        " AND has_schema_privilege(n.oid, 'USAGE')"
    ).fetchall()
    return [name for (name,) in rows if _answers(app, name)]


def _answers(app: psycopg.Connection, relation: str) -> bool:
    """Some views refuse when they are read (pg_hba_file_rules): those are tried above by themselves."""
    try:
        with app.transaction():
            app.execute(f"SELECT 1 FROM {relation} LIMIT 1")
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True
