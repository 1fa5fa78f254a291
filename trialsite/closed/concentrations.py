"""Drug levels at the closed door: a laboratory's file is taken whole, or told row by row why not."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import Http404, HttpRequest, HttpResponse

from outcomes.concentrations.columns import Columns
from outcomes.concentrations.reading import laboratory_files, read_file
from outcomes.concentrations.rows import LARGEST
from outcomes.concentrations.taking import Taken, take_file
from outcomes.imports.refusals import ImportRefused
from studies.closed_door import may_take_concentrations
from studies.errors import InvalidEntry
from studies.permissions import require
from trialsite.closed.page import account_of, closed_page, page, study_of

MOST_SHOWN = 300


class FileForm(forms.Form):
    file = forms.FileField(
        label="File of the laboratory",
        help_text=f"CSV in UTF-8, one line for each analyte of each sample, at most {LARGEST // 1_000_000} MB",
        # A larger file never comes here: this door writes no upload to a disk.
        error_messages={"required": f"Choose a file of at most {LARGEST // 1_000_000} MB."},
    )
    laboratory = forms.CharField(label="Laboratory", max_length=200)
    batch = forms.CharField(label="Batch", max_length=100, required=False)
    reason = forms.CharField(
        label="Why stored values change",
        max_length=500,
        required=False,
        help_text="Only where the laboratory corrects what it reported before; the old values are kept",
    )


class ColumnsForm(forms.Form):
    """What the columns are called; the names that are meant where nothing else is said."""

    participant = forms.CharField(label="Participant", max_length=100, help_text="The identifier, as KALM-BER-001")
    analyte = forms.CharField(label="Analyte", max_length=100)
    nominal = forms.CharField(label="Planned time", max_length=100, help_text="Minutes from the start of the infusion")
    actual = forms.CharField(label="Actual time", max_length=100, help_text="Minutes from the start of the infusion")
    concentration = forms.CharField(label="Concentration", max_length=100, help_text="A number, <1.0 or BLQ")
    unit = forms.CharField(label="Unit", max_length=100, help_text="Each cell says ng/mL")
    lloq = forms.CharField(label="Lower limit of quantification", max_length=100)


@closed_page
def concentrations(request: HttpRequest) -> HttpResponse:
    """The files that were taken, and taking another."""
    account = account_of(request)
    study = study_of(account)
    require(may_take_concentrations(account, study), "take drug levels")
    names = Columns().names()
    form = FileForm(request.POST or None, request.FILES or None)
    columns = ColumnsForm({**names, **_given(request, names)})
    done: Taken | None = None
    refused: ImportRefused | None = None
    if request.method == "POST" and all([form.is_valid(), columns.is_valid()]):
        try:
            done = _take(request, form, columns)
        except ImportRefused as error:
            refused = error
        except InvalidEntry as error:
            form.add_error(error.field, error.message)
    return page(
        request,
        "concentrations.html",
        title="Drug levels",
        status=422 if refused or form.errors or columns.errors else 200,
        form=form,
        columns=columns,
        done=done,
        refused=refused.refusals[:MOST_SHOWN] if refused else (),
        refused_count=len(refused.refusals) if refused else 0,
        renamed=columns.data != names,
        files=laboratory_files(account, study=study),
    )


@closed_page
def laboratory_file(request: HttpRequest, sha256: str) -> HttpResponse:
    """A file as it came. Read by POST only, so that no link or prefetch reads values."""
    account = account_of(request)
    require(may_take_concentrations(account, study_of(account)), "read drug levels")
    found = read_file(account, study=study_of(account), sha256=sha256) if request.method == "POST" else None
    if found is None:
        raise Http404
    _, content = found
    headers = {"Content-Disposition": f'attachment; filename="drug-levels-{sha256[:12]}.csv"'}
    return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=headers)


def _given(request: HttpRequest, names: dict[str, str]) -> dict[str, str]:
    return {what: str(request.POST[what]) for what in names if what in request.POST}


def _take(request: HttpRequest, form: FileForm, columns: ColumnsForm) -> Taken:
    account = account_of(request)
    chosen: dict[str, Any] = dict(form.cleaned_data)
    file = chosen.pop("file")
    if (file.size or 0) > LARGEST:
        message = f"The file has {file.size} bytes; {LARGEST} are allowed. Take one batch at a time."
        raise InvalidEntry(message, field="file")
    named = Columns(**columns.cleaned_data)
    return take_file(
        account, study=study_of(account), content=file.read(), name=file.name or "file", columns=named, **chosen
    )
