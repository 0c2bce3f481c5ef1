"""``deploy/``: what is for Prometheus and Grafana names only metrics that there are, and compose is coherent."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from otterbot_worker.config_file import load
from otterbot_worker.runner.metrics import Measures

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
OF_PROMETHEUS = {"up": {"job", "instance"}}
PLUGIN = (DEPLOY.parent / "plugin" / "otterbot" / "bot" / "metrics.py").read_text("utf-8")
OF_PLUGIN = {f"otterbot_plugin_{name}": {"rank", "why"} for name in re.findall(r'_(?:one|many)\(\s*"(\w+)"', PLUGIN)}
WORDS = {"sum", "increase", "rate", "histogram_quantile", "by", "and", "or", "unless"}
"""Of Prometheus' language, as far as it is used here."""


class Strict(yaml.SafeLoader):
    """Refuses a key that stands there twice; knows compose's ``!reset``."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key twice: {node.start_mark}"
        return super().construct_mapping(node, deep)


Strict.add_constructor("!reset", lambda loader, node: None)


def read(name: str) -> Any:
    text = (DEPLOY / name).read_text("utf-8")
    if name.endswith(".json"):
        return json.loads(text)
    return yaml.load(text, Strict)


def known_samples() -> dict[str, set[str]]:
    """What Prometheus gets of worker and plugin: name → labels."""
    found = OF_PROMETHEUS | OF_PLUGIN
    for metric in vars(Measures()).values():
        if isinstance(metric, MetricWrapperBase):
            for ending in ENDINGS[metric._type]:
                found[metric._name + ending] = {*metric._labelnames, *(["le"] if ending == "_bucket" else [])}
    return found


def wrong_in(expression: str) -> list[str]:
    """What an expression names that there is not: metrics, labels, functions; and brackets that do not close."""
    known, wrong = known_samples(), []
    pairs = {")": "(", "]": "[", "}": "{"}
    opened: list[str] = []
    for character in re.sub(r'"[^"]*"', '""', expression):
        if character in pairs.values():
            opened.append(character)
        elif character in pairs and (not opened or opened.pop() != pairs[character]):
            wrong.append(f"brackets of {expression}")
    wrong += [f"brackets of {expression}"] if opened else []
    labels = {
        label
        for _, inside in re.findall(r"(\w*)\{([^}]*)}", expression)
        for label in re.findall(r"(\w+)\s*[=!]", inside)
    }
    labels |= {label.strip() for inside in re.findall(r"by \(([^)]*)\)", expression) for label in inside.split(",")}
    bare = re.sub(r'"[^"]*"|\{[^}]*}|\[\d+[smhd]]|by \([^)]*\)', " ", expression)
    names = set(re.findall(r"[A-Za-z_:][\w:]*", re.sub(r"\b[\d.]+(e\d+)?\b", " ", bare)))
    metrics = names - WORDS
    wrong += [f"{name} is no metric" for name in sorted(metrics - set(known))]
    has = set().union(*(known.get(name, set()) for name in metrics))
    return wrong + [f"{label} is no label in {expression}" for label in sorted(labels - has)]


def dashboard_expressions() -> list[str]:
    return [target["expr"] for panel in read("grafana.json")["panels"] for target in panel["targets"]]


def alert_expressions() -> list[str]:
    return [rule["expr"] for group in read("alerts.yaml")["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("expression", [*dashboard_expressions(), *alert_expressions()])
def test_it_names_what_there_is(expression: str) -> None:
    assert wrong_in(expression) == []


@pytest.mark.parametrize(
    "expression",
    ["otterbot_lost", "otterbot_rows_finished", "sum(otterbot_queued", 'otterbot_queued{kind="image"}',
     "sum by (room) (rate(otterbot_turn_seconds_sum[5m]))", "otterbot_turn_seconds"],
)  # fmt: skip
def test_what_there_is_not_is_found(expression: str) -> None:
    assert wrong_in(expression)


def test_every_metric_is_looked_at() -> None:
    """But the time of claim and archive, which is another view of a picture's."""
    text = " ".join([*dashboard_expressions(), *alert_expressions()])
    names = {metric._name for metric in vars(Measures()).values() if isinstance(metric, MetricWrapperBase)}
    assert len(OF_PLUGIN) > 5
    assert {name for name in [*names, *OF_PLUGIN] if name not in text} == set()


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    panels = read("grafana.json")["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        places = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not places & taken
        assert at["x"] + at["w"] <= 24
        taken |= places


def test_rules_are_whole() -> None:
    for group in read("alerts.yaml")["groups"]:
        assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"])
        for rule in group["rules"]:
            assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
            assert re.fullmatch(r"\d+[smhd]", rule.get("for", "0s"))
            assert rule["labels"]["severity"] in ("info", "warning", "critical")
            assert rule["annotations"]["summary"].endswith(".")
    scraped = read("prometheus.yaml")
    assert scraped["rule_files"] == ["alerts.yaml"]
    assert [job["job_name"] for job in scraped["scrape_configs"]] == ["otterbot", "otterbot-plugin"]


def test_compose_is_coherent(monkeypatch: pytest.MonkeyPatch) -> None:
    compose = read("compose.yaml")
    assert ":?" not in (DEPLOY / "compose.yaml").read_text("utf-8"), "compose would ask for it at each exec and logs"
    volumes: set[str] = set()
    for name, service in compose["services"].items():
        volumes |= {volume.split(":")[0] for volume in service["volumes"]}
        assert "image" in service
        if "build" in service:
            assert (DEPLOY.parent / service["build"]["dockerfile"]).is_file(), name
            assert service["cap_drop"] == ["ALL"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), (
            "off this machine only by choice"
        )
    assert volumes == set(compose["volumes"])
    assert set(read("compose.cpu.yaml")["services"]) == {
        name for name, service in compose["services"].items() if "deploy" in service
    }
    for key, value in compose["services"]["worker"]["environment"].items():
        monkeypatch.setenv(key, value)
    settings = load(None)  # refuses unknown keys
    assert str(settings.token_file("otterbot")) == "/tokens/otterbot"
    assert "ports" not in compose["services"]["worker"]


def test_the_settings_of_the_page_can_be_used(tmp_path: Path) -> None:
    """Those of the worker in ``docs/operating.md``."""
    page = (DEPLOY.parent / "docs" / "operating.md").read_text("utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        (tmp_path / "settings.yaml").write_text(block, "utf-8")
        load(tmp_path / "settings.yaml")  # refuses unknown keys and bad values
