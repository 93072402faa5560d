"""The settings of the encryption and of the codec server: what is a fault, and what the fault says."""

from __future__ import annotations

import base64
import json
import os

import pytest

from tests.worker.keys import new_key
from worker.settings import SettingsError, load_codec_server_settings, load_encryption_settings

KEYS, ACTIVE = "MLC_ENCRYPTION__KEYS", "MLC_ENCRYPTION__ACTIVE_KEY"
KEY, OTHER = new_key(), new_key()
SHAPE = 'should be JSON of key ids and keys, for example {"2026-01": "<base64 of 32 bytes>"}'


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MLC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLC_ENV_FILE", "")


def set_all(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_without_keys_nothing_is_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_encryption_settings().key_ring().active == ""
    set_all(monkeypatch, {KEYS: "", ACTIVE: ""})
    assert load_encryption_settings().key_ring().active == ""


def test_several_keys_are_read_and_one_of_them_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {KEYS: json.dumps({"2025-11": KEY, "2026-01": OTHER}), ACTIVE: "2026-01"})
    ring = load_encryption_settings().key_ring()
    assert ring.active == "2026-01" and set(ring.ciphers) == {"2025-11", "2026-01"}


def test_none_as_the_active_key_only_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {KEYS: json.dumps({"a": KEY}), ACTIVE: "none"})
    ring = load_encryption_settings().key_ring()
    assert ring.active == "" and set(ring.ciphers) == {"a"}


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({KEYS: "secret-without-json", ACTIVE: "a"}, f"{KEYS}: {SHAPE}"),
        ({KEYS: f'["{KEY}"]', ACTIVE: "a"}, f"{KEYS}: {SHAPE}"),
        ({KEYS: json.dumps({KEY: 1}), ACTIVE: "a"}, f"{KEYS}: {SHAPE}"),
        ({KEYS: json.dumps({KEY: "a"}), ACTIVE: "a"}, f"{KEYS}: {SHAPE}; an id is 1 to 64 letters"),
        ({KEYS: json.dumps({"": KEY}), ACTIVE: "a"}, f"{KEYS}: {SHAPE}; an id is 1 to 64 letters"),
        ({KEYS: json.dumps({"none": KEY}), ACTIVE: "none"}, f"{KEYS}: {SHAPE}; an id is 1 to 64 letters"),
        ({KEYS: "[" * 100_000, ACTIVE: "a"}, f"{KEYS}: {SHAPE}"),
        ({KEYS: json.dumps({"a": "not base64!"}), ACTIVE: "a"}, f"{KEYS}: key a is not base64; `openssl rand"),
        (
            {KEYS: json.dumps({"a": base64.b64encode(bytes(16)).decode()}), ACTIVE: "a"},
            f"{KEYS}: key a has 16 bytes, AES-256 needs 32",
        ),
        ({KEYS: f'{{"a": "{KEY}", "a": "{OTHER}"}}', ACTIVE: "a"}, f"{KEYS}: the same id stands there twice"),
        ({KEYS: json.dumps({"a": KEY, "b": KEY}), ACTIVE: "a"}, f"{KEYS}: a and b are the same key"),
        ({KEYS: json.dumps({"a": KEY})}, f"{ACTIVE}: should be the id of the key that encrypts, one of a; or none"),
        ({KEYS: json.dumps({"a": KEY}), ACTIVE: "b"}, f"{ACTIVE}: should be the id of the key that encrypts, one of a"),
        ({ACTIVE: "a"}, f"{ACTIVE}: names a key, but {KEYS} holds none"),
        ({"MLC_ENCRYPTION__KEY": "x"}, f"MLC_ENCRYPTION__KEY: there is no such setting; did you mean {KEYS}?"),
    ],
)
def test_a_wrong_key_ring_is_one_line_that_names_the_variable_and_shows_no_key(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], fault: str
) -> None:
    set_all(monkeypatch, variables)
    with pytest.raises(SettingsError) as refused:
        load_encryption_settings()
    (line,) = str(refused.value).splitlines()
    assert line.startswith(fault)
    assert not any(secret.lower() in line.lower() for secret in (KEY, OTHER, "secret-without-json", "not base64!"))


def test_origins_are_compared_as_browsers_send_them(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {"MLC_CODEC_SERVER__ORIGINS": '["HTTPS://Temporal.Example.com/", "http://127.0.0.1:8233"]'})
    assert load_codec_server_settings().origins == ["https://temporal.example.com", "http://127.0.0.1:8233"]


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"MLC_CODEC_SERVER__TOKENS": '["sh0rt"]'}, "MLC_CODEC_SERVER__TOKENS__0: should be 16 to 512 printable"),
        ({"MLC_CODEC_SERVER__TOKENS": '["with a blank in it"]'}, "MLC_CODEC_SERVER__TOKENS__0: should be 16 to 512"),
        ({"MLC_CODEC_SERVER__TOKENS": "sh0rt"}, "MLC_CODEC_SERVER__TOKENS: should be JSON"),
        ({"MLC_CODEC_SERVER__ORIGINS": '["*"]'}, "MLC_CODEC_SERVER__ORIGINS__0: should be scheme, host and port"),
        ({"MLC_CODEC_SERVER__ORIGINS": '["http://*.example"]'}, "MLC_CODEC_SERVER__ORIGINS__0: should be scheme"),
        ({"MLC_CODEC_SERVER__ORIGINS": '["http://a/path"]'}, "MLC_CODEC_SERVER__ORIGINS__0: should be scheme"),
        ({"MLC_CODEC_SERVER__ORIGINS": '["null"]'}, "MLC_CODEC_SERVER__ORIGINS__0: should be scheme"),
        ({"MLC_CODEC_SERVER__PORT": "0"}, "MLC_CODEC_SERVER__PORT: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_of_the_codec_server_is_one_line(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], fault: str
) -> None:
    set_all(monkeypatch, variables)
    with pytest.raises(SettingsError) as refused:
        load_codec_server_settings()
    (line,) = str(refused.value).splitlines()
    assert line.startswith(fault) and "sh0rt" not in line
