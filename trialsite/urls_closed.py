"""The closed door: results by arm for the DSMB and the unblinded statistician, kits for the pharmacist."""

from django.urls import path
from django.views.generic import RedirectView

from trialsite.closed import api, concentrations, kits, looks, recommendations
from trialsite.closed.signing_in import SignIn, SignOut
from trialsite.closed.timelines import CutTimelineView
from trialsite.health import healthz, readyz

urlpatterns = [
    path("", looks.home, name="home"),
    path("login/", SignIn.as_view(), name="sign_in"),
    path("logout/", SignOut.as_view(), name="sign_out"),
    path("looks/", looks.looks, name="looks"),
    path("looks/<int:number>/", looks.report, name="report"),
    path("looks/<int:number>/report.pdf", looks.report_pdf, name="report_pdf"),
    path("looks/<int:number>/result.json", looks.result, name="result"),
    path("looks/<int:number>/masked/", looks.masked, name="masked"),
    path("looks/<int:number>/masked.pdf", looks.masked_pdf, name="masked_pdf"),
    path("looks/<int:number>/masked.json", looks.masked_result, name="masked_result"),
    path("masking/", looks.masking, name="masking"),
    path("looks/<int:number>/failures/", looks.failures, name="failures"),
    path("looks/<int:number>/recommendation/", recommendations.recommendation, name="recommendation"),
    path("cuts/", looks.cuts, name="cuts"),
    path("cuts/<str:cut>/<str:file>", looks.cut_file, name="cut_file"),
    path("kits/", kits.kits, name="kits"),
    path("concentrations/", concentrations.concentrations, name="concentrations"),
    path("concentrations/<str:sha256>/", concentrations.laboratory_file, name="laboratory_file"),
    path("api/v1/looks/", api.LooksView.as_view()),
    path("api/v1/looks/<int:number>/result/", api.ResultView.as_view()),
    path("api/v1/looks/<int:number>/report.pdf/", api.ReportView.as_view()),
    path("api/v1/cuts/", api.CutsView.as_view()),
    path("api/v1/cuts/<str:cut>/files/<str:file>/", api.CutFileView.as_view()),
    path("api/v1/cuts/<str:cut>/timeline/", CutTimelineView.as_view()),
    path("api/v1/kits/", api.KitsView.as_view()),
    path("api/v1/openapi.json", api.SchemaView.as_view()),
    # Reports are sealed as they are, without an icon of their own; browsers then ask here.
    path("favicon.ico", RedirectView.as_view(url="/static/trialsite/icon.svg")),
    path("healthz", healthz),
    path("readyz", readyz),
]
handler404 = "trialsite.closed.page.nothing_here"
