"""Schemas, grants and triggers, laid by the owner round every migration (docs/adr/0001 and 0003).

Tables of later migrations are granted by themselves (default privileges); what a role must not have is
taken back after each migration. `app` never holds anything in `concealed`, and only reads `audit`.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db import connection

from studies.models.record import Record, record_kinds, stamped_models

_BEFORE = """
CREATE SCHEMA IF NOT EXISTS concealed AUTHORIZATION concealer;
CREATE SCHEMA IF NOT EXISTS audit AUTHORIZATION recorder;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app, unblinded, auditor, recorder;
GRANT USAGE, CREATE ON SCHEMA public TO concealer;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO unblinded, auditor, concealer, recorder;
SET ROLE concealer;
GRANT USAGE ON SCHEMA concealed TO owner, unblinded;
SET ROLE recorder;
GRANT USAGE ON SCHEMA audit TO owner, app, unblinded, auditor, concealer;
RESET ROLE;
"""

# What a role must not have although the default gives it.
_AFTER = """
REVOKE INSERT, UPDATE, DELETE ON django_migrations, studies_installation, studies_allocation FROM app;
REVOKE DELETE ON {clinical} FROM app;
GRANT DELETE ON studies_infusionsegment TO app;
REVOKE UPDATE ON studies_safetyevent, studies_stratumcorrection, studies_protocolversion FROM app;
REVOKE UPDATE, DELETE ON outcomes_ownanswer FROM app;
REVOKE UPDATE, DELETE ON analysis_openreport, analysis_designresult FROM app;
REVOKE UPDATE, DELETE ON outcomes_wordingtext, outcomes_originalfile FROM app;
REVOKE UPDATE, DELETE ON outcomes_importedcell, outcomes_importeddefinitions, outcomes_importreport FROM app;
REVOKE UPDATE, DELETE ON outcomes_answersmapping, outcomes_answersreport FROM app;
REVOKE UPDATE ON analysis_plan, analysis_look FROM app;
REVOKE INSERT, UPDATE, DELETE ON analysis_recommendation FROM app;
GRANT UPDATE (signed_by, signed_name, signed_at, signed_meaning) ON analysis_plan TO app;
GRANT UPDATE (status, closed_status) ON analysis_look TO app;
REVOKE DELETE ON studies_user FROM app;
REVOKE ALL ON studies_contactdetails, django_session, authtoken_token, studies_draft, outcomes_doorkey,
    outcomes_doorfailure, outcomes_originalfile, outcomes_importedcell, outcomes_importreport, outcomes_pendingimport,
    outcomes_pendingfile, outcomes_answersmapping, outcomes_answersreport FROM unblinded, auditor, concealer, recorder;
GRANT INSERT ON studies_allocation TO concealer;
GRANT UPDATE ON studies_participant TO concealer;
GRANT UPDATE (status, failure, attempt, done_steps, all_steps, heartbeat_at, finished_at) ON analysis_job TO unblinded;
GRANT UPDATE (closed_status) ON analysis_look TO unblinded;
GRANT INSERT ON analysis_recommendation TO unblinded;
"""

_TRIGGERS = """
CREATE OR REPLACE TRIGGER stamp BEFORE INSERT OR UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION audit.stamp();
"""
_AUDIT = """
CREATE OR REPLACE TRIGGER record AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION audit.record('{kind}');
"""
_AUDIT_MANY = """
CREATE OR REPLACE TRIGGER record AFTER UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION audit.record_answer('{kind}', '{parent}', '{column}', '{name}');
CREATE OR REPLACE TRIGGER record_many AFTER INSERT ON {table} REFERENCING NEW TABLE AS entered
    FOR EACH STATEMENT EXECUTE FUNCTION audit.record_{kind}s();
"""
# Kinds whose rows arrive by the dozen: audited as one event of their parent per statement.
_MANY = {
    "responseitem": ("outcomes_response", "response_id", "n.item"),
    "qsttrial": (
        "outcomes_qstsession",
        "session_id",
        "concat_ws('' '', n.area, n.parameter, nullif(n.direction, ''''), n.trial)",
    ),
}


def before_migrate(**_: Any) -> None:
    if _acts_as_owner():
        _run(_BEFORE)


def after_migrate(app_config: Any, **_: Any) -> None:
    """Once, after the last app with models has migrated."""
    if app_config != _last_app() or not _acts_as_owner():
        return
    clinical = ", ".join(model._meta.db_table for model in record_kinds().values())
    _run(_AFTER.format(clinical=clinical))
    with connection.cursor() as cursor:
        # The trigger functions may be attached by the owner and called by nobody.
        for model in stamped_models():
            cursor.execute(_TRIGGERS.format(table=model._meta.db_table))
            if issubclass(model, Record):
                cursor.execute(_audit_trigger(model))


def _audit_trigger(model: type[Record]) -> str:
    kind, table = model._meta.model_name or "", model._meta.db_table
    if kind not in _MANY:
        return _AUDIT.format(table=table, kind=kind)
    parent, column, name = _MANY[kind]
    return _AUDIT_MANY.format(table=table, kind=kind, parent=parent, column=column, name=name)


def _last_app() -> AppConfig:
    return [config for config in apps.get_app_configs() if config.models_module][-1]


def _acts_as_owner() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user = 'owner'")
        return bool(cursor.fetchone()[0])


def _run(statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements)
