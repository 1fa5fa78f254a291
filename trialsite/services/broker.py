"""How Celery uses the broker: a queue for each side, one for messages to people, and nothing that both sides read."""

from __future__ import annotations

from typing import Any

from kombu.entity import Exchange, Queue

from trialsite.services.connection import broker_url

SIDES = ("blinded", "unblinded")
# Alerts and reminders, on the blinded side: no look, however long, lets them wait.
MESSAGES = "messages"
QUEUES = (*SIDES, MESSAGES)
# Longer than any job: a message that a living worker holds must not be handed to another. What a dead worker
# held comes back by the sweep over the jobs in the database, not by this.
VISIBILITY_TIMEOUT = 24 * 3600


def celery_settings(url: str, side: str) -> dict[str, Any]:
    """Celery's settings, lower-case names, for a process of `side` that reaches the broker at `url`.

    Queues hang on the nameless exchange, so that no table of bindings is needed which one side could change
    for the other; what a worker holds unfinished is kept under its own side's keys.
    """
    return {
        "broker_url": broker_url(url),
        "broker_transport_options": {
            "unacked_key": f"{side}.unacked",
            "unacked_index_key": f"{side}.unacked_index",
            "unacked_mutex_key": f"{side}.unacked_mutex",
            "priority_steps": [0],
            "queue_order_strategy": "priority",
            "visibility_timeout": VISIBILITY_TIMEOUT,
        },
        "task_queues": [_queue(name) for name in QUEUES],
        "task_default_queue": side,
        "task_default_exchange": "",
        "task_default_routing_key": side,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "task_ignore_result": True,
    }


def _queue(name: str) -> Queue:
    return Queue(name, Exchange(""), routing_key=name)  # type: ignore[no-untyped-call]
