"""Simulations of a study's design: who asked what when, the trials that were simulated, and what they say."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from studies.models import Record
from studies.models.same_owner import SameOwner


class DesignSimulation(Record):
    """A design simulated from one protocol version. No participant of the study is in it, and no real arm."""

    class Status(models.TextChoices):
        ORDERED = "ordered", "Under way"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="design_simulations")
    protocol_version = models.ForeignKey("studies.ProtocolVersion", on_delete=models.PROTECT, related_name="+")
    plan_version = models.CharField(max_length=20)
    plan_sha256 = models.CharField(max_length=64)
    scenarios = models.JSONField(help_text="Labels of the scenarios, such as default or default:0.5, in order")
    trials = models.PositiveIntegerField(help_text="Under each scenario")
    seed = models.PositiveBigIntegerField()
    code_version = models.CharField(max_length=40)
    status = models.CharField(max_length=9, choices=Status, default=Status.ORDERED)
    ordered_by = models.CharField(max_length=150)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="simulation_has_trials",
                condition=Q(trials__gt=0),
                violation_error_message="A simulation has one trial or more.",
            ),
            SameOwner(
                through="protocol_version",
                owner="study",
                name="simulation_of_own_protocol",
                violation_error_message="The protocol version belongs to another study.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.study} design simulation {self.pk}"


class SimulationChunk(models.Model):
    """Some of the trials under one scenario, simulated by one worker. Machine state like a job: not audited.

    `rows` are those of `analysis.statistics.simulation.simulate` as little-endian doubles, compressed; None until done.
    """

    simulation = models.ForeignKey(DesignSimulation, on_delete=models.PROTECT, related_name="chunks")
    scenario = models.CharField(max_length=60)
    first = models.PositiveIntegerField()
    count = models.PositiveIntegerField()
    rows = models.BinaryField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(name="simulated_trial_once", fields=["simulation", "scenario", "first"]),
        ]

    def __str__(self) -> str:
        return f"{self.scenario}, trials {self.first} to {self.first + self.count - 1}"


class DesignResult(models.Model):
    """The operating characteristics of a simulation, the same bytes however the work was shared. Never changed."""

    simulation = models.OneToOneField(DesignSimulation, on_delete=models.PROTECT, related_name="result")
    content = models.BinaryField(help_text="result.json, canonical bytes")
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Result of {self.simulation}"
