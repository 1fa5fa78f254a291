"""Group-sequential designs: bounds, monitoring, conditional power, and inference after stopping."""

from analysis.statistics.sequential.conditional import (
    conditional_power,
    predictive_power,
    single_look_conditional_power,
    single_look_predictive_power,
)
from analysis.statistics.sequential.designs import Design, Properties, design
from analysis.statistics.sequential.families import (
    Family,
    FixedBounds,
    Shape,
    Spending,
    fixed_bounds,
    hwang_shih_decani,
    kim_demets,
    lan_demets_of,
    lan_demets_pocock,
    obrien_fleming,
    pocock,
    user_spending,
    wang_tsiatis,
)
from analysis.statistics.sequential.inference import (
    RepeatedIntervals,
    StoppedEstimate,
    inference_after_stopping,
    repeated_intervals,
    sequential_p,
)
from analysis.statistics.sequential.sizes import SampleSize

__all__ = [
    "Design",
    "Family",
    "FixedBounds",
    "Properties",
    "RepeatedIntervals",
    "SampleSize",
    "Shape",
    "Spending",
    "StoppedEstimate",
    "conditional_power",
    "design",
    "fixed_bounds",
    "hwang_shih_decani",
    "inference_after_stopping",
    "kim_demets",
    "lan_demets_of",
    "lan_demets_pocock",
    "obrien_fleming",
    "pocock",
    "predictive_power",
    "repeated_intervals",
    "sequential_p",
    "single_look_conditional_power",
    "single_look_predictive_power",
    "user_spending",
    "wang_tsiatis",
]
