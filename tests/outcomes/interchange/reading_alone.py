"""Reads files in a process of its own, and says how much memory that took."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "studies", "outcomes"],
    AUTH_USER_MODEL="studies.User",
    USE_TZ=True,
    INSTRUMENTS_DIR="",
)
django.setup()

from outcomes.imports.refusals import ImportRefused  # noqa: E402
from outcomes.interchange.reading import Brought, read  # noqa: E402
from outcomes.interchange.sources import open_source  # noqa: E402

DICTIONARY = Path("tests/data/interop/redcap/simple/dictionary.csv")


def said_of(path: Path) -> str:
    """What reading a file ends with: its refusal, in one line."""
    try:
        dictionary = open_source(DICTIONARY) if path.suffix == ".csv" else None
        read(Brought(open_source(path), dictionary=dictionary))
    except ImportRefused as error:
        return " ".join(str(error)[:2000].split())
    return "read"


def main(folder: str) -> None:
    """The files of a folder by name: the most memory so far beyond the beginning, in kB, and what was said."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in sorted(Path(folder).iterdir()):
        said = said_of(path)
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        sys.stdout.write(f"{path.name}\t{more}\t{said}\n")


if __name__ == "__main__":
    main(sys.argv[1])
