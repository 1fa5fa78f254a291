"""An instrument of one's own is a file in a folder: checked, registered, answered and scored without any Python."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from outcomes.responses import ResponseEntry, save_response
from outcomes.scoring import library, load_instrument, score
from tests.outcomes.site_instruments import CHECKLIST


@pytest.mark.django_db
def test_an_instrument_in_the_sites_folder_is_registered_answered_and_scored(
    version, coordinator, participant, site_folder, capsys
):
    site_folder(CHECKLIST)
    call_command("load_instruments")
    assert "rest3 1.0: new" in capsys.readouterr().out
    visit = participant.visits.get(code="BL")
    at = datetime(2026, 2, 3, 10, 0, tzinfo=UTC)
    saved = save_response(coordinator, entry=ResponseEntry(participant, "rest3", {"1": 4.0, "3": 4.0}, at, visit=visit))
    assert saved.scores.get(name="total").number == 12
    assert saved.scores.get(name="band").text == "high"


def test_a_folder_is_used_beside_the_shipped_files_which_it_cannot_replace(site_folder, tmp_path):
    site_folder(CHECKLIST)
    (tmp_path / "phq9.yaml").write_text(CHECKLIST.replace("key: rest3", "key: phq9"), encoding="utf-8")
    library.use_folder(tmp_path)
    assert score("rest3", {"1": 1, "2": 1, "3": 1}).values == {"total": 3, "band": "low"}
    assert len(load_instrument("phq9").items) == 10


def test_a_file_that_is_not_named_after_its_instrument_is_refused(site_folder):
    site_folder(CHECKLIST, name="rest4.yaml")
    with pytest.raises(ValueError, match=r"rest4\.yaml holds 'rest3' 1\.0: name the file after it"):
        load_instrument("rest4")


def checked(tmp_path: Path, text: str, name: str = "rest3.yaml") -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    call_command("check_instrument", str(tmp_path / name))


def test_the_command_checks_a_file_and_runs_its_examples_without_a_database(tmp_path, capsys):
    checked(tmp_path, CHECKLIST)
    assert capsys.readouterr().out == (
        "rest3.yaml: Three questions on rest, version 1.0, is valid; 3 items, 1 scores, 1 worked examples come out\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("total: 6, band: high", "total: 7, band: low", "line 23, examples[1].scores.total: The rules give 6, the"),
        ("total: 6, band: high", "total: 6, band: low", "The rules give high, the example says low. One of the two"),
        ("{total: 6, band: high}}", "{total: null}}", "The rules give 6, the example says nothing."),
        (
            "sources:",
            "alerts: [{code: SUICIDALITY_ALERT_24H, any_at_least: {1: 4}}]\nsources:",
            "examples[1].alerts: The rules raise the alerts SUICIDALITY_ALERT_24H; the example says none.",
        ),
        (
            "dimension: F",
            "dimension: Q",
            "line 5, dimension: This should be 'S', 'A', 'C', 'M', 'F' or 'X'; it is",
        ),
        ("missing: 2/3", "missing: most", "line 18, scores.total.missing: 'most' is no missing-answer rule"),
        ("items:\n", "items:\n\t", "line 10: Indent with spaces; YAML does not allow tabs."),
        ("key: rest3", "key: rest4", "rest3.yaml holds the instrument 'rest4': name the file rest4.yaml."),
    ],
)
def test_a_mistake_is_told_with_its_line_and_fails_the_command(tmp_path, old, new, says):
    assert old in CHECKLIST
    with pytest.raises(CommandError) as refused:
        checked(tmp_path, CHECKLIST.replace(old, new))
    assert says in str(refused.value)


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(CHECKLIST.replace("dimension: F", "dimension: Q").replace("recall: now", "recal: now"))
    two.write_text(CHECKLIST.replace("total: 6", "total: 7"))
    with pytest.raises(CommandError) as refused:
        call_command("check_instrument", str(one), str(two), str(tmp_path / "absent.yaml"))
    told = str(refused.value)
    assert all(place in told for place in ("one.yaml:", "dimension:", "recal:", "two.yaml:", "absent.yaml cannot be"))


def test_every_shipped_file_passes_the_command(capsys):
    files = [str(path) for path in sorted(library.DIRECTORY.glob("*.yaml"))]
    call_command("check_instrument", *files)
    assert capsys.readouterr().out.count("is valid") == len(files)
