"""`make smoke`: the main job of a site, done over HTTP as its people do it, against a running demo.

    OPEN_DOOR=http://... CLOSED_DOOR=http://... python -m tests.journeys.smoke

One line a step; the last is `smoke: N steps passed`. At the first step that fails: which, and why; exit 1.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable

from tests.journeys import conduct_steps, look_steps, participant_steps
from tests.journeys.journey import Journey, StepFailed

STEPS: tuple[Callable[[Journey], None], ...] = (
    conduct_steps.doors_are_ready,
    conduct_steps.a_wrong_password_opens_nothing,
    conduct_steps.the_coordinator_sees_today,
    conduct_steps.the_coordinator_enrols,
    conduct_steps.nothing_is_collected_before_consent,
    conduct_steps.consent_is_signed,
    conduct_steps.the_site_enters_what_it_found,
    conduct_steps.nobody_is_randomised_unseen,
    conduct_steps.the_investigator_includes,
    conduct_steps.the_coordinator_randomises,
    conduct_steps.the_rater_enters_qst,
    conduct_steps.the_coordinator_fills_in_a_form,
    conduct_steps.a_correction_needs_a_reason,
    participant_steps.the_participant_fills_in_a_form_alone,
    look_steps.the_data_manager_orders_a_cut,
    look_steps.a_look_is_ordered,
    look_steps.the_open_result_is_read,
    look_steps.the_closed_result_is_not_at_the_open_door,
    look_steps.the_open_token_is_refused_at_the_closed_door,
    look_steps.the_dsmb_reads_the_closed_result,
    look_steps.the_pharmacist_sees_no_result,
    conduct_steps.participants_are_exported,
    conduct_steps.the_coordinator_signs_out,
)


def main() -> int:
    """Take the steps in order; the exit code."""
    journey = Journey(os.environ["OPEN_DOOR"], os.environ["CLOSED_DOOR"])
    for number, step in enumerate(STEPS, start=1):
        began = time.monotonic()
        about = (step.__doc__ or "").strip()
        try:
            step(journey)
        except Exception as error:
            if not isinstance(error, StepFailed):
                traceback.print_exc()
            sys.stdout.write(f"{number:3}. FAILED: {about}\n     {type(error).__name__}: {error}\n")
            return 1
        sys.stdout.write(f"{number:3}. {about} ({time.monotonic() - began:.1f} s)\n")
        sys.stdout.flush()
    sys.stdout.write(f"smoke: {len(STEPS)} steps passed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
