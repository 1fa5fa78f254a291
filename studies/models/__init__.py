"""Records of design and conduct."""

from studies.models.allocation import Allocation, Deviation, StratumCorrection
from studies.models.audit_event import AuditEvent
from studies.models.closed_accounts import ClosedAccount, ClosedSession
from studies.models.consent import Consent
from studies.models.drafts import Draft
from studies.models.eligibility import CriterionResult, EligibilityDecision
from studies.models.infusions import Infusion, InfusionSegment, Reading, SafetyEvent
from studies.models.intercurrent import IntercurrentEvent
from studies.models.participants import ContactDetails, Participant
from studies.models.people import Membership, Role, User
from studies.models.record import Record, Stamped, record_kinds, stamped_models
from studies.models.safety import AdverseEvent, Finding, SafetyAlert
from studies.models.same_owner import SameOwner
from studies.models.study import Installation, ProtocolVersion, Site, Stratum, Study
from studies.models.visits import Visit

__all__ = [
    "AdverseEvent",
    "Allocation",
    "AuditEvent",
    "ClosedAccount",
    "ClosedSession",
    "Consent",
    "ContactDetails",
    "CriterionResult",
    "Deviation",
    "Draft",
    "EligibilityDecision",
    "Finding",
    "Infusion",
    "InfusionSegment",
    "Installation",
    "IntercurrentEvent",
    "Membership",
    "Participant",
    "ProtocolVersion",
    "Reading",
    "Record",
    "Role",
    "SafetyAlert",
    "SafetyEvent",
    "SameOwner",
    "Site",
    "Stamped",
    "Stratum",
    "StratumCorrection",
    "Study",
    "User",
    "Visit",
    "record_kinds",
    "stamped_models",
]
