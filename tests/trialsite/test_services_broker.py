"""Celery between the two sides, with real workers: what arrives, what is refused, what a killed worker held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import redis

from trialsite.services import alive
from trialsite.services.broker import QUEUES
from trialsite.services.connection import redis_url
from trialsite.services.layout import CHECKOUT, Layout
from trialsite.services.servers import embedded_servers, remove_site
from trialsite.services.site import MESSENGER, WORKER
from trialsite.services.waiting import wait_until

APPLICATION = textwrap.dedent(
    """
    import os, time
    from pathlib import Path
    from celery import Celery
    from trialsite.services.broker import celery_settings

    app = Celery("small")
    app.conf.update(celery_settings(os.environ["REDIS_URL"], os.environ["SIDE"]))
    app.conf.update(task_acks_late=True, broker_connection_retry_on_startup=True)

    @app.task(name="note", bind=True)
    def note(self, word):
        place = Path(os.environ["NOTES"])
        with place.open("a") as file:
            file.write(f"{self.request.delivery_info['routing_key']} {word}\\n")
        if word == "stay":
            time.sleep(600)
    """
)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    place = tmp_path_factory.mktemp("broker")
    (place / "small.py").write_text(APPLICATION)
    with embedded_servers(place / "var") as found:
        yield found
    remove_site(found)


def environment(layout: Layout, account: str, side: str) -> dict[str, str]:
    place = layout.var.parent
    own = {"REDIS_URL": redis_url(account, layout), "SIDE": side, "NOTES": str(place / "notes")}
    # With settings in sight Celery would load the whole site, whose worker also shows its life.
    inherited = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return inherited | own | {"PYTHONPATH": os.pathsep.join([str(place), str(CHECKOUT)])}


def start_worker(layout: Layout, queue: str) -> subprocess.Popen[bytes]:
    account, side = ("unblinded", queue) if queue == "unblinded" else ("app", "blinded")
    manner = MESSENGER if queue == "messages" else WORKER
    command = [sys.executable, "-m", "celery", "--quiet", "--app", "small", "worker", "-Q", queue, *manner]
    return subprocess.Popen(
        command,
        cwd=layout.var.parent,
        env=environment(layout, account, side),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def send(layout: Layout, account: str, queue: str, word: str) -> subprocess.CompletedProcess[str]:
    side = "unblinded" if account == "unblinded" else "blinded"
    code = f"import small; small.note.apply_async(({word!r},), queue={queue!r}, retry=False)"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=layout.var.parent,
        env=environment(layout, account, side),
        capture_output=True,
        text=True,
        check=False,
    )


def notes(layout: Layout) -> list[str]:
    path: Path = layout.var.parent / "notes"
    return path.read_text().splitlines() if path.exists() else []


def kill_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_each_worker_works_off_its_own_queue_and_needs_no_right_it_has_not(layout: Layout) -> None:
    workers = [start_worker(layout, queue) for queue in QUEUES]
    try:
        for account in ("app", "beat"):
            for queue in QUEUES:
                done = send(layout, account, queue, f"from-{account}")
                assert done.returncode == 0, done.stderr
        expected = {f"{queue} from-{account}" for account in ("app", "beat") for queue in QUEUES}
        assert wait_until(lambda: set(notes(layout)) == expected, 60), notes(layout)
        refused = send(layout, "unblinded", "blinded", "from-unblinded")
        assert "No permissions" in refused.stderr
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)
    with redis.Redis.from_url(redis_url("keeper", layout)) as keeper:
        denied = {(entry["username"], entry["object"]) for entry in keeper.acl_log()}
        left = {key.decode() for key in keeper.keys("*")}
    assert denied == {("unblinded", "blinded")}, "only the one attempt above was refused"
    assert left == set(), "no bindings, no unfinished messages, nothing of one side that the other could find"


def test_the_message_of_a_killed_worker_is_kept_under_its_own_side(layout: Layout) -> None:
    worker = start_worker(layout, "unblinded")
    try:
        assert send(layout, "app", "unblinded", "stay").returncode == 0
        assert wait_until(lambda: "unblinded stay" in notes(layout), 60)
    finally:
        kill_group(worker)
    with redis.Redis.from_url(redis_url("unblinded", layout)) as broker:
        assert len(broker.hget("unblinded.unacked", _only_tag(layout)) or b"") > 0
    with (
        redis.Redis.from_url(redis_url("app", layout)) as blinded,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        blinded.hget("unblinded.unacked", _only_tag(layout))


def _only_tag(layout: Layout) -> str:
    with redis.Redis.from_url(redis_url("keeper", layout)) as keeper:
        (tag,) = keeper.hkeys("unblinded.unacked")
        return tag.decode()


def test_a_sign_of_life_is_seen_by_the_open_door_and_forgotten_when_nobody_renews_it(layout: Layout) -> None:
    for side, account in (("blinded", "app"), ("messages", "app"), ("unblinded", "unblinded")):
        assert not alive.lives(redis_url("app", layout), side)
        with redis.Redis.from_url(redis_url(account, layout)) as broker:
            broker.set(f"{side}.alive", "1", ex=1)
        assert alive.lives(redis_url("app", layout), side)
        assert wait_until(partial(_is_forgotten, layout, side), 5)


def _is_forgotten(layout: Layout, side: str) -> bool:
    return not alive.lives(redis_url("app", layout), side)


def test_neither_side_can_pretend_that_the_other_lives(layout: Layout) -> None:
    for account, other in (("app", "unblinded"), ("unblinded", "blinded"), ("unblinded", "messages")):
        with (
            redis.Redis.from_url(redis_url(account, layout)) as broker,
            pytest.raises(redis.exceptions.NoPermissionError),
        ):
            broker.set(f"{other}.alive", "1")
