"""The QST devices of the sites: which there are, until when their calibration holds, which are out of use."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone

from outcomes.models import Device
from outcomes.qst_devices import calibrate_device, register_device, retire_device
from studies.errors import TrialError
from studies.models import Site, User
from studies.permissions import may_enter_qst, visible_sites
from trialsite.desk.fields import DayField, DeskForm
from trialsite.desk.page import View, page, say, show_on, shows_refusals, user_of


class RegisterForm(DeskForm):
    """A device that is new at a site."""

    site = forms.ModelChoiceField(Site.objects.none(), label="Site", empty_label=None)
    kind = forms.ChoiceField(label="Kind", choices=Device.Kind.choices)
    name = forms.CharField(label="Make and model", max_length=80)
    serial = forms.CharField(label="Serial number", max_length=60)
    calibrated_on = DayField(label="Calibrated on", required=False)
    calibration_due_on = DayField(label="Due again on", required=False)

    def __init__(self, sites: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["site"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - declared above
        field.queryset = sites


class CalibrateForm(DeskForm):
    """A calibration of a device that is there."""

    calibrated_on = DayField(label="Calibrated on")
    calibration_due_on = DayField(label="Due again on")


class RetireForm(DeskForm):
    """A device that is not used any more."""

    on = DayField(label="Out of use from")
    reason = forms.CharField(label="Because", max_length=200)


@shows_refusals
def devices(request: HttpRequest) -> HttpResponse:
    """All devices of the sites in sight; a new one is posted here."""
    user = user_of(request)
    mine = _entered_by(user)
    form = RegisterForm(mine, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            device = register_device(user, **form.cleaned_data)
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, f"{device.get_kind_display()} {device} registered.")
            return redirect("admin:qst_devices")
    rows = Device.objects.filter(site__in=visible_sites(user)).select_related("site")
    return page(
        request,
        "qst_devices.html",
        room="study",
        title="QST devices",
        status=422 if form.errors else 200,
        form=form if mine.exists() else None,
        devices=rows.order_by("site__code", "retired_on", "kind", "name"),
        mine=set(mine.values_list("pk", flat=True)),
        today=timezone.localdate(),
    )


@shows_refusals
def device(request: HttpRequest, pk: int) -> HttpResponse:
    """One device: record a calibration, or take it out of use."""
    user = user_of(request)
    found = get_object_or_404(Device.objects.select_related("site").filter(site__in=visible_sites(user)), pk=pk)
    retiring = "retire" in request.POST
    calibrate = CalibrateForm(request.POST if request.method == "POST" and not retiring else None)
    retire = RetireForm(request.POST if retiring else None)
    form: DeskForm = retire if retiring else calibrate
    if request.method == "POST" and form.is_valid():
        try:
            (retire_device if retiring else calibrate_device)(user, device=found, **form.cleaned_data)
        except TrialError as error:
            show_on(form, error)
        else:
            say(request, f"{found} taken out of use." if retiring else f"Calibration of {found} recorded.")
            return redirect("admin:qst_devices")
    return page(
        request,
        "qst_device.html",
        room="study",
        title=str(found),
        status=422 if form.errors else 200,
        device=found,
        form=form,
        calibrate=calibrate,
        retire=retire,
        may_change=may_enter_qst(user, found.site) and found.retired_on is None,
    )


def _entered_by(user: User) -> Any:
    """The sites at which a person registers devices."""
    sites = [site.pk for site in visible_sites(user) if may_enter_qst(user, site)]
    return Site.objects.filter(pk__in=sites).order_by("code")


urls: list[tuple[str, View, str]] = [
    ("qst/devices/", devices, "qst_devices"),
    ("qst/devices/<int:pk>/", device, "qst_device"),
]
