"""What a valid entity is: fields, enumerations and references of each collection, and what the server adds.

Unknown fields are kept as they come. The enumerations hold the values that are known from ModelOp's documentation and
published examples.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sandbox.modelop.errors import ApiError, timestamp
from sandbox.modelop.objects import ObjectStore, content_facts
from sandbox.modelop.store import Entity, Store

ModelType = Literal[
    "PYTHON", "PYTHON3", "R", "PFA", "C", "CPP", "CC", "JUPYTER", "PFA_YAML", "PFA_PPFA", "JAVA", "OCTAVE", "DMN",
    "CMMN", "SAGEMAKER", "DATAIKU", "PYSPARK", "USE_CASE", "EXCEL", "SAS", "ENSEMBLE", "VENDOR", "MLFLOW", "UNKNOWN",
]  # fmt: skip
AssetRole = Literal[
    "BASELINE_DATA", "COMPARATOR_DATA", "TRAINING_DATA", "TEST_DATA", "WEIGHTS_FILE", "MODEL_SOURCE", "MODEL_SCHEMA",
    "MODEL_METADATA", "MODEL_DOCUMENTATION", "MODEL_TEST_SOURCE", "README_FILE", "REQUIRED_LIBRARIES",
    "REQUIRED_ASSETS", "TEST_RESULT_COMPARATOR", "RAILS", "UNKNOWN",
]  # fmt: skip
NotificationType = Literal[
    "PROCESS_NOTIFICATION", "MODEL_NOTIFICATION", "MODEL_TEST_NOTIFICATION", "MODEL_REVIEW_NOTIFICATION",
    "MODEL_DOCUMENT_REVIEW_NOTIFICATION", "MODEL_APPROVAL_NOTIFICATION", "JOB_NOTIFICATION", "ENGINE_NOTIFICATION",
]  # fmt: skip
Severity = Literal["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]
AssignmentType = Literal["JIRA_NOTIFICATION_ASSIGNMENT", "SERVICENOW_NOTIFICATION_ASSIGNMENT"]
JobType = Literal["MODEL_BATCH_JOB", "MODEL_BATCH_TEST_JOB", "MODEL_BATCH_TRAINING_JOB"]
JobStatus = Literal["CREATED", "WAITING", "RUNNING", "COMPLETE", "ERROR", "CANCELLED"]

FINAL_JOB_STATUSES = frozenset({"COMPLETE", "ERROR", "CANCELLED"})


class _Shape(BaseModel):
    """Strict about the fields it names, indifferent to all others."""

    model_config = ConfigDict(extra="allow", strict=True)


class _Reference(_Shape):
    id: str


class _ContentHash(_Shape):
    hashType: Literal["SHA-256"]
    hexString: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Asset(_Shape):
    assetType: Literal["FILE", "EXTERNAL_FILE", "SOURCE_CODE"]
    assetRole: AssetRole
    filename: str | None = None
    fileFormat: Literal["CSV", "JSON", "WORD", "UNKNOWN"] | None = None
    fileSize: int | None = Field(default=None, ge=0)
    fileUrl: str | None = None
    fileContent: str | None = None
    contentHash: _ContentHash | None = None

    @model_validator(mode="after")
    def _describes_its_content(self) -> _Asset:
        """Size and hash, where given, belong to the embedded bytes: a truncated upload is refused."""
        if not self.fileContent:
            return self
        try:
            content = base64.b64decode(self.fileContent, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(f"fileContent is not base64: {error}") from error
        facts = content_facts(content)
        if self.fileSize is not None and self.fileSize != facts["fileSize"]:
            raise ValueError(f"fileSize is {self.fileSize}, but fileContent holds {facts['fileSize']} bytes")
        if self.contentHash and self.contentHash.hexString != facts["contentHash"]["hexString"]:
            raise ValueError(f"contentHash differs from SHA-256 {facts['contentHash']['hexString']} of fileContent")
        return self


class _Document(_Asset):
    filename: str = Field(min_length=1)
    fileContent: str = Field(min_length=1)


class _SchemaField(_Shape):
    name: str


class _SchemaDefinition(_Shape):
    fields: list[_SchemaField]


class _Schema(_Shape):
    schemaDefinition: _SchemaDefinition


class _ModelMetaData(_Shape):
    name: str = Field(min_length=1)
    type: ModelType
    description: str | None = None
    modelCategory: Literal["BUSINESS_MODEL", "MODEL_MONITORING_MODEL"] | None = None
    modelMethodology: str | None = None
    inputSchema: list[_Schema] | None = None
    outputSchema: list[dict[str, Any]] | None = None
    tags: list[str] | None = None
    custom: dict[str, Any] | None = None


class _StoredModel(_Shape):
    modelMetaData: _ModelMetaData
    modelAssets: list[_Asset] = []


class _FrozenModel(_Reference):
    modelMetaData: _ModelMetaData | None = None
    modelAssets: list[_Asset] | None = None


class _SnapshotMetaData(_Shape):
    name: str | None = None
    description: str | None = None
    tags: list[str] | None = None
    custom: dict[str, Any] | None = None


class _DeployableModel(_Shape):
    storedModel: _FrozenModel
    metaData: _SnapshotMetaData = _SnapshotMetaData()
    state: Literal["CREATED", "DEPLOYED", "UNDEPLOYED"] = "CREATED"
    associatedModels: list[dict[str, Any]] = []
    targetRuntimes: list[dict[str, Any]] = []
    modelDocuments: list[_Document] = []


class _Engine(_Shape):
    engineType: str
    environmentName: str | None = None
    inProduction: bool | None = None


class _DeployedModel(_Shape):
    deployableModel: _Reference
    state: Literal["DEPLOYED", "UNDEPLOYED"]
    engine: _Engine


class _Job(_Shape):
    jobType: JobType
    jobStatus: JobStatus
    model: _Reference
    referenceModel: _Reference | None = None
    inputData: list[_Asset]
    outputData: list[dict[str, Any]] = []
    jobParameters: dict[str, Any] = {}
    jobMessages: list[str] = []


class _ModelTestResult(_Shape):
    testResults: dict[str, Any]
    deployableModelId: str
    storedModelId: str | None = None
    jobId: str | None = None
    dmnRuleResults: list[dict[str, Any]] = []


class _Assignment(_Shape):
    assignmentType: AssignmentType
    issueId: str | None = None
    issueLink: str | None = None
    currentStatus: str | None = None


class _Notification(_Shape):
    notificationType: NotificationType
    severity: Severity
    message: str = Field(min_length=1)
    open: bool = True
    approvalType: str | None = None
    storedModelId: str | None = None
    deployableModelId: str | None = None
    jobId: str | None = None
    assignment: _Assignment | None = None


@dataclass(frozen=True)
class Registry:
    """What the rules of one collection may look at: the other entities, and the bytes of assets."""

    store: Store
    objects: ObjectStore


def _as_sent(entity: Entity, registry: Registry) -> Entity:
    return entity


def _unrestricted(before: Entity, after: Entity) -> None:
    return None


@dataclass(frozen=True)
class Collection:
    """One REST collection.

    Attributes:
        name: its path below `/model-manage/api/`, and the key of its lists.
        shape: fields and enumerations, checked on every write.
        references: dotted field path → collection in which that id must exist.
        prepare: completes a new entity.
        complete: completes any entity before it is written.
        guard: refuses a change of an existing entity by raising `ApiError`.
        alias: a second path for single entities, where ModelOp has one.
        deletable: whether DELETE is offered.
    """

    name: str
    shape: type[BaseModel]
    references: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Entity, Registry], Entity] = _as_sent
    complete: Callable[[Entity, Registry], Entity] = _as_sent
    guard: Callable[[Entity, Entity], None] = _unrestricted
    alias: str | None = None
    deletable: bool = False

    def check(self, entity: Entity, registry: Registry) -> None:
        """Validates fields, enumerations and references.

        Raises:
            ApiError: 400; the message names every field at fault and what it should be.
        """
        try:
            self.shape.model_validate(entity)
        except ValidationError as error:
            raise ApiError(400, _validation_message(error)) from error
        for path, collection in self.references.items():
            entity_id = _at(entity, path)
            if entity_id is not None and registry.store.get(collection, str(entity_id)) is None:
                raise ApiError(400, f"{path}: there is no entity {entity_id} in {collection}.")


def _prepare_stored_model(entity: Entity, registry: Registry) -> Entity:
    return {"modelAssets": [], "requiredAssets": [], "associatedModels": [], "gitDifferences": [], **entity}


def _describe_assets(entity: Entity, registry: Registry) -> Entity:
    return {**entity, "modelAssets": [registry.objects.describe(asset) for asset in entity["modelAssets"]]}


def _freeze_snapshot(entity: Entity, registry: Registry) -> Entity:
    """A snapshot holds a full copy of the model: the one that was sent, or else the stored one."""
    model = entity["storedModel"]
    if not model.get("modelMetaData"):
        model = registry.store.get("storedModels", model["id"])
    meta = entity.get("metaData", {})
    default_name = f"{model['modelMetaData']['name']}-{datetime.now(UTC):%Y%m%d_%H%M}"
    return {
        "associatedModels": [],
        "targetRuntimes": [],
        **entity,
        "metaData": {
            "description": "",
            "tags": [],
            "custom": {},
            **meta,
            "name": meta.get("name") or default_name,
        },
        "modelDocuments": entity.get("modelDocuments", []),
        "storedModel": {name: value for name, value in model.items() if name != "_links"},
        "state": "CREATED",
    }


def _keep_frozen(before: Entity, after: Entity) -> None:
    if before["storedModel"] != after["storedModel"]:
        raise ApiError(409, "storedModel of a snapshot is frozen: change the model and make a new snapshot.")


def _prepare_deployed_model(entity: Entity, registry: Registry) -> Entity:
    snapshot = registry.store.get("deployableModels", entity["deployableModel"]["id"]) or {}
    summary = {name: snapshot.get(name) for name in ("id", "version", "metaData")}
    summary["storedModel"] = {"id": snapshot["storedModel"]["id"]}
    return {"deployTime": timestamp(datetime.now(UTC)), **entity, "deployableModel": summary}


def _prepare_job(entity: Entity, registry: Registry) -> Entity:
    if entity["jobStatus"] != "CREATED":
        raise ApiError(400, "jobStatus: a new job must be CREATED.")
    if entity["jobType"] == "MODEL_BATCH_TEST_JOB" and not entity.get("referenceModel"):
        raise ApiError(400, "referenceModel: a test job needs the snapshot of the model under test.")
    snapshots = {
        side: _without_documents(registry.store.get("deployableModels", entity[side]["id"]) or {})
        for side in ("model", "referenceModel")
        if entity.get(side)
    }
    defaults: Entity = {"outputData": [], "additionalAssets": [], "jobParameters": {}}
    return {**defaults, **entity, **snapshots, "jobMessages": [], "jobResult": None}


def _without_documents(snapshot: Entity) -> Entity:
    return {**snapshot, "modelDocuments": []}


def _keep_final(before: Entity, after: Entity) -> None:
    if before["jobStatus"] == after["jobStatus"]:
        return
    if before["jobStatus"] in FINAL_JOB_STATUSES:
        raise ApiError(409, f"The job has ended with {before['jobStatus']}; create a new one.")
    if after["jobStatus"] != "CANCELLED":
        raise ApiError(400, "jobStatus: a job can only be CANCELLED from outside.")


def _prepare_notification(entity: Entity, registry: Registry) -> Entity:
    return {"open": True, "elevatedPriority": False, **entity}


def _prepare_test_result(entity: Entity, registry: Registry) -> Entity:
    return {"dmnRuleResults": [], **entity}


COLLECTIONS = (
    Collection("storedModels", _StoredModel, prepare=_prepare_stored_model, complete=_describe_assets),
    Collection(
        "deployableModels",
        _DeployableModel,
        references={"storedModel.id": "storedModels"},
        prepare=_freeze_snapshot,
        guard=_keep_frozen,
    ),
    Collection(
        "deployedModels",
        _DeployedModel,
        references={"deployableModel.id": "deployableModels"},
        prepare=_prepare_deployed_model,
    ),
    Collection(
        "jobs",
        _Job,
        references={"model.id": "deployableModels", "referenceModel.id": "deployableModels"},
        prepare=_prepare_job,
        guard=_keep_final,
        alias="modelBatchTestJob",
    ),
    Collection(
        "modelTestResults",
        _ModelTestResult,
        references={
            "deployableModelId": "deployableModels",
            "storedModelId": "storedModels",
            "jobId": "jobs",
        },
        prepare=_prepare_test_result,
    ),
    Collection(
        "notifications",
        _Notification,
        references={
            "storedModelId": "storedModels",
            "deployableModelId": "deployableModels",
            "jobId": "jobs",
        },
        prepare=_prepare_notification,
        deletable=True,
    ),
)


def _at(entity: Entity, path: str) -> Any:
    value: Any = entity
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _validation_message(error: ValidationError) -> str:
    faults = []
    for fault in error.errors(include_url=False, include_context=False):
        place = ".".join(str(part) for part in fault["loc"]) or "body"
        faults.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(faults)
