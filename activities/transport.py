"""How a connection to an outside system is made: whose certificates count, and through which proxy it goes.

The two HTTP libraries read different environment variables (`REQUESTS_CA_BUNDLE` or `SSL_CERT_FILE`, and one of them
also `.netrc`, whose passwords it prefers). So both are told not to look, and are given what is decided here.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from pydantic import AfterValidator, BaseModel, Field, HttpUrl, PrivateAttr, SecretStr, TypeAdapter

_HTTP_URL = TypeAdapter(HttpUrl)


def _is_a_proxy(given: SecretStr) -> SecretStr:
    try:
        _HTTP_URL.validate_python(given.get_secret_value())
    except ValueError:
        raise ValueError("should be the address of a proxy, for example http://proxy.example.com:3128") from None
    return given


def _holds_certificates(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=path)
    # Both are OSErrors: what cannot be opened, and what is no certificate.
    except ssl.SSLError:
        raise ValueError("holds no certificate in PEM; it starts with -----BEGIN CERTIFICATE-----") from None
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror or type(error).__name__}") from None
    return path


ProxyAddress = Annotated[SecretStr, AfterValidator(_is_a_proxy)]
"""An `http` or `https` address; secret, because a proxy's user and password are part of it."""

CertificateFile = Annotated[Path, AfterValidator(_holds_certificates)]
"""A PEM file of certificate authorities that can be read."""


class TransportSettings(BaseModel, extra="forbid", hide_input_in_errors=True):
    """What the settings of every outside system have in common."""

    ca_file: CertificateFile | None = Field(
        default=None, description="PEM file of the only certificate authorities that are trusted; default: public ones"
    )
    proxy: ProxyAddress | None = Field(default=None, description="default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY")

    # Private, so that no variable of one system can set it: there is one switch, `MLC_INSECURE_TLS`.
    _checks_certificates: bool = PrivateAttr(default=True)

    def accept_any_certificate(self) -> None:
        """Switches the check of certificates off for this system."""
        self._checks_certificates = False

    @property
    def verify(self) -> bool | str:
        """What `requests` takes: a file of authorities, True for the public ones, False for no check."""
        if not self._checks_certificates:
            return False
        return str(self.ca_file) if self.ca_file else True

    def ssl_verification(self) -> ssl.SSLContext | bool:
        """The same for `httpx`, which takes a context in place of a file."""
        verify = self.verify
        return ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify

    def proxy_for(self, address: str) -> str | None:
        """The proxy on the way to an address: the configured one, else that of the environment; None: none.

        The environment's proxy is never asked for this machine itself, where it would find its own loopback.

        Raises:
            ValueError: the environment names a proxy of a kind that is not supported, such as SOCKS.
        """
        if self.proxy:
            return self.proxy.get_secret_value()
        parts = urlsplit(address)
        if is_loopback(parts.hostname or "") or proxy_bypass(parts.netloc.rpartition("@")[2]):
            return None
        found = getproxies_environment()
        proxy = found.get(parts.scheme) or found.get("all")
        if not proxy:
            return None
        whole = proxy if "://" in proxy else f"http://{proxy}"
        try:
            _HTTP_URL.validate_python(whole)
        except ValueError:
            variable = f"{parts.scheme}_proxy".upper() if found.get(parts.scheme) else "ALL_PROXY"
            raise ValueError(f"{variable}: should be the address of an http proxy; or name one in PROXY") from None
        return whole


def is_loopback(host: str) -> bool:
    """Whether a host name or IP address is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def untrusted_certificate(error: BaseException) -> str | None:
    """Why a certificate was not accepted, if that is what lies behind an error of either HTTP library."""
    unseen: list[object] = [error]
    seen: set[int] = set()
    while unseen:
        one = unseen.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, ssl.SSLCertVerificationError):
            return one.verify_message
        unseen += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return None
