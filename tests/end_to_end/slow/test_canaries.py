"""Secrets, the document's content and people: whether any of it gets to where it does not belong.

A worker and a relay of their own, with a canary in every secret setting, carry a run from its start to its end: once
for each way to sign in, of which one is with encryption. They reach Jira and ModelOp Center through a proxy, Temporal
with a client certificate, and send traces. Then everything that they wrote is searched.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
import secrets
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from pydantic import BaseModel, SecretStr
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from console.scenarios import SCENARIOS, ScenarioName
from console.stack import Addresses, RunningStack, stack_settings
from sandbox.jira.people import PEOPLE, find_person
from sandbox.modelop.accounts import OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET, SERVICE_ACCOUNT, STATIC_TOKEN
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.collector import Collector, collector
from tests.end_to_end.site import Run, Site
from tests.mlc_process import MLC, environment
from tests.plain_proxy import plain_proxy
from tests.processes import ServerProcess, free_port, server_process
from tests.tls import Authority, Certificate, tls_in_front_of
from tests.worker.keys import new_key, ring
from worker.data_converter import encrypting_data_converter
from worker.encryption import KeyRing
from worker.settings import Settings

NAMESPACE = "canaries"
ENDPOINT = SCENARIOS[ScenarioName.HAPPY].endpoint_config
WEBHOOK, OTHER_WEBHOOK, CODEC, AWS, AWS_SESSION, PROXY, TEMPORAL, COLLECTOR = (
    f"canary-{name}-{secrets.token_hex(12)}"
    for name in ("hook", "2", "codec", "aws", "session", "proxy", "temporal", "collector")
)
KEYS = {"old": new_key(), "new": new_key()}
JIRA = find_person("svc-mlc")
assert JIRA is not None and JIRA.token
# What the sandboxes let in is fixed; it serves as a canary all the same, since it belongs nowhere else either.
SECRETS = [
    WEBHOOK,
    OTHER_WEBHOOK,
    CODEC,
    AWS,
    AWS_SESSION,
    PROXY,
    TEMPORAL,
    COLLECTOR,
    *KEYS.values(),
    JIRA.password,
    JIRA.token,
    OAUTH_CLIENT_SECRET,
    STATIC_TOKEN,
    SERVICE_ACCOUNT.password,
]
# Printed in the document, and nowhere else.
IN_DOCUMENT = ["canary-of-the-document", "word/document.xml"]
NAMES = [name for person in PEOPLE[:4] for name in (person.name, person.display_name, person.email)]
COMMENT = "canary-of-a-comment"

SIGN_IN = {
    "clear": {
        "MLC_JIRA__USERNAME": JIRA.name,
        "MLC_JIRA__TOKEN": JIRA.password,
        "MLC_MODELOP__CLIENT_ID": OAUTH_CLIENT_ID,
        "MLC_MODELOP__CLIENT_SECRET": OAUTH_CLIENT_SECRET,
    },
    "password": {
        "MLC_JIRA__USERNAME": JIRA.name,
        "MLC_JIRA__TOKEN": JIRA.password,
        "MLC_MODELOP__USERNAME": SERVICE_ACCOUNT.username,
        "MLC_MODELOP__PASSWORD": SERVICE_ACCOUNT.password,
    },
    "encrypted": {
        "MLC_JIRA__BEARER_TOKEN": JIRA.token,
        "MLC_MODELOP__TOKEN": STATIC_TOKEN,
        "MLC_ENCRYPTION__KEYS": json.dumps(KEYS),
        "MLC_ENCRYPTION__ACTIVE_KEY": "new",
    },
}


@dataclass(frozen=True)
class Ways:
    """The ways to the systems around: each asks for a secret."""

    temporal: str
    client: Certificate
    authority: Authority
    proxy: str
    collector: str


@contextmanager
def guarded_ways(temporal: str, folder: Path) -> Iterator[tuple[Ways, Collector]]:
    """A TLS endpoint before Temporal that asks for a client certificate, a proxy with a password, a collector."""
    authority, port = Authority(folder), int(temporal.rpartition(":")[2])
    shown, client = authority.issue("localhost"), authority.issue("worker")
    with (
        tls_in_front_of(port, shown, client_authority=authority, protocol="h2") as tls_port,
        plain_proxy("worker", PROXY) as proxy,
        collector() as taken,
    ):
        yield Ways(f"localhost:{tls_port}", client, authority, proxy, taken.url), taken


def test_every_secret_setting_has_a_canary(tmp_path: Path) -> None:
    (tmp_path / "webhook-secret").write_text("unused")
    addresses = Addresses(*(["http://127.0.0.1:9"] * 9))
    stack = RunningStack(addresses=addresses, pids={}, directory=tmp_path)
    with guarded_ways("127.0.0.1:9", tmp_path) as (ways, _):
        given = [own_settings(stack, mode, ways)[0] for mode in SIGN_IN]
    wanted = list(secret_variables(Settings, "MLC_"))
    assert len(wanted) >= 10
    for variable in wanted:
        assert any(secret in settings.get(variable, "") for settings in given for secret in SECRETS), variable


def secret_variables(shape: type[BaseModel], prefix: str) -> Iterator[str]:
    """The variables that set what the settings keep as a secret."""
    for name, setting in shape.model_fields.items():
        kind, variable = setting.annotation, prefix + name.upper()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from secret_variables(kind, f"{variable}__")
        elif SecretStr.__name__ in repr(kind):
            yield variable


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("mode", "keys"), [("clear", KeyRing()), ("password", KeyRing()), ("encrypted", ring("new", **KEYS))]
)
async def test_no_canary_gets_to_where_it_does_not_belong(
    running_stack: RunningStack, tmp_path: Path, mode: str, keys: KeyRing
) -> None:
    client = await own_namespace(running_stack, keys)
    site = Site(running_stack, client)
    (certificates := tmp_path / "certificates").mkdir()
    (logs := tmp_path / "logs").mkdir()
    with guarded_ways(running_stack.addresses.temporal, certificates) as (ways, taken):
        settings, addresses = own_settings(running_stack, mode, ways)
        with own_processes(settings, addresses, logs):
            async with marked_model(site):
                run, document = await carried(site, addresses["relay"])
            found = await left_behind(run, client, addresses)
            shown = {command: mlc(settings, command, run.handle.id) for command in ("show", "watch")}
            shown["list"] = mlc(settings, "list", "--all")
        found["traces"] = b"".join(taken.bodies)
    await site.aclose()
    found |= logs_in(logs) | logs_in(running_stack.directory / "logs")

    assert IN_DOCUMENT[0].encode() in document, "the search for the document's content needs a canary in it"
    assert taken.named("Jira GET") and taken.named("ModelOp Center GET"), "the search of traces needs some"
    private_key = ways.client.key.read_text().splitlines()[1]
    everything = found | {f"mlc {command}": printed.encode() for command, printed in shown.items()}
    assert places(everything, [*SECRETS, private_key, *IN_DOCUMENT]) == []
    told = {place: found.pop(place) for place in ("history", "description", "details")}
    assert places(found, [*NAMES, COMMENT]) == []
    tickets = [decision.ticket for decision in (await run.handle.result()).decisions]
    private = [*NAMES, COMMENT, "German Credit", *tickets]
    if mode == "encrypted":
        assert places(told, private) == []
    else:
        # What is found here is what the encryption is for, and shows that the search finds it.
        expected = [PEOPLE[1].name, PEOPLE[1].display_name, COMMENT, "German Credit", *tickets]
        assert {f"{word} in history" for word in expected} <= set(places(told, private))
    assert "Paul Privacy" in shown["show"] and "Deployed" in shown["watch"] and GERMAN_CREDIT in shown["list"]


def logs_in(directory: Path) -> dict[str, bytes]:
    """The logs of a directory, which must be those of processes that ran."""
    logs = {f"the log {path}": path.read_bytes() for path in directory.iterdir()}
    assert len(logs) > 1 and any(logs.values())
    return logs


def places(found: Mapping[str, bytes], words: Sequence[str]) -> list[str]:
    """Where any of the words stands by itself: `word in place`."""
    alone = {word: re.compile(rb"(?<![A-Za-z0-9])" + re.escape(word).encode() + rb"(?![A-Za-z0-9])") for word in words}
    return [f"{word} in {place}" for place, text in found.items() for word in words if alone[word].search(text)]


async def own_namespace(stack: RunningStack, keys: KeyRing) -> Client:
    """A namespace beside that of the stack, whose own worker must not carry these runs."""
    anywhere = await Client.connect(stack.addresses.temporal)
    retention = Duration(seconds=7 * 24 * 3600)
    # The second test finds it there.
    with suppress(RPCError):
        await anywhere.workflow_service.register_namespace(
            RegisterNamespaceRequest(namespace=NAMESPACE, workflow_execution_retention_period=retention)
        )
    return await Client.connect(
        stack.addresses.temporal, namespace=NAMESPACE, data_converter=encrypting_data_converter(keys)
    )


def own_settings(stack: RunningStack, mode: str, ways: Ways) -> tuple[dict[str, str], dict[str, str]]:
    """Settings with a canary in every secret one, and the addresses that they choose."""
    ports = {name: free_port() for name in ("relay", "relay_metrics", "worker", "worker_metrics")}
    credentials = re.compile(r"MLC_(JIRA|MODELOP)__(USERNAME|PASSWORD|TOKEN)$")
    settings = {name: value for name, value in stack_settings(stack).items() if not credentials.match(name)}
    settings |= {
        **SIGN_IN[mode],
        "TEMPORAL_ADDRESS": ways.temporal,
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "TEMPORAL_API_KEY": TEMPORAL,
        "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(ways.authority.certificate),
        "TEMPORAL_TLS_CLIENT_CERT_PATH": str(ways.client.certificate),
        "TEMPORAL_TLS_CLIENT_KEY_DATA": ways.client.key.read_text(),
        "MLC_JIRA__PROXY": ways.proxy,
        "MLC_MODELOP__PROXY": ways.proxy,
        "OTEL_EXPORTER_OTLP_ENDPOINT": ways.collector,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {COLLECTOR}",
        "MLC_RELAY__SECRETS": json.dumps([OTHER_WEBHOOK, WEBHOOK]),
        "MLC_RELAY__PORT": str(ports["relay"]),
        "MLC_RELAY__METRICS_PORT": str(ports["relay_metrics"]),
        "MLC_WORKER__HEALTH_PORT": str(ports["worker"]),
        "MLC_WORKER__METRICS_PORT": str(ports["worker_metrics"]),
        "MLC_CODEC_SERVER__TOKENS": json.dumps([CODEC]),
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": AWS,
        "AWS_SESSION_TOKEN": AWS_SESSION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    if mode == "clear":
        settings["MLC_MODELOP__TOKEN_URL"] = f"{stack.addresses.modelop}/oauth2/token"
    return settings, {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


@contextmanager
def own_processes(settings: Mapping[str, str], addresses: Mapping[str, str], logs: Path) -> Iterator[None]:
    """A relay and a worker with these settings."""

    def process(name: str) -> AbstractContextManager[ServerProcess]:
        port = int(addresses[name].rpartition(":")[2])
        return server_process(
            ["-m", "console", name], port=port, log=logs / f"{name}.log", env=environment(settings), timeout=120
        )

    with process("relay"), process("worker"):
        yield


@asynccontextmanager
async def marked_model(site: Site) -> AsyncIterator[None]:
    """Writes a canary into the model that the document tells of, until the end of the block."""
    path = f"storedModels/{GERMAN_CREDIT}"
    before = (await site.entity(path))["modelMetaData"]
    facts = {**before.get("custom", {}), "Canary": IN_DOCUMENT[0]}
    await site.patch(path, {"modelMetaData": {**before, "custom": facts}})
    try:
        yield
    finally:
        await site.patch(path, {"modelMetaData": before})


async def carried(site: Site, relay: str) -> tuple[Run, bytes]:
    """A run that three people approve, of whom the relay hears by signed webhooks; and the document's text."""
    run = await site.start(GERMAN_CREDIT, requested_by="rita", endpoint_config_name=ENDPOINT)
    for gate, person in (("PiaApproval", "paul"), ("ResultsApproval", "vera"), ("ProductionApproval", "aaron")):
        key = await run.waiting_on(gate)
        await site.people.decide(person, key, status="Done", comment=COMMENT)
        await tell(relay, key, run.handle.id)
    result = await run.handle.result()
    content = await site.people.attachment(result.document.attachment_id)
    return run, zipfile.ZipFile(io.BytesIO(content)).read("word/document.xml")


