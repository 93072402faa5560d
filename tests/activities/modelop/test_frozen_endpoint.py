"""What AWS said of the endpoint configuration, kept with the snapshot and read back from there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.identity import RunIdentity
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.entities import MAX_NAMES_KNOWN, known_as
from activities.modelop.rest import deployed_body, frozen_endpoint, snapshot_body
from activities.modelop.types import SnapshotRequest
from activities.sagemaker.types import Container, DataCapture, EndpointConfig, Variant
from sandbox.modelop.seed import GERMAN_CREDIT
from tests.activities.modelop.conftest import Run

AT = datetime(2026, 11, 22, 12, 0, 1, 250000, tzinfo=UTC)
ENDPOINT = EndpointConfig(
    name="credit-2026",
    arn="arn:aws:sagemaker:eu-central-1:1:endpoint-config/credit-2026",
    region="eu-central-1",
    variants=[
        Variant(
            name="AllTraffic",
            model_name="credit",
            model_arn="arn:aws:sagemaker:eu-central-1:1:model/credit",
            containers=[Container(image="registry/scoring:1", model_data_url="s3://models/credit.tar.gz")],
            instance_type="ml.m5.large",
            instance_count=2,
            weight=0.5,
        )
    ],
    data_capture=DataCapture(enabled=True, percentage=20, destination="s3://capture"),
    kms_key="arn:aws:kms:eu-central-1:1:key/1",
    created_at=AT - timedelta(days=30),
    read_at=AT,
    serves_model=True,
    fingerprint="ab" * 32,
)


def request(run: RunIdentity, **changes: Any) -> SnapshotRequest:
    fields = {"run": run, "model_id": GERMAN_CREDIT, "round": 1, "endpoint_config_name": ENDPOINT.name, **changes}
    return SnapshotRequest.model_validate(fields)


async def test_the_snapshot_keeps_it_in_modelop_centers_own_spelling(
    activities: ModelOpActivities, client: ModelOpClient, perform: Run, run: RunIdentity
) -> None:
    taken = await perform(activities.create_snapshot, request(run, endpoint=ENDPOINT))
    assert taken.endpoint == ENDPOINT
    ((runtime),) = (await client.get_snapshot(taken.snapshot_id))["targetRuntimes"]
    info = runtime["repositoryInfo"]
    assert (info["endpointConfigName"], info["region"]) == ("credit-2026", "eu-central-1")
    assert info["endpointConfigArn"] == ENDPOINT.arn
    assert info["endpointConfig"]["variants"][0]["containers"][0]["modelDataUrl"] == "s3://models/credit.tar.gz"


async def test_an_attempt_that_comes_later_gets_what_was_frozen_first(
    activities: ModelOpActivities, perform: Run, run: RunIdentity
) -> None:
    first = await perform(activities.create_snapshot, request(run, endpoint=ENDPOINT))
    later = ENDPOINT.model_copy(update={"read_at": AT + timedelta(days=1), "fingerprint": "cd" * 32})
    again = await perform(activities.create_snapshot, request(run, endpoint=later))
    assert (again.snapshot_id, again.endpoint) == (first.snapshot_id, ENDPOINT)


async def test_a_snapshot_without_it_says_so(activities: ModelOpActivities, perform: Run, run: RunIdentity) -> None:
    assert (await perform(activities.create_snapshot, request(run))).endpoint is None


def test_a_server_that_drops_unknown_fields_loses_nothing_that_can_be_read() -> None:
    body = snapshot_body({"id": "m"}, name="n", mlc={}, endpoint_config_name=ENDPOINT.name, endpoint=ENDPOINT)
    assert frozen_endpoint(body) == ENDPOINT
    del body["targetRuntimes"][0]["repositoryInfo"]["endpointConfig"]
    assert frozen_endpoint(body) is None


@pytest.mark.parametrize("facts", [None, 7, [], {}, {"name": "x"}, {"name": 1, "arn": {}}, {"endpointConfig": {}}])
def test_what_another_client_put_there_is_passed_over(facts: Any) -> None:
    snapshot = {"targetRuntimes": [7, {"repositoryInfo": facts}, {"repositoryInfo": {"endpointConfig": facts}}]}
    assert frozen_endpoint(snapshot) is None


def test_the_mark_of_the_deployment_names_arn_and_region() -> None:
    body = deployed_body("s", environment="prod", endpoint_config_name=ENDPOINT.name, endpoint=ENDPOINT, at=AT)
    assert body["engine"]["repositoryInfo"] == {
        "endpointConfigName": "credit-2026",
        "endpointConfigArn": ENDPOINT.arn,
        "region": "eu-central-1",
    }


def test_a_model_is_known_by_its_name_its_repository_and_its_data_but_not_by_its_people() -> None:
    model = {
        "modelMetaData": {
            "name": "German Credit",
            "repositoryInfo": {"sagemakerModelName": "german-credit", "size": 7, "nested": {"x": "y"}},
            "custom": {"Model Owner": "Ana Petrova", "SageMaker model": "credit-prod", "Notes": "n"},
        },
        "modelAssets": [{"fileUrl": "s3://b/m.tar.gz"}, {"fileUrl": "s3://b/m.tar.gz"}, {"name": "no address"}],
    }
    assert known_as(model) == ["German Credit", "german-credit", "credit-prod", "s3://b/m.tar.gz"]


def test_what_a_model_is_known_by_is_bounded() -> None:
    info = {str(number): f"name-{number}" for number in range(1000)} | {"long": "x" * 10_000}
    assert len(known_as({"modelMetaData": {"name": "m", "repositoryInfo": info}})) == MAX_NAMES_KNOWN
    assert known_as({}) == known_as({"modelMetaData": 7, "modelAssets": "x"}) == []
