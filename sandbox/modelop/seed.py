"""What an empty sandbox is filled with: six models, the Standard Risk Tests with a snapshot, and their files."""

from __future__ import annotations

import asyncio
import base64
import sys
from importlib import resources
from typing import Any

from sandbox.modelop.entities import COLLECTIONS, Registry
from sandbox.modelop.store import SYSTEM, Entity

_PREFIX = "6e5a1f0c-7d3b-4c52-9a41-0d8f2b7c"
GERMAN_CREDIT = f"{_PREFIX}9e01"
TWO_SCHEMAS = f"{_PREFIX}9e02"
NO_LABELS = f"{_PREFIX}9e03"
NO_COMPARATOR = f"{_PREFIX}9e04"
NOTEBOOK = f"{_PREFIX}9e05"
STANDARD_RISK_TESTS = f"{_PREFIX}9e10"
STANDARD_RISK_TESTS_SNAPSHOT = f"{_PREFIX}9e11"
CUSTOMER_TEMPLATE = f"{_PREFIX}9e12"

BUCKET = "german-credit-sandbox"
CUSTOMER_TEMPLATE_FILE = "ExampleBankModelReviewDocument.docx"
CUSTOMER_LIMITS_FILE = "customer_thresholds.dmn"
LABEL, SCORE = "label", "score"
AGE_GROUPS = ("<=25", ">25")

COLUMNS: dict[str, dict[str, Any]] = {
    "application_id": {"type": "string", "role": "identifier", "dataClass": "categorical"},
    "status_checking": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "duration_months": {"type": "int", "role": "predictor", "dataClass": "numerical"},
    "credit_history": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "purpose": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "credit_amount": {"type": "int", "role": "predictor", "dataClass": "numerical"},
    "savings": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "employment_since": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "installment_rate": {"type": "int", "role": "predictor", "dataClass": "numerical"},
    "personal_status_sex": {"type": "string", "role": "non-predictor", "dataClass": "categorical"},
    "other_debtors": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "residence_since": {"type": "int", "role": "predictor", "dataClass": "numerical"},
    "property": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "age": {"type": "int", "role": "non-predictor", "dataClass": "numerical", "driftCandidate": True},
    "other_installments": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "housing": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "existing_credits": {"type": "int", "role": "predictor", "dataClass": "numerical"},
    "job": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "dependents": {"type": "int", "role": "predictor", "dataClass": "numerical"},
    "telephone": {"type": "string", "role": "predictor", "dataClass": "categorical"},
    "foreign_worker": {"type": "string", "role": "non-predictor", "dataClass": "categorical"},
    LABEL: {"type": "int", "role": "label", "dataClass": "categorical", "positiveClassLabel": "1"},
    "age_group": {
        "type": "string",
        "role": "non-predictor",
        "dataClass": "categorical",
        "protectedClass": True,
        "driftCandidate": True,
    },
    SCORE: {"type": "double", "role": "score", "dataClass": "numerical"},
}
"""The fields of the input schema by column. The source's columns stand in the source's order.

Sex, age and foreign worker status are no predictors: the model must not decide by them.
"""


def is_predictor(column: str) -> bool:
    """Whether the seeded model decides by this column."""
    return bool(COLUMNS[column]["role"] == "predictor")


def is_numerical(column: str) -> bool:
    """Whether this column holds numbers."""
    return bool(COLUMNS[column]["dataClass"] == "numerical")


async def seed(registry: Registry) -> None:
    """Fills an empty store and the object store; does nothing where there are entities.

    Raises:
        RuntimeError: the files could not be made; the message holds the reason.
    """
    if not registry.store.is_empty():
        return
    await _make_files(registry)
    models = _models(template=(registry.objects.root / BUCKET / CUSTOMER_TEMPLATE_FILE).read_bytes())
    snapshot = {
        "storedModel": {"id": STANDARD_RISK_TESTS},
        "metaData": {"name": "Standard Risk Tests_v1", "description": "The tests that every model takes."},
    }
    with registry.store.transaction():
        for model_id, model in models.items():
            _add(registry, "storedModels", model, model_id)
        _add(registry, "deployableModels", snapshot, STANDARD_RISK_TESTS_SNAPSHOT)


