"""The four latent dimensions over time: pain as sensed, affect, mood, sensory testing.

In baseline-SD units, higher = worse:

    Z[d, t] = sqrt(1/2) u[d] + sqrt(1/2) w[d, t] + site[d] - T[d, t]
    T[d, t] = p_d (1 - e^(-t/3)) + KET (E_d(t) k + siteKET[d]) + psi [believes KET] [d in S, A],  t > 0

u is constant in a person, w a stationary Gaussian process with correlation exp(-|dt|/20) in time
(Kronecker with a correlation across dimensions), drawn at the anchor days and filled in between them
from its exact conditional distribution. Everything but the last two terms of T is free of the arm.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .draws import FloatArray
from .parameters import DIMENSIONS, Arm, Latent, Parameters
from .streams import stream

FIRST_DAY, LAST_DAY = -28, 98
DAYS = np.arange(FIRST_DAY, LAST_DAY + 1, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class ArmFree:
    """What of a course is the same in both arms.

    untreated (127, 4): u, w and site by day (`DAYS`) and dimension; response: the factor k of the
    drug's effect; site_treatment (4,): the site's own treatment effect.
    """

    untreated: FloatArray
    response: float
    site_treatment: FloatArray


@dataclass(frozen=True, slots=True)
class LatentCourse:
    """A course in one arm: Z by day and dimension is `untreated` - `treatment(DAYS)`."""

    arm_free: ArmFree
    arm: Arm
    believes_active: bool
    law: Latent

    def daily(self) -> FloatArray:
        """Z on every day of `DAYS`, shape (127, 4)."""
        return self.arm_free.untreated - self._treatment(DAYS)

    def at(self, day: float) -> FloatArray:
        """Z at one time in days since infusion, shape (4,); hours after the infusion are fractions."""
        row = int(np.floor(day)) - FIRST_DAY
        z: FloatArray = self.arm_free.untreated[row] - self._treatment(np.array([day]))[0]
        return z

    def _treatment(self, days: FloatArray) -> FloatArray:
        total = placebo_effect(days, self.law)
        if self.arm == "active":
            drug = drug_effect(days, self.law) * self.arm_free.response
            total = total + drug + _after(days) * self.arm_free.site_treatment
        if self.believes_active:
            total = total + _after(days) * belief_effect(self.law)
        return total


def participant_course(
    seed: int,
    index: int,
    arm: Arm,
    *,
    site: int,
    parameters: Parameters,
    believes_active: bool = False,
) -> LatentCourse:
    """The latent course of one participant in one arm. site: position of the site, from 0."""
    arm_free = arm_free_course(seed, index, site=site, parameters=parameters)
    return LatentCourse(arm_free, arm, believes_active, parameters.latent)


def arm_free_course(seed: int, index: int, *, site: int, parameters: Parameters) -> ArmFree:
    """The part of the course that does not depend on the arm."""
    law = parameters.latent
    anchors = law.anchor_days
    at_anchors = anchor_values(seed, index, law)
    moving = np.empty((len(DAYS), len(DIMENSIONS)))
    is_anchor = np.isin(DAYS, anchors)
    weights, root = _between_anchors(anchors, law.time_scale_days)
    noise = stream(seed, "latent_days", index).standard_normal((int((~is_anchor).sum()), len(DIMENSIONS)))
    moving[is_anchor] = at_anchors
    moving[~is_anchor] = weights @ at_anchors + root @ noise @ moving_root(law).T
    level, treatment = site_effects(seed, site, law)
    person = person_values(seed, index, law)
    share = np.sqrt(law.person_share)
    untreated = share * person + np.sqrt(1 - law.person_share) * moving + level
    return ArmFree(untreated, response_factor(seed, index, law), treatment)


def person_values(seed: int, index: int, law: Latent) -> FloatArray:
    """u (4,): what is constant in a person."""
    return person_root(law) @ stream(seed, "latent_u", index).standard_normal(len(DIMENSIONS))


def anchor_values(seed: int, index: int, law: Latent) -> FloatArray:
    """w (anchor days, 4): what moves with time, at the anchor days."""
    shape = (len(law.anchor_days), len(DIMENSIONS))
    noise = stream(seed, "latent_w", index).standard_normal(shape)
    return time_root(law.anchor_days, law.time_scale_days) @ noise @ moving_root(law).T


def site_effects(seed: int, site: int, law: Latent) -> tuple[FloatArray, FloatArray]:
    """A site's level (4,) and its own treatment effect (4,)."""
    noise = stream(seed, "site", site).standard_normal((2, len(DIMENSIONS)))
    return law.site_sd * noise[0], law.site_treatment_sd * noise[1]


