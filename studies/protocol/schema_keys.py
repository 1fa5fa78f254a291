"""Which keys a schema allows at a place of a file: for messages about unknown ones."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel


def allowed_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand at a location (keys and list indices from the top) of a file of this model."""
    types: list[Any] = [model]
    for step in location:
        types = [below for each in types for below in _below(each, step)]
    return sorted({key for each in types if _is_model(each) for key in _keys(each)})


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _below(annotation: Any, step: str | int) -> list[Any]:
    """The types that a value of this type may have one step further down."""
    if _is_model(annotation):
        fields = [field for name, field in annotation.model_fields.items() if step in {name, field.alias}]
        return [each for field in fields for each in _members(field.annotation)]
    arguments = [each for each in get_args(annotation) if each is not Ellipsis]
    if get_origin(annotation) is not None and issubclass(get_origin(annotation), dict):
        return list(_members(arguments[-1]))
    return [each for argument in arguments for each in _members(argument)]


def _members(annotation: Any) -> Iterator[Any]:
    """The concrete types behind an annotation: without Annotated and unions."""
    if get_origin(annotation) is Annotated:
        yield from _members(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
