"""Addresses a person can open: the run in Temporal, the model in ModelOp Center, the endpoint in AWS."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Links:
    """Builds links from the configured web addresses; a part that is not configured yields an empty string."""

    temporal_ui_url: str = ""
    modelop_web_url: str = ""
    aws_region: str = ""

    def run(self, namespace: str, workflow_id: str, run_id: str) -> str:
        """The run's page in the Temporal Web UI."""
        if not self.temporal_ui_url:
            return ""
        path = "/".join(quote(part, safe="") for part in ("namespaces", namespace, "workflows", workflow_id, run_id))
        return f"{self.temporal_ui_url}/{path}"

    def model(self, model_id: str) -> str:
        """The business model's page in ModelOp Center."""
        return self._modelop(f"models/business-models/{quote(model_id, safe='')}")

    def snapshot(self, snapshot_id: str) -> str:
        """The snapshot's page in ModelOp Center."""
        return self._modelop(f"models/business-models/snapshot/{quote(snapshot_id, safe='')}")

    def job(self, job_id: str) -> str:
        """The test job's page in ModelOp Center."""
        return self._modelop(f"jobs/{quote(job_id, safe='')}")

    def endpoint_config(self, name: str) -> str:
        """The endpoint configuration's page in the AWS console; needs the region."""
        if not self.aws_region or not name:
            return ""
        region = quote(self.aws_region, safe="")
        page = f"sagemaker/home?region={region}#/endpointConfig/{quote(name, safe='')}"
        return f"https://{region}.console.aws.amazon.com/{page}"

    def _modelop(self, page: str) -> str:
        return f"{self.modelop_web_url}/#/{page}" if self.modelop_web_url else ""
