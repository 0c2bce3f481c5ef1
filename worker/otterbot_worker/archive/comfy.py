"""A graph of ComfyUI → settings, where it is a plain one: one sampler, two texts, one checkpoint, an empty picture.

A graph is a program: what several samplers, switched conditions or extension nodes make of a text cannot be told by
reading it. So a value is taken only where it stands as a number or a text in a known node, and nothing is taken from a
graph with no sampler or several. Nodes that a plain graph does not have (clip skip, a VAE, an upscaler) are named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SAMPLER = "KSampler"
_TEXTS = {"CLIPTextEncode": ("text",)}
_CHECKPOINTS = ("CheckpointLoaderSimple", "CheckpointLoader")
_THROUGH = ("LoraLoader", "LoraLoaderModelOnly")
"""Nodes that pass a model on, changed in a way that is named."""
_EMPTY = ("EmptyLatentImage", "EmptySD3LatentImage")
_PLAIN = frozenset({_SAMPLER, *_TEXTS, *_CHECKPOINTS, *_THROUGH, *_EMPTY, "VAEDecode", "VAEDecodeTiled"})
_OUTPUTS = ("SaveImage", "PreviewImage")
"""Beginnings of the names of nodes that change no pixel."""
_STEPS_MAX = 32
_NODES_MAX = 2_000

Graph = Mapping[str, Any]


def plain(graph: Any) -> dict[str, Any] | None:
    """The values by the names that ``reading`` uses; ``None`` for anything but a plain graph."""
    if not is_graph(graph) or len(graph) > _NODES_MAX:
        return None
    samplers = [node for node in graph.values() if "sampler" in str(node.get("class_type")).lower()]
    if len(samplers) != 1 or samplers[0]["class_type"] != _SAMPLER:
        return None
    inputs = _inputs(samplers[0])
    prompt, negative = (_text(graph, inputs.get(name)) for name in ("positive", "negative"))
    model = _model(graph, inputs.get("model"))
    empty = _node(graph, inputs.get("latent_image"))
    if prompt is None or empty is None or empty["class_type"] not in _EMPTY or inputs.get("denoise") not in (1, 1.0):
        return None
    size = _inputs(empty)
    return {
        "prompt": prompt,
        "negative_prompt": negative,
        "model": model,
        "steps": _literal(inputs.get("steps")),
        "guidance_scale": _literal(inputs.get("cfg")),
        "width": _literal(size.get("width")),
        "height": _literal(size.get("height")),
        "sampler": _literal(inputs.get("sampler_name")),
        "schedule": _literal(inputs.get("scheduler")),
        "seed": _literal(inputs.get("seed")),
        "rest": (*_others(graph), *(["batch_size"] if size.get("batch_size", 1) != 1 else [])),
    }


def is_graph(graph: Any) -> bool:
    """Whether this is ComfyUI's JSON: node number → node."""
    return (
        isinstance(graph, dict)
        and bool(graph)
        and all(isinstance(node, dict) and isinstance(node.get("class_type"), str) for node in graph.values())
    )


def _inputs(node: Mapping[str, Any]) -> Mapping[str, Any]:
    found = node.get("inputs")
    return found if isinstance(found, dict) else {}


def _node(graph: Graph, link: Any) -> Mapping[str, Any] | None:
    """The node that a link such as ``["4", 0]`` leads to."""
    if not isinstance(link, list) or not link or not isinstance(link[0], (str, int)):
        return None
    node: Mapping[str, Any] | None = graph.get(str(link[0]))
    return node


def _literal(value: Any) -> Any:
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


def _text(graph: Graph, link: Any) -> str | None:
    node = _node(graph, link)
    if node is None or node["class_type"] not in _TEXTS:
        return None
    text = _inputs(node).get("text")
    return text if isinstance(text, str) else None


def _others(graph: Graph) -> tuple[str, ...]:
    """The names of all other nodes that act on the picture."""
    kinds = [node["class_type"] for node in graph.values()]
    loras = ["LoRAs"] if any(kind in _THROUGH for kind in kinds) else []
    rest = {kind for kind in kinds if kind not in _PLAIN and not kind.startswith(_OUTPUTS)}
    return (*loras, *sorted(rest))


def _model(graph: Graph, link: Any) -> str | None:
    """The checkpoint's name, found through the links."""
    for _ in range(_STEPS_MAX):
        node = _node(graph, link)
        if node is None:
            break
        inputs = _inputs(node)
        if node["class_type"] in _CHECKPOINTS:
            name = inputs.get("ckpt_name")
            return name if isinstance(name, str) else None
        if node["class_type"] not in _THROUGH:
            break
        link = inputs.get("model")
    return None
