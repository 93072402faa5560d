"""Builds the monitors' input from plain lists."""

from __future__ import annotations

from typing import Any

from sandbox.modelop.monitors.dataset import Dataset, RiskTestInput, Schema

Columns = dict[str, list[Any]]


def risk_test_input(
    comparator: Columns,
    baseline: Columns | None = None,
    *,
    methodology: str = "Classification",
    **fields: dict[str, Any],
) -> RiskTestInput:
    """Input with a `label` and a `score`, and every other column as its keyword says.

    Args:
        comparator: values by column.
        baseline: the same for the baseline; the comparator again by default.
        methodology: of the model.
        fields: column → role, dataClass and so on; a numerical predictor by default.
    """
    schema = [
        {"name": "label", "role": "label", "dataClass": "categorical"},
        {"name": "score", "role": "score", "dataClass": "numerical"},
        *(
            {"name": name, "role": "predictor", "dataClass": "numerical", **fields.get(name, {})}
            for name in comparator
            if name not in ("label", "score")
        ),
    ]
    return RiskTestInput(
        metadata={"modelMethodology": methodology},
        schema=Schema.from_definition({"fields": schema}),
        baseline=dataset("baseline", baseline or comparator),
        comparator=dataset("comparator", comparator),
    )


def dataset(name: str, columns: Columns) -> Dataset:
    """A data set of columns of equal length."""
    return Dataset(name, columns, len(next(iter(columns.values()))))
