"""What `mlc demo` can play: whose model, what people decide, what is wrong and how it is mended, how it must end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from console.sandbox_clients import Model, ModelRegistry
from sandbox.modelop.seed import CUSTOMER_TEMPLATE, GERMAN_CREDIT, NO_COMPARATOR, NO_LABELS, NOTEBOOK, TWO_SCHEMAS
from workflows.contract import FailureType, Gate, Outcome

COMPARATOR_ROLE = "COMPARATOR_DATA"
OUTDATED_SCHEMA = "input_schema_2023.avsc"

SEEDED_MODELS: Mapping[str, str] = {
    GERMAN_CREDIT: "German Credit Scoring: nothing is wrong with it",
    TWO_SCHEMAS: "Loan Default Scoring: its test job fails on two input schemas",
    NO_LABELS: "Card Limit Scoring: without labels, some monitors fail to run",
    NO_COMPARATOR: "Overdraft Scoring: blocked, comparator data is missing",
    NOTEBOOK: "Churn Notebook: fails, it is no SageMaker model",
    CUSTOMER_TEMPLATE: "Consumer Credit Scoring: brings its own template and limits",
}

Change = Callable[[ModelRegistry], Awaitable[None]]


class ScenarioName(StrEnum):
    """Scenarios by the name that the command line takes."""

    HAPPY = "happy"
    REJECTED = "rejected"
    TEST_FAILURE = "test-failure"
    MISSING_ASSET = "missing-asset"
    WRONG_TYPE = "wrong-type"


@dataclass(frozen=True)
class Move:
    """Who moves a ticket where, and the comment that goes with it."""

    person: str
    status: str
    comment: str


@dataclass(frozen=True)
class Scenario:
    """One story.

    Attributes:
        about: the story in one sentence.
        model_id: the seeded model it is about.
        endpoint_config: the seeded endpoint configuration that serves it; empty: the request names none.
        ending: the outcome, or the type of the failure, with which the implementation must end.
        moves: what people do at each gate.
        prepare: puts the model into the state in which the story begins.
        mend: what is done to the model when it is blocked or its tests failed.
        mending: the mending in words.
        test_runs: how often the tests must have run.
        blocks: whether the implementation must have been blocked on the way.
    """

    about: str
    model_id: str
    ending: str
    endpoint_config: str = ""
    moves: Mapping[Gate, Move] = field(default_factory=dict)
    prepare: Change | None = None
    mend: Change | None = None
    mending: str = ""
    test_runs: int = 1
    blocks: bool = False


_PIA = Move("paul", "Done", "Purpose and safeguards are described; age is not used to decide. Fine with me.")
_RESULTS = Move("vera", "Done", "Read the report. Discrimination and drift are acceptable for this portfolio.")
_PRODUCTION = Move("aaron", "Done", "Approved for production.")
_REJECTION = Move("vera", "Rejected", "The age groups are treated too differently. Please mitigate and come back.")
_MENDED = Move("rita", "Done", "Removed the outdated input schema. Please run the tests again.")


async def _add_outdated_schema(registry: ModelRegistry) -> None:
    def change(model: Model) -> Model:
        schemas = _schemas(model)
        return {} if len(schemas) > 1 else _with_schemas([*schemas, {**schemas[0], "name": OUTDATED_SCHEMA}])

    await registry.change(TWO_SCHEMAS, change)


async def _remove_outdated_schema(registry: ModelRegistry) -> None:
    await registry.change(TWO_SCHEMAS, lambda model: _with_schemas(_schemas(model)[:1]))


async def _remove_comparator(registry: ModelRegistry) -> None:
    def change(model: Model) -> Model:
        kept = [asset for asset in model["modelAssets"] if asset["assetRole"] != COMPARATOR_ROLE]
        return {} if len(kept) == len(model["modelAssets"]) else {"modelAssets": kept}

    await registry.change(NO_COMPARATOR, change)


async def _add_comparator(registry: ModelRegistry) -> None:
    example = await registry.model(GERMAN_CREDIT)
    comparators = [asset for asset in example["modelAssets"] if asset["assetRole"] == COMPARATOR_ROLE]
    await registry.change(NO_COMPARATOR, lambda model: {"modelAssets": [*model["modelAssets"], *comparators]})


def _schemas(model: Model) -> Sequence[dict[str, Any]]:
    return list(model["modelMetaData"]["inputSchema"])


def _with_schemas(schemas: Sequence[dict[str, Any]]) -> Model:
    return {"modelMetaData": {"inputSchema": list(schemas)}}


SCENARIOS: Mapping[ScenarioName, Scenario] = {
    ScenarioName.HAPPY: Scenario(
        about="Three people approve, and the German Credit model is deployed.",
        model_id=GERMAN_CREDIT,
        ending=Outcome.DEPLOYED,
        endpoint_config="german-credit-2026-11",
        moves={Gate.PIA: _PIA, Gate.RESULTS: _RESULTS, Gate.PRODUCTION: _PRODUCTION},
    ),
    ScenarioName.REJECTED: Scenario(
        about="The reviewer rejects the test results, and the implementation ends there.",
        model_id=GERMAN_CREDIT,
        ending=Outcome.REJECTED,
        endpoint_config="german-credit-2026-11",
        moves={Gate.PIA: _PIA, Gate.RESULTS: _REJECTION},
    ),
    ScenarioName.TEST_FAILURE: Scenario(
        about="The test job fails on a second input schema; the model is mended and tested again.",
        model_id=TWO_SCHEMAS,
        ending=Outcome.DEPLOYED,
        endpoint_config="loan-default-2026-11",
        moves={
            Gate.PIA: _PIA,
            Gate.TEST_FAILURE: _MENDED,
            Gate.RESULTS: _RESULTS,
            Gate.PRODUCTION: _PRODUCTION,
        },
        prepare=_add_outdated_schema,
        mend=_remove_outdated_schema,
        mending="removes the outdated input schema from the model in ModelOp Center",
        test_runs=2,
    ),
    ScenarioName.MISSING_ASSET: Scenario(
        about="The model has no comparator data: the implementation is blocked, mended and resumed.",
        model_id=NO_COMPARATOR,
        ending=Outcome.DEPLOYED,
        endpoint_config="overdraft-2026-11",
        moves={Gate.PIA: _PIA, Gate.RESULTS: _RESULTS, Gate.PRODUCTION: _PRODUCTION},
        prepare=_remove_comparator,
        mend=_add_comparator,
        mending="adds the comparator data to the model in ModelOp Center and resumes",
        blocks=True,
    ),
    ScenarioName.WRONG_TYPE: Scenario(
        about="A notebook is no SageMaker model: the implementation fails before it bothers anybody.",
        model_id=NOTEBOOK,
        ending=FailureType.WRONG_MODEL_TYPE,
        test_runs=0,
    ),
}
