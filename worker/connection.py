"""The connection to Temporal, for worker, relay and console alike."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import HeaderCodecBehavior
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from activities.signals import namespace_is_unknown
from worker.data_converter import data_converter, load_data_converter
from worker.settings import given_variables

DEFAULT_ADDRESS = "localhost:7233"
FIRST_PAUSE = timedelta(milliseconds=200)
LONGEST_PAUSE = timedelta(seconds=5)
NAMESPACE_TIMEOUT = timedelta(seconds=5)

_PREFIX = "TEMPORAL_"
# Either says which server is meant.
_SERVER_VARIABLES = ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE")
_PEM = b"-----BEGIN "
_UNTRUSTED = re.compile(r"InvalidCertificate\((\w+)")


class TemporalUnreachable(Exception):
    """No connection to Temporal could be made in time; the text says where and what to check."""


def connect_config() -> ClientConnectConfig:
    """Where and how to connect, from the SDK's `TEMPORAL_*` variables, the env file and the SDK's own file.

    The environment wins over the env file, and both win over the profile. A variable without a value counts as not
    set: an empty API key would otherwise switch TLS on.

    Raises:
        TemporalUnreachable: a variable, a TLS file or the SDK's configuration file is not usable.
    """
    try:
        config = ClientConfig.load_client_connect_config(override_env_vars=_variables())
    # The bridge's own error has no public class; OSError is a TLS file that cannot be read.
    except Exception as error:
        raise TemporalUnreachable(f"the TEMPORAL_* settings are not usable: {_in_one_line(error)}") from error
    config.setdefault("target_host", DEFAULT_ADDRESS)
    _check_tls(config.get("tls"))
    return config


def server_is_named() -> bool:
    """Whether the environment or the env file says which Temporal server is meant."""
    return not _variables().keys().isdisjoint(_SERVER_VARIABLES)


async def connect(*, patience: timedelta = timedelta(seconds=10), address: str = "") -> Client:
    """Connects, trying again until the patience ends.

    Args:
        patience: how long to try.
        address: host and port of a server without TLS and without encryption of payloads, whatever the settings say;
            empty: as the settings say.

    Raises:
        SettingsError: a setting of the encryption is wrong.
        TemporalUnreachable: there was no connection within `patience`, the namespace is not known there, or the
            configuration is not usable.
    """
    config = ClientConnectConfig(target_host=address) if address else connect_config()
    converter = data_converter if address else load_data_converter()
    deadline = time.monotonic() + patience.total_seconds()
    pause = FIRST_PAUSE.total_seconds()
    while True:
        try:
            client = await Client.connect(
                **config,
                data_converter=converter,
                # The header that tells activities which step they serve names the ticket.
                header_codec_behavior=HeaderCodecBehavior.CODEC,
            )
            await _see_namespace(client)
            return client
        except ValueError as error:
            raise TemporalUnreachable(f"the TEMPORAL_* settings are not usable: {_in_one_line(error)}") from error
        except (RPCError, RuntimeError, OSError) as error:
            if time.monotonic() + pause > deadline:
                raise TemporalUnreachable(_fault(config, patience, error)) from error
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE.total_seconds())


def _variables() -> dict[str, str]:
    return {name: value for name, value in given_variables().items() if value or not name.startswith(_PREFIX)}


def _check_tls(tls: bool | TLSConfig | None) -> None:
    """Finds what a connection that is made later, as the relay's, would find only then."""
    if not isinstance(tls, TLSConfig):
        return
    if (tls.client_cert is None) != (tls.client_private_key is None):
        raise TemporalUnreachable(
            "the TEMPORAL_* settings are not usable: TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH "
            "belong together, only one of them is set"
        )
    files = {
        "TEMPORAL_TLS_CLIENT_CERT": tls.client_cert,
        "TEMPORAL_TLS_CLIENT_KEY": tls.client_private_key,
        "TEMPORAL_TLS_SERVER_CA_CERT": tls.server_root_ca_cert,
    }
    for name, content in files.items():
        if content is not None and _PEM not in content:
            raise TemporalUnreachable(
                f"the TEMPORAL_* settings are not usable: what {name}_PATH (or {name}_DATA) names is not PEM"
            )


async def _see_namespace(client: Client) -> None:
    """Raises RPCError where the namespace is missing; connecting by itself does not ask for it."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        await client.workflow_service.describe_namespace(request, timeout=NAMESPACE_TIMEOUT)
    except RPCError as error:
        # Who may not look at the namespace may still work in it.
        if error.status != RPCStatusCode.PERMISSION_DENIED:
            raise


def _fault(config: ClientConnectConfig, patience: timedelta, error: BaseException) -> str:
    server = f"Temporal at {config['target_host']}"
    if isinstance(error, RPCError) and namespace_is_unknown(error):
        return f"{server} has no namespace {config.get('namespace', 'default')}; check TEMPORAL_NAMESPACE"
    return (
        f"{server} cannot be reached within {patience.total_seconds():.0f} s ({_cause(error)}); "
        "check TEMPORAL_ADDRESS and that the server runs"
    )


def _cause(error: BaseException) -> str:
    """What went wrong, without the transport's nested details."""
    text = str(error)
    if "ParseError" in text:
        return "the TLS certificate or key is not readable"
    if "NotValidForName" in text:
        return "its certificate is for another name, which TEMPORAL_TLS_SERVER_NAME may give"
    if untrusted := _UNTRUSTED.search(text):
        return (
            f"its certificate is not accepted, {untrusted[1]}; TEMPORAL_TLS_SERVER_CA_CERT_PATH names the certificate "
            "authority"
        )
    if "InvalidContentType" in text:
        return "the server does not speak TLS, which the settings ask for"
    if "Server connection error" in text:
        return "nothing accepts the connection"
    return _in_one_line(error).partition(": ")[0]


def _in_one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
