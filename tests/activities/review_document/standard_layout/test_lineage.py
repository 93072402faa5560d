"""What the document says about the model, its data, its predecessor and what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from activities.jira.types import Gate
from activities.modelop.types import DecisionRecord, PreviousSnapshot
from activities.review_document.conclusion import overall
from activities.review_document.limits.decision_table import UnusableLimits
from activities.review_document.limits.thresholds import ThresholdTable, standard_thresholds
from activities.review_document.limits.verdict_types import Word
from activities.review_document.review import Limits, standard_limits
from activities.review_document.standard_layout.appendices import regulations
from activities.review_document.standard_layout.model_schema import input_schemas
from activities.review_document.standard_layout.render import render
from activities.review_document.standard_layout.sections import SECTIONS
from activities.sagemaker.types import EndpointConfig, Variant
from tests.activities.review_document import samples
from tests.activities.review_document.reading import text_of

SCHEMA = {
    "type": "record",
    "name": "input",
    "fields": [
        {"name": "age_group", "type": "string", "role": "non-predictor", "protectedClass": True},
        {"name": "amount", "type": ["null", "double"], "role": "predictor", "dataClass": "numerical"},
        {"name": "score", "type": "double", "role": "score", "driftCandidate": True},
    ],
}
PREVIOUS = PreviousSnapshot(
    snapshot_id="snapshot-of-may",
    name="German Credit Scoring-20260501_0900",
    deployed_at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
    document_filename="Model-Review-German-Credit-Scoring-0a1b2c3d.docx",
    document_sha256="cd" * 32,
)
ENDPOINT = EndpointConfig(
    name="german-credit-config-7",
    arn="arn:aws:sagemaker:eu-central-1:123456789012:endpoint-config/german-credit-config-7",
    region="eu-central-1",
    variants=[
        Variant(name="AllTraffic", model_name="german-credit-2026-11", instance_type="ml.m5.large", instance_count=2)
    ],
    read_at=datetime(2026, 11, 22, 14, 0, tzinfo=UTC),
    fingerprint="ef" * 32,
)
CUSTOM = {
    "Model Owner": "Jane Doe",
    "intended_use": "Support for credit officers.",
    "Out of Scope": "Automatic rejection.",
    "Risks to Data Subjects": "Indirect discrimination by age.",
    "Next Review Date": "2027-05-01",
    "Known limitations": "Fitted on applications of 1994.",
    "Cost centre": 4711,
}
RERUN = DecisionRecord(
    gate=Gate.TEST_FAILURE,
    ticket="GOV-13",
    verdict="DONE",
    decided_by="tess.tester",
    decided_at="2026-11-22T14:01:00+00:00",
    comment="Second schema removed.",
)


def model() -> dict[str, Any]:
    stored = samples.stored_model()
    stored["modelMetaData"] |= {"custom": CUSTOM, "inputSchema": [{"name": "in.avsc", "schemaDefinition": SCHEMA}]}
    stored["modelAssets"][0]["fileUrl"] = "https://reader:secret@store.example/baseline.csv?signature=s3cr3t"
    return stored


@pytest.fixture(scope="module")
def text() -> str:
    review = samples.review(
        samples.classification_results(3),
        stored_model=model(),
        previous=PREVIOUS,
        endpoint=ENDPOINT,
        decisions=[samples.pia_decision(), RERUN],
        notices=["The template Own-ModelReviewDocument.docx could not be used: it is password-protected."],
    )
    return text_of(render(review))


def test_the_first_page_shows_what_went_wrong_while_the_document_was_made(text: str) -> None:
    notice = "The template Own-ModelReviewDocument.docx could not be used: it is password-protected."
    assert text.index("Please note\n" + notice) < text.index("Contents")


def test_the_snapshot_deployed_before_is_named_with_the_hash_of_its_document(text: str) -> None:
    assert f"{PREVIOUS.name}  {PREVIOUS.snapshot_id}  on 1 May 2026, 09:30 UTC" in text
    assert text.count(PREVIOUS.document_sha256) == 2
    assert f"Snapshot {PREVIOUS.name} deployed in production\n1 May 2026, 09:30 UTC" in text


def test_without_an_earlier_snapshot_the_document_says_so() -> None:
    text = text_of(render(samples.review({}, decisions=[])))
    assert "Previously deployed\nno earlier snapshot of this model was found in production" in text
    assert "german-credit-config-7  (not verified against AWS)" in text


def test_what_aws_says_of_the_endpoint_configuration_is_printed(text: str) -> None:
    for part in (ENDPOINT.arn, "Region\neu-central-1", "Data capture\noff", "Encrypted with\nno key of its own"):
        assert part in text
    assert "AllTraffic\nml.m5.large\n2\ngerman-credit-2026-11" in text
    assert "Read from AWS\n22 November 2026, 14:00 UTC" in text
    assert "not verified" not in text


def test_the_models_own_fields_fill_the_rows_they_belong_to_however_they_are_spelt(text: str) -> None:
    for part in (
        "Intended use\nSupport for credit officers.",
        "Uses out of scope\nAutomatic rejection.",
        "Risks to data subjects\nIndirect discrimination by age.",
        "Necessity and proportionality\nnot provided",
        "Next review\n2027-05-01",
        "Review cycle\nnot provided",
        "Stated by the owner\nFitted on applications of 1994.",
        "Cost centre\n4711",
        "Declared protected classes\nage_group",
    ):
        assert part in text
    assert text.count("Automatic rejection.") == 1


def test_the_schema_is_printed_with_its_hash_and_roles(text: str) -> None:
    (schema,) = input_schemas(model()["modelMetaData"])
    assert f"in.avsc  {schema.sha256}" in text
    assert "Score column\nscore" in text
    assert "amount\nnull or double\npredictor\nnumerical\n–\n–" in text
    assert "500 baseline and 490 comparator, by the stability tables" in text


def test_addresses_of_assets_lose_their_credentials(text: str) -> None:
    assert "https://store.example/baseline.csv" in text
    assert "secret" not in text
    assert "s3cr3t" not in text


@pytest.mark.parametrize("password", ["p@ssw0rd", "s3cr3t" * 40], ids=["with an at sign", "longer than is printed"])
def test_no_part_of_a_password_is_left_in_the_address_of_an_asset(password: str) -> None:
    stored = samples.stored_model()
    stored["modelAssets"][0]["fileUrl"] = f"https://reader:{password}@store.example/baseline.csv"
    text = text_of(render(samples.review(samples.classification_results(1), stored_model=stored)))
    assert "https://store.example/baseline.csv" in text
    assert not any(part in text for part in ("reader", "s3cr3t", "ssw0rd"))


def test_what_does_not_fit_is_counted() -> None:
    stored = model()
    stored["modelMetaData"]["custom"] = {f"Field {letter}": "value" for letter in "abcdefghijklmnopq"}
    stored["modelMetaData"]["inputSchema"] *= 5
    endpoint = ENDPOINT.model_copy(update={"variants": ENDPOINT.variants * 12})
    text = text_of(render(samples.review(samples.classification_results(1), stored_model=stored, endpoint=endpoint)))
    for said in ("2 more fields of the model", "The table shows 10 of 12 variants.", "first 3 of 5 input schemas."):
        assert said in text


def test_a_decision_to_run_again_stands_in_the_execution_record(text: str) -> None:
    assert "GOV-13\nDONE\ntess.tester\n22 November 2026, 14:01 UTC\nSecond schema removed." in text


@pytest.mark.parametrize(
    "declared",
    [
        "text",
        [None, "x", {}, {"schemaDefinition": "{"}],
        [{"schemaDefinition": {"fields": "none"}}],
        [{"schemaDefinition": "[" * 50_000}],
    ],
)
def test_what_is_not_a_schema_is_a_visible_gap(declared: Any) -> None:
    assert input_schemas({"inputSchema": declared}) == []


def test_a_schema_kept_as_text_is_read_as_well() -> None:
    (schema,) = input_schemas({"inputSchema": [{"schemaDefinition": '{"name": "n", "fields": [{"name": "a"}]}'}]})
    assert (schema.name, [column.name for column in schema.columns]) == ("n", ["a"])


def test_every_section_is_in_the_crosswalk_and_every_reference_has_a_date() -> None:
    found = regulations()
    assert [c.section for c in found.crosswalk] == [s.number for s in SECTIONS if s.number != "B"]
    assert all(reference.applies_from.year >= 2018 for reference in found.references)
    answers = [c.answer(reference.id) for reference in found.references for c in found.crosswalk]
    assert sum(answer != "–" for answer in answers) > 20


def test_the_rescinded_guidance_is_not_cited_as_in_force(text: str) -> None:
    assert "It replaced SR 11-7 / OCC 2011-12, which was rescinded" in text
    assert text.count("SR 11-7") == 1
    assert "2 December 2027" in text


def test_small_samples_and_groups_of_unknown_size_are_limitations() -> None:
    results = samples.classification_results(3)
    for row in results["bias"][0]["values"]:
        del row["group_size"]
    text = text_of(render(samples.review(results)))
    assert "The smaller of the two samples has 490 rows" in text
    assert "The result does not say how many rows each group has" in text


def test_findings_come_in_the_order_in_which_they_matter() -> None:
    results = samples.classification_results(3) | {"auc": None}
    words = [verdict.word for verdict in samples.review(results).findings]
    assert words == sorted(words, key=list(Word).index)
    assert {Word.FAIL, Word.ERROR} == set(words)


def test_what_the_table_of_limits_has_no_rule_for_is_printed_and_named_as_not_judged() -> None:
    table = standard_thresholds()
    judged = ("performance.auc", "normality.anderson_darling")
    kept = [threshold for threshold in table.thresholds if threshold.id in judged]
    short = ThresholdTable(version="1", basis=table.basis, families=table.families, thresholds=kept)
    limits = replace(standard_limits(), title="Short table", table=short)
    review = samples.review(samples.classification_results(3), limits=limits)
    good = replace(review, test_results={**review.test_results, "ad_p_value": 0.4})
    assert overall(good) == "No findings among 2 judged tests; 6 families of tests have no rule"
    text = text_of(render(review))
    unjudged = "Bias, Data drift, Concept drift, Autocorrelation, Linearity, Multicollinearity"
    assert f"The table of limits has no rule for: {unjudged}." in text
    assert f"Without a rule in the table of limits, and therefore not judged: {unjudged}." in text
    assert "Normality, not judged\nTest\nValue\nKolmogorov-Smirnov p-value\n< 0.001\nCramér-von Mises p-value" in text
    assert "25 or younger\nover 25\n96\n0.770\n1.310\n–" in text
    assert "(limit" not in text


def test_limits_that_cannot_be_used_leave_every_test_to_the_reader() -> None:
    limits = Limits(title="own.dmn", sha256="", origin="asset of the model", table=UnusableLimits("own.dmn", "no XML"))
    review = samples.review(samples.classification_results(3), limits=limits)
    assert {verdict.word for verdict in review.findings} == {Word.NOT_EVALUATED}
    text = text_of(render(review))
    assert f"Needs attention: {len(review.findings)} tests not evaluated." in text
    assert "Every NOT EVALUATED" in text
    assert "Judged by: own.dmn (asset of the model)." in text


def test_what_nobody_looked_up_is_not_called_absent() -> None:
    looked_up = text_of(render(samples.review({})))
    unknown = text_of(render(samples.review({}, previous_unknown="could not be looked up: HTTP 503")))
    absent = "Previously deployed\nno earlier snapshot of this model was found in production"
    assert absent in looked_up and absent not in unknown
    assert "Previously deployed\nnot provided" in unknown


def test_results_of_an_attempt_that_is_not_recorded_say_nothing_of_its_monitors() -> None:
    text = text_of(render(samples.review({}, result_id="of another attempt")))
    assert "Monitors that failed to run or do not apply: not provided." in text
    assert "No monitor of this run failed." not in text


def test_a_schema_that_is_nested_without_end_has_no_hash() -> None:
    nested: dict[str, Any] = {}
    for _ in range(5_000):
        nested = {"items": nested}
    (schema,) = input_schemas({"inputSchema": [{"name": "deep", "schemaDefinition": {"fields": [], "x": nested}}]})
    assert (schema.name, schema.sha256) == ("deep", "")
