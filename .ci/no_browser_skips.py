"""Exit with 1 when a browser test was skipped: in CI that would be a test nobody runs."""

import sys
from xml.etree import ElementTree

report = ElementTree.parse(sys.argv[1])  # noqa: S314 - the report that pytest has just written
skipped = [
    case.get("name", "")
    for case in report.iter("testcase")
    if case.find("skipped") is not None and case.get("classname", "").startswith("tests.browser")
]
if skipped:
    sys.stderr.write(f"{len(skipped)} browser tests were skipped, which CI does not accept: {skipped[:5]}\n")
    sys.exit(1)
