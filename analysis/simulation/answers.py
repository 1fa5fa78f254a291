"""Answers to questionnaires: coded values of items, as printed on the form, that follow the latent state.

Most items are graded: clip(round(m + s (.8 z + .6 e))) with m at 55 % of the item's range and s a fifth
of it. Instruments with another structure (screening signs, suicidality, dissociation) have a rule of
their own, named by the instrument's key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .design import Instrument, Item
from .draws import FloatArray, clipped_round, expit
from .parameters import DIMENSIONS, Dimension, Items, Logit, Parameters
from .people import Person
from .records import MissingReason

_S, _M = DIMENSIONS.index("S"), DIMENSIONS.index("M")
Values = dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Moment:
    """The state in which somebody answers.

    z (4,): the latent dimensions; improvement: the fall of Z_S since infusion; cadss: the dissociation
    total of this minute; suicidal: C-SSRS ideation 4 or 5 at this visit.
    """

    person: Person
    z: FloatArray
    improvement: float = 0.0
    cadss: int = 0
    suicidal: bool = False


def answer(instrument: Instrument, moment: Moment, rng: np.random.Generator, parameters: Parameters) -> Values:
    """A complete form: item id to coded value. Items that the form's skip rule leaves out are absent.

    Draws the same count of random numbers whatever the state, so that both arms share them.
    """
    noise = rng.standard_normal(len(instrument.items))
    uniform = rng.random(_points(instrument) if instrument.rules in _SPREAD else len(instrument.items))
    rule = _RULES.get(instrument.rules, _graded)
    return rule(instrument, moment, noise, uniform, parameters)


def leave_out(
    values: Values, rng: np.random.Generator, parameters: Parameters
) -> tuple[Values, dict[str, MissingReason]]:
    """The form with items missing completely at random, and the reason for each of them."""
    law = parameters.missing
    skipped, refused = rng.random((2, len(values)))
    gone = {name: refused[i] < law.refused for i, name in enumerate(values) if skipped[i] < law.item}
    kept = {name: None if name in gone else value for name, value in values.items()}
    return kept, {name: "refused" if refusal else "not_answered" for name, refusal in gone.items()}


Rule = Callable[[Instrument, Moment, FloatArray, FloatArray, Parameters], Values]


@dataclass(frozen=True, slots=True)
class _Layout:
    """An instrument's items as arrays, each (items,)."""

    low: FloatArray
    high: FloatArray
    step: FloatArray
    reverse: FloatArray
    latent: tuple[int | None, ...]


def _graded(
    instrument: Instrument, moment: Moment, noise: FloatArray, uniform: FloatArray, parameters: Parameters
) -> Values:
    """Items graded by their dimension; see the module's text."""
    law = parameters.items
    layout = _layout(instrument.items, tuple(law.latent_of.items()))
    z = np.array([0.0 if k is None else moment.z[k] for k in layout.latent])
    span = layout.high - layout.low
    shift = law.class_shift.get(instrument.rules, {}).get(moment.person.stratum, 0.0)
    location = law.location_of.get(instrument.rules, law.location)
    level = span * (location + (law.shared * z + law.own * noise + shift) / law.scale_divisor)
    level = np.where(layout.reverse > 0, span - level, level)
    codes = layout.low + clipped_round(level / layout.step, 0, span / layout.step) * layout.step
    values = _named(instrument, codes)
    return values | _suicidal_item(instrument, moment, uniform, law)


def _suicidal_item(instrument: Instrument, moment: Moment, uniform: FloatArray, law: Items) -> dict[str, int | None]:
    """The item on suicidal thoughts: rarely above 0, more often in low mood."""
    name = law.suicidal_items.get(instrument.rules)
    if name is None:
        return {}
    item = next(item for item in instrument.items if item.id == name)
    if moment.suicidal:
        return {name: item.maximum - 1}
    probability = _probability(law.suicidal_item, moment.z[_M])
    return {name: item.minimum + int(uniform[0] < probability) + int(uniform[0] < probability / 5)}


def _single_rating(
    instrument: Instrument, moment: Moment, noise: FloatArray, _: FloatArray, parameters: Parameters
) -> Values:
    """The 0-10 rating of average pain, as in the diary."""
    nrs = parameters.continuous["nrs"]
    rating = nrs.mean + nrs.slope * moment.z[_S] + parameters.diary.noise * noise
    return _named(instrument, clipped_round(rating, 0, 10))


def _global_change(
    instrument: Instrument, moment: Moment, noise: FloatArray, _: FloatArray, parameters: Parameters
) -> Values:
    """PGIC: 4 is no change, 1 very much improved; the other way round where the item is reversed."""
    law = parameters.items.global_change
    codes = clipped_round(4 - law.per_unit * moment.improvement + law.noise * noise, 1, 7)
    return _named(instrument, 8 - codes if instrument.items[0].reverse else codes)


