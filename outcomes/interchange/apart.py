"""A file that nobody has looked at yet is read in a process of its own first: small, without credentials, and limited.

Whatever a file was made to do, it does there: to a process that holds nothing, may use so much memory and so much
time, and is gone afterwards. What it says is the refusal; a file that can be read is then read where it is needed.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from outcomes.imports.refusals import ImportRefused, Refusal
from outcomes.interchange import limits
from outcomes.interchange.element import Element
from outcomes.interchange.reading import Brought, read
from outcomes.interchange.redcap_records import Options
from outcomes.interchange.refused import LineRefusal, refuse_file
from outcomes.interchange.sources import Source

_ROOT = Path(__file__).resolve().parents[2]


def read_apart(brought: Brought) -> None:
    """Read what was brought in a process of its own, and forget it.

    Raises ImportRefused as `read` does; also for a file that needs more memory or time than there is for one.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a module of our own
            [sys.executable, "-m", __name__, str(limits.MOST_MEMORY)],
            input=_packed(brought),
            stdout=subprocess.PIPE,
            cwd=_ROOT,
            # Nothing of this process's surroundings: they hold the address of the database.
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            timeout=limits.LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        why = f"Reading the file takes more than {limits.LONGEST_SECONDS} seconds. Export it in parts."
        raise refuse_file(brought.file.name, why) from None
    if done.returncode:
        most = limits.MOST_MEMORY // limits.MEGABYTE
        why = f"Reading the file needs more than {most} MB of memory. Export it in parts."
        raise refuse_file(brought.file.name, why)
    said = json.loads(done.stdout)
    if said is not None:
        raise ImportRefused(said["name"], [_refusal(each) for each in said["refusals"]])


def _refusal(said: dict[str, Any]) -> Refusal:
    kind = LineRefusal if said.pop("by_line") else Refusal
    return kind(**said)


def _packed(brought: Brought) -> bytes:
    """A line that says what follows, and the bytes of the files."""
    sources = brought.sources
    about = {
        "files": [(role, source.name, len(source.content)) for role, source in sources.items()],
        "options": asdict(brought.options),
        "project": brought.project,
        "stored": brought.stored.as_json() if brought.stored else None,
    }
    return b"".join((json.dumps(about).encode(), b"\n", *(source.content for source in sources.values())))


def _unpacked(stream: IO[bytes]) -> Brought:
    about = json.loads(stream.readline())
    sources = {role: Source(name, stream.read(size)) for role, name, size in about["files"]}
    return Brought(
        file=sources["file"],
        dictionary=sources.get("dictionary"),
        events=sources.get("events"),
        options=Options(**about["options"]),
        project=about["project"],
        stored=Element.from_json(about["stored"]) if about["stored"] else None,
    )


def _said_of(brought: Brought) -> dict[str, Any] | None:
    """The refusal of what was brought; None where it can be read."""
    try:
        read(brought)
    except ImportRefused as error:
        refusals = [{**asdict(each), "by_line": isinstance(each, LineRefusal)} for each in error.refusals]
        return {"name": error.name, "refusals": refusals}
    return None


def main(most: int) -> None:
    """Read what comes in, with at most so many bytes of memory, and say what is wrong with it."""
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        said = _said_of(_unpacked(sys.stdin.buffer))
    except MemoryError:
        sys.exit(1)
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
