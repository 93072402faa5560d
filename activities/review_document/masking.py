"""Takes personal data and credentials out of what a document quotes: job errors, messages, addresses of files."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from activities.review_document.formatting import clean

MASKED = "masked"

_PERSONAL_DATA = re.compile(
    r"(?<![a-z])pii(?![a-z])|personal(?:ly)?[ _-]?(?:identif|data|info)|presidio", re.IGNORECASE
)
_USER = re.compile(r"://[^\s/]+@")
# Each address is read up to the next one, so that many beginnings of addresses are not read many times.
_QUERY = re.compile(r"(://(?:(?!://)[^\s?#])*)[?#][^\s\"'<>)]+")
_KIND = re.compile(r"[a-z]+(?:_[a-z]+)*|[A-Z]+(?:_[A-Z]+)*")


def masked(text: Any, limit: int = 400) -> str:
    """Printable text without credentials of addresses, in which personal data are replaced.

    These are e-mail addresses and phone, account, card and social security numbers. Names of people cannot be told
    from other words; what a scan for personal data found is therefore never printed, see `is_personal_data`.
    """
    # Cut after masking, so that no half of an address is left at the end.
    return clean(without_personal_data(clean(text, limit * 2)), limit)


def without_personal_data(text: str) -> str:
    """The same for text that is printable already; it is not cut, and its lines stay."""
    text = without_credentials(text)
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def without_credentials(text: str) -> str:
    """The text with addresses that have neither user and password nor a query, which may hold a signature."""
    return _QUERY.sub(r"\1?…", _USER.sub("://", text))


def is_personal_data(*names: Any) -> bool:
    """Whether one of the names of a test, for example its category, says that it looks for personal data."""
    return any(_PERSONAL_DATA.search(clean(name, 120)) for name in names)


def kind_of_personal_data(name: Any) -> str:
    """A kind of personal data such as `EMAIL_ADDRESS`; anything that may be a found text itself is masked."""
    text = clean(name, 60)
    return text if _KIND.fullmatch(text) else MASKED


def _card(match: re.Match[str]) -> str:
    digits = [int(digit) for digit in match[0] if digit.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) if place % 2 else d for place, d in enumerate(reversed(digits))]
    return "[card number]" if sum(doubled) % 10 == 0 else match[0]


_MASKS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[e-mail address]"),
    (re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"), "[account number]"),
    (re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), "[social security number]"),
    (re.compile(r"(?<![\w-])\d(?:[ -]?\d){12,18}(?![\w-])"), _card),
    (re.compile(r"(?<![\w-])(?:\(\d{1,4}\)|\d{2,4})[ ./-]\d{3,4}[ ./-]\d{3,4}(?![\w-])"), "[phone number]"),
    (re.compile(r"(?<!\w)\+\d[\d ./()-]{7,18}\d"), "[phone number]"),
)
