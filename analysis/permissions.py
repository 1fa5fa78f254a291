"""Who may order what in analysis. A program that acts by itself orders what its schedule says."""

from __future__ import annotations

from studies.acting import Program
from studies.models import Role, Study
from studies.permissions import Someone, may_manage_data, study_wide_roles, visible_studies


def may_order_cut(user: Someone | Program, study: Study) -> bool:
    return isinstance(user, Program) or may_manage_data(user, study)


def may_order_look(user: Someone | Program, study: Study) -> bool:
    return isinstance(user, Program) or may_manage_data(user, study)


def may_freeze_plan(user: Someone | Program, study: Study) -> bool:
    """The blinded statistician's plan becomes the trial's."""
    if isinstance(user, Program):
        return True
    return bool(study_wide_roles(user, study) & {Role.DATA_MANAGER, Role.STATISTICIAN})


def may_sign_plan(user: Someone, study: Study) -> bool:
    """Statisticians sign; who only freezes a text does not answer for it."""
    return Role.STATISTICIAN in study_wide_roles(user, study)


def may_simulate_design(user: Someone | Program, study: Study) -> bool:
    """Data managers and statisticians: what is simulated is the plan, not the study's data."""
    return may_freeze_plan(user, study)


def may_read_simulation(user: Someone, study: Study) -> bool:
    """Power and stopping rules are the statistician's; an auditor reads everything."""
    return may_read_cut(user, study)


def may_retry_job(user: Someone | Program, study: Study) -> bool:
    return isinstance(user, Program) or may_manage_data(user, study)


def may_read_cut(user: Someone, study: Study) -> bool:
    """Whole-study data, blinded: not for those who work at one site only."""
    return bool(study_wide_roles(user, study) & {Role.DATA_MANAGER, Role.STATISTICIAN, Role.AUDITOR})


def may_read_open_report(user: Someone, study: Study) -> bool:
    """The open report is for all who read the study's data."""
    return visible_studies(user).filter(pk=study.pk).exists()
