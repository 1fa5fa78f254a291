"""The attributes that each element of ODM 1.3.2 has. Source: CDISC ODM 1.3.2 (2013), section 3.1."""

from __future__ import annotations

_ATTRIBUTES = """
AdminData: StudyOID
Alias: Context Name
Annotation: SeqNum TransactionType ID
ArchiveLayout: OID PdfFileName PresentationOID
ArchiveLayoutRef: ArchiveLayoutOID
Association: StudyOID MetaDataVersionOID
AuditRecord: EditPoint UsedImputationMethod ID
ClinicalData: StudyOID MetaDataVersionOID
CodeList: OID Name DataType SASFormatName
CodeListItem: CodedValue Rank OrderNumber
CodeListRef: CodeListOID
Comment: SponsorOrSite
ConditionDef: OID Name
EnumeratedItem: CodedValue Rank OrderNumber
ExternalCodeList: Dictionary Version href ref
ExternalQuestion: Dictionary Version Code
FlagType: CodeListOID
FlagValue: CodeListOID
FormData: FormOID FormRepeatKey TransactionType
FormDef: OID Name Repeating
FormRef: FormOID OrderNumber Mandatory CollectionExceptionConditionOID
FormalExpression: Context
ImputationMethod: OID
Include: StudyOID MetaDataVersionOID
InvestigatorRef: UserOID
ItemData: ItemOID TransactionType IsNull Value
ItemDef: OID Name DataType Length SignificantDigits SASFieldName SDSVarName Origin Comment
ItemGroupData: ItemGroupOID ItemGroupRepeatKey TransactionType
ItemGroupDef: OID Name Repeating IsReferenceData SASDatasetName Domain Origin Role Purpose Comment
ItemGroupRef: ItemGroupOID OrderNumber Mandatory CollectionExceptionConditionOID
ItemRef: ItemOID KeySequence MethodOID ImputationMethodOID Role RoleCodeListOID OrderNumber Mandatory \
CollectionExceptionConditionOID
KeySet: StudyOID SubjectKey StudyEventOID StudyEventRepeatKey FormOID FormRepeatKey ItemGroupOID \
ItemGroupRepeatKey ItemOID OID
Location: OID Name LocationType
LocationRef: LocationOID
MeasurementUnit: OID Name
MeasurementUnitRef: MeasurementUnitOID
MetaDataVersion: OID Name Description
MetaDataVersionRef: StudyOID MetaDataVersionOID EffectiveDate
MethodDef: OID Name Type
ODM: Description FileType Granularity Archival FileOID CreationDateTime PriorFileOID AsOfDateTime ODMVersion \
Originator SourceSystem SourceSystemVersion ID
Picture: PictureFileName ImageType
Presentation: OID xml:lang
RangeCheck: Comparator SoftHard
ReferenceData: StudyOID MetaDataVersionOID
Signature: ID
SignatureDef: OID Methodology
SignatureRef: SignatureOID
SiteRef: LocationOID
Study: OID
StudyEventData: StudyEventOID StudyEventRepeatKey TransactionType
StudyEventDef: OID Name Repeating Type Category
StudyEventRef: StudyEventOID OrderNumber Mandatory CollectionExceptionConditionOID
SubjectData: SubjectKey TransactionType
TranslatedText: xml:lang
User: OID UserType
UserRef: UserOID
"""
ATTRIBUTES: dict[str, frozenset[str]] = {
    tag: frozenset(names.split()) for tag, names in (line.split(": ") for line in _ATTRIBUTES.strip().splitlines())
}
_TYPED = frozenset(
    ("ItemOID", "TransactionType", "AuditRecordID", "SignatureID", "AnnotationID", "MeasurementUnitOID", "IsNull")
)


def is_known(tag: str, attribute: str) -> bool:
    """Whether ODM has this attribute on this element; those of other namespaces are none of it."""
    if tag.startswith("ItemData") and tag != "ItemData":
        return attribute in _TYPED
    return attribute in ATTRIBUTES.get(tag, ())
