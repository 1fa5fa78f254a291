"""Every page of the desk: where it is, one person who may open it, and how many queries it may take."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

from outcomes.models import Device
from tests.trialsite.busy_site import BusySite

PERSON = "/admin/participants/{person}/"


@dataclass(frozen=True)
class Page:
    path: str
    queries: int
    who: str = "coordinator"

    def at(self, busy: BusySite) -> str:
        """Its address on a busy site."""
        alert = busy.first.safety_alerts.order_by("pk").first()
        device = Device.objects.filter(site=busy.first.site).first()
        event = busy.first.intercurrent_events.first()
        form = busy.first.responses.filter(source="staff").order_by("pk").first()
        keys = {
            "form": form.pk if form else 0,
            "event": event.pk if event else 0,
            "alert": alert.pk if alert else 0,
            "device": device.pk if device else 0,
        }
        return self.path.format(person=busy.first.identifier, **keys)


# Signing in costs two queries, the roles one.
PAGES = {
    "index": Page("/admin/", 24),
    "participants": Page("/admin/participants/", 15),
    "enrol": Page("/admin/participants/enrol/", 9),
    "participant": Page(PERSON, 35),
    "history": Page(PERSON + "history/", 27),
    "consent": Page(PERSON + "consent/", 7),
    "withdraw_consent": Page(PERSON + "consent/withdraw/", 8),
    "contact": Page(PERSON + "contact/", 8),
    "plan": Page(PERSON + "plan/", 7),
    "randomise": Page(PERSON + "randomise/", 7),
    "leave": Page(PERSON + "leave/", 7),
    "eligibility": Page(PERSON + "eligibility/", 14),
    "findings": Page(PERSON + "findings/laboratory/", 9),
    "infusion": Page(PERSON + "infusion/", 10, "infusion_nurse"),
    "adverse_event_new": Page(PERSON + "adverse-events/new/", 8),
    "adverse_event": Page(PERSON + "adverse-events/1/", 8),
    "stratum": Page(PERSON + "stratum/", 14, "investigator"),
    "intercurrent_event_new": Page(PERSON + "intercurrent-events/new/", 8),
    "intercurrent_event": Page(PERSON + "intercurrent-events/{event}/", 8),
    "visit_missed": Page(PERSON + "visits/W1/missed/", 8),
    "visit_not_missed": Page(PERSON + "visits/W1/not-missed/", 8),
    "diary": Page(PERSON + "diary/", 11),
    "qst": Page(PERSON + "visits/BL/qst/", 24),
    "qst_devices": Page("/admin/qst/devices/", 9),
    "qst_device": Page("/admin/qst/devices/{device}/", 8),
    "qst_import": Page("/admin/qst/import/", 10),
    "response": Page(PERSON + "visits/BL/forms/phq9/", 19),
    "taken": Page(PERSON + "taken/{form}/", 9),
    "self_completion": Page(PERSON + "self-completion/", 26),
    "preference": Page(PERSON + "wishes/", 8),
    "infusions": Page("/admin/infusions/", 8),
    "safety": Page("/admin/safety/", 8),
    # Three more where it could not be mailed within its minute: whom it should have reached.
    "alert": Page("/admin/alerts/{alert}/", 12, "investigator"),
    "data": Page("/admin/data/", 11, "data_manager"),
    "imports": Page("/admin/imports/", 9, "data_manager"),
    "reports": Page("/admin/reports/", 14, "data_manager"),
    "study": Page("/admin/study/", 10),
    "study_course": Page("/admin/study/KALM/course/", 12),
    "protocol": Page("/admin/study/KALM/protocol/1.0/", 6),
    "analysis_plans": Page("/admin/study/KALM/plan/", 8),
    "analysis_plan_new": Page("/admin/study/KALM/plan/new/", 12, "statistician"),
    "api": Page("/admin/study/api/", 5),
    "people": Page("/admin/people/", 12, "administrator"),
}
# Pages that only take what is posted, or that need a look (tests/trialsite/test_desk_analysis.py) or a simulated design
# (test_desk_design.py) to show anything.
NOT_HERE = {
    "analysis_plan",
    "analysis_plan_text",
    "design",
    "design_simulation",
    "own_form",
    "site_contact",
    "import_difference",
    "import_report",
    "import_odm",
    "import_draft",
    "import_answers",
    "import_answers_form",
    "import_answers_difference",
    "import_answers_mapping",
    "answers_report",
    "draft",
    "qst_compute",
    "visit_start",
    "people_end",
    "people_address",
    "cut",
    "order_look",
    "open_report",
    "open_report_pdf",
}


class Inline(HTMLParser):
    """What a strict policy does not run: scripts and styles that stand in the page itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        about = dict(attrs)
        if tag == "style" or (tag == "script" and not about.get("src")):
            self.found.append(f"<{tag}>")
        self.found += [f"{name} of <{tag}>" for name in about if name == "style" or name.startswith("on")]
        for name in ("src", "href", "action"):
            address = (about.get(name) or "").strip().lower()
            if address.startswith(("javascript:", "http:", "https:", "//")):
                self.found.append(f"{name}={address} of <{tag}>")
