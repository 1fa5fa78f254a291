"""Outlives a killed supervisor just long enough to stop what it had started.

Its standard input is a pipe of which the supervisor holds the other end; the kernel closes it however the
supervisor ends. After an ordinary end the record is empty and there is nothing to do.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from trialsite.services.processes import stop_recorded


def main(record: str) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    stop_recorded(Path(record))


if __name__ == "__main__":
    main(sys.argv[1])
