"""Tokens of the API: a person who has signed in makes one, and a new one ends the one before."""

from __future__ import annotations

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.authtoken.models import Token
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from studies.api.serializers import TokenSerializer
from studies.api.views import acting_user


class TokenView(APIView):
    """A token opens to programs what its owner may see and do, and nothing at the closed door."""

    @extend_schema(request=None, responses={201: TokenSerializer})
    @transaction.atomic
    def post(self, request: Request) -> Response:
        """Make a new token for the person who asks. It is told this once; the one before stops working."""
        user = acting_user(request)
        Token.objects.filter(user=user).delete()
        token = Token.objects.create(user=user)
        return Response({"token": token.key}, status=201, headers={"Cache-Control": "no-store"})
