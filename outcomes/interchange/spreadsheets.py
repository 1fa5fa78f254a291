"""What a spreadsheet leaves behind in a file that it saved: errors, numbers without their digits, hints for itself."""

from __future__ import annotations

import re
import unicodedata

_ERROR = re.compile(r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA|#+)")
_ROUNDED = re.compile(r"[0-9](\.[0-9]+)?E\+[0-9]{1,3}")
# Joiners that words of some languages are written with.
_JOINERS = "\u200c\u200d"


def is_error(text: str) -> bool:
    """Whether a cell holds a spreadsheet's error in place of a value: #N/A, #REF!, ####."""
    return _ERROR.fullmatch(text) is not None


def is_rounded(text: str) -> bool:
    """Whether a long number was written as 1.2E+05: its last digits are lost."""
    return _ROUNDED.fullmatch(text) is not None


def unseen(text: str) -> str:
    """The first character that nobody can see, as U+200B: texts that look the same differ by it. Empty without one."""
    return next((f"U+{ord(c):04X}" for c in text if unicodedata.category(c) == "Cf" and c not in _JOINERS), "")
