"""Addresses of the participants' door. A link's token is the only thing that ever stands in one, and only once."""

from django.urls import path

from trialsite.participant_door import api, offline, views

app_name = "participant_door"
urlpatterns = [
    path("", views.entrance, name="entrance"),
    path("form/", views.form, name="form"),
    path("answers/", api.answers, name="answers"),
    path("done/", views.done, name="done"),
    path("other-device/", views.other_device, name="other_device"),
    path("look/", views.look, name="look"),
    path("leave/", views.leave, name="leave"),
    path("worker.js", offline.worker, name="worker"),
    path("offline/", offline.no_connection, name="offline"),
    path("<str:token>/", views.link, name="link"),
]
