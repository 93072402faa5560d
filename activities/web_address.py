"""The types of settings that hold an address of an outside system, or the name of something in it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, HttpUrl, StringConstraints


def _without_user(url: HttpUrl) -> HttpUrl:
    # Links are made from these addresses: whoever reads a ticket would read the password.
    if url.username or url.password:
        raise ValueError("must not hold a user or a password before the host; they have settings of their own")
    return url


def _without_query(url: HttpUrl) -> HttpUrl:
    if url.query is not None or url.fragment is not None:
        raise ValueError("must end before any ? or #: paths are appended to it")
    return url


WebAddress = Annotated[HttpUrl, AfterValidator(_without_user)]
"""An `http` or `https` address without credentials in it."""

SiteAddress = Annotated[WebAddress, AfterValidator(_without_query)]
"""A `WebAddress` that others are made from."""

GivenName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""A name of something in the outside system; never blank."""
