"""Drug levels in the ketamine arm: two compartments, with norketamine and hydroxynorketamine after them.

A linear system dA/dt = K A + input, solved exactly over each pump segment: A(t) = A* + e^(Kt) (A(0) - A*)
with the steady state A* = -K^-1 input and e^(Kt) from the eigenvalues of K, which are real and distinct.
Every value here reveals the arm.
"""

import numpy as np
from numpy.typing import NDArray

from .parameters import Parameters, Pk
from .records import PkSample, RateSegment
from .streams import stream

FloatArray = NDArray[np.float64]
_UG_PER_MG = 1000.0  # mg/L are 1000 ng/mL


def sample_levels(
    seed: int,
    index: int,
    *,
    weight_kg: float,
    segments: tuple[RateSegment, ...],
    parameters: Parameters,
) -> tuple[PkSample, ...]:
    """Concentrations at the protocol's sample times, each taken some minutes early or late.

    segments: the pump's rates in mL/h, of ketamine base at the concentration of `defaults.yaml`.
    """
    law = parameters.pk
    rng = stream(seed, "pk", index)
    person = np.exp(_log_sd(law.between_cv) * rng.standard_normal(4))
    system = _system(law, weight_kg, person)
    volumes = np.array([law.v1, law.nk_v, law.hnk_v])
    samples = []
    for nominal in law.sample_minutes:
        minute = nominal + law.time_sd_minutes * float(np.clip(rng.standard_normal(), -2.5, 2.5))
        error = np.exp(_log_sd(law.residual_cv) * rng.standard_normal(3))
        amounts = _amounts(system, segments, law.mg_per_ml, minute)[[0, 2, 3]]
        level = np.round(amounts / volumes * _UG_PER_MG * error, 1).tolist()
        samples.append(PkSample(nominal, round(minute, 1), *level))
    return tuple(samples)


def _log_sd(cv: float) -> float:
    return float(np.sqrt(np.log1p(cv**2)))


def _system(law: Pk, weight_kg: float, person: FloatArray) -> FloatArray:
    """K (4, 4) per hour for the amounts of ketamine (central, peripheral), norketamine, HNK in mg."""
    out = law.clearance * (weight_kg / 70) ** 0.75 * person[0] / law.v1
    nk, hnk = law.nk_clearance * person[1] / law.nk_v, law.hnk_clearance * person[2] / law.hnk_v
    to, back = law.q * person[3] / law.v1, law.q * person[3] / law.v2
    return np.array(
        [
            [-out - to, back, 0.0, 0.0],
            [to, -back, 0.0, 0.0],
            [law.nk_fraction * out, 0.0, -nk, 0.0],
            [0.0, 0.0, law.hnk_fraction * nk, -hnk],
        ]
    )


def _amounts(system: FloatArray, segments: tuple[RateSegment, ...], mg_per_ml: float, minute: float) -> FloatArray:
    """Amounts (4,) in mg at a minute: through every segment before it, then without input."""
    rates, vectors = np.linalg.eig(system)
    amounts = np.zeros(4)
    for part in segments:
        steady = -np.linalg.solve(system, np.array([part.rate_ml_h * mg_per_ml, 0.0, 0.0, 0.0]))
        hours = max(min(part.end, minute) - part.start, 0.0) / 60
        amounts = steady + _decay(rates, vectors, amounts - steady, hours)
    return _decay(rates, vectors, amounts, max(minute - segments[-1].end, 0.0) / 60)


def _decay(rates: FloatArray, vectors: FloatArray, amounts: FloatArray, hours: float) -> FloatArray:
    """e^(Kt) times the amounts; a compartment's rates are real, which newer NumPy no longer says by the type."""
    later: FloatArray = (vectors @ (np.exp(rates * hours) * np.linalg.solve(vectors, amounts))).real
    return later
