"""What `measuring.apart` runs in a process of its own: nothing else has taken memory there."""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time

from benchmarks.measuring import timed


def main() -> None:
    """Make the call, time it, print seconds and peak memory as JSON."""
    target, rounds, arguments = sys.argv[1:]
    module, function = target.split(":")
    call = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    taken = []
    for _ in range(int(rounds)):
        used = time.process_time()
        taken.append((timed(call), time.process_time() - used))
    seconds, processor = min(taken)
    # Linux counts in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    print(json.dumps({"seconds": seconds, "processor": processor, "mb": mb}))


if __name__ == "__main__":
    main()
