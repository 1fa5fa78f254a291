"""Reads the files of a folder as they are read first, and says how much memory the process that read each needed."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from outcomes.imports.refusals import ImportRefused
from outcomes.interchange.apart import read_apart
from outcomes.interchange.reading import Brought
from outcomes.interchange.sources import open_source

DICTIONARY = Path("tests/data/interop/redcap/simple/dictionary.csv")


def said_of(path: Path) -> str:
    """What reading a file ends with: its refusal, in one line."""
    try:
        dictionary = open_source(DICTIONARY) if path.suffix == ".csv" else None
        read_apart(Brought(open_source(path), dictionary=dictionary))
    except ImportRefused as error:
        return " ".join(str(error)[:2000].split())
    return "read"


def _own_memory() -> int:
    """The most memory of this process so far, in kB. Not getrusage: that counts what its parent had before it began."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def main(folder: str) -> None:
    """By file: the most memory so far of this process or one that it began, in kB, and what was said."""
    for path in sorted(Path(folder).iterdir()):
        said = said_of(path)
        most = max(_own_memory(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
        sys.stdout.write(f"{path.name}\t{most}\t{said}\n")


if __name__ == "__main__":
    main(sys.argv[1])
