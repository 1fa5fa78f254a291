"""The REST API of the open door, version 1."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import DefaultRouter

from analysis.api import views as analysis
from analysis.api.design_simulations import DesignSimulationView
from analysis.api.plans import PlanView
from outcomes.api import qst_views as qst
from outcomes.api import views as outcomes
from outcomes.api.timelines import StudyTimelineView
from studies.api import views as studies
from studies.api.nothing_here import NothingHereView
from studies.api.tokens import TokenView

router = DefaultRouter()
# A kind of answer is asked for by ?format=csv or Accept; a dot in an address belongs to a name (manifest.json).
router.include_format_suffixes = False
router.register("studies", studies.StudyView, "api-study")
router.register("sites", studies.SiteView, "api-site")
router.register("participants", outcomes.ParticipantView, "api-participant")
router.register("visits", studies.VisitView, "api-visit")
router.register("consents", studies.ConsentView, "api-consent")
router.register("criteria", studies.CriterionResultView, "api-criterion")
router.register("eligibility-decisions", studies.EligibilityDecisionView, "api-eligibility-decision")
router.register("allocations", studies.AllocationView, "api-allocation")
router.register("deviations", studies.DeviationView, "api-deviation")
router.register("infusions", studies.InfusionView, "api-infusion")
router.register("intercurrent-events", studies.IntercurrentEventView, "api-intercurrent-event")
router.register("stratum-corrections", studies.StratumCorrectionView, "api-stratum-correction")
router.register("adverse-events", studies.AdverseEventView, "api-adverse-event")
router.register("responses", outcomes.ResponseView, "api-response")
router.register("response-items", outcomes.ResponseItemView, "api-response-item")
router.register("scores", outcomes.ScoreView, "api-score")
router.register("qst-sessions", qst.QSTSessionView, "api-qst-session")
router.register("qst-trials", qst.QSTTrialView, "api-qst-trial")
router.register("qst-values", qst.QSTValueView, "api-qst-value")
router.register("qst-flags", qst.QSTFlagView, "api-qst-flag")
router.register("qst-conditioning", qst.ConditioningStimulusView, "api-qst-conditioning")
router.register("qst-devices", qst.DeviceView, "api-qst-device")
router.register("qst-device-uses", qst.DeviceUseView, "api-qst-device-use")
router.register("cuts", analysis.CutView, "api-cut")
router.register("plans", PlanView, "api-plan")
router.register("looks", analysis.LookView, "api-look")
router.register("jobs", analysis.JobView, "api-job")
router.register("design-simulations", DesignSimulationView, "api-design-simulation")

urlpatterns = [
    path("", include(router.urls)),
    path("studies/<slug:code>/timeline/", StudyTimelineView.as_view(), name="api-study-timeline"),
    path("token/", TokenView.as_view(), name="token"),
    path("openapi.json", SpectacularAPIView.as_view(), name="openapi"),
    re_path(r"^.*/$", NothingHereView.as_view()),
]
