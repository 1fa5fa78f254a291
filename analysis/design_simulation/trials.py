"""Between the database and the statistics: the trials of a chunk, and the result of all chunks.

SciPy comes with this module, so it is imported where trials are simulated and never by a web process.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.design_simulation.results import result_bytes
from analysis.models import DesignSimulation, SimulationChunk
from analysis.statistics import simulation as statistics
from studies.protocol import ProtocolDefinition

FloatArray = NDArray[np.float64]
_NUMBERS = np.dtype("<f8")


def blocks(chunk: SimulationChunk) -> Iterator[tuple[int, FloatArray]]:
    """The rows of a chunk's trials block by block, each with how many are done by then."""
    simulation = chunk.simulation
    model = statistics.trial_model(simulation.protocol_version.definition, statistics.scenario(chunk.scenario))
    for first in range(0, chunk.count, statistics.BLOCK):
        size = min(statistics.BLOCK, chunk.count - first)
        yield first + size, statistics.simulate(model, seed=simulation.seed, first=chunk.first + first, count=size)


def gathered(simulation: DesignSimulation) -> bytes:
    """The result of a simulation whose chunks are all there, as canonical JSON."""
    definition: ProtocolDefinition = simulation.protocol_version.definition
    scenarios = statistics.several(simulation.scenarios)
    models = [statistics.trial_model(definition, each) for each in scenarios]
    rows = [np.concatenate([unpacked(each, model) for each in _chunks(simulation, model)]) for model in models]
    return result_bytes(definition, models, rows, seed=simulation.seed)


def _chunks(simulation: DesignSimulation, model: statistics.TrialModel) -> list[bytes]:
    of_scenario = simulation.chunks.filter(scenario=model.scenario.label).order_by("first")
    return [bytes(rows or b"") for rows in of_scenario.values_list("rows", flat=True)]


def packed(found: Sequence[FloatArray]) -> bytes:
    """The rows of trials as bytes."""
    return zlib.compress(np.concatenate(found).astype(_NUMBERS).tobytes(), 6)


def unpacked(content: bytes, model: statistics.TrialModel) -> FloatArray:
    """The rows of trials from their bytes."""
    numbers = np.frombuffer(zlib.decompress(content), dtype=_NUMBERS)
    width = len(statistics.columns(len(model.looks.planned)))
    return np.asarray(numbers.reshape(-1, width), dtype=np.float64)
