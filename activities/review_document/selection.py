"""Chooses what a review is made with: the customer's own limits and template where there are some, else ours.

Both are looked for in frozen copies only, first in the snapshot of the business model, then in that of the Standard
Risk Tests, so that the same review is made from the same files however often and whenever it is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from activities.modelop.assets import UnreadableAsset, decision_table_asset, filename, template_asset
from activities.review_document.formatting import clean
from activities.review_document.limits.decision_table import DecisionTable, UnreadableDecisionTable, UnusableLimits
from activities.review_document.package import sha256
from activities.review_document.review import Limits, standard_limits

MAX_REASON_CHARACTERS = 300

Model = dict[str, Any]
Finder = Callable[[Model], Model | None]


class AssetSource(Protocol):
    """What is needed of ModelOp Center."""

    async def get_snapshot(self, snapshot_id: str) -> Mapping[str, Any]:
        """A snapshot as JSON, the model's frozen copy inside."""

    async def read_asset(self, asset: Model) -> bytes:
        """The bytes of an asset; raises `UnreadableAsset` if they cannot be had."""


@dataclass(frozen=True)
class Template:
    """A customer's template of the review document.

    Attributes:
        origin: where it comes from, in words.
    """

    filename: str
    content: bytes
    origin: str

    @property
    def sha256(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return sha256(self.content)


class FrozenSources:
    """The files that one snapshot is reviewed with.

    Args:
        modelop: where assets are read from.
        snapshot: the business model's snapshot as JSON.
        risk_tests_snapshot_id: the snapshot whose files count where the model has none; None: there is none.

    Attributes:
        notices: what a reader must know about the choices made so far, in whole sentences.
    """

    def __init__(self, modelop: AssetSource, snapshot: Mapping[str, Any], risk_tests_snapshot_id: str | None) -> None:
        self._modelop = modelop
        self._model = _frozen_model(snapshot)
        self._risk_tests_snapshot_id = risk_tests_snapshot_id
        self._risk_tests: Model | None = None
        self.notices: list[str] = []

    async def limits(self) -> Limits:
        """The decision table of the model or of the risk tests, else the standard limits.

        A table that cannot be used is not replaced: with it, every test reads NOT EVALUATED.
        """
        found = await self._first(decision_table_asset)
        if found is None:
            return standard_limits()
        asset, origin = found
        name = filename(asset)
        content = None
        try:
            content = await self._modelop.read_asset(asset)
            table = await asyncio.to_thread(DecisionTable.read, content, filename=name)
        except (UnreadableAsset, UnreadableDecisionTable) as error:
            reason = clean(str(error), MAX_REASON_CHARACTERS)
            self.notices.append(
                f"The decision table {name} {origin} cannot be used: {reason}. No test was judged by other limits; "
                "each one reads NOT EVALUATED."
            )
            unusable = UnusableLimits(name, reason)
            digest = "" if content is None else sha256(content)
            return Limits(title=unusable.title, sha256=digest, origin=origin, table=unusable)
        return Limits(title=table.title, sha256=table.sha256, origin=origin, table=table)

    async def template(self) -> Template | None:
        """The template of the model or of the risk tests; None if there is none, or if its bytes cannot be had."""
        found = await self._first(template_asset)
        if found is None:
            return None
        asset, origin = found
        name = filename(asset)
        try:
            return Template(name, await self._modelop.read_asset(asset), origin)
        except UnreadableAsset as error:
            self.notices.append(unusable_template(name, origin, str(error)))
            return None

    async def _first(self, find: Finder) -> tuple[Model, str] | None:
        """The first asset that counts, and where it comes from."""
        if asset := find(self._model):
            return asset, "of the business model"
        if asset := find(await self._risk_tests_model()):
            return asset, "of the Standard Risk Tests"
        return None

    async def _risk_tests_model(self) -> Model:
        if self._risk_tests is None:
            snapshot_id = self._risk_tests_snapshot_id
            self._risk_tests = _frozen_model(await self._modelop.get_snapshot(snapshot_id)) if snapshot_id else {}
        return self._risk_tests


def unusable_template(name: str, origin: str, reason: str) -> str:
    """The notice on a document that has our layout because the customer's template could not be filled."""
    return (
        f"The template {name} {origin} cannot be used: {clean(reason, MAX_REASON_CHARACTERS)}. "
        "This document has the standard layout instead."
    )


def _frozen_model(snapshot: Mapping[str, Any]) -> Model:
    model = snapshot.get("storedModel")
    return model if isinstance(model, dict) else {}
