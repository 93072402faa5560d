"""The part of ModelOp Center's REST interface that the process uses: every path and every body, in one place.

ModelOp Center publishes no specification of these calls, so some shapes are assumptions drawn from its documents and
published examples. A site where a release differs corrects the one line here; nothing else spells out a path or a body.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError
from pydantic.alias_generators import to_camel, to_snake
from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.identity import RunIdentity
from activities.modelop.types import DecisionRecord, DocumentProvenance, NotificationRequest, TicketAssignment
from activities.sagemaker.types import EndpointConfig

Entity = dict[str, Any]
"""One object of ModelOp Center as JSON."""

API = "model-manage/api"
TOKEN = "gocli/token"
TOKEN_SCOPE = "modelop_client"

STORED_MODELS = "storedModels"
DEPLOYABLE_MODELS = "deployableModels"
DEPLOYED_MODELS = "deployedModels"
JOBS = "jobs"
MODEL_TEST_RESULTS = "modelTestResults"
NOTIFICATIONS = "notifications"

PAGE_SIZES = (100, 20, 4, 1)
"""Entities per page, from the usual size down to the last resort; each divides the one before it."""

MONITOR_CATEGORY = "MODEL_MONITORING_MODEL"
DEPLOYED = "DEPLOYED"
UNDEPLOYED = "UNDEPLOYED"
FINAL_JOB_STATUSES = frozenset({"COMPLETE", "ERROR", "CANCELLED"})
COMPLETE = "COMPLETE"
FAILURE = "FAILURE"
"""`jobResult` of a job that came to its end and still failed."""

_ENDPOINT_FACTS = "endpointConfig"
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


def entity_path(collection: str, entity_id: str) -> str:
    """The path of one entity below `API`.

    Raises:
        ApplicationError: `NotFound`; text that is not an id could otherwise lead to another path.
    """
    if not _ID.fullmatch(entity_id):
        raise ApplicationError(
            f"{entity_id[:100]!r} is no id of ModelOp Center (use the UUID from its page or REST interface)",
            type=OutsideError.NOT_FOUND,
            non_retryable=True,
        )
    return f"{collection}/{quote(entity_id)}"


def page_query(number: int, size: int) -> dict[str, str]:
    """The query for one page of a list, newest entities first."""
    return {"page": str(number), "size": str(size), "sort": "createdDate,desc"}


def embedded_lists(page: Entity) -> list[list[Entity]]:
    """The lists of a page; empty lists are left out by the server, and a list of mixed subtypes has a key for each."""
    embedded = page.get("_embedded")
    lists = embedded.values() if isinstance(embedded, dict) else []
    return [[entity for entity in items if isinstance(entity, dict)] for items in lists if isinstance(items, list)]


def served_size(page: Entity, asked: int) -> int:
    """How many entities a page holds at most; the server may allow fewer than it was asked for."""
    size = sub(page, "page").get("size")
    return size if isinstance(size, int) and 0 < size < asked else asked


def is_last_page(page: Entity, number: int, count: int, size: int) -> bool:
    """Whether no page follows page `number`, which holds `count` entities and was asked to hold `size`."""
    if not count:
        return True
    total = sub(page, "page").get("totalPages")
    if isinstance(total, int):
        return number >= total - 1
    if "next" in sub(page, "_links"):
        return False
    return count < size


def sub(entity: Entity, *names: str) -> Entity:
    """The object at a path inside an entity; an empty one if there is none."""
    value: Any = entity
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(entity: Entity, name: str) -> list[Entity]:
    """The objects of a list inside an entity; none if there is no such list."""
    value = entity.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(entity: Entity, name: str) -> str:
    """A text field; an empty text if it is missing or holds something else."""
    value = entity.get(name)
    return value if isinstance(value, str) else ""


def content_sha256(asset: Entity) -> str | None:
    """The recorded SHA-256 of an asset's or document's content, in lower case."""
    recorded = sub(asset, "contentHash")
    is_sha256 = text(recorded, "hashType").upper().replace("-", "") == "SHA256"
    return text(recorded, "hexString").lower() or None if is_sha256 else None


def embedded_bytes(asset: Entity) -> bytes | None:
    """The content that is embedded in an asset or document; None if there is none or it is not base64."""
    encoded = "".join(text(asset, "fileContent").split())
    try:
        return base64.b64decode(encoded, validate=True) or None
    except ValueError:
        return None


def created_at(entity: Mapping[str, Any]) -> datetime | None:
    """When an entity was created; None if it does not say so in a way that can be read."""
    return moment(entity.get("createdDate"))


def moment(value: Any) -> datetime | None:
    """A date as ModelOp Center writes it, ISO 8601 or milliseconds since 1970; None if it cannot be read."""
    try:
        if isinstance(value, int):
            return datetime.fromtimestamp(value / 1000, UTC)
        read = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return read.replace(tzinfo=UTC) if read and read.tzinfo is None else read


def age(entity: Entity) -> tuple[datetime, str]:
    """Sorts entities from the oldest to the newest, the same way on every call."""
    return created_at(entity) or datetime.max.replace(tzinfo=UTC), text(entity, "id")


def without_links(entity: Entity) -> Entity:
    """An entity in the form in which it may be sent back."""
    return {name: value for name, value in entity.items() if name != "_links"}


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`, as ModelOp Center writes dates."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def snapshot_mark(run: RunIdentity, number: int) -> Entity:
    """Marks the snapshot of one round of a run, see `carries_snapshot_mark`."""
    return {**_run_mark(run), "round": number}


def carries_snapshot_mark(snapshot: Entity, mark: Entity) -> bool:
    """Whether a snapshot carries a mark among what `metaData.custom.mlc` holds."""
    return mark.items() <= sub(snapshot, "metaData", "custom", "mlc").items()


def job_mark(run: RunIdentity, attempt: int) -> Entity:
    """Marks the test job of one attempt of a run, see `carries_job_mark`."""
    return {**_run_mark(run), "attempt": attempt}


def carries_job_mark(job: Entity, mark: Entity) -> bool:
    """Whether a job carries a mark in its `jobParameters.mlc`."""
    return mark.items() <= sub(job, "jobParameters", "mlc").items()


def notification_mark(run: RunIdentity, purpose: str) -> str:
    """The last line of a notification's message."""
    return f"[mlc:{run.mark('notification', purpose)}]"


