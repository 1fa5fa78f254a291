"""Group-sequential designs, simulated statistics of one, and whole simulated trials, alone and shared out."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from analysis.statistics import sequential, simulation
from benchmarks.measuring import Line, alone, apart, best
from studies.protocol import load

KALM = Path(__file__).parents[1] / "studies" / "protocols" / "kalm-1.0.yaml"
TIMING = (0.2, 0.4, 0.6, 0.8, 1.0)
WORKERS = (1, 2, 4)
BLOCKS = 8


def measure() -> Iterator[Line]:
    seconds = alone(lambda: sequential.design(TIMING), rounds=50)
    yield Line("design of 5 looks", seconds, seconds_limit=0.012, told=f"{1 / seconds:,.0f} designs a second")
    design = sequential.design(TIMING)
    took = apart("benchmarks.designs:statistics_of_trials", rounds=5, trials=10_000, drift=design.drift)
    yield Line(
        "statistics of 10,000 trials of a 5-look design",
        took.seconds,
        seconds_limit=0.1,
        memory_mb=took.mb,
        told=f"{10_000 / took.seconds:,.0f} trials a second",
    )
    for scenario in ("null_global", "default"):
        yield _whole_trials(scenario)
    yield from _shared_out()


def statistics_of_trials(trials: int, drift: float) -> object:
    """The call that simulates the statistics of a design."""
    design = sequential.design(TIMING)
    return lambda: simulation.simulated_properties(design, drift=drift, trials=trials, seed=1)


def block_of(scenario: str, block: int = 0) -> object:
    """The call that simulates one block of KALM's trials, from randomisation to the last look."""
    model = simulation.trial_model(load(KALM.read_text(), source=KALM.name), simulation.scenario(scenario))
    return lambda: simulation.simulate(model, seed=1, first=block * simulation.BLOCK, count=simulation.BLOCK)


def _whole_trials(scenario: str) -> Line:
    took = apart("benchmarks.designs:block_of", rounds=6, scenario=scenario)
    return Line(
        f"KALM simulated from randomisation to its last look: {scenario}",
        took.seconds / simulation.BLOCK,
        memory_mb=took.mb,
        told=f"{simulation.BLOCK / took.seconds:,.0f} trials a second in one process",
    )


def _shared_out() -> Iterator[Line]:
    """The same trials over 1, 2 and 4 processes, which are started before."""
    first = None
    for workers in WORKERS:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(_simulate, range(2 * workers)))
            seconds = best(lambda pool=pool: list(pool.map(_simulate, range(BLOCKS))), rounds=2)
        first = first or seconds
        trials = BLOCKS * simulation.BLOCK
        yield Line(
            f"{trials} trials of KALM without effect over {workers} worker{'s' if workers > 1 else ''}",
            seconds,
            told=f"{trials / seconds:,.0f} trials a second, {first / seconds:.2f} times one worker",
        )


def _simulate(block: int) -> None:
    block_of("null_global", block)()  # type: ignore[operator]
