"""DMN files as customers have them: versions, encodings, ways to name an input, hit policies, and files to refuse."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any

import pytest

from activities.review_document.limits.decision_rules import Values
from activities.review_document.limits.decision_table import (
    MAX_BYTES,
    Decided,
    DecisionTable,
    UnreadableDecisionTable,
    UnusableLimits,
)
from activities.review_document.limits.thresholds import Interval
from tests.activities.review_document.limits import dmn
from tests.activities.review_document.limits.dmn import AUC, CSI, KS_DRIFT, METHODOLOGY, row

PASS_AND_FAIL = [row({AUC: ">=0.7"}, "true", "good", "Performance"), row({AUC: "<0.7"}, "false", "bad", "Performance")]


def read(content: bytes) -> DecisionTable:
    return DecisionTable.read(content, filename="limits.dmn")


def decided(table: DecisionTable, **results: Any) -> Decided:
    return table.decisions[0].decide(Values(results))


def hit_numbers(table: DecisionTable, **results: Any) -> list[int]:
    return [rule.number for rule in decided(table, **results).hits]


@pytest.mark.parametrize(
    "namespace",
    [
        dmn.DMN_1_1,
        "http://www.omg.org/spec/DMN/20151101/dmn11.xsd",
        dmn.DMN_1_2,
        dmn.DMN_1_3,
        "https://www.omg.org/spec/DMN/20211108/MODEL/",
        "https://www.omg.org/spec/DMN/20230324/MODEL/",
    ],
)
def test_every_version_of_dmn_is_read(namespace: str) -> None:
    table = read(dmn.file(dmn.decision(PASS_AND_FAIL), namespace=namespace))
    assert hit_numbers(table, auc=0.8) == [1]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-8-SIG", "UTF-16", "ISO-8859-1"])
def test_every_usual_encoding_is_read(encoding: str) -> None:
    content = dmn.file(dmn.decision([row({AUC: ">=0.7"}, "true", "gut für Prüfer")]), encoding=encoding)
    if encoding == "UTF-8-SIG":
        content = content.replace(b"UTF-8-SIG", b"UTF-8")
    assert read(content).decisions[0].rules[0].reason == "gut für Prüfer"


def test_a_table_says_what_it_is() -> None:
    content = dmn.file(dmn.decision(PASS_AND_FAIL, name="Model Test Comparator"))
    table = read(content)
    digest = hashlib.sha256(content).hexdigest()
    assert (table.name, table.filename, table.sha256) == ("Model Test Comparator", "limits.dmn", digest)
    assert table.decisions[0].hit_policy == "COLLECT"
    assert table.title == "Model Test Comparator (limits.dmn)"


@pytest.mark.parametrize(
    ("column", "name"),
    [
        (dmn.input_column("AUC score", variable="auc"), "auc"),
        (dmn.input_column("AUC score", expression="auc"), "auc"),
        (dmn.input_column("AUC score", expression="${ auc }", variable="cellInput"), "auc"),
        (dmn.input_column("auc"), "auc"),
        (dmn.input_column("Drift", variable=KS_DRIFT), KS_DRIFT),
        (dmn.input_column("Drift", expression=KS_DRIFT), KS_DRIFT),
        (dmn.input_column(KS_DRIFT), KS_DRIFT),
    ],
    ids=["variable", "expression", "wrapped", "label", "hyphen variable", "hyphen expression", "hyphen label"],
)
def test_an_input_is_named_by_variable_expression_or_label(column: str, name: str) -> None:
    table = dmn.table([row({"x": ">=0.7"}, "true")], inputs=column)
    assert decided(table, **{name: 0.8}).hits
    assert not decided(table, **{name: 0.6}).hits
    assert not decided(table).undecided


def test_where_variable_and_expression_name_different_values_the_expression_is_judged_as_an_engine_would() -> None:
    table = dmn.table(
        [row({"x": ">=0.7"}, "true")], inputs=dmn.input_column("x", expression="accuracy", variable="auc")
    )
    assert hit_numbers(table, accuracy=0.8, auc=0.1) == [1]
    assert hit_numbers(table, accuracy=0.1, auc=0.8) == []


@pytest.mark.parametrize(
    "expression", ["auc * 100", "if auc > 1 then 1 else 0", "results.auc", "round(auc)", "a" * 600]
)
def test_an_input_that_is_computed_leaves_its_rules_undecided(expression: str) -> None:
    table = dmn.table([row({"x": ">=0.7"}, "true")], inputs=dmn.input_column("x", expression=expression))
    outcome = decided(table, auc=0.8)
    assert not outcome.hits
    assert "the input is" in outcome.undecided[0][1]


def test_a_hyphen_is_part_of_a_name_unless_the_result_holds_the_operands() -> None:
    table = dmn.table([row({"x": "<0.05"}, "false")], inputs=dmn.input_column("x", expression="train-test"))
    assert hit_numbers(table, **{"train-test": 0.01}) == [1]
    assert decided(table, other=1) == Decided()
    assert decided(table, train=0.9, test=0.89).undecided


def test_the_variable_of_a_column_means_its_value_in_the_conditions_of_that_column_only() -> None:
    columns = dmn.input_column("a", expression="auc", variable="cellInput")
    columns += dmn.input_column("b", expression=CSI, variable="cellInput")
    rules = [row({"a": "cellInput > 0.7 && cellInput < 1", "b": "cellInput < 0.2 || cellInput > 9"}, "true")]
    table = dmn.table(rules, inputs=columns)
    assert hit_numbers(table, auc=0.8, **{CSI: 0.1}) == [1]
    assert hit_numbers(table, auc=0.1, **{CSI: 0.1}) == []
    assert hit_numbers(table, auc=0.8, **{CSI: 0.3}) == []


def test_a_value_that_another_decision_computes_is_not_looked_up_in_the_result() -> None:
    other = (
        '<decision id="grade"><variable name="auc"/><literalExpression><text>1</text></literalExpression></decision>'
    )
    judging = dmn.decision(PASS_AND_FAIL).replace(
        "<decisionTable",
        '<informationRequirement><requiredDecision href="#grade"/></informationRequirement><decisionTable',
    )
    outcome = decided(read(dmn.file(other, judging)), auc=0.8)
    assert not outcome.hits
    assert "comes from another decision" in outcome.undecided[0][1]
    assert decided(read(dmn.file(other, dmn.decision(PASS_AND_FAIL))), auc=0.8).hits


@pytest.mark.parametrize("empty", ["", "-", " \n "])
def test_an_empty_cell_matches_everything(empty: str) -> None:
    table = dmn.table([row({AUC: empty, CSI: ">0"}, "true")])
    assert hit_numbers(table, **{CSI: 1}) == [1]


@pytest.mark.parametrize("written", [">=0.7", "<text>&gt;=<b>0.7</b></text>", '<text xmlns="other">&gt;=0.7</text>'])
def test_a_cell_with_its_text_in_an_unusual_place_is_not_taken_for_an_empty_one(written: str) -> None:
    content = dmn.file(dmn.decision([row({AUC: ">=0.7"}, "true")]))
    usual = b"<inputEntry><text>&gt;=0.7</text>"
    assert usual in content
    table = read(content.replace(usual, f"<inputEntry>{written}".encode()))
    assert hit_numbers(table, auc=0.8) == [1]
    assert hit_numbers(table, auc=0.1) == []


def test_collect_takes_every_match_in_order() -> None:
    table = dmn.table([row({AUC: "<0.05"}, "false"), row({AUC: ">1"}, "false"), row({AUC: "-99"}, "false")])
    assert hit_numbers(table, auc=-99) == [1, 3]


def test_first_takes_the_first_match() -> None:
    table = dmn.table([row({AUC: ">=0.9"}, "true"), row({AUC: ">=0.7"}, "true"), row({}, "false")], hit_policy="FIRST")
    assert [hit_numbers(table, auc=value) for value in (0.95, 0.8, 0.1)] == [[1], [2], [3]]


@pytest.mark.parametrize("policy", ["UNIQUE", None])
def test_unique_is_the_usual_policy_and_two_matches_name_the_rules(policy: str | None) -> None:
    rules = [row({AUC: ">=0.7"}, "true"), row({AUC: "<0.7"}, "false"), row({AUC: ">=0.9"}, "true")]
    table = dmn.table(rules, hit_policy=policy)
    assert table.decisions[0].hit_policy == "UNIQUE"
    assert hit_numbers(table, auc=0.8) == [1]
    outcome = decided(table, auc=0.95)
    assert not outcome.hits
    assert "these do: 1, 3" in outcome.problem


@pytest.mark.parametrize("policy", ["ANY", "PRIORITY", "RULE ORDER", "OUTPUT ORDER", "SOMETHING"])
def test_other_hit_policies_are_not_evaluated(policy: str) -> None:
    outcome = decided(dmn.table(PASS_AND_FAIL, hit_policy=policy), auc=0.8)
    assert not outcome.hits
    assert policy in outcome.problem


def test_an_aggregation_is_not_evaluated() -> None:
    outcome = decided(dmn.table(PASS_AND_FAIL, attributes='aggregation="COUNT"'), auc=0.8)
    assert not outcome.hits
    assert "COUNT" in outcome.problem


def test_a_cell_that_cannot_be_evaluated_leaves_its_rule_undecided_unless_another_cell_rules_it_out() -> None:
    table = dmn.table([row({AUC: "> min(a, b)", CSI: "<=0.2"}, "true")])
    outcome = decided(table, auc=0.8, **{CSI: 0.1})
    assert not outcome.hits
    assert 'rule 1 cannot be evaluated: "> min(a, b)" in the column "auc"' in outcome.undecided[0][1]
    assert decided(table, auc=0.8, **{CSI: 0.3}) == Decided()


def test_under_first_nothing_counts_after_a_rule_that_might_have_matched() -> None:
    rules = [row({AUC: ">=0.9"}, "true"), row({AUC: "> limit"}, "true"), row({AUC: "<0.7"}, "false")]
    table = dmn.table(rules, hit_policy="FIRST")
    assert hit_numbers(table, auc=0.95) == [1]
    outcome = decided(table, auc=0.5)
    assert not outcome.hits
    assert [rule.number for rule, _ in outcome.undecided] == [2]
    assert "no later one counts" in outcome.problem


def test_under_unique_a_match_does_not_count_while_another_is_possible() -> None:
    outcome = decided(
        dmn.table([row({AUC: ">=0.7"}, "true"), row({AUC: "> x"}, "false")], hit_policy="UNIQUE"), auc=0.8
    )
    assert not outcome.hits
    assert "perhaps not as the only one" in outcome.problem


@pytest.mark.parametrize(
    ("language", "cell", "hits"),
    [
        ("feel", ">=0.7", [1]),
        ("juel", "auc >= 0.7 && auc < 1", [1]),
        ("", "auc >= 0.7 && auc < 1", [1]),
        ("juel", ">=0.7", []),
        ("juel", "true", []),
        ("javascript", "cellInput >= 0.7", []),
        ("groovy", ">=0.7", []),
    ],
)
def test_a_cell_is_read_in_the_language_it_is_written_in(language: str, cell: str, hits: list[int]) -> None:
    table = dmn.table([row({AUC: cell}, "true")], language=language)
    outcome = decided(table, auc=0.8)
    assert [rule.number for rule in outcome.hits] == hits
    assert bool(outcome.undecided) is not bool(hits)


@pytest.mark.parametrize(
    ("written", "passes", "problem"),
    [
        ("true", True, False),
        ("false", False, False),
        ('"TRUE"', True, False),
        ("'fail'", False, False),
        ("", None, False),
        ("null", None, False),
        ('"maybe"', None, True),
        ("auc > 0.5", None, True),
        ("1", None, True),
    ],
)
def test_the_outcome_of_a_rule_is_a_literal(written: str, passes: bool | None, problem: bool) -> None:
    rule = dmn.table([({AUC: ">0"}, (written, '"r"', '"c"'))]).decisions[0].rules[0]
    assert (rule.passes, bool(rule.problem)) == (passes, problem)


def test_outputs_are_found_by_name_or_label_in_any_case() -> None:
    content = dmn.file(
        dmn.decision([row({AUC: ">0"}, "true", "why", "Group", action="do")], outputs=("a", "b", "c", "d"))
    )
    for name, label in (("a", "Passes"), ("b", "REASON"), ("c", "category"), ("d", "Action")):
        content = content.replace(f'name="{name}" typeRef'.encode(), f'name="{name}" label="{label}" typeRef'.encode())
    rule = read(content).decisions[0].rules[0]
    assert (rule.passes, rule.reason, rule.category, rule.action) == (True, "why", "Group", "do")


def test_a_rule_without_a_category_takes_the_name_of_its_test_or_of_the_decision() -> None:
    rules = dmn.table([row({AUC: ">0"}, "true"), row({"own_metric": ">0"}, "true")], name="Own").decisions[0].rules
    assert [rule.category for rule in rules] == ["Performance", "Own"]


def test_several_decisions_are_read_in_the_order_of_the_file_and_those_without_an_outcome_left_out() -> None:
    helper = dmn.decision([({AUC: ">0"}, ("1",))], name="Helper", outputs=("grade",))
    table = read(dmn.file(dmn.decision(PASS_AND_FAIL, name="B"), helper, dmn.decision(PASS_AND_FAIL, name="A")))
    assert [decision.name for decision in table.decisions] == ["B", "A"]
    assert table.name == "B, A"


def test_the_range_of_a_pass_is_known_where_the_rules_agree_on_one() -> None:
    table = dmn.table(dmn.limits_like_the_standard_ones())
    assert table.passing(CSI) == Interval(at_most=0.2)
    assert table.passing(dmn.R2) == Interval(at_least=0.7)
    assert table.passing("unheard_of") is None
    assert dmn.table([row({AUC: ">1"}, "true"), row({AUC: ">2"}, "true")]).passing(AUC) is None
    assert UnusableLimits("x.dmn", "broken").passing(AUC) is None


BILLION_LAUGHS = (
    "<!DOCTYPE d ["
    + '<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    + "]>"
)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not readable as XML"),
        (b"PK\x03\x04 a Word file", "not readable as XML"),
        (b"\x00" * 100, "not readable as XML"),
        (b"auc >= 0.7", "not readable as XML"),
        (dmn.file(dmn.decision(PASS_AND_FAIL))[:-30], "not readable as XML"),
        (b"<html><body/></html>", 'starts with "html"'),
        (b'<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL"/>', "is no DMN file"),
        (dmn.file(), 'no decision table with an output named "passes"'),
        (dmn.file(dmn.decision([({AUC: ">0"}, ("1",))], outputs=("grade",))), "outputs found: grade"),
        (dmn.file(dmn.decision([], inputs=dmn.input_column("auc"))), "has no rules"),
        (dmn.file(dmn.decision([({AUC: ">0"}, ("true",))])), "rule 1 of the decision"),
        (dmn.file(dmn.decision([row({AUC: ">0"}, "true")], inputs="")), "has 1 input entries for 0 input columns"),
        (dmn.file(dmn.decision([row({AUC: ">0"}, "true")], outputs=("passes", "passes", "x"))), "more than one output"),
        (dmn.file(*[dmn.decision(PASS_AND_FAIL)] * 101), "at most 100 are read"),
        (dmn.file(dmn.decision(PASS_AND_FAIL), before="<!DOCTYPE definitions>"), "document type"),
        (dmn.file("&a9;", before=BILLION_LAUGHS), "document type|not readable"),
        (dmn.file('<decision name="&a9;"/>', before=BILLION_LAUGHS), "document type|not readable"),
        (dmn.file("&x;", before='<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]>'), "document type"),
        (dmn.file(before='<!DOCTYPE d SYSTEM "http://127.0.0.1:9/x.dtd">'), "document type"),
        (dmn.file("<a>" * 5000 + "</a>" * 5000), "not readable as XML"),
        (b" " * (MAX_BYTES + 1), "may have 20,971,520"),
    ],
)
def test_a_file_that_is_no_decision_table_is_refused_with_what_is_wrong_and_how_to_mend_it(
    content: bytes, complaint: str
) -> None:
    started = time.process_time()
    with pytest.raises(UnreadableDecisionTable) as refusal:
        read(content)
    message = str(refusal.value)
    assert message.startswith(("limits.dmn", "rule 1", "the decision"))
    assert "limits.dmn" in message
    assert re.search(complaint, message)
    assert message.endswith(")")
    assert time.process_time() - started < 3


@pytest.mark.parametrize("text", ["a" * 9_000_000, '"' + "\\a" * 4_000_000 + '"', "${" + " " * 1_000_000])
def test_a_huge_text_in_any_place_is_no_reason_to_wait(text: str) -> None:
    started = time.process_time()
    for place in ("cell", "output", "expression"):
        cells = {AUC: text if place == "cell" else ">0"}
        outputs = (text if place == "output" else "true", text if place == "output" else "", "")
        column = dmn.input_column("auc", expression=text if place == "expression" else "auc")
        try:
            outcome = decided(dmn.table([(cells, outputs)], inputs=column), auc=0.8)
        except UnreadableDecisionTable:
            continue
        assert all(rule.problem for rule in outcome.hits)
        assert all(len(reason) < 1000 for _, reason in outcome.undecided)
    assert time.process_time() - started < 5


def test_ten_thousand_rules_are_read_and_applied_in_a_time_that_grows_with_their_number() -> None:
    seconds = {}
    for count in (1_000, 10_000):
        rules = [row({(AUC, CSI, METHODOLOGY)[i % 3]: f"[{i}..{i + 1}["}, "true", f"{i}") for i in range(count)]
        content = dmn.file(dmn.decision(rules))
        started = time.process_time()
        assert hit_numbers(read(content), auc=3.5, **{CSI: 7.0}) == [4, 8]
        seconds[count] = time.process_time() - started
    assert seconds[10_000] < 30 * max(seconds[1_000], 0.1)
    assert seconds[10_000] < 10
