"""Which requests a fault strikes, and how faults are set, read and removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from sandbox.faults.control import FaultControl
from sandbox.faults.injection import FaultInjection
from sandbox.faults.rules import ActiveFault, Fault, Faults
from tests.processes import free_port, server_process
from tests.sandbox.faults.sites import JiraSite, Site


def _outcomes(site: Site, count: int) -> list[int]:
    return [site.ask(site.work()).status_code for _ in range(count)]


def test_the_next_requests_are_struck_and_no_more(site: Site) -> None:
    with site.fault("status", status=500, times=2) as fault:
        assert _outcomes(site, 4) == [500, 500, 201, 201]
        shown = site.shown(fault)
    assert (shown["matched"], shown["applied"]) == (4, 2)


def test_the_first_requests_can_be_spared(site: Site) -> None:
    with site.fault("status", status=500, skip=1, times=1):
        assert _outcomes(site, 3) == [201, 500, 201]


def test_the_same_seed_strikes_the_same_requests(site: Site) -> None:
    runs = []
    for _ in range(2):
        with site.fault("status", status=500, probability=0.5, seed=7) as fault:
            runs.append(_outcomes(site, 12))
            assert site.shown(fault)["applied"] == runs[-1].count(500)
    assert runs[0] == runs[1]
    assert 0 < runs[0].count(500) < 12


def test_a_seed_that_was_not_given_is_shown(site: Site) -> None:
    with site.fault("status", status=500, probability=0.5) as fault:
        seen = _outcomes(site, 8)
        seed = site.shown(fault)["seed"]
    with site.fault("status", status=500, probability=0.5, seed=seed):
        assert _outcomes(site, 8) == seen


def test_of_several_faults_the_oldest_that_strikes_is_suffered(site: Site) -> None:
    with (
        site.fault("status", status=500, times=1) as first,
        site.fault("status", status=502, times=1) as second,
    ):
        assert _outcomes(site, 3) == [500, 502, 201]
        assert [site.shown(fault)["matched"] for fault in (first, second)] == [3, 2]


def test_other_routes_and_methods_are_spared(site: Site) -> None:
    work = site.work()
    with site.fault("cut") as fault, site.fault("cut", path=site.path + "/else", method="*"):
        assert site.done(work) == 0
        assert site.shown(fault)["matched"] == 0


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/rest/api/2/issue", "/rest/api/2/issue", True),
        ("/rest/api/2/issue", "/rest/api/2/issue/GOV-1", False),
        ("/rest/api/2/issue/*", "/rest/api/2/issue/GOV-1", True),
        ("/rest/api/2/issue/*", "/rest/api/2/issue/GOV-1/comment", False),
        ("/rest/api/*/issue/*/comment", "/rest/api/latest/issue/GOV-1/comment", True),
        ("/rest/api/2/issue/GOV-*", "/rest/api/2/issue/GOV-12", True),
        ("/rest/**", "/rest/api/2/issue/GOV-1/comment", True),
        ("/rest/**/comment", "/rest/api/2/issue/GOV-1/comment", True),
        ("/**", "/", True),
        ("/a.b", "/a-b", False),
    ],
)
def test_a_star_is_one_segment_and_two_are_any(pattern: str, path: str, matches: bool) -> None:
    fault = ActiveFault(1, Fault(path=pattern, effect="cut"), seed=0)
    assert (fault.try_on("GET", path) is not None) is matches


def test_health_and_control_never_misbehave(site: Site) -> None:
    with site.fault("status", method="*", path="/**", status=503) as fault:
        assert site.client.get("/").status_code == 503
        assert site.client.get("/healthz").status_code == 200
        assert site.shown(fault)["applied"] == 1


def test_a_fault_is_read_and_removed(site: Site) -> None:
    with site.fault("status", status=429, retry_after=2, times=3) as fault:
        site.ask(site.work())
        shown = site.shown(fault)
        assert (shown["effect"], shown["status"], shown["retry_after"], shown["times"]) == ("status", 429, 2.0, 3)
        assert shown in site.client.get("/faults").json()["faults"]
        # Removal answers with the last counts.
        assert site.client.delete(fault).json() == shown
        assert _outcomes(site, 1) == [201]
        gone = site.client.get(fault)
    assert gone.status_code == 404
    assert "There is no fault" in gone.json()["errors"][0]


def test_all_faults_are_removed_at_once(site: Site) -> None:
    with site.fault("status", status=500), site.fault("cut"):
        assert len(site.client.delete("/faults").json()["faults"]) == 2
        assert site.client.get("/faults").json()["faults"] == []
        assert _outcomes(site, 1) == [201]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"effect": "cut"}, "path: Field required"),
        ({"path": "rest", "effect": "cut"}, "path: must start with /"),
        ({"path": "/", "effect": "explode"}, "effect: Input should be 'delay', 'status', 'cut' or 'truncate'"),
        ({"path": "/", "effect": "cut", "method": "BREW"}, "method: Input should be"),
        ({"path": "/", "effect": "cut", "chance": 1}, "chance: there is no such setting"),
        ({"path": "/", "effect": "cut", "probability": 1.5}, "probability: Input should be less than or equal to 1"),
        ({"path": "/", "effect": "cut", "times": "2"}, "times: Input should be a valid integer"),
        ({"path": "/", "effect": "delay"}, "the effect 'delay' needs 'delay', in seconds"),
        ({"path": "/", "effect": "status"}, "'status' goes with the effect 'status'"),
        ({"path": "/", "effect": "status", "status": 200}, "status: must be an HTTP error status"),
        ({"path": "/", "effect": "cut", "retry_after": 2}, "'retry_after' and 'headers' go with"),
        (
            {"path": "/", "effect": "status", "status": 429, "headers": {"A b": "c"}},
            "headers: 'A b': 'c' cannot be sent",
        ),
        ({"path": "/", "effect": "status", "status": 429, "headers": {"A": "b\r\nC: d"}}, "cannot be sent"),
        ({"path": "/", "effect": "delay", "delay": 1, "reset": True}, "'reset' goes with the effect 'cut' only"),
        ({"path": "/", "effect": "truncate", "when": "before"}, "'truncate' cuts a reply"),
        ([], "Input should be an object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_explained(site: Site, setting: Any, words: str) -> None:
    response = site.client.post("/faults", json=setting)
    assert response.status_code == 400
    assert words in " | ".join(response.json()["errors"])
    assert site.client.get("/faults").json()["faults"] == []


@pytest.mark.parametrize(
    ("call", "status", "words"),
    [
        (lambda client: client.post("/faults", content=b"{}"), 415, "Content-Type: application/json"),
        (lambda client: client.put("/faults", json={}), 405, "Method Not Allowed"),
        (lambda client: client.get("/faults/unheard-of"), 404, "There is no /faults/unheard-of"),
        (lambda client: client.delete("/faults/999999"), 404, "There is no fault 999999"),
    ],
)
def test_a_wrong_call_is_explained(
    site: Site, call: Callable[[httpx.Client], httpx.Response], status: int, words: str
) -> None:
    response = call(site.client)
    assert response.status_code == status
    assert words in response.json()["errors"][0]


def test_no_login_is_needed(site: Site) -> None:
    assert httpx.get(f"{site.url}/faults").status_code == 200


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("192.0.2.7", 403), ("::ffff:192.0.2.7", 403)],
)
async def test_faults_are_set_from_this_machine_only(address: str, status: int) -> None:
    faults = Faults()
    app = FaultInjection(
        PlainTextResponse("fine"),
        faults=faults,
        control=FaultControl(faults),
        refusal=lambda status, message, path: PlainTextResponse(message, status),
    )
    transport = httpx.ASGITransport(app, client=(address, 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        assert (await client.get("/faults")).status_code == status
        assert (await client.get("/anything")).text == "fine"


def test_a_restart_forgets_all_faults(tmp_path: Path) -> None:
    port = free_port()
    command = ["-m", "sandbox.jira", "--port", str(port), "--data", str(tmp_path / "data")]
    for _ in range(2):
        with server_process(command, port=port, log=tmp_path / "log") as server:
            site = JiraSite(server, auth=("svc-mlc", "svc-mlc-password"))
            assert site.client.get("/faults").json() == {"faults": [], "search": None, "webhooks": None}
            site.client.post("/faults", json={"path": "/**", "effect": "cut"})
            site.client.post("/faults/search", json={"seconds": 5})
            site.client.post("/faults/webhooks", json={"lost": 1})
            site.client.close()
