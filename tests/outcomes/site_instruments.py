"""An instrument that a site adds by itself, for tests."""

from __future__ import annotations

CHECKLIST = """\
key: rest3
version: "1.0"
scoring_version: "1"
name: Three questions on rest
dimension: F
higher_is: worse
recall: now
licence: {class: PD, source: written for this test}
items:
  all: {min: 0, max: 4}
  1: {label: Tired}
  2: {label: Rested}
  3: {label: Weak}
scores:
  total:
    rule: sum
    of: [1-3]
    missing: 2/3
    range: [0, 12]
    bands: {as: band, words: {low: 0, high: 6}}
sources: [{says: everything, cite: this test, evidence: decision}]
examples:
  - {says: "4 + 2, prorated over three", items: {1: 4, 2: 2, 3: 0}, scores: {total: 6, band: high}}
"""
