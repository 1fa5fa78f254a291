"""Who may do what where: one function per verb, the same for the admin site and the API.

A person's roles come from memberships: in one study, at one site or at all. Nothing here knows of arms;
those who may see arms have accounts at the closed door and none of these roles.
"""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from studies.errors import NotAllowed
from studies.models import Membership, Participant, Role, Site, Study, User

Someone = User | AnonymousUser

READERS = frozenset(Role.values) - {Role.ADMINISTRATOR}
UNIT = frozenset({Role.INFUSION_NURSE, Role.INVESTIGATOR})
SITE_STAFF = frozenset({Role.COORDINATOR, Role.INVESTIGATOR, Role.INFUSION_NURSE})


def require(allowed: bool, what: str) -> None:
    """Raise NotAllowed unless `allowed`; `what` ends the sentence "Your role does not allow you to ..."."""
    if not allowed:
        raise NotAllowed(f"Your role does not allow you to {what}.")


def roles_at(user: Someone, site: Site) -> frozenset[str]:
    """The roles of a person at a site: those held there and those held in the whole study."""
    return frozenset(m.role for m in _memberships(user) if m.study_id == site.study_id and m.site_id in (None, site.pk))


def roles_in(user: Someone, study: Study) -> frozenset[str]:
    """All roles of a person in a study, at whatever site."""
    return frozenset(m.role for m in _memberships(user) if m.study_id == study.pk)


def study_wide_roles(user: Someone, study: Study) -> frozenset[str]:
    return frozenset(m.role for m in _memberships(user) if m.study_id == study.pk and m.site_id is None)


_KEPT = "_current_memberships"


def _memberships(user: Someone) -> list[Membership]:
    """Read once per user object, which lives as long as a request."""
    if not user.is_authenticated or not user.is_active:
        return []
    kept: list[Membership] | None = getattr(user, _KEPT, None)
    if kept is None:
        kept = list(Membership.objects.filter(user=user, ended_at__isnull=True))
        setattr(user, _KEPT, kept)
    return kept


# What a person sees ------------------------------------------------------------------------------------


def visible_studies(user: Someone) -> QuerySet[Study]:
    return Study.objects.filter(pk__in={m.study_id for m in _memberships(user) if m.role in READERS})


def administered_studies(user: Someone) -> QuerySet[Study]:
    """The studies whose people a person manages; seeing their data is another matter."""
    return Study.objects.filter(pk__in={m.study_id for m in _memberships(user) if m.role == Role.ADMINISTRATOR})


def visible_sites(user: Someone) -> QuerySet[Site]:
    return Site.objects.filter(_scope(user, site="pk", study="study"))


def visible_participants(user: Someone) -> QuerySet[Participant]:
    return Participant.objects.filter(_scope(user, site="site", study="study"))


def of_visible_participants(user: Someone, path: str = "participant") -> Q:
    """A condition for rows that hang on a participant reached by `path`."""
    return _scope(user, site=f"{path}__site", study=f"{path}__study")


def _scope(user: Someone, *, site: str, study: str) -> Q:
    readers = [m for m in _memberships(user) if m.role in READERS]
    whole = {m.study_id for m in readers if m.site_id is None}
    sites = {m.site_id for m in readers if m.site_id is not None}
    return Q(**{f"{study}__in": whole}) | Q(**{f"{site}__in": sites})


def may_see_participant(user: Someone, participant: Participant) -> bool:
    return bool(roles_at(user, participant.site) & READERS)


def may_see_identity(user: Someone, site: Site) -> bool:
    """Names and telephone numbers are for the staff of the site alone, not for study-wide roles."""
    return any(m.site_id == site.pk and m.role in SITE_STAFF for m in _memberships(user))


def may_see_arm_revealing(user: Someone, site: Site) -> bool:
    """Side-effect scores and infusion-day vitals: the infusion unit and the site's physician."""
    return bool(roles_at(user, site) & UNIT)


def arm_revealing_scope(user: Someone, path: str = "participant") -> Q:
    """A condition for arm-revealing rows that a person may see."""
    unit = [m for m in _memberships(user) if m.role in UNIT]
    whole = {m.study_id for m in unit if m.site_id is None}
    sites = {m.site_id for m in unit if m.site_id is not None}
    return Q(**{f"{path}__study__in": whole}) | Q(**{f"{path}__site__in": sites})


def may_read_audit(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & READERS)


def studies_of_the_unit(user: Someone) -> frozenset[int]:
    """The studies of which nothing is kept from a person: of the infusion unit wherever that person reads."""
    readers = {(m.study_id, m.site_id) for m in _memberships(user) if m.role in READERS}
    unit = {(m.study_id, m.site_id) for m in _memberships(user) if m.role in UNIT}
    partly = {study for study, site in readers if not {(study, site), (study, None)} & unit}
    return frozenset(study for study, _ in readers) - partly


# What a person does -----------------------------------------------------------------------------------


def may_enrol(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & {Role.COORDINATOR, Role.INVESTIGATOR})


def may_obtain_consent(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & {Role.COORDINATOR, Role.INVESTIGATOR})


def may_answer_criteria(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & {Role.COORDINATOR, Role.INVESTIGATOR})


def may_decide_eligibility(user: Someone, site: Site) -> bool:
    return Role.INVESTIGATOR in roles_at(user, site)


def may_randomise(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & {Role.COORDINATOR, Role.INVESTIGATOR})


def may_correct_stratum(user: Someone, site: Site) -> bool:
    """The stratum rests on a physician's diagnosis; whoever randomised does not correct it alone."""
    return Role.INVESTIGATOR in roles_at(user, site)


def may_plan_visits(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & SITE_STAFF)


def may_run_infusion(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & {Role.INFUSION_NURSE, Role.INVESTIGATOR})


def may_report_adverse_event(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & SITE_STAFF)


def may_record_intercurrent_event(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & SITE_STAFF)


def may_acknowledge_alert(user: Someone, site: Site) -> bool:
    return Role.INVESTIGATOR in roles_at(user, site)


def may_enter_response(user: Someone, site: Site, *, arm_revealing: bool = False) -> bool:
    """Side effects are rated by the infusion unit, efficacy by those who have not seen the infusion."""
    if arm_revealing:
        return may_see_arm_revealing(user, site)
    return bool(roles_at(user, site) & (SITE_STAFF | {Role.EFFICACY_RATER}))


def may_enter_qst(user: Someone, site: Site) -> bool:
    return bool(roles_at(user, site) & {Role.COORDINATOR, Role.EFFICACY_RATER})


def may_manage_data(user: Someone, study: Study) -> bool:
    return Role.DATA_MANAGER in study_wide_roles(user, study)


def may_administer(user: Someone, study: Study) -> bool:
    return Role.ADMINISTRATOR in roles_in(user, study)


def may_invite(user: Someone, site: Site) -> bool:
    """Ask participants for forms that they fill in themselves, and enter how they want to be asked."""
    return bool(roles_at(user, site) & SITE_STAFF)


def may_clarify(user: Someone, site: Site) -> bool:
    """Write beside a participant's own answers what was found out about them."""
    return bool(roles_at(user, site) & {Role.COORDINATOR, Role.INVESTIGATOR})


def may_set_site_contact(user: Someone, site: Site) -> bool:
    """Say whom the participants of a site call."""
    return bool(roles_at(user, site) & {Role.COORDINATOR, Role.INVESTIGATOR})
