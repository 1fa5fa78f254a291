"""The embedded Valkey: the broker between the doors and the workers, with an account for each side."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Mapping

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trialsite.services.binaries import Programs
from trialsite.services.connection import redis_url
from trialsite.services.credentials import BROKER_ROLES, passwords
from trialsite.services.identity import give_to_servers
from trialsite.services.layout import Layout
from trialsite.services.waiting import wait_until

# What kombu 5.7 was seen to send (docs/operations.md tells how to look again), and nothing more. Keys are the
# queues `blinded`, `messages` and `unblinded`, `SIDE.unacked*` (what a worker of that side holds unfinished) and
# `QUEUE.alive` (its worker's sign of life, which the open door may see of all).
TALK = "+hello +auth +ping +client|setinfo +client|setname +multi +exec +discard +watch +unwatch"
WORK = (
    "+brpop +rpop +lpush +rpush +llen +exists +hset +hget +hdel +zadd +zrem +zrange +set +get +del "
    "+evalsha +script|load"
)
# Write-only: whoever may put a message into a queue cannot take one out, nor look at one.
PUT = "+lpush +llen"
BLINDED_KEYS = "~blinded ~blinded.* ~messages ~messages.alive"
ACCOUNT_RULES = {
    "app": f"{BLINDED_KEYS} {TALK} {WORK} (%W~unblinded {PUT}) (%R~unblinded.alive +get)",
    "unblinded": f"~unblinded ~unblinded.* {TALK} {WORK}",
    "beat": f"%W~blinded %W~messages %W~unblinded {TALK} {PUT}",
    "keeper": "~* &* +@all",
}


def acl_lines(known: Mapping[str, str]) -> list[str]:
    """The lines of an ACL file; `known` holds a password for each of BROKER_ROLES, kept as SHA-256 only."""
    lines = ["user default off resetchannels -@all"]
    for account in BROKER_ROLES:
        digest = hashlib.sha256(known[account].encode()).hexdigest()
        lines.append(f"user {account} reset on #{digest} {ACCOUNT_RULES[account]}")
    return lines


class Valkey:
    """The Valkey of one var/."""

    name = "valkey"
    stop_signal = signal.SIGTERM
    grace = 20.0

    def __init__(self, layout: Layout, programs: Programs) -> None:
        self.layout = layout
        self.programs = programs

    def prepare_start(self) -> None:
        """Write the configuration; stop a server whose supervisor was killed."""
        self._stop_leftover()
        data = self.layout.valkey_data
        data.mkdir(exist_ok=True, mode=0o700)
        known = passwords(self.layout.credentials)
        acl = data / "accounts.acl"
        acl.write_text("\n".join(acl_lines({role: known[f"broker-{role}"] for role in BROKER_ROLES})) + "\n")
        for path in (data, acl):
            give_to_servers(path)
        acl.chmod(0o600)

    def command(self) -> list[str]:
        """The command line of the server; it stays in the foreground and listens on a unix socket only."""
        options = {
            "port": "0",
            "unixsocket": str(self.layout.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(self.layout.valkey_data),
            "aclfile": str(self.layout.valkey_data / "accounts.acl"),
            "appendonly": "yes",
            "aof-load-truncated": "yes",  # a power cut may cut the last entry in two
            "save": "",
            "daemonize": "no",
            "logfile": "",
        }
        settings = [word for name, value in options.items() for word in (f"--{name}", value)]
        return [str(self.programs.valkey_server), *settings]

    def is_up(self) -> bool:
        """Whether the server answers now."""
        try:
            with self._connect() as connection:
                return bool(connection.ping())
        except (redis.ConnectionError, redis.AuthenticationError):
            return False

    def _connect(self) -> redis.Redis[bytes]:
        at_once = Retry(NoBackoff(), 0)  # whoever waits for a server asks again by himself
        return redis.Redis.from_url(redis_url("keeper", self.layout), socket_timeout=5, retry=at_once)

    def _stop_leftover(self) -> None:
        if self.is_up():
            with self._connect() as connection:
                connection.shutdown(save=False)
            wait_until(lambda: not self.is_up(), self.grace)
