"""The relay as a process: settings, a connection that may come later, a web server."""

from __future__ import annotations

from starlette.types import ASGIApp
from temporalio.client import Client
from temporalio.common import HeaderCodecBehavior

from console.web_server import serve
from relay.app import create_app
from worker.connection import TemporalUnreachable, connect_config
from worker.data_converter import load_data_converter
from worker.settings import RelaySettings, load_relay_settings
from worker.telemetry import start_telemetry


async def run_relay() -> None:
    """Serves webhooks until SIGTERM or SIGINT. Temporal may be away; webhooks are answered 503 while it is.

    Raises:
        SettingsError: a setting of the relay or of the encryption is wrong.
        TemporalUnreachable: the settings of Temporal are not usable.
        UnsignedRelayError: no secret is set.
        ConsoleFault: the address cannot be listened on.
    """
    settings = load_relay_settings()
    telemetry = start_telemetry(
        "sagemaker-mlc-relay",
        host=settings.metrics_host,
        port=settings.metrics_port,
        port_variable="MLC_RELAY__METRICS_PORT",
    )
    client = await _connected_later()
    app = create_app(client=client, secrets=settings.secrets, per_second=settings.max_per_second, meter=telemetry.meter)
    try:
        await _serve(app, settings)
    finally:
        await telemetry.aclose()


async def _serve(app: ASGIApp, settings: RelaySettings) -> None:
    await serve(
        app,
        host=settings.host,
        port=settings.port,
        what="the relay",
        path="/webhooks/jira",
        remedy="set MLC_RELAY__HOST and MLC_RELAY__PORT to an address that is free",
    )


async def _connected_later() -> Client:
    converter = load_data_converter()
    try:
        return await Client.connect(
            **connect_config(),
            data_converter=converter,
            header_codec_behavior=HeaderCodecBehavior.CODEC,
            lazy=True,
        )
    except ValueError as error:
        raise TemporalUnreachable(f"the TEMPORAL_* settings are not usable: {error}") from error
