"""How much a file may hold: it is refused before it fills the memory, whatever it says of itself.

Measured (tests/outcomes/interchange/test_hostile_files.py): the whole process that reads the worst of them stays under
200 MB.
"""

from __future__ import annotations

MEGABYTE = 1_000_000
# Bytes of a whole file.
LARGEST_XML = 32 * MEGABYTE
LARGEST_CSV = 16 * MEGABYTE
LARGEST_JSON = 2 * MEGABYTE
# Bytes read without any element beginning or ending: one value, or one tag.
LONGEST_PIECE = 2 * MEGABYTE
DEEPEST = 40
# Elements and attributes besides values.
MOST_PIECES = 700_000
MOST_CELLS = 200_000
MOST_COLUMNS = 40_000
LONGEST_VALUE = 1 * MEGABYTE
# Characters of a name: of a study, subject, event, form, group or item, as the database has room for.
LONGEST_NAME = 255
MOST_REFUSALS = 200
# Bytes of data of the process that reads a file first, and seconds (interchange/apart.py).
MOST_MEMORY = 180 * MEGABYTE
LONGEST_SECONDS = 120
