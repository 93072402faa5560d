"""Finds the snapshot of the Standard Risk Tests: the one that is pinned in the settings, or the newest by name."""

from __future__ import annotations

from temporalio.exceptions import ApplicationError

from activities.errors import OutsideError
from activities.modelop import entities, rest
from activities.modelop.client import ModelOpClient
from activities.modelop.rest import Entity
from activities.modelop.settings import ModelOpSettings
from activities.modelop.types import ModelOpError, RiskTests

RISK_TESTS_PAGES = 100
"""How many pages of monitors and of snapshots are searched; ids can be pinned beyond that."""


class RiskTestsSearch:
    """Looks for the risk tests anew each time, because people add snapshots of them while runs wait."""

    def __init__(self, client: ModelOpClient, settings: ModelOpSettings) -> None:
        self._client = client
        self._settings = settings

    async def find(self) -> RiskTests:
        """The snapshot that test jobs run; of several monitors with that name, the newest one that has a snapshot.

        Raises:
            ApplicationError: `RiskTestsMissing`; the message says what to do about it.
        """
        if self._settings.risk_tests_snapshot_id:
            return entities.risk_tests(await self._pinned(self._settings.risk_tests_snapshot_id))
        models = await self._models()
        snapshot = await self._newest_snapshot(models) if models else None
        if snapshot is None:
            raise self._nothing_found(models)
        return entities.risk_tests(snapshot)

    async def _models(self) -> list[str]:
        """Ids of the monitors that can be the Standard Risk Tests, newest first."""
        pinned = self._settings.risk_tests_model_id
        if pinned:
            return [pinned]
        models = self._client.entries(rest.STORED_MODELS, newest_pages=RISK_TESTS_PAGES)
        found = [model async for model in models if self._is_risk_tests(model)]
        return [rest.text(model, "id") for model in sorted(found, key=rest.age, reverse=True)]

    def _is_risk_tests(self, model: Entity) -> bool:
        meta = rest.sub(model, "modelMetaData")
        is_monitor = meta.get("modelCategory") == rest.MONITOR_CATEGORY
        return is_monitor and rest.text(meta, "name").strip() == self._settings.risk_tests_name

    async def _newest_snapshot(self, models: list[str]) -> Entity | None:
        """The newest snapshot of the first model that has any."""
        newest: dict[str, Entity] = {}
        async for snapshot in self._client.entries(rest.DEPLOYABLE_MODELS, newest_pages=RISK_TESTS_PAGES):
            model_id = rest.text(rest.sub(snapshot, "storedModel"), "id")
            if model_id in models:
                newest[model_id] = max(newest.get(model_id, snapshot), snapshot, key=rest.age)
            if models[0] in newest:
                break
        return next((newest[model_id] for model_id in models if model_id in newest), None)

    async def _pinned(self, snapshot_id: str) -> Entity:
        try:
            return await self._client.get_snapshot(snapshot_id)
        except ApplicationError as error:
            if error.type != OutsideError.NOT_FOUND:
                raise
            raise _missing(
                f"ModelOp Center has no snapshot {snapshot_id}, which the settings name as that of the risk tests "
                "(correct MLC_MODELOP__RISK_TESTS_SNAPSHOT_ID, or remove it to find the newest by name)",
            ) from None

    def _nothing_found(self, models: list[str]) -> ApplicationError:
        name = self._settings.risk_tests_name
        newest = f"the newest {RISK_TESTS_PAGES * rest.PAGE_SIZES[0]:,}"
        if not models:
            said = (
                f"ModelOp Center has no monitor named {name!r} among {newest} models "
                "(add it, or set MLC_MODELOP__RISK_TESTS_NAME or MLC_MODELOP__RISK_TESTS_MODEL_ID)"
            )
        else:
            said = (
                f"The monitor {name!r} ({models[0]}) has no snapshot among {newest} in ModelOp Center "
                "(create one on its page, or set MLC_MODELOP__RISK_TESTS_SNAPSHOT_ID)"
            )
        return _missing(said)


def _missing(message: str) -> ApplicationError:
    return ApplicationError(message, type=ModelOpError.RISK_TESTS_MISSING, non_retryable=True)
