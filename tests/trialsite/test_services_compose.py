"""docker-compose.yml: each process holds its own credentials and volumes and nobody else's.

There is no container engine in the suite: the file is read with its anchors merged, as compose reads it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ruamel.yaml import YAML

from trialsite.services.broker import MESSAGES, QUEUES
from trialsite.services.connection import database_url
from trialsite.services.credentials import BROKER_ROLES
from trialsite.services.deployment import environment_file
from trialsite.services.layout import CHECKOUT, Layout
from trialsite.services.postgres import Postgres
from trialsite.services.roles import LOGIN_ROLES, ROLE_ATTRIBUTES
from trialsite.services.servers import embedded_servers, remove_site
from trialsite.services.site import MESSENGER, SILENT, site_processes

TEXT = (CHECKOUT / "docker-compose.yml").read_text()
DOCUMENT: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
RUNNING = ("web", "closed", "worker-blinded", "worker-messages", "worker-unblinded", "beat")
ONCE = ("accounts", "roles", "migrate")


def environment(service: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[service].get("environment", {})
    return found


def secrets_of(service: str) -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+)", str(environment(service)))) & {
        name for name in re.findall(r"^([A-Z_]+)=", environment_file(), re.MULTILINE) if "PASSWORD" in name
    }


def volumes(service: str) -> dict[str, str]:
    """Volume -> rw or ro."""
    found = {}
    for entry in SERVICES[service].get("volumes", []):
        source, _target, *mode = entry.rsplit(":", 2) if entry.endswith((":ro", ":rw")) else entry.rsplit(":", 1)
        found[source] = mode[0] if mode else "rw"
    return found


def test_every_part_of_a_running_site_is_a_service_and_no_other() -> None:
    assert {process.name for process in site_processes(8000)} == set(RUNNING)
    assert set(SERVICES) == {"postgres", "redis", *RUNNING, *ONCE, "backup"}


@pytest.mark.parametrize("process", site_processes(8000), ids=lambda process: process.name)
def test_a_process_has_the_role_the_door_and_the_broker_account_it_has_in_the_demo(process: Any) -> None:
    found = environment(process.name)
    assert found["DB_ROLE"] == process.role
    assert found["DATABASE_URL"].startswith(f"postgresql://{process.role}:${{{process.role.upper()}_PASSWORD:?}}@")
    account = process.broker_account
    assert found["REDIS_URL"].startswith(f"redis://{account}:${{BROKER_{account.upper()}_PASSWORD:?}}@")
    if process.name in ("web", "closed"):
        assert found["TRIALSITE_DOOR"] == process.door


@pytest.mark.parametrize("service", RUNNING)
def test_a_running_process_knows_two_passwords_its_own_and_no_other(service: str) -> None:
    role, account = environment(service)["DB_ROLE"], environment(service)["REDIS_URL"].split(":")[1][2:]
    assert secrets_of(service) == {f"{role.upper()}_PASSWORD", f"BROKER_{account.upper()}_PASSWORD"}


def test_the_doors_sign_with_different_keys() -> None:
    keys = {service: environment(service)["TRIALSITE_SECRET_KEY"] for service in RUNNING}
    closed = {service for service, key in keys.items() if "CLOSED" in key}
    assert closed == {"closed", "worker-unblinded"}
    assert all("OPEN" in keys[service] for service in set(RUNNING) - closed)


def test_closed_files_are_mounted_on_the_closed_side_only() -> None:
    holders = {service: volumes(service)["closed"] for service in RUNNING if "closed" in volumes(service)}
    assert holders == {"closed": "ro", "worker-unblinded": "rw"}


def test_cuts_are_written_by_the_blinded_worker_and_read_by_the_others() -> None:
    holders = {service: volumes(service)["cuts"] for service in RUNNING if "cuts" in volumes(service)}
    assert holders == {"web": "ro", "worker-blinded": "rw", "worker-unblinded": "ro"}


def test_what_sees_everything_runs_only_by_hand_and_keeps_nothing_open() -> None:
    assert SERVICES["backup"]["profiles"] == ["backup"]
    assert SERVICES["backup"]["restart"] == "no"
    assert "ports" not in SERVICES["backup"]


def test_each_key_is_held_by_the_services_that_need_it() -> None:
    """The desk shows how to reach participants, and the worker of messages writes to them."""
    holders = {(key, name) for name, service in SERVICES.items() for key in service.get("secrets", [])}
    assert holders == {("identity_key", "web"), ("identity_key", "worker-messages"), ("backup_key", "backup")}
    # Who writes to participants also knows the mail server: the desk mails a link that a coordinator asks for.
    assert {name for name in RUNNING if "TRIALSITE_SMTP" in environment(name)} == {"web", "worker-messages"}


def test_only_the_doors_can_be_reached_and_from_this_machine_only() -> None:
    ports = {service: SERVICES[service]["ports"] for service in SERVICES if "ports" in SERVICES[service]}
    assert set(ports) == {"web", "closed"}
    assert all(entry.startswith("127.0.0.1:") for entries in ports.values() for entry in entries)
    assert DOCUMENT["networks"]["inside"]["internal"] is True
    # The worker of messages sends e-mails; it listens at no port.
    assert SERVICES["worker-messages"]["networks"] == ["inside", "edge"]
    others = set(SERVICES) - set(ports) - {"worker-messages"}
    assert all(SERVICES[service]["networks"] == ["inside"] for service in others)


@pytest.mark.parametrize("service", ["postgres", "redis", *RUNNING])
def test_everything_that_stays_has_a_health_check_and_comes_back(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]
    assert SERVICES[service]["restart"] == "unless-stopped"


@pytest.mark.parametrize("service", [*RUNNING, *ONCE, "backup"])
def test_a_process_of_ours_cannot_write_to_its_image_nor_gain_rights(service: str) -> None:
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]


def test_each_worker_serves_its_own_queue_only_and_its_health_is_asked_of_that() -> None:
    for queue in QUEUES:
        service = SERVICES[f"worker-{queue}"]
        command, health = service["command"], service["healthcheck"]["test"]
        assert command[command.index("-Q") + 1] == queue
        assert set(SILENT) < set(command)
        assert health[-1] == (queue if queue == MESSAGES else "trialsite.services.alive")
    assert set(MESSENGER) - {"--prefetch-multiplier=1"} < set(SERVICES["worker-messages"]["command"])


def test_the_server_logs_as_little_as_the_embedded_one(tmp_path: Path) -> None:
    class NoPrograms:
        postgres = tmp_path

    embedded = Postgres(Layout(tmp_path), NoPrograms()).command()  # type: ignore[arg-type]
    quiet = [word for word in embedded if word.startswith("log_") and word != "log_timezone=UTC"]
    assert len(quiet) == 2
    assert set(quiet) < set(SERVICES["postgres"]["command"])


def test_images_are_pinned_to_a_version() -> None:
    images = {service["image"] for service in SERVICES.values()}
    bases = set(re.findall(r"^FROM (\S+)", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE))
    assert all(re.search(r":\d+\.\d+", image) for image in images | bases), images | bases


def test_the_image_runs_as_nobody_in_particular() -> None:
    lines = (CHECKOUT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER trial"]
    assert "user" not in SERVICES["web"]


def test_the_generated_environment_holds_every_variable_that_compose_insists_on() -> None:
    wanted = set(re.findall(r"\$\{([A-Z_]+):\?\}", TEXT))
    given = dict(re.findall(r"^([A-Z_]+)=(.+)$", environment_file(), re.MULTILINE))
    assert wanted == set(given)
    again = dict(re.findall(r"^([A-Z_]+)=(.+)$", environment_file(), re.MULTILINE))
    secret = [name for name in given if "PASSWORD" in name or "SECRET" in name]
    assert all(given[name] != again[name] and len(given[name]) >= 32 for name in secret)


def test_compose_creates_the_same_roles_as_the_embedded_server(tmp_path: Path) -> None:
    """The commands of the one-shot services, run against a server whose roles they have to correct."""
    with embedded_servers(tmp_path / "var") as layout:
        new = {role: f"{role}-" + "p" * 32 for role in LOGIN_ROLES}
        variables = {f"TRIALSITE_{role.upper()}_PASSWORD": password for role, password in new.items()}
        superuser = database_url("postgres", "trial_of_compose", layout)
        run_command("create_roles", variables | {"DATABASE_URL": superuser})
        old = database_url("app", "trial_of_compose", layout)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(old)
        address = re.sub(r"app:[^@]+@", f"app:{new['app']}@", old)
        with psycopg.connect(address) as connection:
            rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'").fetchall()
        assert {row[0] for row in rows} == {"postgres", *ROLE_ATTRIBUTES}
    remove_site(layout)


def test_compose_gives_the_broker_the_same_accounts_as_the_embedded_one(tmp_path: Path) -> None:
    variables = {f"TRIALSITE_BROKER_{account.upper()}_PASSWORD": account * 8 for account in BROKER_ROLES}
    target = tmp_path / "accounts.acl"
    run_command("broker_accounts", variables | {"DATABASE_URL": "postgresql://none@localhost/none"}, str(target))
    lines = target.read_text().splitlines()
    assert lines[0] == "user default off resetchannels -@all"
    assert [line.split()[1] for line in lines[1:]] == list(BROKER_ROLES)
    assert "appappapp" not in target.read_text()


def run_command(name: str, variables: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", name, *arguments],
        cwd=CHECKOUT,
        env=os.environ | {"REDIS_URL": "redis://none@localhost", "TRIALSITE_SECRET_KEY": "k" * 60} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
