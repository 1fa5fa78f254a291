"""Jobs of the background workers. Their state lives here, not in Redis; texts come from fixed lists."""

from __future__ import annotations

from django.db import models


class Job(models.Model):
    """One piece of background work. The unblinded worker may change only its state, never a free text."""

    class Kind(models.TextChoices):
        CUT = "cut", "Data cut"
        CLOSED_CUT = "closed_cut", "Unblinded data cut"
        OPEN_REPORT = "open_report", "Open report"
        CLOSED_REPORT = "closed_report", "Closed report"
        SIMULATION = "simulation", "Simulated trials"

    class Side(models.TextChoices):
        BLINDED = "blinded", "Blinded worker"
        UNBLINDED = "unblinded", "Unblinded worker"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    class Failure(models.TextChoices):
        """Why a job failed, in words that reveal nothing. The unblinded side keeps details in its own schema."""

        NONE = "", ""
        NOT_READY = "not_ready", "What it builds on is not there yet"
        TOO_FEW_DATA = "too_few_data", "Too few data for the analysis"
        PLAN_NOT_REGISTERED = "plan_not_registered", "The plan is not registered at the closed door"
        CUT_DOES_NOT_VERIFY = "cut_does_not_verify", "The cut's files do not match its manifest"
        COUNTS_DIFFER = "counts_differ", "The files and the database count differently"
        WORKER_LOST = "worker_lost", "The worker died too often"
        ERROR = "error", "An error; its details are in the worker's log"

    kind = models.CharField(max_length=13, choices=Kind)
    side = models.CharField(max_length=9, choices=Side)
    study = models.ForeignKey("studies.Study", on_delete=models.PROTECT, related_name="jobs")
    cut = models.ForeignKey("analysis.DataCut", on_delete=models.PROTECT, null=True, related_name="jobs")
    look = models.ForeignKey("analysis.Look", on_delete=models.PROTECT, null=True, related_name="jobs")
    chunk = models.ForeignKey("analysis.SimulationChunk", on_delete=models.PROTECT, null=True, related_name="jobs")
    status = models.CharField(max_length=7, choices=Status, default=Status.QUEUED)
    failure = models.CharField(max_length=20, choices=Failure, default=Failure.NONE, blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    done_steps = models.PositiveSmallIntegerField(default=0)
    all_steps = models.PositiveSmallIntegerField(default=1)
    ordered_by = models.CharField(max_length=150)
    ordered_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                name="one_job_per_purpose", fields=["kind", "cut", "look", "chunk"], nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"
