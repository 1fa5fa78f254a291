"""The database keeps the blind, part one: what `app` asks for and is refused (docs/adr/0001).

Every way is tried twice: on the trial as it stands, and after `app` has changed every row that it can write.
A refusal for the wrong reason protects nothing, so reading ways are also tried by somebody who may read, and
then they do tell the arm.
"""

from __future__ import annotations

import psycopg
import pytest

from tests.studies.intruder import ARMS, BlindTrial, arm_in, ruin_every_row
from trialsite.services.connection import database_url

REFUSED = "42501"  # insufficient_privilege


# Ways to read what is there. Each names an arm when somebody asks who may.
READING = {
    "by selecting the list": "SELECT arm FROM concealed.list_row",
    "by TABLE": "TABLE concealed.list_row",
    "by joining the allocations": (
        "SELECT a.participant_id, r.arm FROM concealed.allocation a JOIN concealed.list_row r ON r.id = a.list_row_id"
    ),
    "by one column of a row as a whole": "SELECT r FROM concealed.list_row r",
    "by a cursor": "DECLARE arms CURSOR FOR SELECT arm FROM concealed.list_row; FETCH ALL FROM arms",
    "by a prepared statement": "PREPARE arms AS SELECT arm FROM concealed.list_row; EXECUTE arms",
    "by a subquery in a WHERE": "SELECT 'KET' WHERE EXISTS (SELECT FROM concealed.list_row WHERE arm = 'KET')",
    "by a row lock": "SELECT arm FROM concealed.list_row FOR UPDATE",
    "by a lateral join": (
        "SELECT l.arm FROM generate_series(1, 1) g, LATERAL (SELECT arm FROM concealed.list_row LIMIT 2) l"
    ),
    "by a sample of the table": "SELECT arm FROM concealed.list_row TABLESAMPLE SYSTEM (100)",
}


@pytest.mark.parametrize("statement", READING.values(), ids=READING)
def test_app_cannot_read_an_arm(app: psycopg.Connection, statement: str):
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="concealed"):
        app.execute(statement)


@pytest.mark.parametrize("statement", READING.values(), ids=READING)
def test_whoever_may_read_arms_reads_them_in_the_same_way(attacked: BlindTrial, statement: str):
    with attacked.connect("owner") as owner:
        owner.execute("SET ROLE concealer")
        answer = owner.execute(statement)
        while answer.nextset():
            pass
        assert arm_in(str(answer.fetchall()))


READ_BY_FUNCTION = {
    "all arms of the study": "SELECT * FROM concealed.read_arms(%(study)s, 'curiosity')",
    "the arm of one participant": "SELECT concealed.read_arm(%(participant)s, 'curiosity')",
    "a list of his own making": "SELECT concealed.store_list(%(study)s, 1, true, '[]')",
    "arms of his own making": "SELECT concealed.import_arms(%(study)s, '[]')",
    "a pin of his own making": "SELECT concealed.pin_protocol(%(study)s, '9.9', 'x')",
    "a beginning of his own making": "SELECT concealed.begin_arms(%(study)s, 'curiosity')",
    "a log line of his own making": "SELECT concealed.log_read(%(study)s, NULL, 'curiosity')",
    "a trigger's function": "SELECT audit.record()",
    "a stamp": "SELECT audit.stamp()",
}


@pytest.mark.parametrize("statement", READ_BY_FUNCTION.values(), ids=READ_BY_FUNCTION)
def test_app_cannot_ask_a_function_for(app: psycopg.Connection, attacked: BlindTrial, statement: str):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement, {"study": attacked.site.study_id, "participant": attacked.allocated[0]})


BECOMING = {
    **{
        f"the role {role}": f"SET ROLE {role}"
        for role in ("owner", "concealer", "recorder", "unblinded", "auditor", "postgres", "pg_read_all_data")
    },
    **{f"the session of {role}": f"SET SESSION AUTHORIZATION {role}" for role in ("owner", "unblinded", "postgres")},
    "a member of unblinded": "GRANT unblinded TO app",
    "a member of pg_read_all_data": "GRANT pg_read_all_data TO app",
    "a superuser": "ALTER ROLE app SUPERUSER",
    "somebody new": "CREATE ROLE mallory LOGIN",
    "somebody whose password he chose": "ALTER ROLE unblinded PASSWORD 'mallory'",
    "the owner of the list": "ALTER TABLE concealed.list_row OWNER TO app",
    "the owner of what the owner has": "REASSIGN OWNED BY owner TO app",
    "one to whom it is granted": "GRANT SELECT ON concealed.list_row TO app",
    "one to whom the schema is granted": "GRANT USAGE ON SCHEMA concealed TO app",
    "one to whom coming tables are granted": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE concealer GRANT SELECT ON TABLES TO app"
    ),
}


