"""Reference-based imputation of repeated measures, and Rubin's rules.

The imputation model is our mixed model; what follows an intercurrent event is imputed from a joint normal
distribution whose mean and covariance a strategy builds from those of the participant's own arm and of the
reference (Carpenter, Roger & Kenward 2013, J Biopharm Stat 23:1352): MAR, jump to reference (JR), copy reference
(CR), copy increments in reference (CIR), last mean carried forward (LMCF). Each visit is then compared by analysis
of covariance on all participants.
"""

from analysis.statistics.imputation.comparison import conditional_mean, multiple
from analysis.statistics.imputation.pooling import pool
from analysis.statistics.imputation.strategies import Strategy
from analysis.statistics.imputation.tipping import tipping

__all__ = ["Strategy", "conditional_mean", "multiple", "pool", "tipping"]
