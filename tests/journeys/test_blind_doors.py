"""The blind from outside: every list of the API for every role, the broker, the tasks, error pages and logs.

Whoever holds the tokens of all roles of the open door, or the credentials of its broker, is told no arm, and who
must not see side effects is not told of them by a filter, an order, a count or another form of answer.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.db import connection
from django.test import Client
from django.urls import get_resolver
from rest_framework.authtoken.models import Token

from analysis.tasks import run_job
from studies.api import views as studies_api
from studies.closed_side import read_arm
from studies.models import ClosedAccount, Study
from tests.conftest import django_as
from tests.studies.intruder import arm_in
from tests.trialsite.busy_site import CADSS_TOTAL, PRESSURE, BusySite
from trialsite import urls_closed
from trialsite.celery import app as celery
from trialsite.services.connection import database_url, redis_url
from trialsite.services.layout import Layout
from trialsite.urls_api import router

LISTS = sorted(prefix for prefix, *_ in router.registry)
BLIND = ("efficacy_rater", "monitor", "data_manager", "statistician", "coordinator", "auditor")


def answers(busy: BusySite, role: str, path: str) -> bytes:
    """The answer to somebody who comes with the token of a role."""
    token, _ = Token.objects.get_or_create(user=busy.people[role])
    answer = Client(headers={"Authorization": f"Token {token.key}"}).get(path)
    # Jobs are no records: they come as JSON alone.
    assert answer.status_code in (200, 400) or "jobs/?format=csv" in path, (role, path, answer.status_code)
    return bytes(answer.content)


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("name", LISTS)
def test_no_list_tells_blind_roles_of_side_effects_or_anybody_of_an_arm(busy: BusySite, name: str, form: str):
    for role in (*BLIND, "infusion_nurse", "investigator", "administrator"):
        told = answers(busy, role, f"/api/v1/{name}/?format={form}&page_size=5000").decode()
        assert not arm_in(told), role
        if role in BLIND:
            assert "cadss" not in told.lower(), role
            assert not {f"{CADSS_TOTAL}.0", f"{PRESSURE}.00"} & set(told.replace(",", " ").replace('"', " ").split())


# What a caller could add to an address to be told by what is missing, by the order, or by the number.
PROBES = [
    "scores__number__gt=40",
    "responses__scores__number__gt=40",
    "participant__scores__number__gt=40",
    "response__scores__number__gt=40",
    "infusion__readings__value__gt=150",
    "participant__infusion__readings__value__gt=150",
    "readings__value__gt=150",
    "safety_events__rule=S02",
    "findings__key=cadss_total",
    "participant__findings__number__gt=40",
    "safety_alerts__code=INFUSION_HOLD_S16",
    "arm=KET",
    "allocation__arm=KET",
    "ordering=-participant__infusion__readings__value",
    "order_by=-scores__number",
    "o=-scores__number",
    "search=cadss23",
    "fields=arm,scores",
    "expand=readings",
    "include=readings,scores",
]


@pytest.mark.django_db
@pytest.mark.parametrize("probe", PROBES)
def test_no_list_can_be_probed_with(busy: BusySite, probe: str):
    for name in LISTS:
        plain = json.loads(answers(busy, "data_manager", f"/api/v1/{name}/?page_size=5000"))
        probed = json.loads(answers(busy, "data_manager", f"/api/v1/{name}/?page_size=5000&{probe}"))
        assert "results" not in probed or probed["results"] == plain["results"], name


@pytest.mark.django_db
def test_a_filter_for_a_side_effect_finds_for_a_rater_what_a_filter_for_nonsense_finds(busy: BusySite):
    for name, field in (("responses", "instrument__key"), ("scores", "response__instrument__key")):
        for role in BLIND:
            found = json.loads(answers(busy, role, f"/api/v1/{name}/?{field}=cadss23"))["results"]
            assert found == [], (role, name)
        seen = json.loads(answers(busy, "infusion_nurse", f"/api/v1/{name}/?{field}=cadss23"))["results"]
        assert seen, name


def _closed_paths() -> list[str]:
    patterns = (str(each.pattern) for each in urls_closed.urlpatterns)
    filled = (
        p.replace("<int:number>", "1").replace("<str:cut>", "KALM-1").replace("<str:file>", "x") for p in patterns
    )
    return [path for path in filled if path and path not in ("healthz", "readyz")]


@pytest.mark.django_db
@pytest.mark.parametrize("path", _closed_paths())
@pytest.mark.parametrize("root", ["/", "/admin/", "/api/v1/", "/closed/"])
def test_no_address_of_the_closed_door_leads_anywhere_here(busy: BusySite, root: str, path: str):
    browser = busy.as_("administrator")
    answer = browser.get(f"{root}{path}", follow=True)
    told = answer.getvalue().decode()
    assert answer.status_code == 404 or not arm_in(told)
    assert not any(word in told.lower() for word in ("conditional power", "sealed", "unblinded cut"))


def test_the_open_door_has_no_pattern_that_names_a_closed_view():
    views = [str(pattern) for pattern in get_resolver("trialsite.urls_open").url_patterns]
    assert not any("trialsite.closed" in view for view in views)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/api/v1/studies/", "/admin/participants/"])
def test_an_error_page_tells_neither_statement_nor_setting_nor_schema(
    monkeypatch: pytest.MonkeyPatch, settings: Any, path: str
):
    """A page that asks for what is concealed, by mistake or by injection, fails without a word about it."""
    assert settings.DEBUG is False

    def ask(*_: Any, **__: Any) -> Any:
        return list(ClosedAccount.objects.all())

    monkeypatch.setattr(studies_api, "visible_studies", ask)
    monkeypatch.setattr("trialsite.desk.participants.visible_participants", ask)
    Study.objects.exists()
    from tests import factories

    person = factories.person("dana", factories.kalm().study, "data_manager")
    browser = Client(raise_request_exception=False)
    browser.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    answer = browser.get(path)
    assert answer.status_code in (403, 500)
    told = answer.content.decode()
    for word in ("concealed", "Traceback", "SELECT", "permission denied", "psycopg", "postgresql://", "password"):
        assert word not in told, word


# The broker ------------------------------------------------------------------------------------------------

AT_THE_BROKER = {
    "watching what others say": ("MONITOR",),
    "all keys": ("KEYS", "*"),
    "a walk through the keys": ("SCAN", "0"),
    "some key": ("RANDOMKEY",),
    "how many keys there are": ("DBSIZE",),
    "the queue of the unblinded worker": ("LRANGE", "unblinded", "0", "-1"),
    "one message of that queue": ("LINDEX", "unblinded", "0"),
    "taking a message from it": ("RPOP", "unblinded"),
    "waiting for a message from it": ("BRPOP", "unblinded", "1"),
    "moving messages to his own queue": ("LMOVE", "unblinded", "blinded", "LEFT", "RIGHT"),
    "moving messages by the old command": ("RPOPLPUSH", "unblinded", "blinded"),
    "copying the queue": ("COPY", "unblinded", "blinded.copy"),
    "renaming the queue": ("RENAME", "unblinded", "blinded.copy"),
    "dumping the queue": ("DUMP", "unblinded"),
    "sorting the queue": ("SORT", "unblinded"),
    "removing the queue": ("DEL", "unblinded"),
    "what the unblinded worker holds": ("HGETALL", "unblinded.unacked"),
    "one message that it holds": ("HGET", "unblinded.unacked", "x"),
    "since when it holds them": ("ZRANGE", "unblinded.unacked_index", "0", "-1"),
    "a script that reads its queue": ("EVAL", "return redis.call('LRANGE', KEYS[1], 0, -1)", "1", "unblinded"),
    "a script that hides its key": ("EVAL", "return redis.call('LRANGE', 'unblinded', 0, -1)", "0"),
    "a function": ("FUNCTION", "LIST"),
    "who is connected": ("CLIENT", "LIST"),
    "following what others change": ("CLIENT", "TRACKING", "ON", "BCAST"),
    "listening to everything": ("PSUBSCRIBE", "*"),
    "news of keys": ("CONFIG", "SET", "notify-keyspace-events", "KEA"),
    "the configuration": ("CONFIG", "GET", "*"),
    "the accounts": ("ACL", "LIST"),
    "a password of its own making": ("ACL", "SETUSER", "unblinded", "nopass"),
    "slow commands": ("SLOWLOG", "GET"),
    "the kind of a key": ("TYPE", "unblinded"),
    "the age of a key": ("OBJECT", "IDLETIME", "unblinded"),
    "the memory of a key": ("MEMORY", "USAGE", "unblinded"),
    "information about the server": ("INFO",),
    "becoming a replica": ("REPLICAOF", "localhost", "6379"),
    "the stream of a replica": ("PSYNC", "?", "-1"),
    "sending keys elsewhere": ("MIGRATE", "localhost", "1", "unblinded", "0", "1"),
    "writing to the disk": ("SAVE",),
    "pretending that the unblinded worker lives": ("SET", "unblinded.alive", "1"),
}


@pytest.fixture(scope="module")
def broker() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url("app")) as connected:
        yield connected


@pytest.mark.django_db
@pytest.mark.parametrize("command", AT_THE_BROKER.values(), ids=AT_THE_BROKER)
def test_the_open_doors_account_at_the_broker_is_refused(broker: redis.Redis, command: tuple[str, ...]):
    with pytest.raises(redis.exceptions.NoPermissionError):
        broker.execute_command(*command)


@pytest.mark.django_db
def test_a_script_that_was_loaded_reads_no_more_than_its_caller(broker: redis.Redis):
    sha = broker.execute_command("SCRIPT", "LOAD", "return redis.call('LRANGE', 'unblinded', 0, -1)")
    with pytest.raises(redis.exceptions.ResponseError, match="(?i)permission|ACL"):
        broker.execute_command("EVALSHA", sha, 0)


# The tasks -------------------------------------------------------------------------------------------------


def test_a_worker_takes_json_alone_and_keeps_no_result():
    assert set(celery.conf.accept_content) == {"json"}
    assert celery.conf.task_serializer == "json"
    assert celery.conf.result_backend is None
    assert celery.conf.task_ignore_result is True
    assert celery.conf.worker_enable_remote_control is False
    assert celery.conf.worker_send_task_events is False


def test_a_message_can_call_these_tasks_of_ours_and_none_takes_more_than_a_key():
    ours = {name: task for name, task in celery.tasks.items() if not name.startswith(("celery.", "tests."))}
    assert {name.rpartition(".")[2] for name in ours} == {
        "run_job", "sweep", "due_looks",
        "remind", "tell_physicians", "escalate", "close_forms",
    }  # fmt: skip
    for task in ours.values():
        assert task.ignore_result is True
        assert task.run.__code__.co_argcount <= 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", [-1, 0, 10**18, "1", True])
def test_a_message_with_a_key_that_leads_nowhere_does_nothing_on_either_side(key: Any):
    for role in ("app", "unblinded"):
        with django_as(role):
            assert run_job.run(key) is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("key", ["../../etc", "1; DROP TABLE", None, [1], {"job": 1}, 1e400])
def test_a_message_with_something_else_than_a_key_fails_before_anything_is_read(key: Any):
    with django_as("unblinded"), pytest.raises((TypeError, ValueError, OverflowError)):
        run_job.run(key)


# What is written down --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_no_log_holds_an_arm_that_was_read(closed_site: tuple[Study, list[int]], caplog: pytest.LogCaptureFixture):
    """Neither the program's own, nor the server's, which tells of the reading and of no more."""
    study, people = closed_site
    server = _server_log()
    before = server.stat().st_size if server else 0
    with caplog.at_level(logging.DEBUG), django_as("unblinded"):
        arms = [read_arm(_Pharmacist(), participant_id=key, purpose="kit preparation") for key in people]
    assert set(arms) <= {"KET", "MDZ"}
    assert not arm_in("\n".join(str(record.__dict__) for record in caplog.records))
    with psycopg.connect(database_url("unblinded", connection.settings_dict["NAME"])) as unblinded:
        unblinded.execute("SELECT set_config('trialsite.actor', 'x', true)")
        twice = json.dumps([{"stratum": _a_stratum(study), "position": "KET", "kit_number": "K", "arm": "KET"}])
        with pytest.raises(psycopg.Error):
            unblinded.execute("SELECT concealed.store_list(%s, 1, false, %s)", [study.pk, twice])
    if server:
        with server.open() as file:
            file.seek(before)
            written = file.read()
        assert "arm read: actor phil" in written
        assert not arm_in(written)


class _Pharmacist:
    def get_username(self) -> str:
        return "phil"


@pytest.fixture
def closed_site(transactional_db: None) -> tuple[Study, list[int]]:
    """A study with a list and a few who were randomised."""
    from tests.studies.intruder import begin_trial

    trial = begin_trial(allocated=4)
    return trial.site.study, list(trial.allocated)


def _server_log() -> Path | None:
    """The log of the embedded server, where the tests run against one."""
    found = Layout.of_environment().logs / "postgres.log"
    return found if found.exists() else None


def _a_stratum(study: Study) -> str:
    return str(study.strata.order_by("code").values_list("code", flat=True)[0])
