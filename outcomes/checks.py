"""What `manage.py check --database default` says of alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import connections


@checks.register(checks.Tags.database)
def alerts_can_be_mailed(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Warn of every site at which no physician has an e-mail address; silent before the tables are made."""
    if not databases or "studies_membership" not in connections["default"].introspection.table_names():
        return []
    from outcomes.alert_people import sites_out_of_reach  # noqa: PLC0415 - models are ready by now
    from studies.models import Study  # noqa: PLC0415

    return [
        checks.Warning(
            f"An alert at {site.study.code} {site.code} would be mailed to nobody: no physician there has an e-mail"
            " address.",
            hint="Give a physician of the site, or of the whole study, an address on the page People.",
            id="outcomes.W001",
        )
        for site in sites_out_of_reach(Study.objects.all())
    ]
