"""Which site this process would back up or restore."""

from __future__ import annotations

import os

from django.conf import settings

from trialsite.services.backup.archive import Site
from trialsite.services.binaries import programs
from trialsite.services.connection import database_url


def site_of_environment() -> Site:
    """The site of the settings; TRIALSITE_BACKUP_DATABASE_URL is the superuser's address of a real server."""
    name = str(settings.DATABASES["default"]["NAME"])
    return Site(
        url=os.environ.get("TRIALSITE_BACKUP_DATABASE_URL") or database_url("postgres", name),
        folders={"cuts": settings.CUTS_DIR, "closed": settings.CLOSED_DIR},
        programs=programs().postgres,
    )
