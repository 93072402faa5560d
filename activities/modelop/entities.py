"""Reads ModelOp Center's entities: a model's facts, its assets, its schema, and the fingerprint of what is tested."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from activities.errors import plain
from activities.links import Links
from activities.modelop import rest
from activities.modelop.exchange import finite_json
from activities.modelop.rest import Entity
from activities.modelop.types import (
    Asset,
    AssetRole,
    BusinessModel,
    DeclaredFields,
    PreviousSnapshot,
    RiskTests,
    Snapshot,
)

MAX_ID_CHARACTERS = 100
MAX_NAME_CHARACTERS = 120
MAX_DESCRIPTION_CHARACTERS = 1000
MAX_NAMES_KNOWN = 20
MAX_NAME_KNOWN_CHARACTERS = 300
MAX_FIELDS = 20
MAX_ASSETS = 50
MAX_ASSETS_BYTES = 24 * 1024
"""Names may consist of characters of four bytes, so the number of assets alone bounds no payload."""

_IDENTIFYING_FIELDS = ("assetRole", "assetType", "name", "filename", "fileFormat", "fileUrl", "fileSize")


def business_model(entity: Entity, links: Links) -> BusinessModel:
    """The facts of a StoredModel, texts and lists bounded: they travel through the history of every run."""
    meta = rest.sub(entity, "modelMetaData")
    model_id = _id(entity)
    return BusinessModel(
        model_id=model_id,
        name=model_name(entity),
        version=_whole(entity.get("version")) or 0,
        type=_short(meta, "type"),
        description=_short(meta, "description", MAX_DESCRIPTION_CHARACTERS),
        methodology=_short(meta, "modelMethodology"),
        organization=_short(meta, "modelOrganization"),
        risk=_short(meta, "modelRisk"),
        use_category=_short(meta, "modelUseCategory"),
        assets=assets(entity),
        declared_fields=declared_fields(entity),
        fingerprint=fingerprint(entity),
        url=links.model(model_id),
        known_as=known_as(entity),
    )


def snapshot(entity: Entity, links: Links) -> Snapshot:
    """The facts of a DeployableModel and of the model that is frozen in it."""
    model = rest.sub(entity, "storedModel")
    snapshot_id = _id(entity)
    return Snapshot(
        snapshot_id=snapshot_id,
        name=_short(rest.sub(entity, "metaData"), "name"),
        model_version=_whole(model.get("version")) or 0,
        fingerprint=fingerprint(model),
        assets=assets(model),
        url=links.snapshot(snapshot_id),
        endpoint=rest.frozen_endpoint(entity),
    )


def previous_snapshot(entity: Entity, deployed_at: datetime | None) -> PreviousSnapshot:
    """What a review says of the snapshot that was deployed before, with the document recorded at its approval."""
    document = rest.sub(entity, "metaData", "custom", "mlc", "document")
    return PreviousSnapshot(
        snapshot_id=_id(entity),
        name=_short(rest.sub(entity, "metaData"), "name"),
        deployed_at=deployed_at,
        document_filename=_short(document, "filename"),
        document_sha256=_short(document, "sha256", 64),
    )


def risk_tests(entity: Entity) -> RiskTests:
    """A monitor's snapshot as the process knows it."""
    model = rest.sub(entity, "storedModel")
    name = _short(rest.sub(entity, "metaData"), "name") or model_name(model)
    return RiskTests(snapshot_id=_id(entity), model_id=_id(model), name=name)


def model_name(model: Entity) -> str:
    """A model's name on one line."""
    return _short(rest.sub(model, "modelMetaData"), "name")


def known_as(model: Entity) -> list[str]:
    """What SageMaker may know a model by: at most `MAX_NAMES_KNOWN`, none longer than `MAX_NAME_KNOWN_CHARACTERS`.

    Its name, the texts of its `repositoryInfo`, those fields of `custom` that speak of SageMaker, and the addresses of
    its assets. Other fields of `custom` hold people's names, which have no place in a run's history.
    """
    meta = rest.sub(model, "modelMetaData")
    custom = [value for name, value in rest.sub(meta, "custom").items() if "sagemaker" in name.lower()]
    addresses = [rest.text(asset, "fileUrl") for asset in rest.items(model, "modelAssets")]
    said = [model_name(model), *rest.sub(meta, "repositoryInfo").values(), *custom, *addresses]
    known = (plain(text) for text in said if isinstance(text, str) and len(text) <= MAX_NAME_KNOWN_CHARACTERS)
    return list(dict.fromkeys(filter(None, known)))[:MAX_NAMES_KNOWN]


