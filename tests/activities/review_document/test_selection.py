"""Which limits and which template a review is made with."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from activities.identity import RunIdentity
from activities.modelop.assets import UnreadableAsset
from activities.modelop.types import MonitorProblem, StoreResultRequest, TestSummary
from activities.review_document.judge import MAX_FINDINGS, MAX_FINDINGS_BYTES, ReviewJudge
from activities.review_document.limits.thresholds import standard_thresholds_sha256
from activities.review_document.limits.verdict_types import Word
from activities.review_document.limits.verdicts import count_by_word, evaluate
from activities.review_document.selection import FrozenSources
from tests.activities.review_document import samples

RISK_TESTS_ID = "srt-snapshot"
TABLE = b"""<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"><decision id="d" name="%s">
<decisionTable hitPolicy="COLLECT"><input id="i" label="auc"><inputExpression><text>auc</text></inputExpression></input>
<output name="passes"/><output name="reason"/><output name="category"/>
<rule><inputEntry><text>&gt;=0.9</text></inputEntry><outputEntry><text>true</text></outputEntry>
<outputEntry><text>"high"</text></outputEntry><outputEntry><text>"Performance"</text></outputEntry></rule>
<rule><inputEntry><text>&lt;0.9</text></inputEntry><outputEntry><text>false</text></outputEntry>
<outputEntry><text>"low"</text></outputEntry><outputEntry><text>"Performance"</text></outputEntry></rule>
</decisionTable></decision></definitions>"""


class Source:
    """Assets that hold their own bytes, or none that can be had."""

    def __init__(self, risk_tests: dict[str, Any] | None = None) -> None:
        self.risk_tests = risk_tests or snapshot()
        self.asked: list[str] = []

    async def get_snapshot(self, snapshot_id: str) -> dict[str, Any]:
        self.asked.append(snapshot_id)
        return self.risk_tests

    async def read_asset(self, asset: dict[str, Any]) -> bytes:
        if "fileContent" not in asset:
            raise UnreadableAsset("it is kept at s3://bucket (embed the file)")
        return base64.b64decode(asset["fileContent"])


def snapshot(*assets: dict[str, Any]) -> dict[str, Any]:
    return {"storedModel": {"modelMetaData": {"modelMethodology": "Classification"}, "modelAssets": list(assets)}}


def table(name: str = "House limits", content: bytes | None = None) -> dict[str, Any]:
    body = TABLE % name.encode() if content is None else content
    encoded = base64.b64encode(body).decode()
    return {"filename": f"{name}.dmn", "assetRole": "TEST_RESULT_COMPARATOR", "fileContent": encoded}


def template(name: str, content: bytes | None = b"PK") -> dict[str, Any]:
    asset = {"filename": f"{name}-ModelReviewDocument.docx", "assetRole": "MODEL_DOCUMENTATION"}
    return asset if content is None else {**asset, "fileContent": base64.b64encode(content).decode()}


def sources(
    *assets: dict[str, Any], risk_tests: dict[str, Any] | None = None, pinned: str | None = RISK_TESTS_ID
) -> FrozenSources:
    return FrozenSources(Source(risk_tests), snapshot(*assets), pinned)


async def judged(
    source: Source, frozen: dict[str, Any], results: dict[str, Any], *failed: MonitorProblem
) -> tuple[list[dict[str, Any]], TestSummary]:
    run: RunIdentity = samples.RUN
    request = StoreResultRequest(
        run=run, job_id="j", snapshot_id="s", model_id="m", risk_tests_snapshot_id=RISK_TESTS_ID
    )
    judgement = await ReviewJudge(source).judge(
        request, results=results, snapshot=frozen, failed=failed, not_applicable=()
    )
    assert judgement.summary is not None
    return judgement.rule_results, judgement.summary


async def test_without_a_table_anywhere_the_standard_limits_count() -> None:
    found = sources()
    limits = await found.limits()
    assert limits.sha256 == standard_thresholds_sha256()
    assert "standard" in limits.title.lower() and found.notices == []


async def test_the_models_own_table_counts_before_that_of_the_risk_tests() -> None:
    both = sources(table("Own"), risk_tests=snapshot(table("Theirs")))
    limits = await both.limits()
    assert limits.title.startswith("Own") and limits.origin == "of the business model"
    fallback = await sources(risk_tests=snapshot(table("Theirs"))).limits()
    assert fallback.title.startswith("Theirs") and fallback.origin == "of the Standard Risk Tests"


async def test_the_models_own_template_counts_before_that_of_the_risk_tests() -> None:
    found = await sources(template("Own"), risk_tests=snapshot(template("Theirs"))).template()
    assert found is not None and found.filename == "Own-ModelReviewDocument.docx"
    fallback = await sources(risk_tests=snapshot(template("Theirs"))).template()
    assert fallback is not None and fallback.filename == "Theirs-ModelReviewDocument.docx"
    assert await sources().template() is None


async def test_the_risk_tests_are_read_once_and_only_if_the_model_lacks_something() -> None:
    source = Source()
    whole = FrozenSources(source, snapshot(table(), template("Own")), RISK_TESTS_ID)
    assert (await whole.limits()).title and await whole.template()
    assert source.asked == []
    lacking = FrozenSources(source, snapshot(), RISK_TESTS_ID)
    assert (await lacking.limits()).title and await lacking.template() is None
    assert source.asked == [RISK_TESTS_ID]


async def test_a_run_that_names_no_risk_tests_looks_at_the_model_alone() -> None:
    limits = await sources(risk_tests=snapshot(table("Theirs")), pinned=None).limits()
    assert limits.sha256 == standard_thresholds_sha256()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (table(content=b"no xml"), "cannot be used: "),
        ({name: value for name, value in table().items() if name != "fileContent"}, "kept at s3://bucket"),
    ],
)
async def test_a_table_that_cannot_be_used_is_said_and_never_replaced(broken: dict[str, Any], reason: str) -> None:
    found = sources(broken, risk_tests=snapshot(table("Theirs")))
    limits = await found.limits()
    (notice,) = found.notices
    assert "House limits.dmn of the business model cannot be used" in notice and "NOT EVALUATED" in notice
    assert reason in notice
    words = count_by_word(evaluate(samples.classification_results(3), methodology="Classification", table=limits.table))
    assert words and not {"PASS", "FAIL"} & set(words)


async def test_a_template_whose_bytes_cannot_be_had_is_said() -> None:
    found = sources(template("Own", content=None), risk_tests=snapshot(template("Theirs")))
    assert await found.template() is None
    (notice,) = found.notices
    assert "Own-ModelReviewDocument.docx of the business model cannot be used: it is kept at s3://bucket" in notice
    assert "standard layout" in notice


@pytest.mark.parametrize(
    "broken", [{}, {"storedModel": None}, {"storedModel": "x"}, {"storedModel": {"modelAssets": 3}}]
)
async def test_a_snapshot_without_a_readable_model_has_the_standard_limits(broken: dict[str, Any]) -> None:
    found = FrozenSources(Source(), broken, None)
    assert (await found.limits()).sha256 == standard_thresholds_sha256()
    assert await found.template() is None


async def test_the_judge_gives_rows_and_a_summary_of_the_same_verdicts() -> None:
    rows, summary = await judged(Source(), snapshot(table()), samples.classification_results(5))
    assert [(row["testCategory"], row["passes"]) for row in rows] == [("Performance", False)]
    assert summary.verdicts == {"FAIL": 1} and summary.overall == "Needs attention: 1 test failed"
    (finding,) = summary.findings
    assert (finding.word, "low" in finding.reason) == (Word.FAIL, True)
    assert summary.limits is not None and summary.limits.title.startswith("House limits")


async def test_the_judge_lists_a_monitor_that_failed_to_run_and_masks_what_it_said() -> None:
    problem = MonitorProblem(monitor="", message="no row for ada@example.com")
    _, summary = await judged(Source(), snapshot(), samples.classification_results(5), problem)
    (stranger,) = [f for f in summary.findings if "no row for" in f.reason]
    assert stranger.word == "ERROR" and "ada@example.com" not in stranger.reason


async def test_a_summary_stays_small_however_much_fails() -> None:
    problems = [MonitorProblem(monitor="", message="💥" * 5000) for _ in range(200)]
    _, summary = await judged(Source(), snapshot(), samples.classification_results(5), *problems)
    assert 0 < len(summary.findings) <= MAX_FINDINGS
    assert summary.verdicts["ERROR"] == 200
    assert len(summary.model_dump_json().encode()) < MAX_FINDINGS_BYTES + 2048


async def test_the_judge_says_that_it_could_not_use_the_table() -> None:
    rows, summary = await judged(Source(), snapshot(table(content=b"<x/>")), samples.classification_results(5))
    assert "PASS" not in summary.verdicts and "NOT EVALUATED" in summary.verdicts
    assert all(row["passes"] is None for row in rows)
    assert summary.notices and "cannot be used" in summary.notices[0]
