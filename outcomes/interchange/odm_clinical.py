"""Clinical data of an ODM file: containers and values, to cells with their addresses, one after the other."""

from __future__ import annotations

from outcomes.interchange import limits
from outcomes.interchange.cells import Address, Cell
from outcomes.interchange.element import Element, element
from outcomes.interchange.odm_schema import ADDRESSES, TYPED_ITEM
from outcomes.interchange.refused import refuse_file

_OUTERMOST = "ClinicalData"
_TRANSACTION = "TransactionType"
_FIELD_OF = {
    "SubjectKey": "subject",
    "StudyEventOID": "event",
    "StudyEventRepeatKey": "event_repeat",
    "FormOID": "form",
    "FormRepeatKey": "form_repeat",
    "ItemGroupOID": "group",
    "ItemGroupRepeatKey": "group_repeat",
}


class ClinicalData:
    """Collects the cells of one file. Nothing of a subject is kept but its cells."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._addresses: list[Address] = []
        self._transactions: list[str] = []
        self._beside: list[list[Element]] = []
        self._before: list[int] = []
        self.inside = False
        self.cells: list[Cell] = []
        self.study_oid = self.version_oid = ""

    def begin(self, tag: str, attributes: dict[str, str], line: int) -> None:
        """An element begins; others than containers are none of ours."""
        if tag == _OUTERMOST:
            self._enter(attributes, line)
        elif tag in ADDRESSES and self.inside:
            self._container(tag, attributes, line)

    def end(self, tag: str, done: Element, line: int) -> bool:
        """An element has ended. Returns whether it was taken here."""
        if tag == _OUTERMOST:
            self.inside = False
            return False
        if not self.inside:
            return False
        if tag in ADDRESSES:
            self._leave(tag, done, line)
            return True
        if tag.startswith(TYPED_ITEM):
            self._item(done, line)
            return True
        return False

    def _enter(self, attributes: dict[str, str], line: int) -> None:
        self.inside = True
        study, version = attributes.get("StudyOID", ""), attributes.get("MetaDataVersionOID", "")
        if self.study_oid and (study, version) != (self.study_oid, self.version_oid):
            raise refuse_file(
                self._name,
                f"Clinical data of {study} {version} stand beside those of {self.study_oid} {self.version_oid}. Bring"
                " each study and each version of its definitions in a file of its own.",
                line=line,
            )
        self.study_oid, self.version_oid = study, version

    def _container(self, tag: str, attributes: dict[str, str], line: int) -> None:
        key = ADDRESSES[tag][0]
        if not attributes.get(key):
            raise refuse_file(self._name, f"{tag} has no {key}.", line=line)
        above = self._addresses[-1] if self._addresses else Address("")
        names = {_FIELD_OF[each]: attributes.get(each, "") for each in ADDRESSES[tag]}
        self._addresses.append(above._replace(**names))
        self._transactions.append(attributes.get(_TRANSACTION, "") or (self._transactions or [""])[-1])
        self._before.append(len(self.cells))

    def _leave(self, tag: str, done: Element, line: int) -> None:
        """A container has ended: what it says besides its values, or that it is empty, is a cell of its own."""
        address = self._addresses.pop()
        self._transactions.pop()
        rest = done.without(*ADDRESSES[tag], _TRANSACTION)
        if rest.attributes or rest.children or self._before[-1] == len(self.cells):
            self._add(Cell(address, None, line, tag, beside=rest if rest.attributes or rest.children else None))
        self._before.pop()

    def _item(self, done: Element, line: int) -> None:
        said = dict(done.attributes)
        item = said.pop("ItemOID", "")
        if not item:
            raise refuse_file(self._name, f"{done.tag} has no ItemOID.", line=line)
        removed = (said.pop(_TRANSACTION, "") or self._transactions[-1]) == "Remove"
        value = said.pop("Value", "") if done.tag == TYPED_ITEM else done.text
        is_null = said.pop("IsNull", "") == "Yes"
        beside = element(done.tag, said, *done.children) if said or done.children else None
        address = Address(*self._addresses[-1][:7], item)
        self._add(Cell(address, None if is_null else value, line, done.tag, "", beside, removed))

    def _add(self, cell: Cell) -> None:
        if len(self.cells) >= limits.MOST_CELLS:
            raise refuse_file(
                self._name,
                f"The file holds more than {limits.MOST_CELLS:,} values. Export it in parts, a site or some subjects at"
                " a time.",
                line=cell.line,
            )
        self.cells.append(cell)
