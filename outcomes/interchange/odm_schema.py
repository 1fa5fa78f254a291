"""What ODM 1.3.2 knows: which elements stand in which, in which order, and how a value is addressed.

Source: CDISC Operational Data Model 1.3.2 (2013), sections 3.1 and 4.1; held against its XML schema in the tests.
"""

from __future__ import annotations

NAMESPACE = "http://www.cdisc.org/ns/odm/v1.3"
XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
VERSIONS = ("1.3", "1.3.0", "1.3.1", "1.3.2")

# The element and what it may hold, in the order of the schema.
_CHILDREN = """
ODM: Study AdminData ReferenceData ClinicalData Association
Study: GlobalVariables BasicDefinitions MetaDataVersion
GlobalVariables: StudyName StudyDescription ProtocolName
BasicDefinitions: MeasurementUnit
MeasurementUnit: Symbol Alias
Symbol: TranslatedText
MetaDataVersion: Include Protocol StudyEventDef FormDef ItemGroupDef ItemDef CodeList ImputationMethod Presentation \
ConditionDef MethodDef
Protocol: Description StudyEventRef Alias
StudyEventDef: Description FormRef Alias
FormDef: Description ItemGroupRef ArchiveLayout Alias
ItemGroupDef: Description ItemRef Alias
ItemDef: Description Question ExternalQuestion MeasurementUnitRef RangeCheck CodeListRef Role Alias
Description: TranslatedText
Question: TranslatedText
Decode: TranslatedText
ErrorMessage: TranslatedText
RangeCheck: CheckValue FormalExpression MeasurementUnitRef ErrorMessage
CodeList: Description CodeListItem ExternalCodeList EnumeratedItem Alias
CodeListItem: Decode Alias
EnumeratedItem: Alias
ConditionDef: Description FormalExpression Alias
MethodDef: Description FormalExpression Alias
AdminData: User Location SignatureDef
User: LoginName DisplayName FullName FirstName LastName Organization Address Email Picture Pager Fax Phone \
LocationRef Certificate
Address: StreetName City StateProv Country PostalCode OtherText
Location: MetaDataVersionRef
SignatureDef: Meaning LegalReason
ReferenceData: ItemGroupData AuditRecords Signatures Annotations
ClinicalData: SubjectData AuditRecords Signatures Annotations
SubjectData: AuditRecord Signature InvestigatorRef SiteRef Annotation StudyEventData
StudyEventData: AuditRecord Signature Annotation FormData
FormData: AuditRecord Signature ArchiveLayoutRef Annotation ItemGroupData
ItemGroupData: AuditRecord Signature Annotation
ItemData: AuditRecord Signature MeasurementUnitRef Annotation
Annotation: Comment Flag
Flag: FlagValue FlagType
Annotations: Annotation
Signatures: Signature
AuditRecords: AuditRecord
AuditRecord: UserRef LocationRef DateTimeStamp ReasonForChange SourceID
Signature: UserRef LocationRef SignatureRef DateTimeStamp CryptoBindingManifest
Association: KeySet Annotation
"""
_TEXTS = """StudyName StudyDescription ProtocolName TranslatedText CheckValue FormalExpression Role Presentation
ImputationMethod LoginName DisplayName FullName FirstName LastName Organization StreetName City StateProv Country
PostalCode OtherText Email Pager Fax Phone Certificate Meaning LegalReason Comment FlagValue FlagType DateTimeStamp
ReasonForChange SourceID CryptoBindingManifest"""
_EMPTY = """Include StudyEventRef FormRef ItemGroupRef ItemRef ArchiveLayout ExternalQuestion MeasurementUnitRef
CodeListRef ExternalCodeList Alias Picture LocationRef MetaDataVersionRef InvestigatorRef SiteRef ArchiveLayoutRef
UserRef SignatureRef KeySet"""

CHILDREN: dict[str, tuple[str, ...]] = {
    tag: tuple(children.split()) for tag, children in (line.split(":") for line in _CHILDREN.strip().splitlines())
} | dict.fromkeys(_EMPTY.split(), ())
TEXTS = frozenset(_TEXTS.split())
# Elements that the schema lets have a second name: where content of other namespaces is put on the way out.
ALIASED = frozenset(tag for tag, children in CHILDREN.items() if "Alias" in children)

# The containers of clinical data, outermost first, with the attributes that address them.
ADDRESSES: dict[str, tuple[str, ...]] = {
    "SubjectData": ("SubjectKey",),
    "StudyEventData": ("StudyEventOID", "StudyEventRepeatKey"),
    "FormData": ("FormOID", "FormRepeatKey"),
    "ItemGroupData": ("ItemGroupOID", "ItemGroupRepeatKey"),
}
TYPED_ITEM = "ItemData"
CODE_LIST_TYPES = frozenset(("integer", "float", "text", "string"))


def may_stand_in(child: str, parent: str) -> bool:
    """Whether an element of ODM's own namespace has a place in another."""
    if child.startswith(TYPED_ITEM):
        return parent == "ItemGroupData"
    # REDCap leaves the event out where a project has one only.
    return child in CHILDREN.get(parent, ()) or (child, parent) == ("FormData", "SubjectData")


def place(child: str, parent: str) -> int:
    """Where the schema wants a child among its siblings; others come last."""
    order = CHILDREN.get(parent, ())
    return order.index(child) if child in order else len(order)
