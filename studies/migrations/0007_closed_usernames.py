from django.db import migrations

_BY_COLUMN = """
SET ROLE concealer;
REVOKE UPDATE ON concealed.account FROM unblinded;
GRANT UPDATE (password, last_login, name, role, study_id, is_active, token_sha256, failed_logins, locked_until)
    ON concealed.account TO unblinded;
RESET ROLE;
"""
_WHOLE = "SET ROLE concealer; GRANT UPDATE ON concealed.account TO unblinded; RESET ROLE;"


class Migration(migrations.Migration):
    """At the closed door too, the trail names people by their user names: no account is renamed."""

    dependencies = [("studies", "0006_invariants")]
    operations = [migrations.RunSQL(_BY_COLUMN, _WHOLE)]
