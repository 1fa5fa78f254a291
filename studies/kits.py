"""What the pharmacist prepares for a kit: the one place where a person turns an allocation into a drug."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from studies import closed_door
from studies.acting import verb
from studies.closed_side import read_arm
from studies.errors import InvalidEntry
from studies.models import Allocation, ClosedAccount, Infusion, Participant, Study
from studies.permissions import require
from studies.pinned_protocols import require_pinned
from studies.protocol.design import Regimen
from studies.protocol.infusion import InfusionPlan
from studies.protocol.infusion_arithmetic import dose_mg, plan_infusion, volume_of_dose_ml

WEIGHT_FINDING = "weight_kg"


@dataclass(frozen=True, slots=True)
class KitPreparation:
    """What goes into the syringe of one participant, and how fast it is to run. Milligrams, millilitres, hours."""

    participant: str
    site: str
    kit_number: str
    weight_kg: Decimal
    weight_from: str
    drug: str
    dose_mg: Decimal
    capped_at_mg: Decimal | None
    concentration_mg_per_ml: Decimal
    volume_ml: Decimal
    rate_ml_h: Decimal
    minutes: int


@verb(because="kit prepared")
def prepare_kit(
    account: ClosedAccount, *, study: Study, label: str, weight_kg: Decimal | None = None
) -> KitPreparation:
    """Drug, dose, volume and rate of a randomised participant. The arm read for it is logged.

    label: a kit number or a participant's identifier. weight_kg: as measured on the day; without it the
    newest weight on record is taken, and the answer says which.
    Raises NotAllowed; InvalidEntry for an unknown kit, a missing or impossible weight, a study without drug;
    ProtocolChanged for a protocol text that is not the pinned one.
    """
    require(closed_door.may_prepare_kits(account, study), f"prepare kits of {study}")
    allocation = _allocation(study, label.strip())
    participant = allocation.participant
    require_pinned(participant.protocol_version)
    plan = participant.protocol_version.definition.infusion
    if plan is None:
        raise InvalidEntry(f"{study} has no infusions: there is nothing to prepare.", field="label")
    weight, origin = (weight_kg, "as given") if weight_kg is not None else _weight_on_record(participant)
    _require_plausible(plan, weight)
    regimen = _regimen(account, participant)
    closed_door.log(account, f"kit {allocation.kit_number} prepared")
    return _preparation(allocation, plan, regimen, weight, origin)


def _allocation(study: Study, label: str) -> Allocation:
    found = (
        Allocation.objects.filter(participant__study=study, kit_number__iexact=label)
        | Allocation.objects.filter(participant__study=study, participant__identifier__iexact=label)
    ).select_related("participant__site", "participant__protocol_version")
    allocation = found.first()
    if allocation is None:
        raise InvalidEntry(
            f"{label!r} is neither a kit nor a randomised participant of {study}. Check the label.", field="label"
        )
    return allocation


def _weight_on_record(participant: Participant) -> tuple[Decimal, str]:
    """The newest weight (kg) that the trial knows, and where it was taken."""
    infusion = Infusion.objects.filter(participant=participant).first()
    if infusion:
        return infusion.weight_kg, "infusion record"
    weights = participant.findings.filter(key=WEIGHT_FINDING, number__isnull=False).select_related("visit")
    newest = weights.order_by("changed_in", "change_no").last()
    if newest is None or newest.number is None:
        raise InvalidEntry("No weight is on record for this participant: give it.", field="weight_kg")
    return Decimal(f"{newest.number:g}"), f"visit {newest.visit.code}" if newest.visit else "screening"


def _require_plausible(plan: InfusionPlan, weight_kg: Decimal) -> None:
    """Before the arm is read: what cannot be prepared reveals nothing."""
    try:
        plan_infusion(plan, weight_kg)
    except ValueError as error:
        raise InvalidEntry(f"{error} Check the weight.", field="weight_kg") from error


def _regimen(account: ClosedAccount, participant: Participant) -> Regimen:
    code = read_arm(account, participant_id=participant.pk, purpose="kit preparation")
    arms = {arm.code: arm for arm in participant.protocol_version.definition.arms}
    regimen = arms[code].regimen if code in arms else None
    if regimen is None:
        raise InvalidEntry("The protocol says nothing of what to prepare for this kit.", field="label")
    return regimen


def _preparation(
    allocation: Allocation, plan: InfusionPlan, regimen: Regimen, weight: Decimal, origin: str
) -> KitPreparation:
    planned = plan_infusion(plan, weight)
    dose, concentration = dose_mg(regimen, weight), regimen.concentration_mg_per_ml
    return KitPreparation(
        participant=allocation.participant.identifier,
        site=allocation.participant.site.name,
        kit_number=allocation.kit_number,
        weight_kg=weight,
        weight_from=origin,
        drug=regimen.drug,
        dose_mg=dose,
        capped_at_mg=regimen.cap_mg if dose == regimen.cap_mg else None,
        concentration_mg_per_ml=concentration,
        # Without a drug in it, a placebo is prepared to the volume that the pump is to give.
        volume_ml=volume_of_dose_ml(dose, concentration) if concentration else planned.volume_ml,
        rate_ml_h=planned.set_rate_ml_h,
        minutes=plan.minutes,
    )
