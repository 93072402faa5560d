"""What `docker-compose.yml` and the Dockerfile promise, read from the files themselves."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from sandbox.modelop.accounts import SERVICE_ACCOUNT
from tests.setting_fields import FIELDS
from worker.settings import WorkerSettings
from worker.settings_faults import ENV_FILE_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
PRODUCTION = sorted(name for name, service in SERVICES.items() if service["profiles"] == ["production"])
DOCKERFILE = (ROOT / "Dockerfile").read_text()

# What the images of others bring along, after the files that they are built from.
BINARIES_OF_OTHERS = {"temporalio/temporal": {"temporal"}, "temporalio/server": {"nc"}, "postgres": {"pg_isready"}}
SECRET_NAMES = re.compile(r"PASSWORD|SECRET|TOKEN|API_KEY|_PWD|ENCRYPTION__KEYS")
# The seeded account of the sandboxes, and what is handed through from `.env`; nothing else may stand in the file.
HARMLESS = re.compile(rf"|{re.escape(SERVICE_ACCOUNT.password)}|\[\]|.*\$\{{[A-Z_]+:-(local-sandbox-only|\[\])?\}}.*")
FLOATING = re.compile(r"(:latest|:\d+|:[a-z]+)?$")


def environment(name: str) -> dict[str, str]:
    return {variable: str(value) for variable, value in SERVICES[name].get("environment", {}).items()}


def seconds(duration: str) -> float:
    return sum(
        float(number) * {"s": 1, "m": 60, "h": 3600}[unit] for number, unit in re.findall(r"(\d+)([smh])", duration)
    )


def test_there_are_the_two_profiles_and_every_service_belongs_to_one() -> None:
    assert {tuple(service["profiles"]) for service in SERVICES.values()} == {("local",), ("production",)}
    assert {"temporal", "modelop", "jira", "local-relay", "local-worker"} <= SERVICES.keys() - set(PRODUCTION)
    assert {"postgresql", "schema", "temporal-server", "namespace", "web-ui", "relay", "worker"} <= set(PRODUCTION)
    assert SERVICES["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("profile", ["local", "production"])
def test_what_a_service_waits_for_is_in_its_own_profile_and_can_be_waited_for(profile: str) -> None:
    members = {name: service for name, service in SERVICES.items() if service["profiles"] == [profile]}
    awaited = [
        (other, how["condition"])
        for service in members.values()
        for other, how in service.get("depends_on", {}).items()
    ]
    assert awaited and {other for other, _ in awaited} <= members.keys()
    assert all("healthcheck" in members[other] for other, condition in awaited if condition == "service_healthy")


def test_ports_are_bound_to_this_machine_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) >= 8
    assert [port for port in ports if not re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)] == []
    assert "ports" not in SERVICES["postgresql"]


@pytest.mark.parametrize("profile", ["local", "production"])
def test_no_port_is_published_twice(profile: str) -> None:
    ports = [p for service in SERVICES.values() if service["profiles"] == [profile] for p in service.get("ports", [])]
    assert len(ports) == len(set(ports))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned_to_a_version(name: str) -> None:
    tag = FLOATING.search(SERVICES[name]["image"].rpartition("/")[2])
    assert tag is not None and tag[0] == "" and ":" in SERVICES[name]["image"]


def test_the_dockerfile_builds_in_stages_on_a_pinned_base_from_hashed_locks() -> None:
    bases, stages = zip(*re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE), strict=True)
    (base,) = set(bases) - set(stages)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base)
    installs = [line for line in re.split(r"&&|\n(?=[A-Z])", DOCKERFILE.replace("\\\n", " ")) if "pip install" in line]
    assert len(installs) == 4
    assert all("--require-hashes" in line or "--no-deps /tmp/wheel" in line for line in installs)


def test_what_a_build_without_a_target_makes_is_the_image_of_production() -> None:
    assert re.findall(r"^FROM runtime AS (\S+)\nCOPY --from=(\S+) /opt/mlc /opt/mlc$", DOCKERFILE, re.MULTILINE) == [
        ("local", "build-local"),
        ("production", "build"),
    ]
    assert "requirements-local.lock" not in DOCKERFILE.partition("AS build-local")[0]


@pytest.mark.parametrize("name", OURS)
def test_only_the_sandboxes_are_of_the_image_with_their_packages(name: str) -> None:
    target = "local" if name in {"jira", "modelop"} else "production"
    assert SERVICES[name]["build"] == {"context": ".", "target": target}
    assert ("local" in SERVICES[name]["image"]) == (target == "local")


@pytest.mark.parametrize("name", OURS)
def test_our_image_runs_without_rights(name: str) -> None:
    service = SERVICES[name]
    user = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[-1]
    assert service["user"] == user and not user.startswith(("0", "root"))
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert any(mount.startswith("/tmp:") and "noexec" in mount for mount in service["tmpfs"])


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nobody_gains_privileges(name: str) -> None:
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert not SERVICES[name].keys() & {"privileged", "cap_add", "devices", "pid", "ipc"}
    assert SERVICES[name].get("network_mode") is None


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_stands_in_the_file(name: str) -> None:
    secrets = {variable: value for variable, value in environment(name).items() if SECRET_NAMES.search(variable)}
    assert {variable for variable, value in secrets.items() if not HARMLESS.fullmatch(value)} == set()
    if name in PRODUCTION:
        assert SERVICE_ACCOUNT.password not in secrets.values()


def test_only_workers_get_the_credentials_of_the_outside_systems() -> None:
    assert [name for name, service in SERVICES.items() if "env_file" in service] == ["worker"]
    assert environment("worker")["MLC_RELAY__SECRETS"] == "[]"
    assert environment("worker")["TEMPORAL_DATABASE_PASSWORD"] == ""
    assert not [variable for variable in environment("relay") if variable.startswith(("MLC_JIRA", "MLC_MODELOP"))]


def test_the_database_is_reached_by_its_own_server_only() -> None:
    assert COMPOSE["networks"]["database"] == {"internal": True}
    inside = {name for name, service in SERVICES.items() if "database" in service.get("networks", [])}
    assert inside == {"postgresql", "schema", "temporal-server"}
    assert "default" not in SERVICES["postgresql"]["networks"]


@pytest.mark.parametrize("name", OURS)
def test_every_setting_that_is_given_exists(name: str) -> None:
    known = {ENV_FILE_VARIABLE, *FIELDS}
    assert {variable for variable in environment(name) if variable.startswith("MLC_")} <= known


def test_all_of_production_agree_on_what_they_share() -> None:
    shared = {
        *("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "MLC_ENCRYPTION__KEYS", "MLC_ENCRYPTION__ACTIVE_KEY"),
        *("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_HEADERS"),
    }
    given = [{each: environment(name)[each] for each in sorted(shared)} for name in ("worker", "relay", "setup")]
    assert given[0] == given[1] == given[2]
    assert environment("namespace")["TEMPORAL_NAMESPACE"] == given[0]["TEMPORAL_NAMESPACE"]


def test_a_worker_takes_the_namespace_and_nothing_else_of_another_temporal_in_the_env_file() -> None:
    offered = set(re.findall(r"^#?(TEMPORAL_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert "TEMPORAL_API_KEY" in offered
    given = environment("worker")
    assert {given[name] for name in offered - {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}} == {""}


@pytest.mark.parametrize("section", ["RELAY", "LOG"])
def test_what_a_site_may_set_for_the_relay_reaches_it(section: str) -> None:
    wanted = {name for name in FIELDS if name.startswith(f"MLC_{section}__")}
    assert wanted <= environment("relay").keys()


@pytest.mark.parametrize("name", ["worker", "local-worker"])
def test_a_worker_is_given_longer_to_stop_than_it_gives_itself(name: str) -> None:
    given = environment(name)["MLC_WORKER__GRACEFUL_SHUTDOWN"]
    graceful = TypeAdapter(timedelta).validate_python(given)
    assert graceful == WorkerSettings().graceful_shutdown
    assert seconds(SERVICES[name]["stop_grace_period"]) >= graceful.total_seconds() + 10


@pytest.mark.parametrize("name", sorted(name for name, service in SERVICES.items() if "healthcheck" in service))
def test_a_health_check_calls_what_its_image_has(name: str) -> None:
    kind, binary, *rest = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD"
    if name not in OURS:
        assert binary in BINARIES_OF_OTHERS[SERVICES[name]["image"].rpartition(":")[0]]
        return
    assert binary == "python" and rest[0] == "-c"
    compile(rest[1], name, "exec")
    asked = re.search(r"http://127\.0\.0\.1:(\d+)/(healthz|readyz)", rest[1])
    assert asked and asked[1] in " ".join([*environment(name).values(), *map(str, SERVICES[name].get("command", []))])


@pytest.mark.parametrize("name", OURS)
def test_what_our_image_starts_is_installed_with_it(name: str) -> None:
    entrypoint = SERVICES[name].get("entrypoint")
    if entrypoint:
        assert entrypoint[:2] == ["python", "-m"]
        assert (ROOT / entrypoint[2].replace(".", "/") / "__main__.py").is_file()
        return
    (program,) = re.findall(r'^ENTRYPOINT \["(\w+)"\]', DOCKERFILE, re.MULTILINE)
    assert f'\n{program} = "console.main:main"' in (ROOT / "pyproject.toml").read_text()
    assert SERVICES[name]["command"][0] in {"worker", "relay", "setup"}


def test_the_development_server_knows_the_options_it_is_given() -> None:
    temporal = shutil.which("temporal", path=str(Path(sys.executable).parent))
    assert temporal
    options = {str(part).partition("=")[0] for part in SERVICES["temporal"]["command"] if str(part).startswith("--")}
    assert len(options) >= 5
    binary = Path(temporal).read_bytes()
    assert {option for option in options if option.removeprefix("--").encode() not in binary} == set()


def test_files_that_are_mounted_are_there_and_readable_as_what_they_are() -> None:
    for name in ("temporal-server", "worker"):
        (mounted,) = [each for each in SERVICES[name]["volumes"] if each.startswith("./")]
        assert (ROOT / mounted.split(":")[0]).exists() and mounted.endswith(":ro")
    assert f"CA_FILE={mounted.split(':')[1]}/" in (ROOT / ".env.example").read_text()
    (mounted,) = SERVICES["temporal-server"]["volumes"]
    path, target, _ = mounted.split(":")
    dynamic = yaml.safe_load((ROOT / path).read_text())
    assert environment("temporal-server")["DYNAMIC_CONFIG_FILE_PATH"] == target
    assert all(constraint.keys() >= {"value"} for values in dynamic.values() for constraint in values)
    flag = next(part for part in SERVICES["temporal"]["command"] if "TriggerSearchAttribute" in part)
    name, _, value = flag.removeprefix("--dynamic-config-value=").partition("=")
    assert dynamic[name] == [{"value": int(value)}]


@pytest.mark.parametrize("name", ["schema", "namespace"])
def test_scripts_of_the_one_time_services_are_readable_shell(name: str) -> None:
    assert SERVICES[name]["entrypoint"] == ["/bin/sh", "-euc"]
    (script,) = SERVICES[name]["command"]
    # Compose takes a single dollar for a variable of its own.
    assert "$" not in script.replace("$$", "")
    assert shlex.split(script.replace("$$", "$"), comments=True)


def test_runs_stay_readable_for_ninety_days() -> None:
    (script,) = SERVICES["namespace"]["command"]
    for act in ("create", "update"):
        assert f'namespace {act} --namespace "$$TEMPORAL_NAMESPACE" --retention 90d' in script
    command = " ".join(SERVICES["retention"]["command"])
    assert "namespace update --namespace default --retention 90d" in command


def test_the_image_is_built_from_the_packages_and_locks_and_nothing_else() -> None:
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    locks = re.findall(r"requirements\S*\.lock", DOCKERFILE)
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    assert allowed == {*build["packages"], *locks, "pyproject.toml", "README.md", "LICENSE"}
    assert all((ROOT / each).exists() for each in allowed)