@pytest.mark.parametrize("statement", BECOMING.values(), ids=BECOMING)
def test_app_cannot_become(app: psycopg.Connection, statement: str):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_app_cannot_enter_another_database_of_the_server(attacked: BlindTrial, database: str):
    with (
        pytest.raises(psycopg.OperationalError, match="permission denied for database|does not have CONNECT"),
        attacked.__class__(database, attacked.site, (), ()).connect(),
    ):
        pass


# Objects of app's own could probe concealed rows, or be found by a function of somebody who may more.
MAKING = {
    "a table whose foreign key probes the list": (
        "CREATE TABLE public.probe (kit text REFERENCES concealed.list_row (kit_number))"
    ),
    "a foreign key on a table that is there": (
        "ALTER TABLE public.studies_allocation ADD FOREIGN KEY (kit_number) REFERENCES concealed.list_row (kit_number)"
    ),
    "a check that calls a function of his": "ALTER TABLE public.studies_allocation ADD CHECK (true)",
    "a temporary table": "CREATE TEMP TABLE list_row (arm text)",
    "a temporary view": "CREATE TEMP VIEW v AS SELECT 1",
    "a function in the temporary schema": (
        "CREATE FUNCTION pg_temp.coalesce_text(text) RETURNS text LANGUAGE sql AS 'SELECT $1'"
    ),
    "a schema": "CREATE SCHEMA mallory",
    "a table": "CREATE TABLE public.loot (arm text)",
    "a table from a query": "CREATE TABLE public.loot AS SELECT 1",
    "a sequence": "CREATE SEQUENCE public.s",
    "a view over the list": "CREATE VIEW public.v AS SELECT arm FROM concealed.list_row",
    "a type": "CREATE TYPE public.text AS (x int)",
    "a domain": "CREATE DOMAIN public.bigint AS pg_catalog.int8",
    "a function that takes the place of a built-in one": (
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'"
    ),
    "a function in place of the allocating one": (
        "CREATE OR REPLACE FUNCTION public.allocate(participant bigint, OUT randomisation_number text,"
        " OUT kit_number text) LANGUAGE sql AS $$SELECT arm, arm FROM concealed.list_row$$"
    ),
    "an allocating function of another argument": (
        "CREATE FUNCTION public.allocate(integer) RETURNS text LANGUAGE sql AS $$SELECT 'x'$$"
    ),
    "an operator": "CREATE OPERATOR public.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = int8eq)",
    "a cast": "CREATE CAST (bigint AS jsonb) WITH INOUT AS IMPLICIT",
    "an aggregate": "CREATE AGGREGATE public.count(text) (SFUNC = textcat, STYPE = text)",
    "a collation": "CREATE COLLATION public.c (LOCALE = 'C')",
    "a language": "CREATE LANGUAGE mallory HANDLER plpgsql_call_handler",
    "an extension that reads pages": "CREATE EXTENSION pageinspect",
    "an extension that reads the write-ahead log": "CREATE EXTENSION pg_walinspect",
    "an extension that connects elsewhere": "CREATE EXTENSION dblink",
    "an extension that anybody may be trusted with": "CREATE EXTENSION hstore",
    "an extension that connects to another PostgreSQL": "CREATE EXTENSION postgres_fdw",
    "a wrapper of foreign data": "CREATE FOREIGN DATA WRAPPER w",
    "a trigger on what is allocated": (
        "CREATE TRIGGER t AFTER INSERT ON public.studies_allocation"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "a rule on what is allocated": (
        "CREATE RULE r AS ON INSERT TO public.studies_allocation DO ALSO SELECT arm FROM concealed.list_row"
    ),
    "a trigger on events": (
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "a policy": "CREATE POLICY p ON public.studies_allocation USING (true)",
    "an index over the arms": "CREATE INDEX ON concealed.list_row (arm)",
    "statistics over the arms": "CREATE STATISTICS ON kit_number, arm FROM concealed.list_row",
    "statistics over what is allocated": ("CREATE STATISTICS ON kit_number, strata FROM public.studies_allocation"),
    "a publication of the list": "CREATE PUBLICATION p FOR TABLE concealed.list_row",
}


@pytest.mark.parametrize("statement", MAKING.values(), ids=MAKING)
def test_app_cannot_make(app: psycopg.Connection, statement: str):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement)


# These want to be alone, outside any transaction.
ALONE = {
    "a subscription": "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
    "a tablespace": "CREATE TABLESPACE t LOCATION '/tmp'",
    "a database": "CREATE DATABASE loot TEMPLATE template0",
    "settings for everybody": "ALTER SYSTEM SET debug_print_plan = on",
}


@pytest.mark.parametrize("statement", ALONE.values(), ids=ALONE)
def test_app_cannot_have_by_a_statement_alone(attacked: BlindTrial, statement: str):
    with attacked.connect(autocommit=True) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement)


