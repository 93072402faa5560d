"""`mlc doctor` on a healthy stack, and on the same stack with one thing broken at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from console.main import main
from console.stack import RunningStack, stack_settings
from sandbox.modelop.seed import GERMAN_CREDIT, NO_COMPARATOR, NOTEBOOK
from tests.console.conftest import Answer, Command, Mlc
from tests.processes import free_port

Rows = dict[str, dict[str, str]]
Examine = Callable[..., tuple[int, Rows]]

BOUND_SECONDS = 30.0
MODEL_ROWS = {"Baseline data", "Comparator data", "Deployed in production before (advisory)"}


@pytest.fixture
def examine(
    running_stack: RunningStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Examine:
    """Examines the running stack as an installation of its own, with some of its settings changed."""

    def run(*arguments: str, **changed: str | None) -> tuple[int, Rows]:
        settings: dict[str, str | None] = {
            **stack_settings(running_stack),
            "MLC_ENV_FILE": "",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            **changed,
        }
        for name, value in settings.items():
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["mlc", "doctor", "--json", *arguments])
        with pytest.raises(SystemExit) as ending:
            main()
        return int(ending.value.code or 0), _rows(capsys.readouterr().out)

    return run


def test_a_healthy_stack_has_every_prerequisite(mlc_here: Command, running_stack: RunningStack) -> None:
    answer = mlc_here("doctor", "--json", "--model", GERMAN_CREDIT)
    rows = _rows(answer.out)
    assert answer.code == 0, answer.out
    # Other tests may have deployed it meanwhile; both answers are as they should be.
    advisory = rows.pop("Deployed in production before (advisory)")
    assert advisory["status"] in ("ok", "warning")
    moves = rows.pop("Jira moves of Task in GOV")
    assert moves["status"] in ("ok", "skipped")
    endpoint = rows.pop("SageMaker endpoint configuration")
    if running_stack.addresses.sagemaker:
        assert "in eu-central-1 (AllTraffic: german-credit-scoring" in endpoint["found"] and endpoint["status"] == "ok"
    else:
        assert "not verified" in endpoint["found"] and endpoint["status"] == "skipped"
    assert {row["status"] for row in rows.values()} == {"ok"}, rows
    assert list(rows) == [
        "Jira",
        "Jira attachments",
        "Jira project GOV",
        "Jira permissions in GOV",
        "Jira issue type Task in GOV",
        "Jira ticket of PiaApproval",
        "Jira ticket of TestFailure",
        "Jira ticket of ResultsApproval",
        "Jira ticket of ProductionApproval",
        "Jira statuses of Task in GOV",
        "ModelOp Center",
        "Standard Risk Tests",
        "Business model",
        "Baseline data",
        "Comparator data",
        "Temporal",
        "Temporal retention",
        "Temporal search attributes",
        "Temporal sweep schedule",
        "Worker",
        "Relay",
        "Relay signature",
    ]


def test_the_table_says_what_was_found_and_counts_it(mlc_here: Command) -> None:
    answer: Answer = mlc_here("doctor")
    assert answer.code == 0 and answer.err == ""
    assert "prerequisite" in answer.out and "Data Center 10.3" in answer.out
    assert answer.out.rstrip().splitlines()[-1].split(" ok")[0].isdecimal()


def test_a_wrong_token_fails_once_and_what_depends_on_it_is_skipped(examine: Examine) -> None:
    code, rows = examine(MLC_JIRA__TOKEN="canary-wrong-token")
    assert code == 1
    assert rows["Jira"]["status"] == "failed" and "401" in rows["Jira"]["found"]
    assert rows["Jira"]["remedy"] == "check the configured credentials"
    dependent = [row for name, row in rows.items() if name.startswith("Jira ")]
    assert len(dependent) >= 8 and {row["status"] for row in dependent} == {"skipped"}
    assert rows["ModelOp Center"]["status"] == rows["Worker"]["status"] == "ok"
    assert "canary" not in json.dumps(rows)


def test_a_missing_project_is_named(examine: Examine) -> None:
    code, rows = examine(MLC_JIRA__PROJECT="NOPE")
    assert code == 1 and rows["Jira"]["status"] == "ok"
    assert rows["Jira project NOPE"]["status"] == "failed"
    assert "MLC_JIRA__PROJECT" in rows["Jira project NOPE"]["remedy"]
    dependent = [row for name, row in rows.items() if "NOPE" in name or name.startswith("Jira ticket")]
    assert {row["found"] for row in dependent[1:]} == {"not checked because Jira project NOPE failed"}
    assert rows["Jira attachments"]["status"] == "ok"


def test_a_status_that_the_workflow_lacks_is_named_with_those_it_has(examine: Examine) -> None:
    code, rows = examine(MLC_JIRA__REJECTED_STATUSES='["Refused"]')
    row = rows["Jira statuses of Task in GOV"]
    assert (code, row["status"]) == (1, "failed")
    assert "not in the workflow: Refused" in row["found"] and "In Review" in row["found"]


def test_a_mandatory_field_is_named_until_the_gate_gives_it(examine: Examine) -> None:
    code, rows = examine(MLC_JIRA__GATES__PIA__ISSUE_TYPE="Story")
    assert code == 1 and "customfield_10100 (Business unit)" in rows["Jira ticket of PiaApproval"]["found"]
    assert rows["Jira ticket of ResultsApproval"]["status"] == "ok"
    code, rows = examine(
        MLC_JIRA__GATES__PIA__ISSUE_TYPE="Story", MLC_JIRA__GATES__PIA__FIELDS='{"customfield_10100": "Retail"}'
    )
    assert (code, rows["Jira ticket of PiaApproval"]["status"]) == (0, "ok")


def test_an_issue_type_that_cannot_be_created_is_named_with_those_that_can(examine: Examine) -> None:
    code, rows = examine(MLC_JIRA__GATES__PRODUCTION__ISSUE_TYPE="Epic")
    row = rows["Jira issue type Epic in GOV"]
    assert (code, row["status"]) == (1, "failed")
    assert "cannot create Epic in GOV" in row["found"] and "Task" in row["found"]
    assert rows["Jira ticket of ProductionApproval"]["status"] == "skipped"
    assert rows["Jira ticket of PiaApproval"]["status"] == "ok"


def test_a_missing_asset_is_named(examine: Examine) -> None:
    code, rows = examine("--model", NO_COMPARATOR)
    present = rows["Comparator data"]["status"] == "ok"
    # A scenario of the demonstration, which shares this stack, gives the model its comparator data.
    assert present or (code, rows["Comparator data"]["status"]) == (1, "failed")
    assert present or "COMPARATOR_DATA" in rows["Comparator data"]["found"]
    assert rows["Baseline data"]["status"] == "ok"


def test_a_model_of_another_type_and_one_that_is_not_there_fail(examine: Examine) -> None:
    code, rows = examine("--model", NOTEBOOK)
    assert code == 1 and "is of type PYTHON" in rows["Business model"]["found"]
    unknown = str(uuid4())
    code, rows = examine("--model", unknown)
    assert code == 1 and unknown in rows["Business model"]["found"]
    assert {row["status"] for name, row in rows.items() if name in MODEL_ROWS} == {"skipped"}
    assert [name for name, row in rows.items() if row["status"] == "failed"] == ["Business model"]


def test_a_wrong_password_of_modelop_center_fails_only_its_own_section(examine: Examine) -> None:
    code, rows = examine("--model", GERMAN_CREDIT, MLC_MODELOP__PASSWORD="wrong")
    assert code == 1 and rows["ModelOp Center"]["status"] == "failed"
    assert rows["Standard Risk Tests"]["status"] == "skipped"
    assert rows.keys() >= MODEL_ROWS and rows["SageMaker endpoint configuration"]["status"] != "failed"
    assert rows["Jira"]["status"] == rows["Relay signature"]["status"] == "ok"


def test_a_wrong_webhook_secret_is_found_by_a_signed_ping(examine: Examine) -> None:
    code, rows = examine(MLC_RELAY__SECRETS='["canary-other-secret"]')
    assert (code, rows["Relay signature"]["status"]) == (1, "failed")
    assert "1 of 1 secrets are refused" in rows["Relay signature"]["found"]
    assert "canary" not in json.dumps(rows)


def test_a_relay_that_does_not_run_is_found(examine: Examine) -> None:
    code, rows = examine("--relay-url", f"http://127.0.0.1:{free_port()}")
    assert (code, rows["Relay"]["status"], rows["Relay signature"]["status"]) == (1, "failed", "skipped")


def test_a_namespace_without_worker_attributes_and_schedule_says_each(examine: Examine, bare_namespace: str) -> None:
    code, rows = examine(TEMPORAL_NAMESPACE=bare_namespace)
    assert code == 1 and rows["Temporal"]["status"] == "ok"
    assert rows["Worker"]["status"] == "failed" and "mlc worker" in rows["Worker"]["remedy"]
    assert rows["Temporal search attributes"]["status"] == "failed"
    assert rows["Temporal sweep schedule"]["status"] == "failed"
    assert rows["Temporal retention"]["status"] == "warning" and "24 hours" in rows["Temporal retention"]["found"]


def test_systems_that_are_down_are_rows_and_not_tracebacks(examine: Examine) -> None:
    begun = time.monotonic()
    down = f"http://127.0.0.1:{free_port()}"
    code, rows = examine(MLC_JIRA__URL=down, MLC_MODELOP__URL=down, TEMPORAL_ADDRESS=down.removeprefix("http://"))
    assert code == 1 and time.monotonic() - begun < BOUND_SECONDS
    assert [rows[name]["status"] for name in ("Jira", "ModelOp Center", "Temporal")] == ["failed"] * 3
    assert all(row["remedy"] for row in rows.values() if row["status"] == "failed")
    assert "Traceback" not in json.dumps(rows)


def test_systems_that_answer_drop_by_drop_hold_nobody_up(mlc: Mlc) -> None:
    with endless_server() as url:
        begun = time.monotonic()
        done = mlc(
            *("doctor", "--json", "--relay-url", url, "--endpoint-config", "any"),
            TEMPORAL_ADDRESS=url.removeprefix("http://"),
            MLC_JIRA__URL=url,
            MLC_JIRA__BEARER_TOKEN="canary",
            MLC_JIRA__PROJECT="GOV",
            MLC_MODELOP__URL=url,
            MLC_MODELOP__TOKEN="canary",
            MLC_RELAY__SECRETS='["canary-secret"]',
            MLC_SAGEMAKER__REGION="eu-central-1",
            MLC_SAGEMAKER__ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID="any",
            AWS_SECRET_ACCESS_KEY="canary",
        )
    assert time.monotonic() - begun < 2 * BOUND_SECONDS
    rows = _rows(done.stdout)
    failed = {name for name, row in rows.items() if row["status"] == "failed"}
    assert failed == {"Jira", "ModelOp Center", "SageMaker endpoint configuration", "Temporal", "Relay"}
    assert done.returncode == 1 and "canary" not in done.stdout + done.stderr


@contextlib.contextmanager
def endless_server() -> Iterator[str]:
    """Where every answer begins at once, and never ends."""

    class Endless(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            with contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{"
                )
                while not stop.wait(0.5):
                    connection.sendall(b" ")

    stop = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            stop.set()
            server.shutdown()


def test_faulty_settings_are_rows_and_the_systems_without_fault_are_looked_at(examine: Examine) -> None:
    code, rows = examine("--model", GERMAN_CREDIT, MLC_JIRA__PROJECT=None)
    assert code == 1 and rows["Settings"]["found"].startswith("MLC_JIRA__PROJECT: is missing")
    assert rows["Jira"]["found"] == "not checked because the settings are not usable"
    assert {name for name, row in rows.items() if row["status"] == "failed"} == {"Settings"}
    assert rows["Business model"]["status"] == rows["Worker"]["status"] == rows["Relay signature"]["status"] == "ok"
    code, rows = examine(MLC_MODELOP__PASSWORD=None, MLC_JIRA__GATES__PIA__FIELDS='{"customfield_1": "x"}')
    assert rows["ModelOp Center"]["status"] == "skipped"
    assert rows["Jira"]["status"] == "ok" and "customfield_1" in rows["Jira ticket of PiaApproval"]["found"]
    code, rows = examine(MLC_RELAY__PORT="0x1f")
    assert rows["Relay"]["status"] == rows["Relay signature"]["status"] == "skipped"
    assert rows["Jira"]["status"] == rows["ModelOp Center"]["status"] == "ok"


def test_an_endpoint_configuration_must_be_there_and_serve_the_model(
    examine: Examine, running_stack: RunningStack
) -> None:
    if not running_stack.addresses.sagemaker:
        pytest.skip("the stand-in for SageMaker is not installed")
    name = "SageMaker endpoint configuration"
    code, rows = examine("--model", GERMAN_CREDIT, "--endpoint-config", "nowhere")
    assert (code, rows[name]["status"]) == (1, "failed")
    assert "no endpoint configuration 'nowhere'" in rows[name]["found"] and "eu-central-1" in rows[name]["found"]
    code, rows = examine("--model", GERMAN_CREDIT, "--endpoint-config", "loan-default-2026-11")
    assert code == 1 and "loan-default-scoring" in rows[name]["found"]
    code, rows = examine(
        "--model", GERMAN_CREDIT, "--endpoint-config", "loan-default-2026-11", MLC_SAGEMAKER__MATCH_MODEL="false"
    )
    assert (code, rows[name]["status"]) == (0, "ok")


def test_an_id_that_is_none_is_wrong_use(mlc_here: Command) -> None:
    answer = mlc_here("doctor", "--model", "../../etc")
    assert answer.code == 2 and "not the UUID of a model" in answer.err


@pytest.fixture(scope="session")
def bare_namespace(running_stack: RunningStack) -> Iterator[str]:
    """A namespace of the stack's Temporal in which nothing has been set up."""
    name = f"bare-{uuid4().hex[:8]}"
    asyncio.run(_register(running_stack.addresses.temporal, name))
    yield name


async def _register(address: str, name: str) -> None:
    client = await Client.connect(address)
    retention = Duration(seconds=int(timedelta(days=1).total_seconds()))
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
    )
    # Every part of the server learns of a namespace in its own time.
    in_it = await Client.connect(address, namespace=name)
    deadline = time.monotonic() + 30
    while True:
        try:
            await in_it.count_workflows()
            return
        except RPCError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)


def _rows(printed: str) -> Rows:
    checks: list[dict[str, Any]] = json.loads(printed)["checks"]
    assert all(set(row) == {"name", "status", "found", "remedy"} for row in checks)
    assert len({row["name"] for row in checks}) == len(checks)
    return {row["name"]: row for row in checks}
