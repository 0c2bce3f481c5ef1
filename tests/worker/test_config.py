"""Settings: working defaults, and refusals that name the key and never the value."""

from __future__ import annotations

from pathlib import Path

import pytest

from otterbot_worker.config import BadConfig, Config
from otterbot_worker.config_file import load

EXAMPLE = Path(__file__).resolve().parents[2] / "worker" / "otterbot_worker" / "config.example.yaml"
SECRET = "hunter2secret"


def test_the_example_is_the_defaults() -> None:
    assert load(EXAMPLE, {}) == load(None, {})


def test_the_example_names_every_key() -> None:
    text = EXAMPLE.read_text()
    for section, field in Config.model_fields.items():
        assert f"{section}:" in text
        inner = getattr(field.annotation, "model_fields", {})
        for key in inner:
            assert f"\n  {key}:" in text, f"{section}.{key}"


def test_an_empty_file_and_empty_sections_work(tmp_path: Path) -> None:
    path = tmp_path / "worker.yaml"
    path.write_text("# nothing\n")
    assert load(path, {}) == load(None, {})
    path.write_text("api:\n  # port: 1\ngpu:\n")
    assert load(path, {}) == load(None, {})


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = tmp_path / "worker.yaml"
    path.write_text("api: {port: 1, host: 10.0.0.1}\n")
    environment = {
        "OTTERBOT_API__PORT": "9000",
        "OTTERBOT_CHAT__OLLAMA_URL": "null",
        "OTTERBOT_CONFIG": "x",
        "HOME": "/",
    }
    config = load(path, environment)
    assert (config.api.port, config.api.host, config.chat.ollama_url) == (9000, "10.0.0.1", None)


def test_a_list_can_come_from_the_environment(tmp_path: Path) -> None:
    assert load(None, {"OTTERBOT_API__COMPAT": '["openai"]'}).api.compat == ("openai",)
    path = tmp_path / "worker.yaml"
    path.write_text("api: {compat: [a1111, openai]}\n")
    assert load(path, {}).api.compat == ("a1111", "openai")
    assert load(path, {"OTTERBOT_API__COMPAT": "[]"}).api.compat == ()


REFUSED = {
    "a program that nobody knows": (
        f"api: {{compat: [{SECRET}]}}",
        "api.compat.0: expected one of 'openai' or 'a1111'",
    ),
    "a word for a list": (f"api: {{compat: {SECRET}}}", "api.compat: expected a list"),
    "an unknown section": (f"apis: {SECRET}", "apis: unknown key; known here: data_dir, api"),
    "an unknown key": (f"api: {{prot: {SECRET}}}", "api.prot: unknown key; known here: host, port"),
    "an unknown option of a model": (
        f"chat: {{models: {{x: {{ctx: {SECRET}}}}}}}",
        "chat.models.x.ctx: unknown key; known",
    ),
    "a key without a server": (
        f"chat: {{api_key_file: {SECRET}}}",
        "url, api_key_file and cloud are for backend: openai",
    ),
    "a server without an address": ("chat: {backend: openai}", "backend: openai needs url"),
    "a cloud that nobody named": (
        f"chat: {{backend: openai, url: 'https://{SECRET}.example.org/v1'}}",
        "url is somebody else's machine",
    ),
    "a cloud in clear": (
        "chat: {backend: openai, url: 'http://api.example.org/v1', cloud: api.example.org}",
        "has to begin with https://",
    ),
    "another backend": (f"chat: {{backend: {SECRET}}}", "chat.backend: expected one of 'auto', 'ollama', 'openai'"),
    "words for a number": (f"api: {{port: {SECRET}}}", "api.port: expected a whole number"),
    "too large": ("api: {port: 70000}", "api.port: expected at most 65535"),
    "no such choice": (f"log: {{level: {SECRET}}}", "log.level: expected one of 'debug', 'info'"),
    "no such executor": (f"executor: {SECRET}", "executor: expected one of 'local' or 'ray'"),
    "no address of a cluster": (f"ray: {{address: '{SECRET}'}}", "ray.address: expected auto, or HOST:PORT"),
    "a client of Ray's": (f"ray: {{address: 'ray://{SECRET}:10001'}}", "ray.address: expected auto, or HOST:PORT"),
    "no such device": (f"gpu: {{device: {SECRET}}}", "gpu.device: expected auto, cpu, cuda or cuda:N"),
    "an address with a path": (f"api: {{public_url: 'https://otter.example.org/{SECRET}'}}", "address without a path"),
    "an address without its protocol": (f"api: {{public_url: {SECRET}.example.org}}", "api.public_url: expected an ad"),
    "half of TLS": (f"api: {{tls_cert: /{SECRET}}}", "api: tls_cert and tls_key belong together"),
    "a negative time": ("gpu: {step_timeout: -1}", "gpu.step_timeout: expected more than 0"),
    "no client": ("api: {clients: {}}", "api.clients: expected at least one entry"),
    "a client's name": (f"api: {{clients: {{'{SECRET}!': null}}}}", "expected a short name"),
    "a section twice": (
        f"api: {{port: 9000}}\n\napi: {{page: {SECRET}}}",
        "worker.yaml: api stands there twice, in lines 1 and 3: put what belongs to it into one",
    ),
    "a key twice": (f"api:\n  host: {SECRET}\n  host: ::1", "worker.yaml: host stands there twice, in lines 2 and 3"),
    "a list": (f"[{SECRET}]", "expected keys and values"),
    "no YAML": (f"api: {{port: {SECRET}", "no YAML"),
    "a thirteenth month": ("api: {host: 2024-13-45}", "worker.yaml: no YAML"),
    "brackets without end": ("[" * 5_000, "worker.yaml: no YAML"),
    "an endless archive": ("archive: {max_gb: .inf}", "archive.max_gb: expected a finite number"),
    "room that is no number": ("archive: {min_free_gb: .nan}", "archive.min_free_gb: expected"),
    "an endless time": ("gpu: {step_timeout: .inf}", "gpu.step_timeout: expected a finite number"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(tmp_path: Path, case: str) -> None:
    text, expected = REFUSED[case]
    path = tmp_path / "worker.yaml"
    path.write_text(text)
    with pytest.raises(BadConfig) as refused:
        load(path, {})
    assert expected in str(refused.value)
    if case != "a client's name":
        assert SECRET not in str(refused.value)


def test_a_bad_variable_is_named() -> None:
    with pytest.raises(BadConfig, match=r"api\.port \(from OTTERBOT_API__PORT\): expected a whole number"):
        load(None, {"OTTERBOT_API__PORT": SECRET})
    with pytest.raises(BadConfig, match="unknown key"):
        load(None, {"OTTERBOT_API__PORTS": "1"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"nowhere\.yaml: cannot be read"):
        load(tmp_path / "nowhere.yaml", {})
