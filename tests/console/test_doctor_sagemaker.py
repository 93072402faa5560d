"""The doctor's look at SageMaker, where other configurations are broken or ModelOp Center is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from temporalio.exceptions import ApplicationError

from activities import errors
from activities.sagemaker.types import EndpointConfig, Variant
from console.checks import sagemaker
from console.checks.examination import Row, examine
from console.checks.sagemaker import sagemaker_section


class Account:
    """An AWS account with configurations by name, each with the SageMaker models of its variants; None: broken."""

    def __init__(self, **configs: list[str] | None) -> None:
        self._configs = configs

    async def endpoint_config(self, name: str) -> EndpointConfig:
        """The configuration, or the error of one whose model is gone."""
        models = self._configs[name]
        if models is None:
            raise ApplicationError(f"SageMaker has no model, which {name} names (create it again)", type="NotFound")
        variants = [Variant(name=f"V{n}", model_name=model) for n, model in enumerate(models)]
        at = datetime(2026, 11, 22, tzinfo=UTC)
        return EndpointConfig(name=name, arn="", region="eu-central-1", variants=variants, read_at=at, fingerprint="")

    async def endpoint_config_names(self, limit: int) -> list[str]:
        """All names."""
        return list(self._configs)[:limit]


async def credit() -> Sequence[str]:
    """What the model is known by."""
    return ["Credit"]


async def refused() -> Sequence[str]:
    """ModelOp Center, which does not tell."""
    raise errors.answered("ModelOp Center", "POST gocli/token", 401)


async def silent() -> Sequence[str]:
    """ModelOp Center, which does not answer."""
    await asyncio.sleep(60)
    return []


async def look(account: Account, *, name: str | None = None, known_as: sagemaker.KnownAs | None = credit) -> Row:
    """The doctor's row."""
    (row,) = await examine([sagemaker_section(account, name, known_as, match_model=True)])
    return row


async def test_configurations_whose_models_are_gone_do_not_hide_the_one_that_serves() -> None:
    row = await look(Account(old=None, other=["loan"], wanted=["credit"]))
    assert row.status == "ok" and row.found.startswith("wanted in eu-central-1")


async def test_where_none_serves_the_broken_ones_are_told() -> None:
    row = await look(Account(old=None, other=["loan"]))
    assert row.status == "warning" and "1 of them cannot be read: SageMaker has no model, which old names" in row.found


@pytest.mark.parametrize("known_as", [refused, silent])
async def test_a_model_that_cannot_be_asked_about_leaves_the_configuration_checked(
    known_as: sagemaker.KnownAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sagemaker, "MODEL_SECONDS", 0.1)
    row = await look(Account(wanted=["credit"]), name="wanted", known_as=known_as)
    assert row.status == "warning" and "wanted in eu-central-1" in row.found
    assert "not checked because Business model cannot be read" in row.found
    row = await look(Account(wanted=["credit"]), known_as=known_as)
    assert row.status == "skipped" and "not checked because Business model cannot be read" in row.found


async def test_variants_without_a_model_are_not_named_as_if_they_had_one() -> None:
    row = await look(Account(wanted=["", "loan", ""]), name="wanted")
    assert row.found == "wanted does not serve this model; its variants name: loan"
    row = await look(Account(wanted=["", ""]), name="wanted")
    assert row.found.endswith("its variants name: none")