def response_factor(seed: int, index: int, law: Latent) -> float:
    """k: how strongly a person responds, log-normal with mean 1."""
    noise = stream(seed, "response", index).standard_normal()
    return float(np.exp(law.response_log_sd * noise - law.response_log_sd**2 / 2))


def drug_effect(days: FloatArray, law: Latent) -> FloatArray:
    """E_d(t) = e_d 2^(-t/h_d), shape (days, 4); 0 up to and including the day of infusion's start."""
    size = np.array([law.effect[d].size for d in DIMENSIONS])
    half_life = np.array([law.effect[d].half_life for d in DIMENSIONS])
    later = np.maximum(days, 0.0)[:, None]
    effect: FloatArray = size * np.exp2(-later / half_life) * _after(days)
    return effect


def placebo_effect(days: FloatArray, law: Latent) -> FloatArray:
    """p_d (1 - e^(-t/3)), shape (days, 4)."""
    size = np.array([law.placebo[d] for d in DIMENSIONS])
    effect: FloatArray = size * -np.expm1(-np.maximum(days, 0.0)[:, None] / law.placebo_days)
    return effect


def belief_effect(law: Latent) -> FloatArray:
    """psi in S and A, shape (4,)."""
    return np.array([law.unblinding_bias if d in ("S", "A") else 0.0 for d in DIMENSIONS])


def cholesky_root(matrix: FloatArray) -> FloatArray:
    """The lower triangular L with L L' = matrix."""
    return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)


def correlation(pairs: dict[str, float]) -> FloatArray:
    """The 4 x 4 correlation matrix of pairs such as {"SA": .5}, in the order S, A, M, Q."""
    matrix = np.eye(len(DIMENSIONS))
    for pair, value in pairs.items():
        row, column = DIMENSIONS.index(pair[0]), DIMENSIONS.index(pair[1])
        matrix[row, column] = matrix[column, row] = value
    return matrix


def person_root(law: Latent) -> FloatArray:
    """The Cholesky root of the correlation of u."""
    return _root_of_pairs(tuple(law.person_correlation.items()))


def moving_root(law: Latent) -> FloatArray:
    """The Cholesky root of the correlation of w across dimensions."""
    return _root_of_pairs(tuple(law.moving_correlation.items()))


@lru_cache(maxsize=64)
def _root_of_pairs(pairs: tuple[tuple[str, float], ...]) -> FloatArray:
    return cholesky_root(correlation(dict(pairs)))


@lru_cache(maxsize=16)
def time_root(days: tuple[int, ...], scale: float) -> FloatArray:
    """The Cholesky root of the correlation of w across the given days."""
    at = np.array(days, float)
    return cholesky_root(_time_correlation(at, at, scale))


@lru_cache(maxsize=16)
def _between_anchors(anchors: tuple[int, ...], scale: float) -> tuple[FloatArray, FloatArray]:
    """Weights and Cholesky root of the Gaussian conditional law of the other days, given the anchors."""
    at = np.array(anchors, float)
    between = DAYS[~np.isin(DAYS, at)]
    cross = _time_correlation(between, at, scale)
    solved = np.linalg.solve(_time_correlation(at, at, scale), cross.T)
    weights = np.asarray(solved.T, dtype=np.float64)
    left_over = _time_correlation(between, between, scale) - weights @ cross.T
    return weights, cholesky_root(left_over + 1e-12 * np.eye(len(between)))


def _time_correlation(rows: FloatArray, columns: FloatArray, scale: float) -> FloatArray:
    decay: FloatArray = np.exp(-np.abs(rows[:, None] - columns[None, :]) / scale)
    return decay


def _after(days: FloatArray) -> FloatArray:
    return (days > 0).astype(np.float64)[:, None]
