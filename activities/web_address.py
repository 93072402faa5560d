"""The type of every setting that holds an address of an outside system."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, HttpUrl


def _without_user(url: HttpUrl) -> HttpUrl:
    # Links are made from these addresses: whoever reads a ticket would read the password.
    if url.username or url.password:
        raise ValueError("must not hold a user or a password before the host; they have settings of their own")
    return url


WebAddress = Annotated[HttpUrl, AfterValidator(_without_user)]
"""An `http` or `https` address without credentials in it."""