def carries_notification_mark(notification: Entity, mark: str) -> bool:
    """Whether a notification's message ends with a mark."""
    return text(notification, "message").rstrip().endswith(mark)


def snapshot_body(
    stored_model: Entity,
    *,
    name: str,
    mlc: Entity,
    endpoint_config_name: str | None,
    endpoint: EndpointConfig | None = None,
) -> Entity:
    """`POST deployableModels`: freezes the model as it is sent, and beside it what AWS said of its endpoint."""
    meta = sub(stored_model, "modelMetaData")
    group = {"group": stored_model["group"]} if stored_model.get("group") else {}
    return {
        **group,
        "storedModel": without_links(stored_model),
        "metaData": {
            "name": name,
            "description": text(meta, "description"),
            "tags": meta.get("tags") or [],
            "custom": {"mlc": mlc},
        },
        "associatedModels": [],
        "targetRuntimes": [
            {"repositoryInfo": {**info, **_endpoint_facts(endpoint)}}
            for info in _repository_info(endpoint_config_name, endpoint)
        ],
    }


def frozen_endpoint(snapshot: Entity) -> EndpointConfig | None:
    """What AWS said of the endpoint configuration when the snapshot was made; None if nobody asked."""
    for runtime in items(snapshot, "targetRuntimes"):
        facts = sub(runtime, "repositoryInfo", _ENDPOINT_FACTS)
        try:
            return EndpointConfig.model_validate(_respelled(facts, to_snake))
        except ValidationError:
            # Another client may have put something of its own there.
            continue
    return None


