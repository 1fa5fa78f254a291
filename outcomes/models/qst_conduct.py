"""How a QST session was conducted: devices and their calibration, conditioning stimuli, and what was to be asked."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from outcomes.models.qst import QSTSession
from studies.models import Record, SameOwner


class Device(Record):
    """An instrument of a site that QST is done with. It is retired, never deleted: sessions name it."""

    class Kind(models.TextChoices):
        THERMODE = "thermode", "Thermode"
        VON_FREY = "von_frey", "Von Frey filaments"
        PINPRICKS = "pinpricks", "Pinprick stimulators"
        BRUSHES = "brushes", "Brush, cotton wool, swab"
        TUNING_FORK = "tuning_fork", "Tuning fork"
        ALGOMETER = "algometer", "Pressure algometer"
        COLD_BATH = "cold_bath", "Cold water bath"

    site = models.ForeignKey("studies.Site", on_delete=models.PROTECT, related_name="qst_devices")
    kind = models.CharField(max_length=12, choices=Kind)
    name = models.CharField("make and model", max_length=80)
    serial = models.CharField("serial number", max_length=60)
    calibrated_on = models.DateField(null=True, blank=True)
    calibration_due_on = models.DateField(null=True, blank=True, help_text="The last day on which it may be used")
    retired_on = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name = "QST device"
        constraints = [
            models.UniqueConstraint(
                name="qst_device_once",
                fields=["site", "kind", "serial"],
                violation_error_message="The site has a device of this kind and serial number already.",
            ),
            models.CheckConstraint(
                name="qst_device_is_due_after_it_was_calibrated",
                condition=Q(calibrated_on__isnull=True, calibration_due_on__isnull=True)
                | Q(calibration_due_on__gte=F("calibrated_on")),
                violation_error_message="Give both days of the calibration, the next one not before the last one.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.serial}"


class DeviceUse(Record):
    """A device used in a session, with the calibration that held for it then.

    standing: it still holds after the last correction; a device that was named by mistake stays, marked so.
    """

    session = models.ForeignKey(QSTSession, on_delete=models.PROTECT, related_name="device_uses")
    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="+")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="uses")
    calibration_due_on = models.DateField(null=True, blank=True)
    standing = models.BooleanField(default=True)

    class Meta:
        verbose_name = "use of a QST device"
        verbose_name_plural = "uses of QST devices"
        constraints = [
            models.UniqueConstraint(name="qst_device_used_once", fields=["session", "device"]),
            SameOwner(
                name="device_used_in_the_participants_session",
                through="session",
                owner="participant",
                violation_error_message="The session belongs to another participant.",
            ),
        ]

    def __str__(self) -> str:
        return str(self.device)


class ConditioningStimulus(Record):
    """How conditioned pain modulation was tested in a session: what was compared, with which conditioning, when."""

    class TestStimulus(models.TextChoices):
        PPT = "ppt", "Pressure pain threshold, kPa"
        HPT = "hpt", "Heat pain threshold, °C"
        RATING = "rating", "Pain rating, 0-100"

    class Timing(models.TextChoices):
        PARALLEL = "parallel", "Parallel: tested during conditioning"
        SEQUENTIAL = "sequential", "Sequential: tested after conditioning"

    class Kind(models.TextChoices):
        COLD_PRESSOR = "cold_pressor", "Cold pressor"
        HEAT = "heat", "Heat"
        CUFF = "cuff", "Ischaemic cuff"

    session = models.OneToOneField(QSTSession, on_delete=models.PROTECT, related_name="conditioning")
    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="+")
    test_stimulus = models.CharField(max_length=6, choices=TestStimulus)
    timing = models.CharField(max_length=10, choices=Timing)
    kind = models.CharField(max_length=12, choices=Kind)
    temperature_c = models.DecimalField(max_digits=3, decimal_places=1, null=True, blank=True)
    seconds = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="conditioning_stimulus_is_plausible",
                condition=(Q(temperature_c__isnull=True) | Q(temperature_c__range=(0, 50)))
                & (Q(seconds__isnull=True) | Q(seconds__range=(1, 600))),
                violation_error_message="A conditioning stimulus has 0 to 50 °C and lasts 1 to 600 seconds.",
            ),
            SameOwner(
                name="conditioning_in_the_participants_session",
                through="session",
                owner="participant",
                violation_error_message="The session belongs to another participant.",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()


class QSTFlag(Record):
    """Something to be asked about a session, and what was answered. It never changes a value.

    standing: it still holds after the last correction. An empty comment is an open question.
    """

    session = models.ForeignKey(QSTSession, on_delete=models.PROTECT, related_name="flags")
    participant = models.ForeignKey("studies.Participant", on_delete=models.PROTECT, related_name="+")
    area = models.CharField(max_length=7, blank=True, help_text="test or control; empty: the session as a whole")
    key = models.CharField(max_length=200)
    code = models.CharField(max_length=30)
    parameter = models.CharField(max_length=6, blank=True)
    message = models.CharField(max_length=300)
    comment = models.CharField(max_length=300, blank=True)
    standing = models.BooleanField(default=True)

    class Meta:
        verbose_name = "QST flag"
        constraints = [
            models.UniqueConstraint(name="qst_flag_once", fields=["session", "area", "key"]),
            SameOwner(
                name="qst_flag_of_the_participants_session",
                through="session",
                owner="participant",
                violation_error_message="The session belongs to another participant.",
            ),
        ]

    def __str__(self) -> str:
        return self.message
