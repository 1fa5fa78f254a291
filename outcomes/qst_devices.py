"""Devices of a site and their calibration. Sessions name them, so they are retired and never removed."""

from __future__ import annotations

from datetime import date

from outcomes.models import Device
from studies.acting import verb
from studies.errors import AlreadyDone, InvalidEntry
from studies.models import AuditEvent, Site, User
from studies.permissions import may_enter_qst, require


@verb(because="QST device registered")
def register_device(
    user: User,
    *,
    site: Site,
    kind: str,
    name: str,
    serial: str,
    calibrated_on: date | None = None,
    calibration_due_on: date | None = None,
) -> Device:
    """Enter a device of a site. Raises NotAllowed, InvalidEntry, AlreadyDone for one that is there."""
    require(may_enter_qst(user, site), f"register QST devices at site {site.code}")
    if kind not in Device.Kind.values:
        raise InvalidEntry(f"There is no kind {kind!r} of device; there are {', '.join(Device.Kind)}.", field="kind")
    for label, text, field in (("make and model", name, "name"), ("serial number", serial, "serial")):
        if not text.strip():
            raise InvalidEntry(f"Give the {label} of the device, as it stands on it.", field=field)
    _refuse_backwards(calibrated_on, calibration_due_on)
    if Device.objects.filter(site=site, kind=kind, serial=serial.strip()).exists():
        raise AlreadyDone(
            f"Site {site.code} has a device of this kind with the serial number {serial.strip()} already."
        )
    return Device.objects.create(
        site=site,
        kind=kind,
        name=name.strip(),
        serial=serial.strip(),
        calibrated_on=calibrated_on,
        calibration_due_on=calibration_due_on,
    )


@verb(because="QST device calibrated")
def calibrate_device(user: User, *, device: Device, calibrated_on: date, calibration_due_on: date) -> Device:
    """Record a calibration. Sessions before it keep the one that held then. Raises NotAllowed, InvalidEntry."""
    require(may_enter_qst(user, device.site), f"record calibrations at site {device.site.code}")
    _refuse_backwards(calibrated_on, calibration_due_on)
    device.calibrated_on, device.calibration_due_on = calibrated_on, calibration_due_on
    device.save(update_fields=["calibrated_on", "calibration_due_on"])
    return device


@verb(because="QST device retired")
def retire_device(user: User, *, device: Device, on: date, reason: str) -> Device:
    """Take a device out of use. Raises NotAllowed, InvalidEntry without a reason, AlreadyDone."""
    require(may_enter_qst(user, device.site), f"retire QST devices at site {device.site.code}")
    if not reason.strip():
        raise InvalidEntry("Say why the device is retired.", field="reason")
    if device.retired_on:
        raise AlreadyDone(f"{device} was retired on {device.retired_on:%-d %b %Y}.")
    device.retired_on = on
    device.save(update_fields=["retired_on"])
    return device


def calibration_due(device: Device, *, on: date) -> date | None:
    """Until when the calibration held that was a device's last on a day; None where none is known by then.

    One that was calibrated again since is looked up in the trail.
    """
    if device.calibrated_on is None or device.calibrated_on <= on:
        return device.calibration_due_on
    state: dict[str, str | None] = {}
    held: list[tuple[str, str]] = []
    for new in AuditEvent.objects.filter(kind="device", record=device.pk).order_by("id").values_list("new", flat=True):
        state |= new or {}
        calibrated, due = state.get("calibrated_on"), state.get("calibration_due_on")
        if calibrated and due and calibrated <= on.isoformat():
            held.append((calibrated, due))
    return date.fromisoformat(max(held)[1]) if held else None


def _refuse_backwards(calibrated_on: date | None, due_on: date | None) -> None:
    if (calibrated_on is None) != (due_on is None):
        raise InvalidEntry("Give both days: when it was calibrated and when it is due again.", field="calibrated_on")
    if calibrated_on and due_on and due_on < calibrated_on:
        message = f"Due on {due_on:%-d %b %Y} lies before the calibration of {calibrated_on:%-d %b %Y}. Check both."
        raise InvalidEntry(message, field="calibration_due_on")
