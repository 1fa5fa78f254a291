"""Design: what a protocol's trial would do, simulated on the workers. No participant and no arm is in it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect

from analysis.design_simulation import ordering, reading
from analysis.models import DesignSimulation
from analysis.permissions import may_simulate_design
from analysis.simulation.parameters import trial_scenarios
from studies.errors import NotAllowed, TrialError
from studies.models import ProtocolVersion, User
from studies.permissions import visible_studies
from trialsite.desk.design_plot import power_plot, stopping_plot
from trialsite.desk.fields import DeskForm
from trialsite.desk.page import View, page, refusals, say, shows_refusals, user_of

PER_PAGE = 50
NOTHING = "–"
# Shares of the simulation model's effect, for a power curve.
CURVE = {
    "null_global": "No effect of the drug",
    "default:0.25": "A quarter of the model's effect",
    "default:0.5": "Half the model's effect",
    "default:0.75": "Three quarters of the model's effect",
    "default": "The model's effect",
    "default:1.25": "A quarter more than the model's effect",
}
Result = Mapping[str, Any]


@shows_refusals
def design(request: HttpRequest) -> HttpResponse:
    """All simulations in sight, and the form that orders one."""
    user = user_of(request)
    versions = _versions(user)
    form = DesignForm(request.POST or None, versions=versions) if versions else None
    errors: dict[str, str] = {}
    if request.method == "POST" and form and form.is_valid():
        try:
            ordered = ordering.order_simulation(user, **form.ordered())
        except NotAllowed:
            raise
        except TrialError as error:
            errors = refusals(error)
        else:
            say(request, "Simulation ordered. The workers share it; this page follows them.")
            return redirect("admin:design_simulation", ordered.pk)
    return page(
        request,
        "design.html",
        room="reports",
        title="Simulated designs",
        status=422 if errors or (form and form.errors) else 200,
        form=form,
        errors=errors,
        simulations=reading.visible_simulations(user)[:PER_PAGE],
    )


@shows_refusals
def simulation(request: HttpRequest, pk: int) -> HttpResponse:
    """One simulation: how far it is, or what it found. Cancelling and ordering again are posted here."""
    user = user_of(request)
    found = get_object_or_404(reading.visible_simulations(user), pk=pk)
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            say(request, _act(request, found))
            return redirect("admin:design_simulation", found.pk)
        except NotAllowed:
            raise
        except TrialError as error:
            errors = refusals(error)
    kept = reading.kept_result(found)
    return page(
        request,
        "design_simulation.html",
        room="reports",
        title=f"Design of {found.study}, simulated",
        status=409 if errors else 200,
        problems=errors.values(),
        simulation=found,
        may_act=may_simulate_design(user, found.study),
        failures=reading.failures(found) if found.status == DesignSimulation.Status.FAILED else (),
        sha256=kept.sha256 if kept else "",
        **(_shown(reading.parsed(kept)) if kept else {}),
    )


class DesignForm(DeskForm):
    """What is simulated: which protocol, under which truths, how often."""

    protocol = forms.ModelChoiceField(label="Protocol", queryset=ProtocolVersion.objects.none(), empty_label=None)
    curve = forms.MultipleChoiceField(
        label="Power over the size of the effect",
        choices=list(CURVE.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        initial=list(CURVE),
    )
    others = forms.MultipleChoiceField(
        label="Other truths",
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="As the simulation model defines them; what is true is said beside each.",
    )
    trials = forms.IntegerField(
        label="Trials under each",
        min_value=1,
        max_value=ordering.MOST_TRIALS,
        initial=1000,
        help_text="The Monte Carlo error of a power of 90 % is 0.9 percent points at 1000 trials, 0.3 at 10,000.",
    )
    seed = forms.IntegerField(
        label="Seed",
        min_value=0,
        max_value=ordering.MOST_SEED,
        help_text="The same seed gives the same trials, however many workers share them.",
    )

    def __init__(self, data: Any, *, versions: list[ProtocolVersion]) -> None:
        super().__init__(data, initial={"seed": secrets.randbelow(10**8)})
        keys = [version.pk for version in versions]
        self.fields["protocol"].queryset = ProtocolVersion.objects.filter(pk__in=keys).order_by("-pk")  # type: ignore[attr-defined]
        others = [(name, f"{name}: {truth}") for name, truth in trial_scenarios().items() if name not in CURVE]
        self.fields["others"].choices = others  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        if not self.cleaned_data.get("curve") and not self.cleaned_data.get("others"):
            self.add_error("curve", "Nothing is chosen: choose at least one truth to simulate.")
        return self.cleaned_data

    def ordered(self) -> dict[str, Any]:
        """The simulation as `order_simulation` takes it."""
        given = self.cleaned_data
        return {
            "protocol_version": given["protocol"],
            "scenarios": [*given["curve"], *given["others"]],
            "trials": given["trials"],
            "seed": given["seed"],
        }


def _versions(user: User) -> list[ProtocolVersion]:
    """The protocol versions that the person may simulate and that have a randomised, group-sequential design."""
    studies = [study for study in visible_studies(user) if may_simulate_design(user, study)]
    versions = ProtocolVersion.objects.filter(study__in=studies).select_related("study")
    return [each for each in versions if each.definition.analysis.looks and each.definition.randomisation]


def _act(request: HttpRequest, found: DesignSimulation) -> str:
    if "retry" in request.POST:
        ordering.retry_simulation(user_of(request), simulation=found)
        return "What had failed is ordered again; what was done is kept."
    ordering.cancel_simulation(user_of(request), simulation=found)
    return "Simulation cancelled. The workers leave it at the next block of trials."


def _shown(result: Result) -> dict[str, Any]:
    """A result as its page shows it: drawings, and two tables of text."""
    scenarios = result["scenarios"]
    return {
        "result": result,
        "stopping": stopping_plot(scenarios),
        "power": power_plot(scenarios, planned=result["planned_power"], alpha=result["alpha"]),
        "summary": [_summary(each) for each in scenarios],
        "looks": [_look(each, look) for each in scenarios for look in each["looks"]],
        "threshold": f"{100 * result['threshold']:g} %" if result["threshold"] else "",
        "alpha": f"{100 * result['alpha']:g} %",
    }


def _summary(scenario: Result) -> dict[str, Any]:
    return {
        "scenario": scenario["scenario"],
        "truth": _truth(scenario["scenario"]),
        "effect": _number(scenario["effect"], 2),
        "power": _rate(scenario["power"]),
        "type_i_error": _rate(scenario["type_i_error"]),
        "participants": _mean(scenario["expected_participants"], 1),
        "planned": scenario["planned_participants"],
        "information": _mean(scenario["expected_information"], 1),
        "estimate": _mean(scenario["mean_estimate"], 3),
        "not_estimable": scenario["not_estimable"],
    }


def _truth(label: str) -> str:
    """What is true under a scenario, in words."""
    name, _, share = label.partition(":")
    words = CURVE.get(label) or trial_scenarios().get(name, "")
    return words if label in CURVE or not share else f"{words}; every effect times {share}"


def _look(scenario: Result, look: Result) -> dict[str, Any]:
    return {
        "scenario": scenario["scenario"],
        "first": look["number"] == scenario["looks"][0]["number"],
        "of": len(scenario["looks"]),
        "number": look["number"],
        "planned": look["planned_information"],
        "information": _number(look["information"], 1),
        "participants": _number(look["participants"], 1),
        "bound": _number(look["bound"], 3),
        **{name: _rate(look[name]) for name in ("reached", "stops", "stopped", "unlikely")},
    }


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}".replace("-", "−")


def _rate(estimate: Result | None) -> str:
    """Percent with its Monte Carlo error in brackets."""
    return f"{100 * estimate['estimate']:.1f} ({100 * estimate['se']:.1f})" if estimate else NOTHING


def _mean(estimate: Result, digits: int) -> str:
    if estimate["estimate"] is None:
        return NOTHING
    return f"{_number(estimate['estimate'], digits)} ({_number(estimate['se'], digits)})"


urls: list[tuple[str, View, str]] = [
    ("design/", design, "design"),
    ("design/<int:pk>/", simulation, "design_simulation"),
]