def methodology(model: Entity) -> str:
    """How a model works, in its owner's words: "Classification", "Regression", …"""
    return _short(rest.sub(model, "modelMetaData"), "modelMethodology")


def assets(model: Entity) -> list[Asset]:
    """A model's assets, at most `MAX_ASSETS` of them and `MAX_ASSETS_BYTES` as JSON.

    The first asset of each role that the process looks for comes first, so it is never left out.
    """
    needed = [found for role in AssetRole if (found := asset_with_role(model, role))]
    others = [found for found in rest.items(model, "modelAssets") if not any(found is one for one in needed)]
    kept: list[Asset] = []
    room = MAX_ASSETS_BYTES
    for asset in map(_asset, [*needed, *others][:MAX_ASSETS]):
        room -= len(asset.model_dump_json().encode())
        if room < 0:
            break
        kept.append(asset)
    return kept


def asset_with_role(model: Entity, role: AssetRole) -> Entity | None:
    """The first asset of a role, as ModelOp Center holds it."""
    return next((asset for asset in rest.items(model, "modelAssets") if asset.get("assetRole") == role), None)


def fingerprint(model: Entity) -> str:
    """SHA-256 over what a test result depends on: version, input schema, and what identifies each asset.

    The same for a live model and its frozen copy: ids that a copy may be given anew, and the order of the assets, do
    not count.
    """
    identity = {
        "version": model.get("version"),
        "assets": sorted(_canonical(_identity(asset)) for asset in rest.items(model, "modelAssets")),
        "inputSchema": [
            {"name": schema.get("name"), "definition": _definition(schema)} for schema in _input_schemas(model)
        ],
    }
    return hashlib.sha256(_canonical(identity).encode()).hexdigest()


def declared_fields(model: Entity) -> DeclaredFields | None:
    """What the input schemas declare of the people behind the data; None if no schema can be read."""
    definitions = [
        definition for schema in _input_schemas(model) if isinstance(definition := _definition(schema), dict)
    ]
    fields = [field for definition in definitions for field in rest.items(definition, "fields")]
    if not fields:
        return None
    return DeclaredFields(
        fields=len({rest.text(field, "name") for field in fields}),
        protected=_names([field for field in fields if field.get("protectedClass") is True]),
        identifiers=_names([field for field in fields if field.get("role") == "identifier"]),
    )


def score_is_text(model: Entity) -> bool | None:
    """Whether the schema's score column holds text; None if there is no single schema or no score in it."""
    schemas = _input_schemas(model)
    if len(schemas) != 1:
        return None
    definition = _definition(schemas[0])
    fields = rest.items(definition, "fields") if isinstance(definition, dict) else []
    score = next((field for field in fields if field.get("role") == "score"), None)
    return None if score is None else "string" in _type_names(score.get("type"))


def _names(fields: list[Entity]) -> list[str]:
    names = [name for name in dict.fromkeys(_short(field, "name") for field in fields) if name]
    more = len(names) - MAX_FIELDS
    return names if more <= 0 else [*names[:MAX_FIELDS], f"{more} more"]


def _asset(entity: Entity) -> Asset:
    return Asset(
        name=_short(entity, "name") or _short(entity, "filename"),
        role=_short(entity, "assetRole"),
        file_format=_short(entity, "fileFormat") or None,
        size=_whole(entity.get("fileSize")),
        sha256=plain(rest.content_sha256(entity) or "", 64) or None,
    )


def _identity(asset: Entity) -> Entity:
    recorded = {name: asset[name] for name in _IDENTIFYING_FIELDS if asset.get(name) is not None}
    return {**recorded, "sha256": rest.content_sha256(asset)}


def _input_schemas(model: Entity) -> list[Entity]:
    return rest.items(rest.sub(model, "modelMetaData"), "inputSchema")


def _definition(schema: Entity) -> Any:
    """A schema's definition; some releases keep it as text."""
    definition = schema.get("schemaDefinition")
    try:
        return finite_json(definition) if isinstance(definition, str) else definition
    except ValueError:
        return definition


def _type_names(declared: Any) -> list[Any]:
    """The names in an Avro type: `"string"`, `["null", "string"]` or `{"type": "string"}`."""
    if isinstance(declared, list):
        return [name for option in declared for name in _type_names(option)]
    return _type_names(declared.get("type")) if isinstance(declared, dict) else [declared]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _id(entity: Entity) -> str:
    return _short(entity, "id", MAX_ID_CHARACTERS)


def _short(entity: Entity, name: str, limit: int = MAX_NAME_CHARACTERS) -> str:
    return plain(rest.text(entity, name), limit)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
