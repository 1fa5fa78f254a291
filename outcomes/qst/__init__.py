"""Quantitative sensory testing by the DFNS protocol: from trials to values, z-scores, profiles and flags.

Pure: nothing here knows the database. docs/qst.md works every number out by hand.
"""

from outcomes.qst.aggregation import ParameterValue, aggregate
from outcomes.qst.findings import AbnormalFinding, abnormal_findings
from outcomes.qst.modulation import (
    CPM,
    MODULATION,
    TRAIN,
    TS,
    ConditionedPainModulation,
    CpmMethod,
    TemporalSummation,
    conditioned_pain_modulation,
    modulation_problem,
    modulation_values,
    temporal_summation,
)
from outcomes.qst.parameters import PARAMETERS, NotComputable, Parameter
from outcomes.qst.quality import (
    Equipment,
    Flag,
    SessionConditions,
    condition_flags,
    quality_flags,
    reading_flags,
)
from outcomes.qst.readings import Reading, trial_problem
from outcomes.qst.reference import (
    SYNTHETIC_REFERENCE,
    NoReferenceRow,
    Reference,
    ReferenceInvalid,
    ReferenceRow,
    checksum_of,
    load_reference,
    read_reference,
)
from outcomes.qst.units import in_unit_of_parameter
from outcomes.qst.zscores import (
    ABNORMAL_Z,
    COMPOSITE,
    COMPOSITE_SENSITIVITY,
    Profile,
    SideDifference,
    ZScore,
    composite,
    finding_of,
    profile,
    side_difference,
    side_is_abnormal,
    standardised_change,
    z_score,
)

# Raised with every correction of a rule here; `manage.py rescore` then computes stored values anew.
RULES_VERSION = "1"

__all__ = [
    "ABNORMAL_Z",
    "COMPOSITE",
    "COMPOSITE_SENSITIVITY",
    "CPM",
    "MODULATION",
    "PARAMETERS",
    "RULES_VERSION",
    "SYNTHETIC_REFERENCE",
    "TRAIN",
    "TS",
    "AbnormalFinding",
    "ConditionedPainModulation",
    "CpmMethod",
    "Equipment",
    "Flag",
    "NoReferenceRow",
    "NotComputable",
    "Parameter",
    "ParameterValue",
    "Profile",
    "Reading",
    "Reference",
    "ReferenceInvalid",
    "ReferenceRow",
    "SessionConditions",
    "SideDifference",
    "TemporalSummation",
    "ZScore",
    "abnormal_findings",
    "aggregate",
    "checksum_of",
    "composite",
    "condition_flags",
    "conditioned_pain_modulation",
    "finding_of",
    "in_unit_of_parameter",
    "load_reference",
    "modulation_problem",
    "modulation_values",
    "profile",
    "quality_flags",
    "read_reference",
    "reading_flags",
    "side_difference",
    "side_is_abnormal",
    "standardised_change",
    "temporal_summation",
    "trial_problem",
    "z_score",
]
