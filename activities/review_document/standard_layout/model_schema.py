"""The input schema that a model declares: which columns it reads, and what part each of them plays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activities.review_document.formatting import label


@dataclass(frozen=True)
class SchemaColumn:
    """One field of the extended Avro schema, as the model declares it; empty where it says nothing.

    Attributes:
        role: for example `predictor`, `score`, `label` or `identifier`.
        data_class: `numerical` or `categorical`.
    """

    name: str
    type: str
    role: str
    data_class: str
    protected: bool
    watched_for_drift: bool


@dataclass(frozen=True)
class InputSchema:
    """One declared schema.

    `sha256` is taken over its JSON with sorted keys and no spaces; empty if that is nested too deeply to be written.
    """

    name: str
    columns: list[SchemaColumn]
    sha256: str

    def names(self, role: str) -> list[str]:
        """The columns that play a role."""
        return [column.name for column in self.columns if column.role == role]


def input_schemas(metadata: Mapping[str, Any]) -> list[InputSchema]:
    """The input schemas in the model's `modelMetaData`; what is not a schema is left out."""
    found = metadata.get("inputSchema")
    return [schema for entry in (found if isinstance(found, list) else []) if (schema := _schema(entry))]


def _schema(entry: Any) -> InputSchema | None:
    definition = _definition(entry.get("schemaDefinition")) if isinstance(entry, Mapping) else None
    if not isinstance(definition, Mapping) or not isinstance(definition.get("fields"), list):
        return None
    fields = definition["fields"]
    columns = [_column(field) for field in fields if isinstance(field, Mapping)]
    name = label(entry.get("name")) or label(definition.get("name")) or "without a name"
    return InputSchema(name, columns, _sha256(definition))


def _definition(raw: Any) -> Any:
    """The schema as JSON; some sites keep it as text."""
    if not isinstance(raw, str):
        return raw
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _column(field: Mapping[str, Any]) -> SchemaColumn:
    kind = field.get("type")
    alternatives = kind if isinstance(kind, list) else [kind]
    return SchemaColumn(
        name=label(field.get("name")),
        type=label(" or ".join(_type_name(k) for k in alternatives[:5])),
        role=label(field.get("role")),
        data_class=label(field.get("dataClass")),
        protected=field.get("protectedClass") is True,
        watched_for_drift=field.get("driftCandidate") is True,
    )


def _type_name(kind: Any) -> str:
    return label(kind.get("type") if isinstance(kind, Mapping) else kind)


def _sha256(definition: Mapping[str, Any]) -> str:
    try:
        text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        return ""
    return hashlib.sha256(text.encode()).hexdigest()
