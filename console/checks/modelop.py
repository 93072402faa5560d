"""ModelOp Center's prerequisites: that it answers, the Standard Risk Tests, and what one model must have."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.modelop import rest
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.types import ModelRequest, PrerequisitesRequest
from console.checks.examination import Check, Row, Section, failed, ok, split_remedy, warning

MODEL_TYPE = "SAGEMAKER"
ADVISORY = "advisory"


def modelop_section(client: ModelOpClient, activities: ModelOpActivities, model_id: str | None) -> Section:
    """All checks on ModelOp Center; those of a model only where one is named."""
    checks = ModelOpChecks(client, activities)
    of_model = [
        Check("Business model", lambda: checks.model(model_id or "")),
        Check("Model's prerequisites", lambda: checks.prerequisites(model_id or "")),
    ]
    return Section(
        first=Check("ModelOp Center", checks.sign_in),
        others=[Check("Standard Risk Tests", checks.risk_tests), *(of_model if model_id else [])],
    )


class ModelOpChecks:
    """Looks at one ModelOp Center as the service account sees it."""

    def __init__(self, client: ModelOpClient, activities: ModelOpActivities) -> None:
        self._client = client
        self._activities = activities

    async def sign_in(self) -> list[Row]:
        """It answers, and takes our credentials."""
        newest = [model async for model in self._client.entries(rest.STORED_MODELS, newest_pages=1)]
        return [ok("ModelOp Center", f"signed in, {len(newest)} models on the newest page")]

    async def risk_tests(self) -> list[Row]:
        """The monitor is there, and has a snapshot that a job can run."""
        found = await self._activities.find_risk_tests()
        return [ok("Standard Risk Tests", f"snapshot {found.name} ({found.snapshot_id})")]

    async def model(self, model_id: str) -> list[Row]:
        """The business model is there, and is one that this process implements."""
        name = "Business model"
        try:
            model = await self._activities.read_business_model(ModelRequest(model_id=model_id))
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            return [failed(name, f"there is no model {model_id}", "check the id, and register the model first")]
        if model.type != MODEL_TYPE:
            found = f"{model.name} is of type {model.type or 'unknown'}"
            return [failed(name, found, f"only models of type {MODEL_TYPE} are implemented")]
        return [ok(name, f"{model.name}, version {model.version}, type {model.type}")]

    async def prerequisites(self, model_id: str) -> Sequence[Row]:
        """The model has what its tests need."""
        found = await self._activities.check_prerequisites(PrerequisitesRequest(model_id=model_id))
        rows = []
        for item in found.items[:2] + found.items[4:]:
            if item.found:
                rows.append(ok(item.name, item.detail))
            elif ADVISORY in item.name:
                rows.append(warning(item.name, item.detail, "nothing to do for a first implementation"))
            else:
                said, remedy = split_remedy(item.detail)
                rows.append(failed(item.name, said, remedy or "add it in ModelOp Center"))
        return rows
