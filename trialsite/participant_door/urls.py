"""Addresses of the participants' door. A link's token is the only thing that ever stands in one, and only once."""

from django.urls import path

from trialsite.participant_door import api, views

app_name = "participant_door"
urlpatterns = [
    path("", views.entrance, name="entrance"),
    path("form/", views.form, name="form"),
    path("answers/", api.answers, name="answers"),
    path("done/", views.done, name="done"),
    path("other-device/", views.other_device, name="other_device"),
    path("look/", views.look, name="look"),
    path("leave/", views.leave, name="leave"),
    path("<str:token>/", views.link, name="link"),
]
