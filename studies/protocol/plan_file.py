"""An analysis plan in a file of its own: the section `analysis` of a protocol, refined while the protocol stands."""

from __future__ import annotations

from studies.protocol.analysis_plan import AnalysisPlan
from studies.protocol.analysis_references import mistakes_in_analysis
from studies.protocol.definition import ProtocolDefinition
from studies.protocol.section import Section
from studies.protocol.yaml_document import DocumentInvalid, load_document, locate


class PlanFile(Section):
    """What a plan file holds: one key, `analysis`."""

    analysis: AnalysisPlan


def load_plan(text: str, protocol: ProtocolDefinition, *, source: str) -> AnalysisPlan:
    """Read a plan file against the protocol it is for. Raises DocumentInvalid with every mistake and its line."""
    plan = load_document(text, PlanFile, source=source).analysis
    sections = {name: getattr(protocol, name) for name in type(protocol).model_fields} | {"analysis": plan}
    mistakes = list(mistakes_in_analysis(sections))
    if mistakes:
        raise DocumentInvalid(source, locate(text, mistakes, source=source))
    return plan
