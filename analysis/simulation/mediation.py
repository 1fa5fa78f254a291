"""The mediation scenarios: a treatment, two mediators, an outcome, with known indirect effects."""

import numpy as np
import pandas as pd

from .parameters import Parameters
from .streams import stream


def mediation_trial(seed: int, participants: int, parameters: Parameters) -> pd.DataFrame:
    """Columns x (0 control, 1 active, in turn), m_a, m_q, y; one row per participant.

    M_A = .9 X + eA, M_Q = .5 X + eQ, corr(eA, eQ) = .3, Y = .1 X + .5 M_A + .1 M_Q + N(0, 1); under
    `confounded_mediation` a cause U that nobody measured is added to M_A and Y with loading .5.
    """
    law = parameters.mediation
    loading = law.confounder_loading if parameters.scenario == "confounded_mediation" else 0.0
    noise = np.array([stream(seed, "mediation", i).standard_normal(4) for i in range(participants)])
    rho = law.mediator_correlation
    x = np.arange(participants) % 2
    unseen = loading * noise[:, 3]
    m_a = law.effect_on["A"] * x + noise[:, 0] + unseen
    m_q = law.effect_on["Q"] * x + rho * noise[:, 0] + np.sqrt(1 - rho**2) * noise[:, 1]
    slopes = law.mediator_slope
    y = law.direct * x + slopes["A"] * m_a + slopes["Q"] * m_q + noise[:, 2] + unseen
    return pd.DataFrame({"x": x, "m_a": m_a, "m_q": m_q, "y": y})
