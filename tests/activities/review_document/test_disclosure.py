"""Personal data and figures about a handful of people stay out of the document."""

from __future__ import annotations

from typing import Any

import pytest

from activities.jira.types import Gate
from activities.modelop.types import DecisionRecord
from activities.review_document import charts
from activities.review_document.limits.verdict_types import Word
from activities.review_document.limits.verdicts import rule_results
from activities.review_document.masking import masked, without_credentials
from activities.review_document.review import Limits
from activities.review_document.standard_layout.other_values import other_results, personal_data
from activities.review_document.standard_layout.render import render
from tests.activities.review_document import samples
from tests.activities.review_document.limits import dmn
from tests.activities.review_document.reading import opened, text_of


@pytest.mark.parametrize(
    ("raw", "printed"),
    [
        ("mail jane.doe+x@bank.example.com now", "mail [e-mail address] now"),
        ("call +49 170 1234567.", "call [phone number]."),
        ("call (212) 555-0142", "call [phone number]"),
        ("ssn 123-45-6789", "ssn [social security number]"),
        ("card 4111 1111 1111 1111 seen", "card [card number] seen"),
        ("iban DE89 3704 0044 0532 0130 00 seen", "iban [account number] seen"),
        ("GET https://b.example/x.csv?X-Amz-Signature=s3cr3t failed", "GET https://b.example/x.csv?… failed"),
        ("cannot read 's3://k:p@ss@b.example/x#token=s3cr3t'", "cannot read 's3://b.example/x?…'"),
    ],
)
def test_personal_data_and_credentials_in_quoted_texts_are_masked(raw: str, printed: str) -> None:
    assert masked(raw) == printed


@pytest.mark.parametrize(
    "text",
    [
        samples.SNAPSHOT_ID,
        samples.SHA256_OF_BASELINE,
        "2026-11-22T14:05:30.120Z",
        "500 baseline and 490 comparator rows, where chance alone reaches 0.088",
        "0.345 against a limit of ≤ 0.2; outside the limit are duration_months, feature_001",
        "HTTP 503 from port 8090 after 1234567890123 ms",
        "arn:aws:sagemaker:eu-central-1:123456789012:endpoint-config/x-7",
    ],
)
def test_ids_hashes_dates_and_numbers_are_left_alone(text: str) -> None:
    assert masked(text) == text


def test_the_signature_of_a_long_address_is_left_out() -> None:
    address = f"https://b.example/{'x' * 5_000}"
    assert without_credentials(f"{address}?X-Amz-Signature=s3cr3t") == f"{address}?…"


def test_masking_hostile_text_takes_no_time_and_leaves_no_half_address() -> None:
    assert masked("jane@bank.example " * 1_000_000, 40) == "[e-mail address] [e-mail address] [e-ma…"
    assert masked("://" * 3_000_000, 9) == "://://:/…"
    assert without_credentials("://" * 1_000_000) == "://" * 1_000_000
    assert masked("x" * 10_000_000 + "@" + "9" * 10_000_000, 40) == "x" * 39 + "…"
    assert masked("x" * 390 + " jane@bank.example", 400) == "x" * 390 + " [e-mail…"


@pytest.fixture(scope="module")
def text() -> str:
    results = samples.classification_results(3) | {
        "num_PII_violations": 3,
        "pii": [
            {
                "test_name": "PII scan",
                "values": [
                    {"entity_type": "PERSON", "content": "John Quotedperson"},
                    {"entity_type": "PERSON", "content": "Maria Quotedperson"},
                    {"entity_type": "Hans Quotedperson", "content": "x"},
                ],
            }
        ],
        "answers": [{"test_name": "Judge", "values": {"worst": "Please write to jane@bank.example", "rate": 0.25}}],
    }
    runs = samples.test_runs({"performance": "cannot read row of max@bank.example"})
    runs[0].error = "ValueError in row 7: 'tel. +49 170 1234567'"
    return text_of(render(samples.review(results | {"auc": -99}, test_runs=runs)))


def test_findings_of_personal_data_are_counted_and_never_quoted(text: str) -> None:
    assert "PERSON\n2\nmasked\n1" in text
    assert "Quotedperson" not in text


def test_texts_of_monitors_jobs_and_unknown_tests_are_masked_wherever_they_are_printed(text: str) -> None:
    assert "bank.example" not in text
    assert "1234567" not in text
    assert "answers / Judge / worst\nPlease write to [e-mail address]" in text
    assert text.count("cannot read row of [e-mail address]") == 3
    assert "ValueError in row 7: 'tel. [phone number]'" in text


@pytest.mark.parametrize(
    ("results", "rows"),
    [
        ({"pii": {"EMAIL_ADDRESS": 2, "John Doe": 1}}, [("EMAIL_ADDRESS", "2"), ("masked", "1")]),
        ({"scan": [{"test_category": "personal_data", "values": {"count": 4}}]}, [("count", "4")]),
        ({"scan": [{"entity_type": "PERSON", "text": "John"}]}, [("entity_type", "masked"), ("text", "masked")]),
        ({"epiindex": [{"values": {"a": 1}}]}, []),
    ],
)
def test_scans_for_personal_data_are_known_by_name_or_by_shape(results: Any, rows: list[tuple[str, str]]) -> None:
    assert personal_data(results) == rows
    assert bool(other_results(results)) is not bool(rows)