async def _make_files(registry: Registry) -> None:
    """In a process of its own, so that the server never loads scikit-learn."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox.modelop.seed_files",
        str(registry.objects.root / BUCKET),
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"The seeded files could not be made: {errors.decode(errors='replace')[-2000:]}")


def _add(registry: Registry, collection_name: str, fields: Entity, entity_id: str) -> None:
    collection = next(collection for collection in COLLECTIONS if collection.name == collection_name)
    collection.check(fields, registry)
    entity = collection.complete(collection.prepare(fields, registry), registry)
    registry.store.add(collection_name, entity, by=SYSTEM, entity_id=entity_id)


def _models(template: bytes) -> dict[str, Entity]:
    labelled = (_data("BASELINE_DATA", "baseline.csv"), _data("COMPARATOR_DATA", "comparator.csv"))
    unlabelled = (
        _data("BASELINE_DATA", "baseline_unlabelled.csv"),
        _data("COMPARATOR_DATA", "comparator_unlabelled.csv"),
    )
    return {
        GERMAN_CREDIT: _scoring_model(
            "German Credit Scoring",
            "Probability that an applicant repays, for consumer credit decisions up to 20,000 DM.",
            labelled,
        ),
        TWO_SCHEMAS: _scoring_model(
            "Loan Default Scoring (two schemas)",
            "Carries an outdated input schema beside the current one, so its test job fails.",
            labelled,
            schemas=(_schema("input_schema.avsc"), _schema("input_schema_2023.avsc", without=("age_group",))),
        ),
        NO_LABELS: _scoring_model(
            "Card Limit Scoring (no labels)",
            "Outcomes are not known yet: its data has no label column, so some monitors cannot run.",
            unlabelled,
        ),
        NO_COMPARATOR: _scoring_model(
            "Overdraft Scoring (no comparator)",
            "Registered without a slice of production data.",
            labelled[:1],
        ),
        NOTEBOOK: _notebook(),
        CUSTOMER_TEMPLATE: _scoring_model(
            "Consumer Credit Scoring (customer's template)",
            "Probability that an applicant repays. The bank reviews it with a template and stricter limits of its own.",
            (
                *labelled,
                _embedded("MODEL_DOCUMENTATION", CUSTOMER_TEMPLATE_FILE, "WORD", template),
                _embedded("TEST_RESULT_COMPARATOR", CUSTOMER_LIMITS_FILE, "UNKNOWN", _limits()),
            ),
        ),
        STANDARD_RISK_TESTS: _standard_risk_tests(),
    }


def _scoring_model(
    name: str, description: str, assets: tuple[Entity, ...], schemas: tuple[Entity, ...] | None = None
) -> Entity:
    return {
        "modelMetaData": {
            "name": name,
            "description": description,
            "type": "SAGEMAKER",
            "modelCategory": "BUSINESS_MODEL",
            "modelMethodology": "Classification",
            "modelOrganization": "Retail Credit",
            "modelUseCategory": "Credit Risk",
            "modelRisk": "Tier 2",
            "modelStage": "Development",
            "tags": ["credit", "sagemaker"],
            "custom": {
                "Model Owner": "Ana Petrova",
                "Model Owner Email": "ana.petrova@bank.example",
                "Intended Use": "Support for credit officers; no automatic rejection.",
            },
            "inputSchema": list(schemas or (_schema("input_schema.avsc"),)),
            "outputSchema": [],
            "enableInputSchemaChecking": False,
            "enableOutputSchemaChecking": False,
            "attachments": [],
            "repositoryInfo": {},
        },
        "modelAssets": list(assets),
    }


def _notebook() -> Entity:
    return {
        "modelMetaData": {
            "name": "Churn Notebook",
            "description": "A Python model: of interest here only because it is not of type SAGEMAKER.",
            "type": "PYTHON",
            "modelCategory": "BUSINESS_MODEL",
            "modelMethodology": "Classification",
            "modelOrganization": "Marketing",
            "modelUseCategory": "Customer Retention",
            "modelRisk": "Tier 3",
            "modelStage": "Development",
            "tags": ["churn"],
            "custom": {"Model Owner": "Jonas Weber"},
            "inputSchema": [],
        },
    }


def _standard_risk_tests() -> Entity:
    return {
        "modelMetaData": {
            "name": "Standard Risk Tests",
            "description": "Performance, bias, drift, stability and statistical diagnostics of a model.",
            "type": "PYTHON",
            "modelCategory": "MODEL_MONITORING_MODEL",
            "defaultAssociationRole": "DATA_DRIFT_MODEL",
            "frequentlyUsed": True,
            "tags": ["monitor"],
            "custom": {},
            "inputSchema": [],
        },
        "requiredAssets": [
            {
                "assetRole": "BASELINE_DATA",
                "usage": "INPUT_ASSET",
                "description": "Reference data that the model was fitted on.",
            },
            {
                "assetRole": "COMPARATOR_DATA",
                "usage": "INPUT_ASSET",
                "description": "A slice of production data.",
            },
        ],
    }


def _data(role: str, filename: str) -> Entity:
    """An asset in the object store; its size and hash are added when it is written."""
    return {
        "name": filename,
        "filename": filename,
        "assetType": "EXTERNAL_FILE",
        "assetRole": role,
        "fileFormat": "CSV",
        "fileUrl": f"s3://{BUCKET}/{filename}",
        "usage": "INPUT_ASSET",
        "metaData": {"custom": {}, "tags": [], "description": ""},
    }


def _embedded(role: str, filename: str, file_format: str, content: bytes) -> Entity:
    """An asset that carries its own bytes; their size and hash are added when it is written."""
    return {
        "name": filename,
        "filename": filename,
        "assetType": "FILE",
        "assetRole": role,
        "fileFormat": file_format,
        "fileContent": base64.b64encode(content).decode(),
        "usage": "ADDITIONAL_ASSET",
        "metaData": {"custom": {}, "tags": [], "description": ""},
    }


def _limits() -> bytes:
    return resources.files("sandbox.modelop").joinpath("data", CUSTOMER_LIMITS_FILE).read_bytes()


def _schema(filename: str, without: tuple[str, ...] = ()) -> Entity:
    fields = [{"name": name, **definition} for name, definition in COLUMNS.items() if name not in without]
    return {
        "name": filename,
        "schemaDefinition": {"type": "record", "name": filename.partition(".")[0], "fields": fields},
    }
