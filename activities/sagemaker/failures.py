"""What a failed call to AWS means: worth another try, or for a person to mend."""

from __future__ import annotations

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from temporalio.exceptions import ApplicationError

from activities import errors
from activities.errors import OutsideError, plain

SYSTEM = "SageMaker"
FAILURES = (BotoCoreError, ClientError)

_UNREACHABLE = (
    exceptions.HTTPClientError,
    exceptions.ConnectionError,
    exceptions.MetadataRetrievalError,
    exceptions.CredentialRetrievalError,
)
_NOT_SIGNED_IN = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.ConfigParseError,
    exceptions.ConfigNotFound,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
    exceptions.UnknownCredentialError,
)
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "OptInRequired"}
_REFUSED_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_THROTTLED = {
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
}
_MISSING = {"ResourceNotFound", "ResourceNotFoundException"}
_ATTEMPT_AGAIN = {"InternalFailure", "InternalServerError", "RequestTimeout", "ServiceUnavailable"}


def http_status(error: BaseException) -> int | None:
    """The status with which AWS answered; None if it did not answer."""
    if not isinstance(error, ClientError):
        return None
    status: int | None = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def is_missing(error: BaseException) -> bool:
    """Whether AWS says that what was asked for does not exist.

    SageMaker has no error of its own for that: it answers a `ValidationException` that begins with "Could not find".
    """
    if not isinstance(error, ClientError):
        return False
    said = error.response.get("Error", {})
    named = said.get("Code") in _MISSING
    return named or (said.get("Code") == "ValidationException" and said.get("Message", "").startswith("Could not find"))


def explain(call: str, error: BaseException) -> ApplicationError:
    """The error to raise for a failed call.

    Args:
        call: the operation and what it was about, for example `DescribeModel credit`.
        error: one of `FAILURES`.
    """
    if isinstance(error, ClientError):
        return _answered(call, error)
    if isinstance(error, _UNREACHABLE):
        return errors.unreachable(SYSTEM, call, error)
    if isinstance(error, _NOT_SIGNED_IN):
        return ApplicationError(
            f"AWS has no usable credentials for {call}: {plain(str(error))} "
            "(give the worker a role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile)",
            type=OutsideError.UNAUTHORIZED,
            non_retryable=True,
        )
    if isinstance(error, exceptions.ParamValidationError):
        return errors.answered(SYSTEM, call, 400, str(error))
    return errors.unexpected(SYSTEM, call, f"{type(error).__name__}: {error}")


def _answered(call: str, error: ClientError) -> ApplicationError:
    said = error.response.get("Error", {})
    meta = error.response.get("ResponseMetadata", {})
    code = said.get("Code", "")
    headers = {name.lower(): value for name, value in (meta.get("HTTPHeaders") or {}).items()}
    detail = ": ".join(part for part in (code, said.get("Message", "")) if part)
    status = _status(code, meta.get("HTTPStatusCode", 400))
    return errors.answered(SYSTEM, call, status, detail, headers.get("retry-after"))


def _status(code: str, answered: int) -> int:
    """The HTTP status that says what a code means; AWS answers most refusals with 400."""
    for codes, status in ((_DENIED, 403), (_REFUSED_CREDENTIALS, 401), (_THROTTLED, 429), (_ATTEMPT_AGAIN, 503)):
        if code in codes:
            return status
    return answered
