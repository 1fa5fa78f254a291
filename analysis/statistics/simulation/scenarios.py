"""Under which truth a design is simulated: a scenario of the simulation model, its drug effect larger or smaller."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.simulation.parameters import Effect, Parameters, load_parameters, trial_scenarios

_WRITTEN = re.compile(r"([a-z0-9_]+)(?::([0-9]+(?:\.[0-9]+)?))?")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario of `defaults.yaml` with every drug effect multiplied: effect 0 is none, 1 the scenario's own."""

    name: str
    effect: float = 1.0

    def __post_init__(self) -> None:
        if self.name not in known_scenarios():
            raise ValueError(f"scenarios: there is no {self.name!r}; allowed are {', '.join(known_scenarios())}.")
        if not 0 <= self.effect <= 10:
            raise ValueError(
                f"scenarios: the effect of {self.name!r} is multiplied by {self.effect}; allowed is 0 to 10."
            )

    @property
    def label(self) -> str:
        """As it is written: default, or default:0.5."""
        return self.name if self.effect == 1 else f"{self.name}:{self.effect:g}"

    def parameters(self) -> Parameters:
        """The numbers of the simulation model."""
        law = load_parameters(self.name)
        scaled = {
            dimension: Effect(size=effect.size * self.effect, half_life=effect.half_life)
            for dimension, effect in law.latent.effect.items()
        }
        return law.model_copy(update={"latent": law.latent.model_copy(update={"effect": scaled})})


def scenario(written: str | Scenario) -> Scenario:
    """A scenario as it is written: its name, or its name and the share of its effect, as default:0.5.

    Raises ValueError for anything else.
    """
    if isinstance(written, Scenario):
        return written
    parts = _WRITTEN.fullmatch(written.strip())
    if parts is None:
        raise ValueError(f"scenarios: {written!r} is not a scenario; write its name, or as default:0.5.")
    return Scenario(parts[1], float(parts[2] or 1))


def several(written: Iterable[str | Scenario]) -> tuple[Scenario, ...]:
    """Different scenarios, one or more. Raises ValueError for none, or one twice."""
    if isinstance(written, str | Scenario):
        written = [written]
    found = tuple(scenario(each) for each in written)
    if not found or len(set(found)) < len(found):
        raise ValueError(f"scenarios: {[each.label for each in found]}; name one or more, each once.")
    return found


def known_scenarios() -> tuple[str, ...]:
    """Scenarios of a whole trial, in the order of `defaults.yaml`."""
    return tuple(trial_scenarios())
