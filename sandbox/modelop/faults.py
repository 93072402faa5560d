"""What can go wrong in this sandbox: the faults of single requests, with errors in its own form."""

from __future__ import annotations

from starlette.middleware import Middleware

from sandbox.faults.control import FaultControl
from sandbox.faults.injection import FaultInjection
from sandbox.faults.rules import Faults
from sandbox.modelop.errors import error_response


def fault_middleware() -> Middleware:
    """The middleware that makes requests suffer, as `create_app` takes it; without any fault at first."""
    faults = Faults()
    return Middleware(FaultInjection, faults=faults, control=FaultControl(faults), refusal=error_response)
