"""The study definition: one versioned YAML file per protocol version, read into one checked value."""

from studies.protocol.definition import (
    ProtocolDefinition,
    cached_definition,
    check,
    json_schema,
    load,
)
from studies.protocol.windows import Window
from studies.protocol.yaml_document import DocumentInvalid, Problem, load_document

__all__ = [
    "DocumentInvalid",
    "Problem",
    "ProtocolDefinition",
    "Window",
    "cached_definition",
    "check",
    "json_schema",
    "load",
    "load_document",
]
