"""Preparing a kit: the pharmacist gives a label and reads what goes into the syringe."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse

from studies.closed_door import may_prepare_kits
from studies.errors import InvalidEntry
from studies.kits import KitPreparation, prepare_kit
from studies.permissions import require
from studies.pinned_protocols import ProtocolChanged
from trialsite.closed.page import account_of, closed_page, page, study_of


class KitForm(forms.Form):
    label = forms.CharField(label="Kit number or participant", max_length=40, help_text="As on the label")
    weight_kg = forms.DecimalField(
        label="Weight on the day, kg",
        required=False,
        max_digits=4,
        decimal_places=1,
        help_text="Left empty, the newest weight on record is taken and named",
    )


@closed_page
def kits(request: HttpRequest) -> HttpResponse:
    account = account_of(request)
    require(may_prepare_kits(account, study_of(account)), "prepare kits")
    form = KitForm(request.POST or None)
    # Read by POST only: what stands in an address ends in logs and histories.
    prepared = _prepare(request, form) if request.method == "POST" and form.is_valid() else None
    status = 422 if form.errors else 200
    return page(request, "kits.html", title="Prepare a kit", status=status, form=form, kit=prepared)


def _prepare(request: HttpRequest, form: KitForm) -> KitPreparation | None:
    account = account_of(request)
    try:
        return prepare_kit(account, study=study_of(account), **form.cleaned_data)
    except (InvalidEntry, ProtocolChanged) as error:
        form.add_error(error.field, error.message)
        return None
