"""What a log keeps of an address of the participants' door: never a link, which may be unused and opens a form."""

from __future__ import annotations

import logging
import re

# Longer than any page's own name there.
_LINK = re.compile(r"/p/[^/\s\"']{15,}")


def without_links(text: str) -> str:
    return _LINK.sub("/p/(a link)", text)


class WithoutLinks(logging.Filter):
    """Takes links out of what is logged of requests that were refused or broke off."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if "/p/" in said:
            record.msg, record.args = without_links(said), ()
        return True
