"""Mixed model for repeated measures, by restricted maximum likelihood over patterns of observed visits."""

from analysis.statistics.mmrm.fits import Fit, fit, fit_first_converging
from analysis.statistics.mmrm.inference import LinearTest
from analysis.statistics.mmrm.optimiser import ConvergenceError

__all__ = ["ConvergenceError", "Fit", "LinearTest", "fit", "fit_first_converging"]
