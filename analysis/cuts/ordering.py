"""Ordering a data cut."""

from __future__ import annotations

from analysis.job_queue import order_job
from analysis.models import DataCut, Job
from analysis.permissions import may_order_cut
from studies.acting import Program, verb
from studies.models import Study, User
from studies.permissions import require


@verb(because="data cut ordered")
def order_cut(user: User | Program, *, study: Study) -> DataCut:
    """Order a data cut of a study; the blinded worker takes it. Raises NotAllowed."""
    require(may_order_cut(user, study), f"order a data cut of {study}")
    # The study's row is locked: two cuts ordered at once get two names.
    study = Study.objects.select_for_update().get(pk=study.pk)
    number = study.cuts.count() + 1
    cut = DataCut.objects.create(study=study, name=f"{study.code}-cut-{number}", ordered_by=user.get_username())
    order_job(Job.Kind.CUT, study=study, cut=cut, ordered_by=user.get_username())
    return cut