# Not the arm itself, but what would let it out.
REACHING = {
    "copying the list out": "COPY concealed.list_row TO STDOUT",
    "a function of XML": "SELECT table_to_xml('concealed.list_row', true, false, '')",
    "a query in a function of XML": "SELECT query_to_xml('SELECT arm FROM concealed.list_row', true, false, '')",
    "copying a query out": "COPY (SELECT arm FROM concealed.list_row) TO STDOUT",
    "copying to a program": "COPY public.studies_study TO PROGRAM 'cat'",
    "copying from a program": "COPY public.studies_study (code) FROM PROGRAM 'ls'",
    "copying to a file": "COPY public.studies_study TO '/tmp/loot'",
    "copying from a file": "COPY public.studies_study (code) FROM '/etc/passwd'",
    "reading a file of the server": "SELECT pg_read_file('PG_VERSION')",
    "reading a file of the server as bytes": "SELECT pg_read_binary_file('global/pg_control')",
    "listing the folders of the server": "SELECT pg_ls_dir('.')",
    "listing the server's log": "SELECT pg_ls_logdir()",
    "listing the write-ahead log": "SELECT pg_ls_waldir()",
    "a large object from a file": "SELECT lo_import('/etc/passwd')",
    "a large object to a file": "SELECT lo_export(1, '/tmp/loot')",
    "the passwords of roles": "SELECT rolpassword FROM pg_authid",
    "the passwords of users": "SELECT passwd FROM pg_shadow",
    "the rules of who may connect": "SELECT * FROM pg_hba_file_rules",
    "the files of settings": "SELECT * FROM pg_file_settings",
    "the statistics of columns": "SELECT stavalues1 FROM pg_statistic",
    "the memory of the server": "SELECT * FROM pg_shmem_allocations",
    "the memory of another session": "SELECT pg_log_backend_memory_contexts(pg_backend_pid())",
    "a slot that decodes changes": "SELECT pg_create_logical_replication_slot('s', 'test_decoding')",
    "a slot that keeps the log": "SELECT pg_create_physical_replication_slot('s')",
    "a backup": "SELECT pg_backup_start('x')",
    "the last value of a concealed sequence": "SELECT last_value FROM concealed.list_row_id_seq",
    "the place of the list on the disk": "SELECT pg_relation_filepath('concealed.list_row')",
    "the newest version of a row": "SELECT currtid2('concealed.list_row', '(0,1)')",
    "locking the list": "LOCK TABLE concealed.list_row",
    "emptying the list": "TRUNCATE concealed.list_row",
    "changing an arm": "UPDATE concealed.list_row SET arm = 'KET'",
    "moving an allocation": "UPDATE concealed.allocation SET list_row_id = list_row_id + 1",
    "forgetting an allocation": "DELETE FROM concealed.allocation",
    "putting a row on the list": (
        "INSERT INTO concealed.list_row (study_id, randomisation_number, kit_number, arm) VALUES (1, 'a', 'b', 'KET')"
    ),
    "an account of the closed door": (
        "INSERT INTO concealed.account (password, username, name, role, study_id)"
        " VALUES ('x', 'mallory', 'M', 'dsmb_member', 1)"
    ),
    "a password of the closed door": "UPDATE concealed.account SET password = 'x'",
    "a session of the closed door": "SELECT session_data FROM concealed.session",
    "the seed": "SELECT seed FROM concealed.list_seed",
    "sealed results": "SELECT result FROM concealed.look_result",
    "why jobs of the unblinded side failed": "SELECT detail FROM concealed.job_detail",
    "a pinned protocol": "INSERT INTO concealed.protocol_pin VALUES (1, '1.0', 'x', now(), 'mallory')",
    "the text of a pinned protocol": "UPDATE concealed.protocol_pin SET sha256 = 'x'",
    "a registered plan": "INSERT INTO concealed.registered_plan VALUES ('x', 1, now(), 'mallory')",
    "writing an allocation by hand": "INSERT INTO public.studies_allocation (kit_number) VALUES ('x')",
    "changing a kit number": "UPDATE public.studies_allocation SET kit_number = 'x'",
    "taking an allocation away": "DELETE FROM public.studies_allocation",
    "calling it a demonstration": "INSERT INTO public.studies_installation VALUES (1, true)",
    "calling it a demonstration later": "UPDATE public.studies_installation SET demonstration = true",
    "changing the allocating function": "ALTER FUNCTION public.allocate(bigint) RESET client_min_messages",
    "letting the function run as its caller": "ALTER FUNCTION public.allocate(bigint) SECURITY INVOKER",
    "changing its owner": "ALTER FUNCTION public.allocate(bigint) OWNER TO app",
    "changing the owner's path": "ALTER ROLE concealer SET search_path = public",
    "settings for the database": "ALTER DATABASE {database} SET debug_print_plan = on",
    "triggers out of work": "SET session_replication_role = replica",
    "statements in the server's log": "SET log_statement = 'all'",
    "plans in the server's log": "LOAD 'auto_explain'",
    "a library of the server": "LOAD '$libdir/pageinspect'",
    "a library for the next session": "SET session_preload_libraries = 'auto_explain'",
    "forgetting what the server counted": "SELECT pg_stat_reset()",
    "rebuilding the list": "REINDEX TABLE concealed.list_row",
    "a label on the list": "COMMENT ON TABLE concealed.list_row IS 'x'",
    "explaining a query": "EXPLAIN (ANALYZE, VERBOSE) SELECT arm FROM concealed.list_row WHERE arm = 'KET'",
    "a block of procedural code": "DO $$ BEGIN PERFORM arm FROM concealed.list_row; END $$",
    "an update that returns": "WITH d AS (DELETE FROM concealed.list_row RETURNING arm) SELECT * FROM d",
    "a merge that returns": ("MERGE INTO concealed.list_row r USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE"),
}


