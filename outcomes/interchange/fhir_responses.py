"""A FHIR QuestionnaireResponse as cells: whose it is, which form, and an answer for each item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from outcomes.imports.refusals import Refusal
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.element import Element, element
from outcomes.interchange.fhir_questionnaire import FHIR, item_oid, option_value
from outcomes.interchange.refused import LineRefusal

Json = Mapping[str, Any]
_KEPT = ("id", "status", "authored", "questionnaire")


def cells_of(responses: Sequence[Json], study: Element, refusals: list[Refusal]) -> tuple[Cell, ...]:
    """The cells of responses under their questionnaires. What cannot be taken is added to `refusals`."""
    version = study.first("MetaDataVersion") or Element("MetaDataVersion")
    forms = [form.get("OID") for form in version.all("FormDef")]
    groups = {
        ref.get("ItemOID"): group.get("OID") for group in version.all("ItemGroupDef") for ref in group.all("ItemRef")
    }
    found: list[Cell] = []
    repeats: Counter[tuple[str, str]] = Counter()
    for number, each in enumerate(responses, start=1):
        subject, form = _subject(each), _form(each, forms)
        if not subject:
            refusals.append(LineRefusal(0, f"response {number}", "", "The response has no subject."))
        elif form is None:
            why = f"No questionnaire {each.get('questionnaire')} is known; there is {', '.join(forms)}."
            refusals.append(LineRefusal(0, f"response {number}", subject, why))
        else:
            repeats[subject, form] += 1
            address = Address(subject, form=form, form_repeat=str(repeats[subject, form]))
            found.append(_note(address, each))
            found += _answers(address, form, each.get("item") or [], groups, refusals)
    return tuple(found)


def _subject(response: Json) -> str:
    subject = response.get("subject") or {}
    identifier = subject.get("identifier") or {}
    return str(subject.get("reference") or identifier.get("value") or subject.get("display") or "")


def _form(response: Json, forms: Sequence[str]) -> str | None:
    """The form that a response names by its address, or its end; the only one where it names none."""
    named = str(response.get("questionnaire") or "").partition("|")[0]
    if not named:
        return forms[0] if len(forms) == 1 else None
    return next((form for form in forms if form == named or named.endswith(f"/{form}")), None)


def _note(address: Address, response: Json) -> Cell:
    """What the response says of itself."""
    attributes = {f"{{{FHIR}}}{name}": str(response[name]) for name in _KEPT if response.get(name)}
    return Cell(address, None, 0, "FormData", beside=element("FormData", attributes) if attributes else None)


def _answers(
    address: Address,
    form: str,
    items: Sequence[Json],
    groups: Mapping[str, str],
    refusals: list[Refusal],
    outer: str = "1",
) -> Iterator[Cell]:
    """outer: which repeat of the group above this is."""
    for each, repeat in _numbered(items):
        oid = item_oid(form, str(each.get("linkId") or ""))
        answers = each.get("answer") or []
        key = _again(outer, repeat)
        if answers and oid not in groups:
            why = "The questionnaire has no such question."
            refusals.append(LineRefusal(0, f"{address.subject} {oid}", "", why))
            continue
        for number, answer in enumerate(answers, start=1):
            value = option_value(answer, "value")
            of_answer = key if number == 1 else f"{key}-{number}"
            if value is not None:
                yield Cell(address._replace(group=groups[oid], group_repeat=of_answer, item=oid), value[0])
            yield from _answers(address, form, answer.get("item") or [], groups, refusals, of_answer)
        yield from _answers(address, form, each.get("item") or [], groups, refusals, key)


def _again(outer: str, number: int) -> str:
    """The key of a repeat inside a repeat: 1, then 1.2; the third answer of a question there is 1.2-3."""
    return outer if number == 1 else f"{outer}.{number}"


def _numbered(items: Sequence[Json]) -> Iterator[tuple[Json, int]]:
    """Items with how often their link came before: a repeating group stands once for each time."""
    seen: Counter[str] = Counter()
    for each in items:
        link = str(each.get("linkId") or "")
        seen[link] += 1
        yield each, seen[link]
