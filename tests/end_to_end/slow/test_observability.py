"""What the dashboard and the alerts ask for is really there once runs have gone every way."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from activities.metrics import METRICS
from console.demo import perform
from console.scenarios import ScenarioName
from console.stack import RunningStack
from tests.end_to_end.site import Site
from tests.worker.processes.test_lifecycle import SHOWN_WHILE_TEMPORAL_IS_AWAY
from workflows.contract import SWEEP_SCHEDULE_ID, TASK_QUEUE

ROOT = Path(__file__).resolve().parents[3]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
ALERTS = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())
OF_PROMQL = {
    *(
        "sum",
        "max",
        "min",
        "by",
        "rate",
        "increase",
        "absent",
        "max_over_time",
        "histogram_quantile",
        "and",
        "or",
        "on",
        "unless",
    ),
}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    yield from (target["expr"] for panel in panels() for target in panel["targets"])
    yield from (rule["expr"] for rule in rules())


def metrics_in(expression: str) -> set[str]:
    """Names of metrics in a PromQL expression: what is left without strings, selectors, groupings and functions."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)|\boffset \w+", "", expression)
    return set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare)) - OF_PROMQL


def groupings_in(expression: str) -> set[str]:
    """The labels by which an expression groups."""
    return {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")}


def selections_in(expression: str) -> list[tuple[str, str, str]]:
    """What an expression selects: metric, label, and the pattern of its value."""
    return [
        (metric, label, pattern)
        for metric, selector in re.findall(r"(\w+)\{([^}]*)\}", expression)
        for label, pattern in re.findall(r'(\w+)=~?"([^"]*)"', selector)
    ]


def test_metrics_labels_and_selections_are_found_in_an_expression() -> None:
    expression = (
        'histogram_quantile(0.95, sum by (le, gate) (rate(mlc_x_bucket{a="sum_y", b=~"c|d"}[7d] offset 1h)))'
        " or absent(z_total)"
    )
    assert metrics_in(expression) == {"mlc_x_bucket", "z_total"}
    assert groupings_in(expression) == {"le", "gate"}
    assert selections_in(expression) == [("mlc_x_bucket", "a", "sum_y"), ("mlc_x_bucket", "b", "c|d")]


def test_a_legend_or_a_summary_names_only_labels_by_which_its_expression_groups() -> None:
    for panel in panels():
        for target in panel["targets"]:
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= groupings_in(target["expr"])
    for rule in rules():
        assert set(re.findall(r"\$labels\.(\w+)", repr(rule["annotations"]))) <= groupings_in(rule["expr"])


def test_the_alerts_are_what_prometheus_reads() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules()) >= 7
    for group in ALERTS["groups"]:
        assert set(group) == {"name", "rules"}
    for rule in rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]
        assert metrics_in(rule["expr"]) and rule["expr"].count("(") == rule["expr"].count(")")


def test_the_dashboard_has_panels_that_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


@pytest.mark.timeout(400)
async def test_every_metric_label_and_value_that_is_asked_for_is_scraped(
    running_stack: RunningStack, site: Site
) -> None:
    for scenario in (ScenarioName.HAPPY, ScenarioName.MISSING_ASSET):
        printed = io.StringIO()
        assert await perform(scenario, running_stack, Console(file=printed, width=160)), printed.getvalue()
    # A task of a type that no worker knows fails, over and over; and a call that is cut has no status.
    unknown = await site.client.start_workflow("NobodyKnowsThis", id="nobody-knows-this", task_queue=TASK_QUEUE)
    await site.client.get_schedule_handle(SWEEP_SCHEDULE_ID).trigger()
    async with site.failing("modelop", path="/model-manage/**", effect="cut"):
        run = await site.start(str(uuid4()))
        await run.failing("read_business_model")
    wanted = set().union(*map(metrics_in, expressions())) - {SHOWN_WHILE_TEMPORAL_IS_AWAY}
    try:
        labels = await _scraped_until(running_stack, wanted)
    finally:
        await unknown.terminate()
    assert {metric.exposed_name for metric in METRICS} <= {name.removesuffix("_count") for name in labels}
    for expression in expressions():
        for metric in metrics_in(expression) & wanted:
            assert groupings_in(expression) <= labels[metric].keys(), expression
        for metric, label, pattern in selections_in(expression):
            assert any(re.fullmatch(pattern, value) for value in labels[metric][label]), expression


async def _scraped_until(stack: RunningStack, wanted: set[str]) -> dict[str, dict[str, set[str]]]:
    """The samples of worker and relay, once all that are wanted are among them: their labels and the labels' values."""
    async with httpx.AsyncClient(trust_env=False) as http:
        for _ in range(120):
            found: dict[str, dict[str, set[str]]] = {}
            for url in (stack.addresses.metrics, stack.addresses.relay_metrics):
                for family in text_string_to_metric_families((await http.get(f"{url}/metrics")).text):
                    for sample in family.samples:
                        labels = found.setdefault(sample.name, {})
                        for label, value in sample.labels.items():
                            labels.setdefault(label, set()).add(value)
            if wanted <= found.keys():
                return found
            await asyncio.sleep(0.5)
    raise AssertionError(f"never scraped: {wanted - found.keys()}")
