"""Drug levels at the closed door: who may bring a file, what the page says of it, and that no upload lies on a disk."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.outcomes.concentrations.infused import PROFILE, InfusedTrial, infused_trial, laboratory_csv, profile
from tests.trialsite.closed_door import ClosedDoor

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/concentrations/"


@pytest.fixture
def infused(transactional_db: None) -> InfusedTrial:
    return infused_trial(2)


def send(door: ClosedDoor, content: bytes, **more: str) -> Any:
    file = SimpleUploadedFile("pk <b>1.csv", content, "text/csv")
    return door.post(PAGE, {"file": file, "laboratory": "Lab One", "batch": "7", **more})


def test_a_pharmacist_takes_a_file_is_told_what_is_wrong_with_another_and_reads_it_as_it_came(
    closed_door: ClosedDoor, infused: InfusedTrial
):
    closed_door.account(infused.study, "pharmacist")
    closed_door.sign_in("pharmacist")
    assert b"No file has been taken yet" in closed_door.get(PAGE).content
    name = infused.people[0].identifier
    content = laboratory_csv(profile(name, {**PROFILE, -15: "90.1"}))
    wrong = content.replace(b"201.0", b"-1").replace(b"ng/mL,1.0\n", b"ug/L,1.0\n", 1).replace(b"140.5", b"<script>")
    told = send(closed_door, wrong)
    assert told.status_code == 422
    page = told.content.decode()
    for words in ("3 places in the file", "not negative", "Ask the laboratory for a file in ng/mL", "&lt;script&gt;"):
        assert words in page
    assert "<script>" not in page.replace('<script src="', "")
    done = send(closed_door, content).content.decode()
    for words in ("7 results entered, 0 corrected", "1 participant, 1 result", "before the infusion, 45 % of the peak"):
        assert words in done
    assert "pk &lt;b&gt;1.csv" in done
    assert "had been taken before" in send(closed_door, content).content.decode()
    changed = content.replace(b"140.5", b"141.5")
    assert "Give the reason" in send(closed_door, changed).content.decode()
    assert "0 results entered, 1 corrected, 6 stored" in send(closed_door, changed, reason="re-assay").content.decode()
    shown = closed_door.get(PAGE).content.decode()
    [address] = {part.split('"')[0] for part in shown.split('action="')[1:] if part.startswith("/concentrations/")} - {
        f"/concentrations/{_sha(changed)}/"
    }
    assert closed_door.get(address).status_code == 404, "no link reads values"
    answer = closed_door.post(address)
    assert (answer.content, "no-store" in answer["Cache-Control"]) == (content, True)
    assert ("pharmacist", f"laboratory file {_sha(content)} read") in closed_door.trail()
    assert ("pharmacist", f"concentrations taken: file {_sha(content)}") in closed_door.trail()


def test_columns_are_named_on_the_page_and_what_is_left_out_is_told(closed_door: ClosedDoor, infused: InfusedTrial):
    closed_door.account(infused.study, "unblinded_statistician")
    closed_door.sign_in("unblinded_statistician")
    content = laboratory_csv(profile(infused.people[0].identifier)).replace(b"lloq", b"LLOQ (ng/mL)")
    told = send(closed_door, content)
    assert (told.status_code, b"The file has no such column" in told.content) == (422, True)
    assert b"7 results entered" in send(closed_door, content, lloq="LLOQ (ng/mL)").content
    empty = closed_door.post(PAGE, {"laboratory": "Lab One"})
    assert (empty.status_code, b"Choose a file of at most 2 MB" in empty.content) == (422, True)
    assert b"Laboratory: This field is required" in send(closed_door, content, laboratory="").content


def test_a_large_upload_is_never_written_to_a_disk(closed_door: ClosedDoor, infused: InfusedTrial, monkeypatch: Any):
    def written(*_: Any, **__: Any) -> None:
        raise AssertionError("an upload was written to a file")

    monkeypatch.setattr("django.core.files.uploadedfile.tempfile.NamedTemporaryFile", written)
    closed_door.account(infused.study, "pharmacist")
    closed_door.sign_in("pharmacist")
    for size in (2_100_000, 3_000_000):
        told = send(closed_door, b"x" * size)
        assert told.status_code == 422
        assert b"2 MB" in told.content or b"2000000 are allowed" in told.content


def test_the_dsmb_and_a_stranger_see_neither_page_nor_file(closed_door: ClosedDoor, infused: InfusedTrial):
    closed_door.account(infused.study, "dsmb_member")
    for path in (PAGE, f"/concentrations/{'0' * 64}/"):
        assert closed_door.get(path)["Location"] == f"/login/?next={path}"
    closed_door.sign_in("dsmb_member")
    assert b"Drug levels" not in closed_door.get("/looks/").content
    assert closed_door.get(PAGE).status_code == 403
    assert send(closed_door, laboratory_csv(profile(infused.people[0].identifier))).status_code == 403
    assert closed_door.post(f"/concentrations/{'0' * 64}/").status_code == 403


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
