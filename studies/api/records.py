"""What every list of records in the API shares: scope, cursor pages, changes since, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from django.db import connection
from django.db.models import Case, F, Model, Q, QuerySet, Value, When
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from studies.acting import acting
from studies.arm_revealing import kept_values, shown_rows
from studies.models import User

STAMPS = ("entered_at", "entered_by", "changed_at", "changed_by", "simulated")
CHANGED_SINCE = OpenApiParameter(
    "changed_since",
    OpenApiTypes.INT64,
    description=(
        "Only records changed since an earlier answer: its `changed_until`. Nobody misses a change, also of a"
        " transaction that was slow to end."
    ),
)
CHANGED_BEFORE = OpenApiParameter(
    "changed_before",
    OpenApiTypes.INT64,
    description="Set by the first page, so that its followers fit to it.",
)
# A bigint has at most so many.
MOST_DIGITS = 19
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class ActingMixin(APIView):
    """DRF authenticates inside the view: from there on the request acts as its user."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._acting = acting(request.user)
        self._acting.__enter__()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            # Also where the view broke off: nobody acts any longer.
            if hasattr(self, "_acting"):
                self._acting.__exit__(None, None, None)


class KeyPages(CursorPagination):
    """Pages by key; a cursor that none of them gave is refused in words."""

    def decode_cursor(self, request: Request) -> Any:
        """A cursor of our own making, or none: its position is a key."""
        cursor: Any = super().decode_cursor(request)
        if cursor and cursor.position and not (cursor.position.isdecimal() and len(cursor.position) < MOST_DIGITS):
            raise NotFound("This cursor is none that an answer gave: follow `next` and `previous` as they are.")
        return cursor


class RecordPages(KeyPages):
    """Pages by key: quick at any depth, and nothing is skipped when rows are added meanwhile."""

    page_size = 500
    page_size_query_param = "page_size"
    max_page_size = 5000
    ordering = "id"
    changed_before: int

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "changed_until": self.changed_before,
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        described = super().get_paginated_response_schema(schema)
        described["properties"]["changed_until"] = {"type": "integer", "format": "int64"}
        described["required"] = ["results", "changed_until"]
        return described

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> Any:
        self.changed_before = cast("RecordView", view).changed_before
        page: Any = super().paginate_queryset(queryset, request, view)
        if "changed_before" not in request.query_params:
            self.base_url = replace_query_param(self.base_url or "", "changed_before", self.changed_before)
        return page


class CSVRenderer(BaseRenderer):
    """A page as CSV. A text that a spreadsheet would take for a formula gets an apostrophe in front."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> str:
        rows = data.get("results") if isinstance(data, dict) else data
        if not isinstance(rows, list):
            return JSONRenderer().render(data).decode()
        columns = list(renderer_context["view"].csv_columns()) if renderer_context else []
        out = io.StringIO()
        writer = csv.DictWriter(out, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
        return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


class RecordView(ActingMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Any]):
    """Records that the caller may see, read only; a value that is kept from the caller is null."""

    kept: dict[str, Q]
    pagination_class = RecordPages
    renderer_classes = (JSONRenderer, CSVRenderer)

    def visible(self, user: User) -> QuerySet[Any]:
        """The rows that the user may see."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return self._model()._default_manager.none()
        user = cast(User, self.request.user)
        rows = self.visible(user).filter(shown_rows(user, self._model()))
        self.kept = kept_values(user, self._model())
        if self.action != "list":
            return rows
        self.changed_before = self._number("changed_before") or _oldest_running_transaction()
        since = self._number("changed_since")
        if since is None:
            return rows
        return rows.filter(changed_in__gte=since, changed_in__lt=self.changed_before)

    @extend_schema(parameters=[CHANGED_SINCE, CHANGED_BEFORE])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        # Read as columns: a page may hold thousands of rows, and needs none of them as an object.
        columns = self._columns()
        rows = self.filter_queryset(self.get_queryset())
        shown = {name: path for name, path in columns.items() if path.partition("__")[0] not in self.kept}
        told = {f"told_{name}": self._told(columns[name]) for name in columns.keys() - shown.keys()}
        page = self.paginate_queryset(rows.values(*shown.values(), **told)) or []
        places = {name: shown.get(name, f"told_{name}") for name in columns}
        return self.get_paginated_response([{name: row[at] for name, at in places.items()} for row in page])

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        record = self.get_object()
        for field, rows in self.kept.items():
            if self._model()._default_manager.filter(rows, pk=record.pk).exists():
                setattr(record, field, None)
        return Response(self.get_serializer(record).data)

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """A value that is kept cannot be asked for: where it is, no row is found by it."""
        asked = {name.partition("__")[0] for name in self.request.query_params}
        for field in asked & self.kept.keys():
            queryset = queryset.exclude(self.kept[field])
        return super().filter_queryset(queryset)

    def _told(self, path: str) -> Case:
        """A value where it may be seen, and nothing where it is kept."""
        return Case(When(self.kept[path.partition("__")[0]], then=Value(None)), default=F(path))

    def csv_columns(self) -> Iterable[str]:
        return self._columns()

    def _columns(self) -> dict[str, str]:
        """Where the value of each field of the serializer stands, as a path of the database."""
        fields = cast("serializers.Serializer[Any]", self.get_serializer()).fields
        return {name: "__".join([*field.source_attrs, *_slug(field)]) for name, field in fields.items()}

    def _number(self, name: str) -> int | None:
        text = self.request.query_params.get(name)
        if text is None:
            return None
        if not text.isdecimal() or int(text) >= 2**63:
            raise ValidationError({name: f"{text!r} is not a change number: give the `changed_until` of an answer."})
        return int(text)

    def _model(self) -> type[Model]:
        serializer = cast("type[serializers.ModelSerializer[Any]]", self.serializer_class)
        return serializer.Meta.model


def _slug(field: serializers.Field[Any, Any, Any, Any]) -> list[str]:
    return [str(field.slug_field)] if isinstance(field, serializers.SlugRelatedField) else []


def _oldest_running_transaction() -> int:
    """Everything below this number is finished: nothing older can still appear."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def presented(serializer: type[serializers.Serializer[Any]], record: Any, *, status: int = 200) -> Response:
    """A record as the API shows it."""
    return Response(serializer(record).data, status=status)


def body_of(serializer: type[serializers.Serializer[Any]], request: Request) -> Mapping[str, Any]:
    """The request's content, checked. Raises DRF's ValidationError naming every field at fault."""
    parsed = serializer(data=request.data)
    parsed.is_valid(raise_exception=True)
    return cast("Mapping[str, Any]", parsed.validated_data)
