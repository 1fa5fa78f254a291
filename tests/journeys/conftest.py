"""What journeys share with the tests of pages: a busy site."""

from tests.trialsite.conftest import busy, committed_site

__all__ = ["busy", "committed_site"]