def job_body(risk_tests: Entity, snapshot: Entity, inputs: Sequence[Entity], mark: Entity) -> Entity:
    """`POST jobs`: runs a monitor's snapshot (`model`) on a business model's snapshot (`referenceModel`)."""
    return {
        "jobType": "MODEL_BATCH_TEST_JOB",
        "jobStatus": "CREATED",
        "model": without_links(risk_tests),
        "referenceModel": without_links(snapshot),
        "inputData": [{**asset, "usage": "INPUT_ASSET"} for asset in inputs],
        "outputData": [],
        "jobParameters": {"mlc": mark},
    }


def result_body(test_results: Entity, rule_results: list[Entity], *, snapshot: str, model: str, job: str) -> Entity:
    """`POST modelTestResults`."""
    return {
        "testResults": test_results,
        "deployableModelId": snapshot,
        "storedModelId": model,
        "jobId": job,
        "dmnRuleResults": rule_results,
    }


def document_body(filename: str, content: bytes, sha256: str, provenance: DocumentProvenance | None = None) -> Entity:
    """One entry of a snapshot's `modelDocuments`."""
    custom = {"metaData": {"custom": {"mlc": provenance_record(provenance)}}} if provenance else {}
    return {
        "assetType": "FILE",
        "assetRole": "MODEL_DOCUMENTATION",
        "filename": filename,
        "fileFormat": "WORD",
        "fileSize": len(content),
        "contentHash": {"hashType": "SHA-256", "hexString": sha256},
        "fileContent": base64.b64encode(content).decode(),
        **custom,
    }


def provenance_record(provenance: DocumentProvenance) -> Entity:
    """What `metaData.custom.mlc` says of a review document beyond its name and hash; unknown parts are left out."""
    template, limits = provenance.template, provenance.limits
    return {
        "contentSha256": provenance.content_sha256,
        **({"template": {"filename": template.filename, "sha256": template.sha256}} if template else {}),
        **({"limits": {"title": limits.title, "sha256": limits.sha256}} if limits else {}),
    }


def deployed_body(
    snapshot_id: str,
    *,
    environment: str,
    endpoint_config_name: str | None,
    endpoint: EndpointConfig | None = None,
    at: datetime,
) -> Entity:
    """`POST deployedModels`: a snapshot counts as in production on an engine that is marked as such."""
    engine: Entity = {"engineType": "SAGEMAKER_RUNTIME", "environmentName": environment, "inProduction": True}
    for info in _repository_info(endpoint_config_name, endpoint):
        engine["repositoryInfo"] = info
    return {
        "deployableModel": {"id": snapshot_id},
        "state": DEPLOYED,
        "deployTime": timestamp(at),
        "engine": engine,
    }


def approval_record(
    decisions: Sequence[DecisionRecord],
    *,
    filename: str,
    sha256: str,
    provenance: DocumentProvenance | None,
    code_version: str,
    deployed_model_id: str,
) -> Entity:
    """What `metaData.custom.mlc` of a deployed snapshot says beyond the mark."""
    return {
        "decisions": [
            {
                "gate": decision.gate,
                "ticket": decision.ticket,
                "verdict": decision.verdict,
                "decidedBy": decision.decided_by,
                "decidedAt": decision.decided_at,
                "comment": decision.comment,
            }
            for decision in decisions
        ],
        "document": {
            "filename": filename,
            "sha256": sha256,
            **(provenance_record(provenance) if provenance else {}),
        },
        "codeVersion": code_version,
        "deployedModelId": deployed_model_id,
    }


def deployed_patch(record: Entity) -> Entity:
    """`PATCH deployableModels/{id}`: marks the snapshot as deployed and keeps what was decided."""
    return {"state": DEPLOYED, "metaData": {"custom": {"mlc": record}}}


