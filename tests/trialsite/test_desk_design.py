"""The pages of simulated designs: ordering one, following it, reading what it found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from analysis import jobs
from analysis.design_simulation import ordering
from analysis.models import DesignSimulation, Job
from studies.acting import Program, acting
from studies.models import ProtocolVersion
from tests import factories
from trialsite.desk.design_plot import power_plot, stopping_plot

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]
BY = Program("test")


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("job_queue", "jobs"):
        monkeypatch.setattr(f"analysis.{module}.push", lambda job_id, side: None)


@pytest.fixture
def as_(version: ProtocolVersion) -> SignIn:
    def sign_in(role: str) -> Client:
        site = version.study.sites.get(code="BER") if role == "coordinator" else None
        client = Client()
        person = factories.person(role, version.study, role, site)
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


def ordered(version: ProtocolVersion, scenarios: list[str]) -> DesignSimulation:
    return ordering.order_simulation(BY, protocol_version=version, scenarios=scenarios, trials=20, seed=1)


def done(version: ProtocolVersion, scenarios: list[str]) -> DesignSimulation:
    simulation = ordered(version, scenarios)
    with acting(BY, "test"):
        for job in Job.objects.filter(chunk__simulation=simulation):
            jobs.run(job.pk)
    simulation.refresh_from_db()
    return simulation


def test_a_statistician_orders_a_simulation_and_follows_it(as_: SignIn, version: ProtocolVersion):
    client = as_("statistician")
    page = client.get("/admin/design/").content.decode()
    assert "No design has been simulated yet" in page
    assert "null_dissociation: both dimensions improve alike" in page
    entries = {
        "protocol": version.pk,
        "curve": ["null_global", "default"],
        "others": ["small"],
        "trials": 20,
        "seed": 7,
    }
    answer = client.post("/admin/design/", entries, follow=True)
    assert answer.redirect_chain
    simulation = DesignSimulation.objects.get()
    assert simulation.scenarios == ["null_global", "default", "small"]
    shown = answer.content.decode()
    assert "0 of 3 chunks" in shown
    assert 'data-refresh="' in shown


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"curve": [], "others": []}, "Nothing is chosen"),
        ({"trials": ""}, "Trials under each is empty"),
        ({"trials": 0}, "greater than or equal to 1"),
        ({"seed": "x"}, "Enter a whole number"),
    ],
)
def test_what_is_wrong_stands_beside_the_entry(as_: SignIn, version: ProtocolVersion, changed: dict, message: str):
    entries = {"protocol": version.pk, "curve": ["default"], "trials": 20, "seed": 7, **changed}
    answer = as_("statistician").post("/admin/design/", entries)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert not DesignSimulation.objects.exists()


def test_a_result_is_shown_with_its_errors_its_looks_and_its_drawings(as_: SignIn, version: ProtocolVersion):
    simulation = done(version, ["small:0", "small"])
    assert simulation.status == "done"
    page = as_("statistician").get(f"/admin/design/{simulation.pk}/").content.decode()
    assert page.count("<svg") >= 1
    assert "Type-I error, %" in page
    assert "of 48" in page
    assert "conditional power below 15 %" in page
    assert f"/api/v1/design-simulations/{simulation.pk}/result.csv/" in page
    assert "traceback" not in page.lower()


def test_a_simulation_is_cancelled_from_its_page(as_: SignIn, version: ProtocolVersion):
    simulation = ordered(version, ["small"])
    client = as_("data_manager")
    assert (
        "Simulation cancelled"
        in client.post(f"/admin/design/{simulation.pk}/", {"cancel": 1}, follow=True).content.decode()
    )
    again = client.post(f"/admin/design/{simulation.pk}/", {"cancel": 1})
    assert again.status_code == 409
    assert "there is nothing to cancel" in again.content.decode()


def test_who_works_at_one_site_neither_reads_nor_orders_one(as_: SignIn, version: ProtocolVersion):
    simulation = ordered(version, ["small"])
    coordinator = as_("coordinator")
    assert "ordered by the statistician or the data manager" in coordinator.get("/admin/design/").content.decode()
    assert coordinator.get(f"/admin/design/{simulation.pk}/").status_code == 404
    assert coordinator.post("/admin/design/", {"protocol": version.pk}).status_code == 200
    assert DesignSimulation.objects.count() == 1
    assert "Simulated designs" not in coordinator.get("/admin/reports/").content.decode()
    assert "Simulated designs" in as_("statistician").get("/admin/reports/").content.decode()


def test_simulated_trials_do_not_fill_the_list_of_background_work(as_: SignIn, version: ProtocolVersion):
    ordered(version, ["small"])
    assert "Simulated trials" not in as_("data_manager").get("/admin/data/").content.decode()


def scenario(name: str, effect: float, stops: list[float]) -> dict:
    rate = {"estimate": sum(stops), "se": 0.01, "lower": max(sum(stops) - 0.02, 0), "upper": min(sum(stops) + 0.02, 1)}
    looks = [{"number": place, "stops": {"estimate": share}} for place, share in enumerate(stops, start=1)]
    return {"scenario": name, "effect": effect, "rejected": rate, "looks": looks}


def test_the_parts_of_a_bar_fill_it_and_say_what_they_are():
    drawn = stopping_plot([scenario("default", -0.9, [0.1, 0.5, 0.3])])
    for told in ("look 1: 10.0 %", "look 2: 50.0 %", "look 3: 30.0 %", "never rejects: 10.0 %"):
        assert told in drawn
    widths = [float(part.split('"')[0]) for part in drawn.split(' height="20"')[0].split('width="')[1:]]
    assert widths[-1] == pytest.approx(0.1 * (640 - 132 - 26), abs=0.1)


def test_power_is_drawn_over_the_effect_from_three_points_on():
    points = [
        scenario("null_global", 0.0, [0.02]),
        scenario("default:0.5", -0.4, [0.5]),
        scenario("default", -0.9, [0.9]),
    ]
    drawn = power_plot(points, planned=0.9, alpha=0.025)
    assert drawn.count("<circle") == 3
    assert "−0.90" in drawn
    assert "planned power 90 %" in drawn
    assert power_plot(points[:2], planned=0.9, alpha=0.025) == ""
    # Another truth is no point of this curve.
    assert power_plot([*points, scenario("mnar", -0.9, [0.8])], planned=None, alpha=None).count("<circle") == 3