@pytest.mark.parametrize("statement", REACHING.values(), ids=REACHING)
def test_app_is_refused(app: psycopg.Connection, attacked: BlindTrial, statement: str):
    with pytest.raises(psycopg.Error) as refusal:
        app.execute(statement.replace("{database}", attacked.name))
    assert refusal.value.sqlstate == REFUSED, refusal.value


def test_no_library_can_be_brought_by_the_connection(attacked: BlindTrial):
    with pytest.raises(psycopg.OperationalError, match="permission denied|could not access file"):
        psycopg.connect(database_url("app", attacked.name), options="-c local_preload_libraries=auto_explain")


@pytest.mark.parametrize("role", ["unblinded", "owner", "postgres"])
def test_app_cannot_end_or_interrupt_what_others_do(app: psycopg.Connection, attacked: BlindTrial, role: str):
    with attacked.connect("unblinded" if role == "unblinded" else "owner") as other:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])


def test_app_does_not_see_what_the_unblinded_side_asks(app: psycopg.Connection, attacked: BlindTrial):
    with attacked.connect("unblinded") as unblinded:
        unblinded.execute("SELECT arm FROM concealed.read_arms(%s, 'tested: KET')", [attacked.site.study_id])
        seen = app.execute("SELECT * FROM pg_stat_activity WHERE usename = 'unblinded'").fetchall()
    assert seen
    assert not arm_in(str(seen))


def test_the_trial_that_is_attacked_has_arms_to_find(attacked: BlindTrial):
    arms = attacked.arms()
    assert len(arms) == 12
    assert set(arms.values()) == set(ARMS)


def test_the_intruder_changes_every_table_that_app_can_write(attacked: BlindTrial, app: psycopg.Connection):
    changed = ruin_every_row(app)
    writable = app.execute(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE relkind = 'r' AND nspname IN ('public', 'audit', 'concealed')"
        " AND has_table_privilege('app', c.oid, 'UPDATE')"
    ).fetchall()
    filled = {f"public.{name}" for (name,) in writable if app.execute(f"SELECT FROM {name} LIMIT 1").rowcount}
    assert len(filled) >= 8
    assert filled <= set(changed)
