"""Reports of a look in a browser, under the content-security policy of both doors: light, dark, wide, narrow."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Route

from analysis.interim import closed_result, open_result
from analysis.reports import render
from tests.analysis.kalm_cut import kalm_trial, quick_plan

STYLE = (Path(__file__).parents[2] / "trialsite" / "static" / "trialsite" / "report.css").read_text()
POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:"
LOOKS = (("light", 1280), ("dark", 360))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    trial, plan = kalm_trial(30, seed=2), quick_plan()
    cut, restricted = trial.write(tmp_path_factory.mktemp("report"))
    results = open_result(cut, plan, look=1), closed_result(cut, restricted, trial.arms, plan, [], look=1)
    return [render(result)[0] for result in results]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_a_report_can_be_read_by_everyone_and_nothing_of_it_is_refused(browser: Browser, pages, scheme, width):
    """axe finds nothing (contrast of letters in figures too), nothing is scrolled sideways, the policy holds."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    shown = iter(pages)

    def answer(route: Route) -> None:
        style = route.request.url.endswith(".css")
        kind, body = ("text/css", STYLE) if style else ("text/html", next(shown))
        route.fulfill(body=body, content_type=kind, headers={"Content-Security-Policy": POLICY})

    page.route("**/*", answer)
    for _ in pages:
        page.goto("http://report.test/")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
    assert complaints == []
