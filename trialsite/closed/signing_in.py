"""Signing in and out at the closed door; both are written into its trail."""

from __future__ import annotations

from typing import cast

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse

from studies import closed_door
from studies.closed_sessions import SessionStore
from studies.models import ClosedAccount


class SignIn(LoginView):
    template_name = "closed/sign_in.html"
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        # Nothing else in the closed door's life removes them: whoever comes in sweeps the step.
        SessionStore.clear_expired()
        closed_door.log(cast(ClosedAccount, form.get_user()), "signed in")
        return response


class SignOut(LogoutView):
    next_page = "sign_in"

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.user.is_authenticated:
            closed_door.log(cast(ClosedAccount, request.user), "signed out")
        return super().post(request, *args, **kwargs)