def test_values_of_any_shape_leave_a_trace() -> None:
    results: dict[str, Any] = {"deep": [[[1]]], "list": [1, 2], "nothing": None, "object": {"values": {"a": {"b": 1}}}}
    assert dict(other_results(results)) == {
        "deep": "1 entry",
        "list": "2 entries",
        "nothing": "–",
        "object / entry 1 / a": "1 entry",
    }


def test_a_verdict_about_a_handful_of_people_shows_the_word_and_no_number() -> None:
    results = samples.classification_results(3) | {"Bias_maxPPRDisparityValue": 3.5}
    review = samples.review(results)
    (verdict,) = [v for v in review.verdicts if v.feature_or_group == "age_group: unknown"]
    assert (verdict.word, verdict.value, verdict.value_text) == (Word.FAIL, None, "withheld")
    content = render(review)
    assert "the group has fewer than 10 rows, so its figures are withheld" in text_of(content)
    assert "3.500" not in text_of(content)
    assert "3.500" not in opened(content).element.xml


def test_buckets_with_few_rows_show_neither_count_nor_what_it_could_be_worked_out_from() -> None:
    results = samples.classification_results(1)
    bucket = results["stability"][0]["values"]["duration_months"]["stability_analysis_table"][0]
    bucket |= {"bucket": "few", "train_count": 7, "train_percent": 0.01357, "psi_calc": 0.02468}
    text = text_of(render(samples.review(results)))
    assert "few\n< 10\n40\nwithheld\n8.0%\nwithheld" in text
    assert "1.4%" not in text


@pytest.mark.parametrize("largest", [">1.2", ">9"], ids=["the rule matches", "no rule matches"])
def test_a_rule_about_several_numbers_shows_none_when_one_may_be_of_a_handful_of_people(largest: str) -> None:
    results = samples.classification_results(3) | {"Bias_maxPPRDisparityValue": 3.5}
    unfair = dmn.row({dmn.LARGEST: largest, dmn.SMALLEST: "<0.8"}, "false", "unfair", "Fairness")
    judged = samples.review(results, limits=Limits("Limits", "", "of the model", dmn.table([unfair])))
    (verdict,) = [v for v in judged.verdicts if v.category == "Fairness"]
    assert (verdict.value, verdict.value_text) == (None, "withheld")
    assert "fewer than 10 rows" in verdict.reason
    assert "3.5" not in str(rule_results(judged.verdicts))
    assert "3.500" not in text_of(render(judged))


def test_without_small_groups_a_rule_about_several_numbers_shows_them() -> None:
    results = samples.classification_results(3) | {"Bias_maxPPRDisparityValue": 3.5}
    results["bias"][0]["values"][2]["group_size"] = 70
    unfair = dmn.row({dmn.LARGEST: ">1.2", dmn.SMALLEST: "<0.8"}, "false", "unfair", "Fairness")
    judged = samples.review(results, limits=Limits("Limits", "", "of the model", dmn.table([unfair])))
    assert [v.value_text for v in judged.verdicts] == ["3.500; 0.770"]


def test_a_number_that_no_group_has_is_not_shown_beside_a_small_group() -> None:
    results = samples.classification_results(3) | {"Bias_maxPPRDisparityValue": 3.501}
    largest = next(v for v in samples.review(results).verdicts if v.threshold_id == "bias.largest_disparity")
    assert (largest.word, largest.value, largest.value_text) == (Word.FAIL, None, "withheld")


def test_people_and_servers_that_quote_personal_data_are_masked_too() -> None:
    decided = DecisionRecord(
        gate=Gate.PIA, ticket="GOV-1", verdict="DONE", decided_by="p", decided_at="", comment="Ask jane@bank.example."
    )
    judged = samples.review({}, decisions=[decided], notices=["The template of max@bank.example cannot be used."])
    text = text_of(render(judged))
    assert "Ask [e-mail address]." in text and "The template of [e-mail address] cannot be used." in text
    assert "bank.example" not in text


def test_the_score_chart_has_no_bars_for_few_rows() -> None:
    def drawn(share: float) -> charts.Chart:
        return charts.distributions(["a", "b"], [share, 0.6], [0.4, 0.6], withheld=[True, False])

    assert drawn(0.1) == drawn(0.3)
    assert drawn(0.1).alt.endswith("a withheld; b 60.0% and 60.0%.")
    assert drawn(0.1).png != charts.distributions(["a", "b"], [0.1, 0.6], [0.4, 0.6]).png


def test_bins_of_few_rows_are_left_out_of_the_calibration() -> None:
    def pictures(observed: float, count: int) -> list[bytes]:
        bins = [{"mean_score": place / 10, "observed_rate": 0.5, "count": 50} for place in range(10)]
        bins[3] |= {"observed_rate": observed, "count": count}
        results = {"charts": {"calibration": bins}}
        return [p.blob for p in opened(render(samples.review(results))).part.package.iter_parts() if is_png(p.partname)]

    assert pictures(0.0, 4) == pictures(1.0, 4)
    assert pictures(0.0, 40) != pictures(1.0, 40)


def is_png(name: str) -> bool:
    return name.endswith(".png")
