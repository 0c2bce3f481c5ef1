"""Samplers by the names that people know. Free of torch: the API refuses unknown names with it.

A sampler is a diffusers class and arguments that override the **model's own** scheduler configuration. A new one is
made for every picture: schedulers keep state, and settings stick when one is made from another. LMS, the beta sigmas
and DPMSolverSDE are left out: they need scipy or torchsde.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Sampler:
    name: str
    scheduler: str
    """The class in ``diffusers``."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    flow: str | None = None
    """The class for flow-matching models; ``None``: not available for them."""
    flow_arguments: Mapping[str, Any] = field(default_factory=dict)
    zero_snr: bool = True
    """Whether it supports zero terminal SNR: the class takes ``rescale_betas_zero_snr`` and trailing timesteps. Other
    classes ignore the setting silently and draw wrong pictures."""


def _table(*samplers: Sampler) -> Mapping[str, Sampler]:
    return MappingProxyType({sampler.name: sampler for sampler in samplers})


_DPM = "DPMSolverMultistepScheduler"
_UNBENT = {"use_karras_sigmas": False, "use_exponential_sigmas": False, "use_beta_sigmas": False}
"""Resets the noise spacing of the model's file: the sampler's name says which one is meant."""
_PLAIN = {**_UNBENT, "algorithm_type": "dpmsolver++"}
_KARRAS = {**_UNBENT, "algorithm_type": "dpmsolver++", "use_karras_sigmas": True}

SAMPLERS = _table(
    Sampler(
        name="UniPC",
        scheduler="UniPCMultistepScheduler",
        arguments=_UNBENT,
        flow="UniPCMultistepScheduler",
        flow_arguments={"prediction_type": "flow_prediction", "use_flow_sigmas": True},
    ),
    Sampler(
        name="Euler", scheduler="EulerDiscreteScheduler", arguments=_UNBENT, flow="FlowMatchEulerDiscreteScheduler"
    ),
    Sampler(name="Euler a", scheduler="EulerAncestralDiscreteScheduler"),
    Sampler(
        name="Euler SGM uniform",
        scheduler="EulerDiscreteScheduler",
        arguments={**_UNBENT, "timestep_spacing": "trailing"},
    ),
    Sampler(name="DPM++ 2M", scheduler=_DPM, arguments=_PLAIN),
    Sampler(name="DPM++ 2M Karras", scheduler=_DPM, arguments=_KARRAS),
    Sampler(name="DPM++ 2M SDE", scheduler=_DPM, arguments={**_UNBENT, "algorithm_type": "sde-dpmsolver++"}),
    Sampler(
        name="DPM++ 2M SDE Karras",
        scheduler=_DPM,
        arguments={**_KARRAS, "algorithm_type": "sde-dpmsolver++"},
    ),
    Sampler(name="DPM++ SDE", scheduler="DPMSolverSinglestepScheduler", arguments=_PLAIN, zero_snr=False),
    Sampler(name="DPM++ SDE Karras", scheduler="DPMSolverSinglestepScheduler", arguments=_KARRAS, zero_snr=False),
    Sampler(
        name="Heun",
        scheduler="HeunDiscreteScheduler",
        arguments=_UNBENT,
        flow="FlowMatchHeunDiscreteScheduler",
        zero_snr=False,
    ),
    Sampler(name="DPM2", scheduler="KDPM2DiscreteScheduler", arguments=_UNBENT, zero_snr=False),
    Sampler(name="DPM2 a", scheduler="KDPM2AncestralDiscreteScheduler", arguments=_UNBENT, zero_snr=False),
    # The class clips latents to -1..1 by default, and not every model's file turns that off.
    Sampler(name="DDIM", scheduler="DDIMScheduler", arguments={"clip_sample": False}),
    Sampler(name="PNDM", scheduler="PNDMScheduler", arguments={"skip_prk_steps": True}, zero_snr=False),
    Sampler(name="LCM", scheduler="LCMScheduler"),
    Sampler(name="TCD", scheduler="TCDScheduler"),
    Sampler(name="DEIS", scheduler="DEISMultistepScheduler", arguments=_UNBENT, zero_snr=False),
)

_ALIASES = {"plms": "PNDM", "eulerdiscrete": "Euler", "unipcmultistep": "UniPC"}
_FILLER = re.compile(r"[\s_.-]+")
_COMPARED = 40
"""Characters of a typed name that are compared with the known names."""


def _key(name: str) -> str:
    """A key that is equal for all spellings of a sampler, those of diffusers and k-diffusion included."""
    key = _FILLER.sub("", name.casefold()).replace("pp", "++").removesuffix("scheduler")
    return key.replace("ancestral", "a")


_BY_KEY = {_key(name): name for name in SAMPLERS} | _ALIASES


def names() -> list[str]:
    return list(SAMPLERS)


def resolve(name: str) -> str | None:
    """The proper name for what somebody typed (``unipc``, ``euler_a``, ``dpmpp 2m karras``, ``Euler Ancestral``)."""
    return _BY_KEY.get(_key(name))


def near(name: str) -> list[str]:
    """Known names similar to an unknown one."""
    found = get_close_matches(_key(name)[:_COMPARED], _BY_KEY, n=2, cutoff=0.6)
    return list(dict.fromkeys(_BY_KEY[key] for key in found))
