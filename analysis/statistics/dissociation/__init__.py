"""Do effects on two dimensions part over time: does pain stay better when sensory testing is back where it was?

Improvements are in units of each dimension's baseline SD, positive is better. A level contrast above 0 supports
the claim only together with an effect on the first dimension itself; it could come from the second getting worse.
"""

from analysis.statistics.dissociation.half_life import HalfLife, HalfLives, half_life_ratio
from analysis.statistics.dissociation.joint import JointModel, joint_model
from analysis.statistics.dissociation.resampling import ResampledCurves, SignFlip, bootstrap, sign_flip
from analysis.statistics.dissociation.response import PairedDifference, paired_difference, time_in_response

__all__ = [
    "HalfLife",
    "HalfLives",
    "JointModel",
    "PairedDifference",
    "ResampledCurves",
    "SignFlip",
    "bootstrap",
    "half_life_ratio",
    "joint_model",
    "paired_difference",
    "sign_flip",
    "time_in_response",
]
