"""ModelOp Center's prerequisites: that it answers, the Standard Risk Tests, and what one model must have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.modelop import rest
from activities.modelop.activities import ModelOpActivities
from activities.modelop.client import ModelOpClient
from activities.modelop.types import ModelRequest, Prerequisite, PrerequisitesRequest
from console.checks.examination import Check, Row, Section, failed, ok, split_remedy, warning

MODEL_TYPE = "SAGEMAKER"
BUSINESS_MODEL = "Business model"
ASSETS = ("Baseline data", "Comparator data")
IN_PRODUCTION = "Deployed in production before (advisory)"


def modelop_section(client: ModelOpClient, activities: ModelOpActivities, model_id: str | None) -> Section:
    """All checks on ModelOp Center; those of a model only where one is named."""
    checks = ModelOpChecks(client, activities)
    others: list[Check | Section] = [Check("Standard Risk Tests", checks.risk_tests)]
    if model_id:
        first, *more = (*ASSETS, IN_PRODUCTION)
        prerequisites = Check(first, partial(checks.prerequisites, model_id), more)
        others.append(Section(Check(BUSINESS_MODEL, partial(checks.model, model_id)), [prerequisites]))
    return Section(first=Check("ModelOp Center", checks.sign_in), others=others)


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
        name = BUSINESS_MODEL
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
        items = {item.name: item for item in found.items}
        return [*(_asset_row(items[name]) for name in ASSETS), _advisory_row(items[IN_PRODUCTION])]


def _asset_row(item: Prerequisite) -> Row:
    if item.found:
        return ok(item.name, item.detail)
    said, remedy = split_remedy(item.detail)
    return failed(item.name, said, remedy or "add it to the model in ModelOp Center")


def _advisory_row(item: Prerequisite) -> Row:
    if item.found:
        return ok(item.name, item.detail)
    return warning(item.name, item.detail, "nothing to do for a first implementation")
