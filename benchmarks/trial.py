"""The trial that is measured: the demo's, made in the servers of `python -m trialsite.services run`."""

from __future__ import annotations

import subprocess
import sys

from trialsite.demo import BEFORE_THE_SITE, MANAGE
from trialsite.services.layout import Layout
from trialsite.services.site import environment


def make_trial() -> None:
    """Take the demo's steps, each as its role. Exits with the output of the step that fails."""
    layout = Layout.of_environment()
    for step in BEFORE_THE_SITE:
        sys.stderr.write(f"  {step.label} ...\n")
        done = subprocess.run(
            (*MANAGE, *step.command), env=environment(step.role, layout), capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"`manage.py {step.words}` failed:\n{done.stdout}{done.stderr}")
