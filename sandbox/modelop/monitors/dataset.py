"""What the monitors look at: two data sets, and the schema that says what each column is."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.str_]

_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


class UnusableInput(Exception):
    """The schema or the data as a whole cannot be used: the job fails."""


class MonitorError(Exception):
    """One monitor cannot be computed on this model or this data; the others still can."""


@dataclass(frozen=True)
class Column:
    """One field of the input schema.

    Attributes:
        role: identifier, predictor, non-predictor, score, label, weight or prediction_date.
        numerical: whether `dataClass` is numerical.
        protected: whether groups of this column are compared for bias.
        drift_candidate: whether drift and stability are watched; predictors are unless the schema says otherwise.
        positive_label: the class that counts as positive, for the label column; None if the schema leaves it open.
    """

    name: str
    role: str
    numerical: bool
    protected: bool
    drift_candidate: bool
    positive_label: str | None

    @classmethod
    def from_field(cls, field: Mapping[str, Any]) -> Column:
        """Reads one entry of `schemaDefinition.fields[]`."""
        role = str(field.get("role") or "non-predictor")
        positive = field.get("positiveClassLabel")
        return cls(
            name=str(field["name"]),
            role=role,
            numerical=field.get("dataClass") == "numerical",
            protected=bool(field.get("protectedClass", False)),
            drift_candidate=bool(field.get("driftCandidate", role == "predictor")),
            positive_label=None if positive is None else _text(positive),
        )


@dataclass(frozen=True)
class Schema:
    """The columns of a model's input schema."""

    columns: tuple[Column, ...]

    @classmethod
    def from_definition(cls, definition: Mapping[str, Any]) -> Schema:
        """Reads an extended Avro record definition."""
        return cls(tuple(Column.from_field(field) for field in definition.get("fields") or ()))

    def only(self, role: str) -> Column:
        """The one column with a role.

        Raises:
            MonitorError: there is none, or more than one.
        """
        found = [column for column in self.columns if column.role == role]
        if len(found) != 1:
            raise MonitorError(f"the input schema must have exactly one column with role={role}, it has {len(found)}")
        return found[0]

    @property
    def numerical_predictors(self) -> list[Column]:
        """Predictors whose `dataClass` is numerical."""
        return [column for column in self.columns if column.role == "predictor" and column.numerical]

    @property
    def drift_candidates(self) -> list[Column]:
        """Columns watched for drift, the model's own output aside."""
        own_output = ("score", "label", "identifier", "weight")
        return [column for column in self.columns if column.drift_candidate and column.role not in own_output]

    @property
    def protected(self) -> list[Column]:
        """Columns whose groups are compared for bias."""
        return [column for column in self.columns if column.protected]


class Dataset:
    """A table by columns. Values are text, numbers, or None where a value is missing."""

    def __init__(self, name: str, columns: Mapping[str, Sequence[Any]], rows: int) -> None:
        self.name = name
        self.rows = rows
        self._columns = columns

    @classmethod
    def parse(cls, content: bytes, *, file_format: str | None, name: str) -> Dataset:
        """Reads CSV with a header, a JSON array of objects, or one JSON object per line.

        Raises:
            UnusableInput: another format, bytes that are not of it, or no rows.
        """
        try:
            text = content.decode("utf-8-sig")
            if file_format == "CSV":
                records = _csv_records(text)
            elif file_format == "JSON":
                records = _json_records(text)
            else:
                raise UnusableInput(f"{name}: fileFormat is {file_format}, but only CSV and JSON can be read")
        except (ValueError, csv.Error) as error:
            raise UnusableInput(f"{name} is not readable as {file_format}: {error}") from error
        if not records:
            raise UnusableInput(f"{name} has no rows")
        names = list(dict.fromkeys(field for record in records for field in record))
        columns = {field: [_present(record.get(field)) for record in records] for field in names}
        return cls(name, columns, len(records))

    def has(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self._columns

    def numbers(self, column: str) -> Floats:
        """The values of a column as floats, NaN where a value is missing or infinite.

        Raises:
            MonitorError: there is no such column, or a value is not a number.
        """
        values = np.array([self._number(column, value) for value in self._values(column)], dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return values

    def texts(self, column: str) -> list[str | None]:
        """The values of a column as text, 1.0 and 1 alike.

        Raises:
            MonitorError: there is no such column.
        """
        return [None if value is None else _text(value) for value in self._values(column)]

    def _values(self, column: str) -> Sequence[Any]:
        if column not in self._columns:
            raise MonitorError(f"column {column!r} of the input schema is not in {self.name}")
        return self._columns[column]

    def _number(self, column: str, value: Any) -> float:
        try:
            return math.nan if value is None else float(value)
        except (TypeError, ValueError, OverflowError):
            raise MonitorError(f"column {column!r} of {self.name} holds {value!r}, which is not a number") from None


@dataclass(frozen=True)
class RiskTestInput:
    """Everything the Standard Risk Tests are computed from.

    Attributes:
        metadata: `modelMetaData` of the model under test.
        baseline: reference data, with the model's scores.
        comparator: a slice of production data, with the model's scores and, once known, the labels.
    """

    metadata: Mapping[str, Any]
    schema: Schema
    baseline: Dataset
    comparator: Dataset

    @property
    def methodology(self) -> str:
        """The model's methodology, free text."""
        return str(self.metadata.get("modelMethodology") or "")

    @property
    def is_regression(self) -> bool:
        """Whether the methodology contains "regression" in any case; any other model is a classifier."""
        return "regression" in self.methodology.casefold()

    def require_regression(self, test: str) -> None:
        """Refuses a test that makes sense on regression models alone.

        Raises:
            MonitorError: this is a classifier.
        """
        if not self.is_regression:
            raise MonitorError(f"{test} can only be run for regression models, not for {self.methodology!r}")


def drop_missing(values: Floats) -> Floats:
    """The values that are there."""
    return values[~np.isnan(values)]


def distinct(values: Iterable[str | None]) -> list[str]:
    """The different values that are there, in order."""
    return sorted({value for value in values if value is not None})


def _csv_records(text: str) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text), strict=True, restkey="", restval=None)
    records = []
    for record in reader:
        if "" in record or None in record.values():
            raise ValueError(f"line {reader.line_num} does not have {len(reader.fieldnames or ())} fields")
        records.append(dict(record))
    return records


def _json_records(text: str) -> list[dict[str, Any]]:
    if text.lstrip().startswith("["):
        records = json.loads(text)
    else:
        records = [json.loads(line) for line in text.splitlines() if line.strip()]
    if not all(isinstance(record, dict) for record in records):
        raise ValueError("every record must be a JSON object")
    return list(records)


def _present(value: Any) -> Any:
    if isinstance(value, str) and value.strip().casefold() in _MISSING:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _text(value: Any) -> str:
    """One spelling for each value, so that the label 1 in a schema, "1" in a CSV and 1.0 in a JSON file are equal."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else text
