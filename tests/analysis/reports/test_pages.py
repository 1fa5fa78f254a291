"""Reports as pages: the same bytes, nothing inline, the right words on every page, and no traceback for any data."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.interim import closed_result, masked_result, open_result
from analysis.reports import render
from tests.analysis.ashar_cut import PROTOCOL, ashar_cut
from tests.analysis.drug_levels import levels_of_trial
from tests.analysis.kalm_cut import KalmTrial, kalm_trial, plan_of, quick_plan

PLAN = quick_plan()
STYLE = Path(__file__).parents[3] / "trialsite" / "static" / "trialsite" / "report.css"
Results = dict[str, dict[str, Any]]


def results_of(trial: KalmTrial, folder: Path) -> Results:
    cut, restricted = trial.write(folder)
    return {
        "open": open_result(cut, PLAN, look=1),
        "closed": closed_result(cut, restricted, trial.arms, PLAN, [], levels=levels_of_trial(trial)),
        "masked": masked_result(cut, restricted, trial.arms, PLAN, {"KET": "A", "MDZ": "B"}, look=1),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return results_of(kalm_trial(90, seed=2), tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def rendered(results: Results) -> dict[str, tuple[str, bytes]]:
    return {kind: render(result) for kind, result in results.items()}


@pytest.fixture(scope="module")
def ashar(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    cut, restricted, arms = ashar_cut(tmp_path_factory.mktemp("ashar"))
    return closed_result(cut, restricted, arms, plan_of(PROTOCOL), [])


class Page(HTMLParser):
    """What an HTML page holds: its tags with attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def pages_of(pdf: bytes, folder: Path) -> list[str]:
    """The text of each page of a PDF, by poppler."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    (folder / "report.pdf").write_bytes(pdf)
    found = subprocess.run(["pdftotext", "-layout", folder / "report.pdf", "-"], capture_output=True, check=True)
    return found.stdout.decode().split("\f")[:-1]


KINDS = pytest.mark.parametrize("kind", ["open", "closed", "masked"])


@pytest.mark.parametrize("kind", ["open", "closed"])
def test_the_same_result_gives_the_same_bytes(results, rendered, kind):
    assert render(copy.deepcopy(results[kind])) == rendered[kind]


@KINDS
def test_a_page_with_its_style_keeps_to_150_kb(rendered, kind):
    page, _ = rendered[kind]
    assert len(page.encode()) + STYLE.stat().st_size <= 150_000


@KINDS
def test_the_page_keeps_to_a_strict_content_security_policy(rendered, kind):
    page = Page(rendered[kind][0])
    assert not [tag for tag, _ in page.tags if tag in ("script", "style", "iframe", "object", "img")]
    assert not [name for _, attributes in page.tags for name in attributes if name == "style" or name.startswith("on")]
    links = [attributes["href"] for tag, attributes in page.tags if tag == "link"]
    assert links == ["/static/trialsite/report.css"]


@KINDS
def test_every_figure_is_a_whole_drawing_with_words_and_no_name_stands_twice(rendered, kind):
    text = rendered[kind][0]
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawings) >= 4
    for svg in drawings:
        assert Page(svg).tags[0][1]["aria-label"]
        assert not set(re.findall(r"url\(#(\w+)", svg)) - {a.get("id") for _, a in Page(svg).tags}
    names = [attributes["id"] for _, attributes in Page(text).tags if "id" in attributes]
    assert len(names) == len(set(names))


@KINDS
def test_the_contents_lead_to_every_section_and_tables_are_numbered(rendered, kind, tmp_path):
    page, pdf = rendered[kind]
    links = re.findall(r'<li><a href="#(\w+)">(.*?)</a>', page)
    assert links == re.findall(r'<h2 id="(s\d+)">(.*?)</h2>', page)
    numbers = [int(each) for each in re.findall(r">Table (\d+)\. ", page)]
    assert numbers == list(range(1, len(numbers) + 1))
    contents = pages_of(pdf, tmp_path)[1]
    assert re.search(r"Safety[^\d\n]*\d+\n", contents)


@KINDS
def test_no_internal_word_reaches_a_reader(rendered, kind):
    words = " ".join(Page(rendered[kind][0]).words)
    assert not re.search(r"\b(nan|None|null)\b|\w_\w", words)


@pytest.mark.parametrize(("kind", "words"), [("open", "No comparison by arm"), ("closed", "Confidential: DSMB")])
def test_every_page_of_the_pdf_says_who_may_read_it_and_where_it_comes_from(rendered, kind, words, tmp_path):
    pages = pages_of(rendered[kind][1], tmp_path)
    assert len(pages) > 3
    for page in pages:
        for needed in (words, "KALM-cut-1", "Look 1", "Plan 1.0", "0.1.0+test", "24 Nov 2026, 08:00 UTC"):
            assert needed in page


def test_the_first_page_has_the_decision_three_numbers_and_the_committees_questions(results, rendered, tmp_path):
    first = pages_of(rendered["closed"][1], tmp_path)[0]
    decision = results["closed"]["decision"]
    assert decision["recommendation"] in first
    assert f"{decision['information']['units']} of 143 units" in first
    assert f"bound {decision['bound']:.2f}" in first
    for question in ("Is it safe", "Has the efficacy bound been crossed", "Is it futile", "Can the trial still answer"):
        assert question in first


def test_the_open_report_has_no_arm_outside_the_plan(rendered):
    text = rendered["open"][0]
    body, _, plan = text.partition(">Where this comes from</h2>")
    words = " ".join(Page(body).words)
    assert "KET" not in words
    assert "MDZ" not in words
    assert "KET minus MDZ" in plan


def test_drug_levels_stand_in_the_closed_report_alone_and_the_masked_one_says_why(results, rendered):
    closed, masked, open_page = (rendered[kind][0] for kind in ("closed", "masked", "open"))
    peak = next(row for row in results["closed"]["pharmacokinetics"]["parameters"] if row["parameter"] == "cmax")[
        "geometric_mean"
    ]
    for words in ("Who was sampled", "Does the response go with the exposure?", f"{peak:.0f} (", "no bend"):
        assert words in closed
    assert "Drug levels are left out" in masked
    for page in (masked, open_page):
        assert "orketamine" not in page
        assert "Who was sampled" not in page


def test_a_mean_stands_with_its_n_and_missing(results, rendered):
    text = rendered["closed"][0]
    cell = results["closed"]["descriptives"][0]["cells"][0]
    shown = f"{cell['mean']:.2f} ({cell['sd']:.2f})"
    assert f"{shown} <small>n {cell['n']}, missing {cell['missing']}</small>" in text


def test_what_comes_from_people_is_never_read_as_markup(results, tmp_path):
    nasty = copy.deepcopy(results["open"])
    nasty["safety"]["terms"][0]["term"] = "<script>alert(1)</script> #pagebreak() $x$"
    page, pdf = render(nasty)
    assert "<script>" not in page
    assert any("#pagebreak() $x$" in text for text in pages_of(pdf, tmp_path))


def test_what_the_desk_says_of_the_look_stands_in_the_title_block(results):
    about = {"look": 4, "unplanned_reason": "A serious event", "code_version": "9.9.9+code"}
    text, _ = render({**results["closed"], "about": about})
    assert "A serious event" in text
    assert "9.9.9+code" in text


def test_an_imported_trial_of_three_arms_has_a_closed_report(ashar):
    text, pdf = render(ashar)
    # The oracle: -1.790 and -2.374.
    assert "without interim looks. PRT minus PLACEBO \u22121.79; PRT minus USUAL_CARE \u22122.37." in text
    assert "46.4" in text  # risk difference in percentage points, .46392 in the oracle
    assert pdf.startswith(b"%PDF")


@pytest.mark.parametrize("case", ["one arm", "no endpoint", "nobody", "constant"])
def test_hostile_data_give_pages_with_words_instead_of_numbers(tmp_path, case):
    trial = kalm_trial(24, seed=4)
    if case == "one arm":
        trial.arms[:] = "KET"
    elif case == "no endpoint":
        trial.rows["responseitem"] = []
    elif case == "constant":
        for item in trial.rows["responseitem"]:
            item["value"] = 5.0
    else:
        trial = KalmTrial({k: trial.rows[k] for k in ("protocolversion", "site")}, {}, pd.Series(dtype="str"))
    for result in results_of(trial, tmp_path).values():
        text, pdf = render(result)
        assert "nan" not in text.lower()
        assert "None" not in " ".join(Page(text).words)
        assert pdf.startswith(b"%PDF")
    assert "not estimable" in text


def test_a_result_that_is_neither_is_refused():
    with pytest.raises(ValueError, match="A result is open, closed, masked or failed; this one is 'half'"):
        render({"kind": "half"})


def test_a_look_that_could_not_be_computed_has_one_page_with_the_reason_and_no_contents(tmp_path):
    about = {"study": "KALM", "look": 1, "cut": "KALM-cut-1", "cut_taken_at": "2026-11-24T08:00:00+00:00"}
    about |= {"plan_version": "1.0", "code_version": "0.1.0", "cut_manifest_sha256": "1" * 64, "plan_sha256": "0" * 64}
    page, pdf = render({"kind": "failed", "about": about, "why": "A value of the primary endpoint is no number."})
    [text] = pages_of(pdf, tmp_path)
    for whole in (page, text):
        assert "A value of the primary endpoint is no number." in whole
        assert "Contents" not in whole
