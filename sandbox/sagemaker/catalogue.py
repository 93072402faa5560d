"""What the stand-in holds, and which keys its clients use; public, and protecting nothing."""

from __future__ import annotations

REGION = "eu-central-1"
ACCESS_KEY, SECRET_KEY = "sandbox", "sandbox"
"""Any keys are taken; these are what the local stack uses."""

ENDPOINT_CONFIGS = {
    "german-credit-2026-11": "german-credit-scoring",
    "loan-default-2026-11": "loan-default-scoring-two-schemas",
    "card-limit-2026-11": "card-limit-scoring-no-labels",
    "overdraft-2026-11": "overdraft-scoring-no-comparator",
    "consumer-credit-1": "consumer-credit-scoring-customer-s-template",
}
"""SageMaker models by the endpoint configuration that serves them; spelled after the business models' names."""
