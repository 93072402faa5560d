"""The grammar of tokens: what is a token, what its path means, and where it leads."""

from __future__ import annotations

import time
from typing import Any

import pytest

from activities.review_document.customer_template.tokens import (
    ABSENT,
    Index,
    Key,
    MalformedToken,
    Where,
    occurrences,
    parse,
    resolve,
)

SOURCES: dict[str, Any] = {
    "storedModel": {
        "modelMetaData": {"name": "German Credit", "custom": {"Model Owner": "Jane Doe", "riskRating": {"21": "high"}}},
        "modelAssets": [
            {"assetRole": "TRAINING_DATA", "filename": "training.csv", "primaryModelSource": False},
            {"assetRole": "TEST_DATA", "filename": "test.csv", "primaryModelSource": True, "fileSize": 41},
            {"assetRole": "TEST_DATA", "filename": "another.csv", "weight": 1.0},
        ],
    },
    "modelTestResult": {
        "testResults": {
            "dw_statistic": 1.98,
            "DataDrift_maxKolmogorov-SmirnovPValue": 0.9,
            "Accuracy (train, v1.0)": 0.91,
            "cost – benefit": 3,
            "performance": [
                {"test_id": "performance_classification_metrics", "test_name": "Metrics", "values": {"auc": 0.78}}
            ],
            "stability": [{"values": {"gender": {"stability_index": 0.02}}}],
        },
        "dmnRuleResults": [{"testCategory": "Performance", "passes": True}],
    },
}
RESULTS = "modelop.modelTestResult.testResults"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("modelop.storedModel.modelMetaData.name", "German Credit"),
        ("modelop.storedModel.modelMetaData.custom.Model Owner", "Jane Doe"),
        ("modelop.storedModel.modelMetaData.custom.riskRating.(21)", "high"),
        ("modelop.storedModel.modelAssets[1].filename", "test.csv"),
        ("modelop.storedModel.modelAssets.[0].filename", "training.csv"),
        ("modelop.storedModel.modelAssets.[assetRole=TEST_DATA].filename", "test.csv"),
        ("modelop.storedModel.modelAssets[assetRole=TEST_DATA].filename", "test.csv"),
        ("modelop.storedModel.modelAssets.[primaryModelSource=true].filename", "test.csv"),
        ("modelop.storedModel.modelAssets.[fileSize=41].filename", "test.csv"),
        ("modelop.storedModel.modelAssets.[weight=1].filename", "another.csv"),
        ("modelop.storedModel.modelAssets.[assetRole='TEST_DATA'].filename", "test.csv"),
        ("modelop.modelTestResult.dmnRuleResults.[testCategory=Performance].passes", True),
        (f"{RESULTS}.dw_statistic", 1.98),
        (f"{RESULTS}.(dw_statistic)", 1.98),
        (f"{RESULTS}.(DataDrift_maxKolmogorov-SmirnovPValue)", 0.9),
        (f"{RESULTS}.(Accuracy (train, v1.0))", 0.91),
        (f"{RESULTS}.(performance)[0].values", {"auc": 0.78}),
        (f"{RESULTS}.(performance).test_id=performance_classification_metrics.values.auc", 0.78),
        (f"{RESULTS}.(performance).name=x", ABSENT),
        (f"{RESULTS}.(performance).test_name=(Metrics).(values).(auc)", 0.78),
        (f"{RESULTS}.(stability)[0].(values).(gender).(stability_index)", 0.02),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: Any) -> None:
    assert resolve(parse(path), SOURCES) == value


@pytest.mark.parametrize(
    "path",
    [
        "modelop.storedModel.modelMetaData.nothing",
        "modelop.useCases[0].modelMetaData.name",
        "modelop.storedModel.modelAssets[9].filename",
        "modelop.storedModel.modelAssets.filename",
        "modelop.storedModel.modelAssets.[assetRole=NONE].filename",
        "modelop.storedModel.modelMetaData.name.more",
        "modelop.storedModel.modelMetaData[0]",
        "modelop.storedModel.modelmetadata.name",
    ],
)
def test_a_path_that_leads_nowhere_is_absent_and_no_error(path: str) -> None:
    assert resolve(parse(path), SOURCES) is ABSENT


def test_the_names_of_the_sources_are_found_in_any_case() -> None:
    assert resolve(parse("ModelOp.STOREDMODEL.modelMetaData.name"), SOURCES) == "German Credit"


def test_null_is_a_value_of_its_own() -> None:
    assert resolve(parse("modelop.storedModel.name"), {"storedModel": {"name": None}}) is None


def test_what_word_made_of_spaces_quotes_dashes_and_hyphens_is_read_as_it_was_typed() -> None:
    smart = "modelop.modelTestResult.\u00a0testResults.(DataDrift_max\u00adKolmogorov–SmirnovPValue)\u200b"
    assert resolve(parse(smart), SOURCES) == 0.9
    assert resolve(parse("modelop.storedModel.modelAssets.[assetRole=“TEST_DATA”].filename"), SOURCES) == "test.csv"


def test_a_name_with_a_dash_of_its_own_is_found_as_it_is() -> None:
    assert resolve(parse(f"{RESULTS}.(cost – benefit)"), SOURCES) == 3


def test_a_path_is_taken_apart_into_steps() -> None:
    token = parse("modelop.a.(b.c)[2].[d=e f].g=h")
    assert token.steps == (Key("a"), Key("b.c"), Index(2), Where("d", "e f"), Where("g", "h"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "starts with modelop. or modelopgraph."),
        ("DRAFT", "'DRAFT'"),
        ("modelop", "starts with"),
        ("modelopsis.a", "starts with"),
        ("modelop..a", "a name is missing after 'modelop.'"),
        ("modelop.a.", "a name is missing"),
        ("modelop.()", "a name is missing"),
        ("modelop.(a", "never closed"),
        ("modelop.a[b", "never closed"),
        ("modelop.a[b]", "neither a position such as [0] nor [field=value]"),
        ("modelop.a[-1]", "neither"),
        ("modelop.a)b", "a name is missing"),
    ],
)
def test_what_is_no_path_says_where_it_stops_being_one(text: str, said: str) -> None:
    with pytest.raises(MalformedToken) as raised:
        parse(text)
    assert said in str(raised.value)


def test_tokens_are_found_beside_stray_brackets() -> None:
    text = "a <<<modelop.a>> b << c <<>> d <<modelop.(p > q)>>> e"
    assert [(found.written, found.path) for found in occurrences(text)] == [
        ("<<modelop.a>>", "modelop.a"),
        ("<< c <<>> d <<modelop.(p > q)>>> e", None),
        ("<<>>", ""),
        ("<<modelop.(p > q)>>", "modelop.(p > q)"),
    ]


def test_guillemets_open_a_token_only_where_a_path_follows() -> None:
    found = list(occurrences("le modèle « modelop.storedModel.id » dit «bon»"))
    assert [(f.written, f.path) for f in found] == [("« modelop.storedModel.id »", " modelop.storedModel.id ")]


@pytest.mark.parametrize("text", ["<" * 400_000, "<< " * 50_000, "«modelop." * 50_000, "<<" + "x" * 1_000_000])
def test_hostile_text_is_looked_through_in_linear_time(text: str) -> None:
    started = time.thread_time()
    assert all(found.path is None and len(found.written) <= 80 for found in occurrences(text))
    assert time.thread_time() - started < 5


def test_a_path_of_a_thousand_brackets_is_refused() -> None:
    with pytest.raises(MalformedToken):
        parse("modelop." + "(" * 990)
