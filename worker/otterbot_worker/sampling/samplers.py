"""Samplers by the names that people know. Free of torch: the API refuses unknown names with it.

A sampler is a diffusers class and the arguments laid over the **model's own** scheduler
configuration, taken anew for every picture: schedulers keep state, and switching is sticky.
LMS, the beta sigmas and DPMSolverSDE are left out: they need scipy or torchsde.
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
    """The class for models that match flows; ``None``: they cannot take this sampler."""
    flow_arguments: Mapping[str, Any] = field(default_factory=dict)
    zero_snr: bool = True
    """Whether it can begin with nothing but noise ("zero terminal SNR"), as some models have learned it: the class
    takes ``rescale_betas_zero_snr`` and trailing steps. Others pass that by and begin with what they never saw."""


def _table(*samplers: Sampler) -> Mapping[str, Sampler]:
    return MappingProxyType({sampler.name: sampler for sampler in samplers})


_DPM = "DPMSolverMultistepScheduler"
_UNBENT = {"use_karras_sigmas": False, "use_exponential_sigmas": False, "use_beta_sigmas": False}
"""The sampler's own spacing of noise, where the model's file has another one: the name says which it is."""
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
    # Not every model's file says this, and the class clips latents to -1 … 1 unless it is told not to.
    Sampler(name="DDIM", scheduler="DDIMScheduler", arguments={"clip_sample": False}),
    Sampler(name="PNDM", scheduler="PNDMScheduler", arguments={"skip_prk_steps": True}, zero_snr=False),
    Sampler(name="LCM", scheduler="LCMScheduler"),
    Sampler(name="TCD", scheduler="TCDScheduler"),
    Sampler(name="DEIS", scheduler="DEISMultistepScheduler", arguments=_UNBENT, zero_snr=False),
)

_ALIASES = {"plms": "PNDM", "eulerdiscrete": "Euler", "unipcmultistep": "UniPC"}
_FILLER = re.compile(r"[\s_.-]+")
_COMPARED = 40
"""Characters of a name that are compared with the known ones."""


def _key(name: str) -> str:
    """The same for all spellings of a name, diffusers' classes and k-diffusion's names among them."""
    key = _FILLER.sub("", name.casefold()).replace("pp", "++").removesuffix("scheduler")
    return key.replace("ancestral", "a")


_BY_KEY = {_key(name): name for name in SAMPLERS} | _ALIASES


def names() -> list[str]:
    return list(SAMPLERS)


def resolve(name: str) -> str | None:
    """The proper name for what somebody typed (``unipc``, ``euler_a``, ``dpmpp 2m karras``, ``Euler Ancestral``)."""
    return _BY_KEY.get(_key(name))


def near(name: str) -> list[str]:
    """Names like one that nobody knows: what may have been meant."""
    found = get_close_matches(_key(name)[:_COMPARED], _BY_KEY, n=2, cutoff=0.6)
    return list(dict.fromkeys(_BY_KEY[key] for key in found))
