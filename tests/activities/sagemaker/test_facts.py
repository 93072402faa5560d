"""Facts that stay the same when they should, and small enough for a run's history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.sagemaker.matching import serves, spelling
from activities.sagemaker.reading import MAX_FACTS_BYTES, bounded, capture, differences, endpoint_config
from activities.sagemaker.types import Container, EndpointConfig, Variant

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def variant(name: str = "A", model: str = "credit", **more: Any) -> dict[str, Any]:
    return {"VariantName": name, "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **more}


def read(
    *variants: dict[str, Any],
    at: datetime = AT,
    model: dict[str, Any] | None = None,
    container: dict[str, Any] | None = None,
    **more: Any,
) -> EndpointConfig:
    answer = {"EndpointConfigName": "c", "EndpointConfigArn": "arn:c", "ProductionVariants": list(variants), **more}
    described = {"PrimaryContainer": container or {"Image": "i", "ModelDataUrl": "s3://b/m"}, **(model or {})}
    models = {name: {"ModelArn": f"arn:{name}", **described} for name in ("credit", "any")}
    return endpoint_config(answer, models, region="eu-central-1", read_at=at)


def test_when_it_was_read_and_made_and_the_order_of_variants_do_not_count() -> None:
    one = read(variant("A"), variant("B"), CreationTime=AT)
    other = read(variant("B"), variant("A"), at=AT + timedelta(days=9), CreationTime=AT + timedelta(days=8))
    assert one.fingerprint == other.fingerprint and differences(one, other) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"KmsKeyId": "arn:kms"}, "KMS key: none became arn:kms"),
        ({"DataCaptureConfig": {"EnableCapture": True, "DestinationS3Uri": "s3://x"}}, "data capture: off became to"),
        ({"ShadowProductionVariants": [variant("S")]}, "role of variant S: none became shadow"),
        ({"EndpointConfigArn": "arn:other"}, "ARN: arn:c became arn:other"),
    ],
)
def test_what_changed_is_said(changed: dict[str, Any], said: str) -> None:
    found = differences(read(variant()), read(variant(), **changed))
    assert any(each.startswith(said) for each in found), found


CONTAINER = {"Image": "i", "ModelDataUrl": "s3://b/m", "Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/code"}}


@pytest.mark.parametrize(
    ("config", "of_variant", "model", "container", "said"),
    [
        ({"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://x"}}}, {}, {}, {}, "of it"),
        ({"DataCaptureConfig": {"CaptureOptions": [{"CaptureMode": "Input"}]}}, {}, {}, {}, "of it"),
        ({"ExplainerConfig": {"ClarifyExplainerConfig": {"EnableExplanations": "x"}}}, {}, {}, {}, "of it"),
        ({}, {"VolumeSizeInGB": 500}, {}, {}, "of variant A or its model"),
        ({}, {"RoutingConfig": {"RoutingStrategy": "RANDOM"}}, {}, {}, "of variant A or its model"),
        ({}, {"ManagedInstanceScaling": {"MaxInstanceCount": 9}}, {}, {}, "of variant A or its model"),
        ({}, {}, {"ExecutionRoleArn": "arn:other"}, {}, "of variant A or its model"),
        ({}, {}, {"VpcConfig": {"Subnets": ["s"]}}, {}, "of variant A or its model"),
        ({}, {}, {"EnableNetworkIsolation": True}, {}, "of variant A or its model"),
        ({}, {}, {}, {"Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/swapped"}}, "of container 1 of variant A"),
        ({}, {}, {}, {"Mode": "MultiModel"}, "of container 1 of variant A"),
    ],
)
def test_settings_that_are_not_told_are_compared_all_the_same(
    config: dict[str, Any], of_variant: dict[str, Any], model: dict[str, Any], container: dict[str, Any], said: str
) -> None:
    found = differences(
        read(variant(), container=CONTAINER),
        read(variant(**of_variant), **config, model=model, container={**CONTAINER, **container}),
    )
    assert found == [f"other settings {said} changed"]


@pytest.mark.parametrize(
    ("config_made", "model_made", "said"),
    [
        (AT, AT, []),
        (AT + timedelta(days=1), AT, ["other settings of variant A or its model changed"]),
        (AT, AT + timedelta(days=1), ["other settings of variant A or its model changed"]),
        (None, AT, ["other settings of variant A or its model changed"]),
        (AT, None, ["other settings of variant A or its model changed"]),
    ],
)
def test_a_setting_that_only_a_later_release_reads_is_no_change_of_what_nobody_created_anew(
    config_made: datetime | None, model_made: datetime | None, said: list[str]
) -> None:
    before = read(variant(), CreationTime=AT, model={"CreationTime": AT})
    read_since = {"ManagedInstanceScaling": {"Status": "ENABLED"}}
    after = read(variant(**read_since), CreationTime=config_made, model={"CreationTime": model_made})
    assert differences(before, after) == said


def test_variables_of_a_container_may_be_secret_and_are_not_kept() -> None:
    assert "s3://b/code" not in read(variant(), container=CONTAINER).model_dump_json()


def test_a_recommendation_of_aws_is_no_change_of_the_model() -> None:
    recommended = {"DeploymentRecommendation": {"RecommendationStatus": "COMPLETED"}, "CreationTime": AT}
    assert differences(read(variant()), read(variant(), model=recommended)) == []


@pytest.mark.parametrize(
    ("known_as", "served"),
    [("s3://b/m/credit.tar.gz", True), ("s3://b/m2/credit.tar.gz", False), ("credit.tar.gz", False)],
)
def test_a_container_for_many_models_serves_what_lies_under_its_address(known_as: str, served: bool) -> None:
    many = {"Image": "i", "Mode": "MultiModel", "ModelDataUrl": "s3://b/m/"}
    assert serves(read(variant(model="any"), container=many), [known_as]) is served
    assert not serves(read(variant(model="any"), container={**many, "Mode": "SingleModel"}), [known_as])


def test_a_change_that_was_cut_off_is_still_a_change() -> None:
    containers = [Container(image=f"i{number}", model_data_url="s3://" + "x" * 900) for number in range(15)]
    variants = [Variant(name=f"v{number}", model_name="m", containers=containers) for number in range(10)]
    whole = read().model_copy(update={"variants": variants, "fingerprint": "before"})
    kept = bounded(whole)
    assert len(kept.model_dump_json()) <= MAX_FACTS_BYTES and len(kept.variants) == 10
    assert differences(kept, kept.model_copy(update={"fingerprint": "after"})) == [
        "a part of it that is not kept in the run"
    ]


def test_facts_are_bounded_however_many_variants_there_are() -> None:
    many = [variant(f"v{number}" * 100, "m" * 1000) for number in range(500)]
    assert len(bounded(read(*many)).model_dump_json().encode()) <= MAX_FACTS_BYTES


def test_hostile_text_becomes_one_printable_line() -> None:
    found = read(variant("A\x00\x1b[31m<script>\nB"), KmsKeyId={"not": "a text"})
    assert found.variants[0].name.isprintable() and "<" not in found.variants[0].name and found.kms_key == ""


@pytest.mark.parametrize(
    "known_as",
    [["credit"], ["arn:credit"], ["s3://b/m"], ["Credit"], ["something else", "credit"]],
)
def test_a_model_is_recognised_by_name_arn_or_data(known_as: list[str]) -> None:
    assert serves(read(variant()), known_as)


@pytest.mark.parametrize("known_as", [[], [""], ["cred"], ["credit-2"], ["s3://b/m2"], ["!!!"]])
def test_something_similar_is_not_the_model(known_as: list[str]) -> None:
    assert not serves(read(variant()), known_as)


def test_a_shadow_serves_nobody() -> None:
    assert not serves(read(variant("A", "other"), ShadowProductionVariants=[variant("S")]), ["credit"])


def test_a_variant_without_a_model_serves_none() -> None:
    assert not serves(read({"VariantName": "A"}), ["", "A"])


def test_names_are_spelled_as_sagemaker_allows_them() -> None:
    assert spelling("German Credit Scoring") == "german-credit-scoring"
    assert spelling("Loan Default Scoring (two schemas)") == "loan-default-scoring-two-schemas"


def test_data_capture_is_told_in_words() -> None:
    on = {"EnableCapture": True, "InitialSamplingPercentage": 20, "DestinationS3Uri": "s3://b/c"}
    assert capture(read(DataCaptureConfig=on)) == "20 % of the traffic to s3://b/c"
    assert capture(read(DataCaptureConfig={**on, "EnableCapture": False})) == capture(read()) == "off"