async def tell(relay: str, key: str, workflow_id: str) -> None:
    """A webhook as Jira sends it, and a forged one."""
    person = {"name": "paul", "displayName": PEOPLE[1].display_name, "emailAddress": PEOPLE[1].email}
    issue = {"key": key, "fields": {"labels": [workflow_id], "summary": COMMENT}}
    body = json.dumps({"webhookEvent": "jira:issue_updated", "user": person, "issue": issue}).encode()
    async with httpx.AsyncClient(base_url=relay) as http:
        for secret, status in ((WEBHOOK, 200), ("forged", 401)):
            signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            headers = {"X-Hub-Signature": f"sha256={signature}"}
            assert (await http.post("/webhooks/jira", content=body, headers=headers)).status_code == status


async def left_behind(run: Run, client: Client, addresses: Mapping[str, str]) -> dict[str, bytes]:
    """What Temporal keeps of a run and shows of it, as the bytes that it holds, and the metrics."""
    described = (await run.handle.describe()).raw_description
    attributes = described.workflow_execution_info.search_attributes.SerializeToString()
    described.workflow_execution_info.ClearField("search_attributes")
    events = [event async for event in run.handle.fetch_history_events()]
    scheduled = [event.activity_task_scheduled_event_attributes for event in events if event.event_type == 10]
    for event in events:
        for kind in ("workflow_execution_started", "upsert_workflow_search_attributes"):
            if event.HasField(f"{kind}_event_attributes"):
                getattr(event, f"{kind}_event_attributes").ClearField("search_attributes")
    details = await client.workflow_service.query_workflow(
        QueryWorkflowRequest(
            namespace=NAMESPACE,
            execution=WorkflowExecution(workflow_id=run.handle.id),
            query=WorkflowQuery(query_type="__temporal_workflow_metadata"),
        )
    )
    found = {
        "history": b"".join(event.SerializeToString() for event in events),
        "description": described.SerializeToString(),
        "details": details.SerializeToString(),
        "search attributes": attributes,
        "ids": " ".join(
            [run.handle.id, *(f"{each.activity_id} {each.activity_type.name}" for each in scheduled)]
        ).encode(),
    }
    async with httpx.AsyncClient() as http:
        for name in ("worker_metrics", "relay_metrics"):
            found[name] = (await http.get(f"{addresses[name]}/metrics")).content
            assert b"temporal_" in found[name] or b"mlc_" in found[name]
    return found


def mlc(settings: Mapping[str, str], *arguments: str) -> str:
    """What the command prints with these settings."""
    done = subprocess.run(
        [*MLC, *arguments], env=environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