def _expectancy(instrument: Instrument, moment: Moment, noise: FloatArray, _: FloatArray, __: Parameters) -> Values:
    """SETS: items 1, 3, 5 positive, 2, 4, 6 negative expectancy."""
    person = moment.person
    odd = np.arange(len(instrument.items)) % 2 == 0
    centre = np.where(odd, person.expectancy_positive, person.expectancy_negative)
    return _named(instrument, clipped_round(centre + 0.6 * noise, 1, 7))


def _paindetect(
    instrument: Instrument, moment: Moment, noise: FloatArray, uniform: FloatArray, parameters: Parameters
) -> Values:
    values = _graded(instrument, moment, noise, uniform, parameters)
    radiating = parameters.items.radiating[moment.person.stratum]
    signs = {"pattern": 1 + int(uniform[0] * 4), "radiating": int(uniform[1] < radiating)}
    return {name: signs.get(name, value) for name, value in values.items()}


def _dn4(instrument: Instrument, moment: Moment, _: FloatArray, uniform: FloatArray, parameters: Parameters) -> Values:
    share = parameters.items.dn4[moment.person.stratum]
    return _named(instrument, (uniform < share).astype(np.float64))


def _positive_symptoms(
    instrument: Instrument, moment: Moment, noise: FloatArray, _: FloatArray, __: Parameters
) -> Values:
    """BPRS positive items: absent but for the minutes of dissociation."""
    level = np.maximum(moment.cadss / 25 + 0.5 * noise * (moment.cadss > 4), 0)
    low, high = instrument.items[0].minimum, instrument.items[0].maximum
    return _named(instrument, clipped_round(low + level, low, high))


def _suicidality(
    instrument: Instrument, moment: Moment, _: FloatArray, uniform: FloatArray, parameters: Parameters
) -> Values:
    """C-SSRS: ideation 1-5 with its skip rule, intensity only with ideation, behaviour 0."""
    wish = uniform[0] < _probability(parameters.items.wish_to_be_dead, moment.z[_M])
    severity = (5 if uniform[1] < 0.3 else 4) if moment.suicidal else int(wish) + int(wish and uniform[1] < 0.2)
    values: Values = {}
    for position, item in enumerate(instrument.items):
        if item.id.startswith("i"):
            if severity >= 2 or item.id in ("i1", "i2"):
                values[item.id] = int(int(item.id[1:]) <= severity)
        elif item.id.startswith("n_"):
            if severity > 0:
                values[item.id] = _intensity(item, severity, uniform[position])
        else:
            values[item.id] = 0
    return values


def _intensity(item: Item, severity: int, uniform: float) -> int:
    return min(max(item.minimum, 1) + int(uniform * 2) + (severity > 3), item.maximum)


def _dissociation(instrument: Instrument, moment: Moment, _: FloatArray, uniform: FloatArray, __: Parameters) -> Values:
    """A CADSS total spread over the items: so many of all items' points, drawn without replacement."""
    spans = [item.maximum - item.minimum for item in instrument.items]
    owners = np.repeat(np.arange(len(spans)), spans)
    drawn = owners[np.argsort(uniform)[: moment.cadss]]
    low = np.array([item.minimum for item in instrument.items])
    return _named(instrument, low + np.bincount(drawn, minlength=len(spans)).astype(np.float64))


def _points(instrument: Instrument) -> int:
    return sum(item.maximum - item.minimum for item in instrument.items)


_SPREAD = frozenset({"cadss23", "cadss28"})
_RULES: dict[str, Rule] = {
    "nrs_avg24": _single_rating,
    "pgic": _global_change,
    "sets": _expectancy,
    "paindetect": _paindetect,
    "dn4": _dn4,
    "bprs_positive": _positive_symptoms,
    "cssrs": _suicidality,
    "cadss23": _dissociation,
    "cadss28": _dissociation,
}


def _probability(law: Logit, z: float) -> float:
    return expit(law.intercept + law.slope * z)


def _named(instrument: Instrument, codes: FloatArray) -> Values:
    return {item.id: int(code) for item, code in zip(instrument.items, codes, strict=True)}


@lru_cache(maxsize=256)
def _layout(items: tuple[Item, ...], latent_of: tuple[tuple[str, Dimension | None], ...]) -> _Layout:
    names = dict(latent_of)
    latent = [names[item.dimension] for item in items]
    return _Layout(
        low=np.array([item.minimum for item in items], float),
        high=np.array([item.maximum for item in items], float),
        step=np.array([item.step for item in items], float),
        reverse=np.array([item.reverse for item in items], float),
        latent=tuple(None if name is None else DIMENSIONS.index(name) for name in latent),
    )
