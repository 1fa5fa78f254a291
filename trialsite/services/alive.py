"""A worker's sign of life: a key at the broker that vanishes when nobody renews it.

python -m trialsite.services.alive [QUEUE]    exit 0 when the worker of that queue lives (for health checks);
                                              without a name the queue of this process's side
"""

from __future__ import annotations

import logging
import os
import sys
import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

EVERY = 5.0  # seconds
FORGOTTEN_AFTER = 20  # seconds
_log = logging.getLogger(__name__)


def side_of(role: str) -> str:
    """The side on which a process of this database role works: blinded or unblinded."""
    return "unblinded" if role == "unblinded" else "blinded"


def connect(url: str) -> redis.Redis[bytes]:
    """A connection that fails at once instead of waiting for the broker to come back."""
    return redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0))


def lives(url: str, queue: str) -> bool:
    """Whether a worker of `queue` renewed its sign of life in time.

    Raises redis.RedisError when the broker does not answer.
    """
    with connect(url) as broker:
        return broker.get(f"{queue}.alive") is not None


def renew_for_ever(url: str, queue: str) -> None:
    """Renew the sign of life of this worker from a thread that ends with the process."""
    threading.Thread(target=_renew, args=(url, queue), name="sign of life", daemon=True).start()


def _renew(url: str, queue: str) -> None:
    waiting = threading.Event()
    while True:
        try:
            with connect(url) as broker:
                broker.set(f"{queue}.alive", "1", ex=FORGOTTEN_AFTER)
        except redis.RedisError:
            _log.warning("The sign of life could not be renewed; trying again.")
        waiting.wait(EVERY)


if __name__ == "__main__":
    asked = sys.argv[1] if len(sys.argv) > 1 else side_of(os.environ["DB_ROLE"])
    sys.exit(0 if lives(os.environ["REDIS_URL"], asked) else 1)