def notification_body(request: NotificationRequest, message: str) -> Entity:
    """`POST notifications`; fields without a value are left out."""
    optional = {
        "deployableModelId": request.snapshot_id,
        "jobId": request.job_id,
        "approvalType": request.approval_type,
        "assignment": _assignment(request.ticket) if request.ticket else None,
    }
    return {
        "notificationType": request.type.value,
        "severity": request.severity.value,
        "message": message,
        "storedModelId": request.model_id,
        "open": request.open,
        **{name: value for name, value in optional.items() if value is not None},
    }


def closed_patch(notification: Entity, *, ticket_status: str | None, closed_by: str | None) -> Entity:
    """`PATCH notifications/{id}`: the assignment goes whole, because its subtype is read from a field of it."""
    changes = {"currentStatus": ticket_status, "closedBy": closed_by}
    given = {name: value for name, value in changes.items() if value is not None}
    assignment = sub(notification, "assignment")
    return {"open": False, "assignment": {**assignment, **given}} if assignment and given else {"open": False}


def undeployed_patch(at: datetime) -> Entity:
    """`PATCH deployedModels/{id}`: the marker stays as a record of what was taken back."""
    return {"state": UNDEPLOYED, "undeployTime": timestamp(at)}


def is_open_mirror(notification: Entity, model_id: str, keys: Collection[str]) -> bool:
    """Whether an open notification of a model mirrors one of these tickets."""
    of_model = notification.get("storedModelId") == model_id
    return of_model and notification.get("open") is True and text(sub(notification, "assignment"), "issueId") in keys


def is_deployed_before(other: Entity, snapshot: Entity) -> bool:
    """Whether `other` is an older snapshot of the same model that an earlier run marked as deployed."""
    model = text(sub(snapshot, "storedModel"), "id")
    of_model = bool(model) and text(sub(other, "storedModel"), "id") == model
    record = sub(other, "metaData", "custom", "mlc")
    return of_model and bool(text(record, "deployedModelId")) and age(other) < age(snapshot)


def is_in_production(deployed: Entity, model_id: str) -> bool:
    """Whether a deployed model is a snapshot of `model_id` on an engine in production."""
    of_model = sub(deployed, "deployableModel", "storedModel").get("id") == model_id
    return of_model and _runs_in_production(deployed)


def is_deployment_of(deployed: Entity, snapshot_id: str) -> bool:
    """Whether a deployed model marks this snapshot as in production; one that was taken back does not."""
    return sub(deployed, "deployableModel").get("id") == snapshot_id and _runs_in_production(deployed)


def _runs_in_production(deployed: Entity) -> bool:
    return deployed.get("state") == DEPLOYED and sub(deployed, "engine").get("inProduction") is True


def _run_mark(run: RunIdentity) -> Entity:
    return {"workflowId": run.workflow_id, "runId": run.run_id}


def _repository_info(endpoint_config_name: str | None, endpoint: EndpointConfig | None) -> Iterator[Entity]:
    if endpoint is not None:
        yield {"endpointConfigName": endpoint.name, "endpointConfigArn": endpoint.arn, "region": endpoint.region}
    elif endpoint_config_name:
        yield {"endpointConfigName": endpoint_config_name}


def _endpoint_facts(endpoint: EndpointConfig | None) -> Entity:
    return {} if endpoint is None else {_ENDPOINT_FACTS: _respelled(endpoint.model_dump(mode="json"), to_camel)}


def _respelled(value: Any, spell: Callable[[str], str]) -> Any:
    """JSON with the names of its fields spelled in another way; ModelOp Center's own are in camel case."""
    if isinstance(value, dict):
        return {spell(name): _respelled(each, spell) for name, each in value.items()}
    return [_respelled(each, spell) for each in value] if isinstance(value, list) else value


def _assignment(ticket: TicketAssignment) -> Entity:
    return {
        "assignmentType": "JIRA_NOTIFICATION_ASSIGNMENT",
        "issueId": ticket.key,
        "issueLink": ticket.url,
        "currentStatus": ticket.status,
    }
