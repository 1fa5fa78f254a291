"""What people read of simulations: those of the studies whose statistics are theirs, and how far each is."""

from __future__ import annotations

from typing import Any

import orjson
from django.db.models import Count, Q, QuerySet

from analysis.models import DesignResult, DesignSimulation, Job
from analysis.permissions import may_read_simulation
from studies.permissions import Someone, visible_studies


def visible_simulations(user: Someone) -> QuerySet[DesignSimulation]:
    """The simulations that the person may read, newest first, with `all_chunks` and `done_chunks`."""
    studies = [study for study in visible_studies(user) if may_read_simulation(user, study)]
    return (
        DesignSimulation.objects.filter(study__in=studies)
        .select_related("study", "protocol_version")
        .annotate(
            all_chunks=Count("chunks"),
            done_chunks=Count("chunks", filter=Q(chunks__rows__isnull=False)),
        )
    )


def kept_result(simulation: DesignSimulation) -> DesignResult | None:
    """The result as it is kept, or None while there is none."""
    return DesignResult.objects.filter(simulation=simulation).first()


def parsed(result: DesignResult) -> dict[str, Any]:
    """The result as a document."""
    document: dict[str, Any] = orjson.loads(bytes(result.content))
    return document


def failures(simulation: DesignSimulation) -> QuerySet[Job]:
    """The chunks' jobs that have failed."""
    return Job.objects.filter(chunk__simulation=simulation, status=Job.Status.FAILED)
