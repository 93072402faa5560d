"""Which version of which Temporal worker deployment a worker is."""

from __future__ import annotations

from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

from worker.code_version import code_version
from worker.settings import WorkerSettings


def worker_deployment(settings: WorkerSettings) -> WorkerDeploymentConfig | None:
    """The deployment that the settings name, or None: then the worker takes whatever comes.

    Runs wait for people for weeks, longer than anybody keeps old workers. So every run, the sweep's among them, goes on
    with the version that is current whenever it has something to do.
    """
    if not settings.deployment:
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(
            deployment_name=settings.deployment, build_id=settings.build_id or code_version()
        ),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )
