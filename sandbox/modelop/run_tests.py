"""Computes the Standard Risk Tests of one job: `python -m sandbox.modelop.run_tests`, JSON in, JSON out.

Reads `{job, objects, seconds}` from standard input and writes `{result}`, or `{error}` where the job itself fails.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

from sandbox.modelop.monitors.battery import run_battery
from sandbox.modelop.monitors.dataset import Dataset, RiskTestInput, Schema, UnusableInput
from sandbox.modelop.objects import ObjectStore, UnreadableAsset

BASELINE, COMPARATOR = "BASELINE_DATA", "COMPARATOR_DATA"


def load_input(job: dict[str, Any], objects: ObjectStore) -> RiskTestInput:
    """The data and the schema that a job names.

    Raises:
        UnusableInput: not exactly one input schema, an asset role without data, or data that cannot be parsed.
        UnreadableAsset: the bytes of an asset cannot be had.
    """
    if job["model"]["storedModel"]["modelMetaData"].get("modelCategory") != "MODEL_MONITORING_MODEL":
        raise UnusableInput(f"The model of snapshot {job['model']['id']} is not a monitor: it has no metrics function")
    meta = job["referenceModel"]["storedModel"]["modelMetaData"]
    schemas = meta.get("inputSchema") or []
    if len(schemas) != 1:
        raise UnusableInput(f"Expected only 1 input schema definition, but found {len(schemas)}")
    return RiskTestInput(
        metadata=meta,
        schema=Schema.from_definition(schemas[0]["schemaDefinition"]),
        baseline=_load_asset(job["inputData"], BASELINE, objects),
        comparator=_load_asset(job["inputData"], COMPARATOR, objects),
    )


def main() -> None:
    """Answers the request on standard input; a job that cannot be computed is an answer too."""
    request = json.load(sys.stdin)
    # Ends this process even when the server that started it is gone.
    signal.alarm(int(request["seconds"]) + 5)
    answer: dict[str, Any]
    try:
        answer = {"result": run_battery(load_input(request["job"], ObjectStore(Path(request["objects"]))))}
    except (UnusableInput, UnreadableAsset) as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout, allow_nan=False)


def _load_asset(assets: list[dict[str, Any]], role: str, objects: ObjectStore) -> Dataset:
    asset = next((candidate for candidate in assets if candidate.get("assetRole") == role), None)
    if asset is None:
        raise UnusableInput(f"Required input asset with role {role} is missing from inputData")
    name = asset.get("filename") or asset.get("fileUrl") or role
    return Dataset.parse(objects.read(asset), file_format=asset.get("fileFormat"), name=name)


if __name__ == "__main__":
    main()
