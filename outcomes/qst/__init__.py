"""Quantitative sensory testing by the DFNS protocol: from trials to values, z-scores, profiles and flags.

Pure: nothing here knows the database. docs/qst.md works every number out by hand.
"""

from outcomes.qst.aggregation import ParameterValue, aggregate
from outcomes.qst.modulation import (
    ConditionedPainModulation,
    TemporalSummation,
    conditioned_pain_modulation,
    temporal_summation,
)
from outcomes.qst.parameters import PARAMETERS, NotComputable, Parameter
from outcomes.qst.quality import Flag, SessionConditions, quality_flags
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
from outcomes.qst.zscores import (
    COMPOSITE,
    COMPOSITE_SENSITIVITY,
    Profile,
    SideDifference,
    ZScore,
    composite,
    profile,
    side_difference,
    standardised_change,
    z_score,
)

__all__ = [
    "COMPOSITE",
    "COMPOSITE_SENSITIVITY",
    "PARAMETERS",
    "SYNTHETIC_REFERENCE",
    "ConditionedPainModulation",
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
    "aggregate",
    "checksum_of",
    "composite",
    "conditioned_pain_modulation",
    "load_reference",
    "profile",
    "quality_flags",
    "read_reference",
    "side_difference",
    "standardised_change",
    "temporal_summation",
    "trial_problem",
    "z_score",
]
