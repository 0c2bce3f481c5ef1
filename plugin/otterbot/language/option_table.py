"""The one table of options: what a person can ask of a picture, and all that follows from it.

A new option is a row of ``OPTIONS`` and a field of :class:`~.options.DrawOptions`. The parser, the hints for misspelt
flags, the sentences about usage, the reading of pictures' records, `!info`, and the table in ``docs/commands.md``
follow.
"""

from __future__ import annotations

from .composite_kinds import ControlBy, HiresOf, Shape, Size, StructureOf, VariationOf
from .option import DRAWN, Option
from .option_kinds import Apart, Bare, Constant, Factor, Name, Number, Sampler, Seed, Whole, Words
from .option_values import FACTORS, MAX_SEED, SHAPE, SHAPES, UPSCALERS
from .style_values import StylesOf, StylesTogether
from .sweeps import LORA, WORDS, SweepOf, Weight

STEPS = Whole(1, 200)
CFG = Number(0, 30)
SIDE = Whole(16, 4096)
COUNT = Whole(1, 8)
SWEEP_PICTURES = Whole(2, 64)
CLIP_SKIP = Whole(1, 12)
STRENGTH = Number(0, 1, above=True)
CONTROL = Number(0, 2)
HIRES = Number(1, 4)

SWEEP = SweepOf(
    {
        "cfg": CFG, "steps": STEPS, "seed": Whole(0, MAX_SEED), "sampler": Name(), "model": Name(),
        "strength": STRENGTH, "style": StylesTogether(), "size": Size(SIDE), LORA: Weight(-4, 4), "variation": STRENGTH,
        "hires": STRENGTH, "clip-skip": CLIP_SKIP, WORDS: Words(),
    },
    {
        "guidance": "cfg", "scale": "cfg", "step": "steps", "s": "steps", "seeds": "seed", "samplers": "sampler",
        "scheduler": "sampler", "models": "model", "checkpoint": "model", "denoise": "strength",
        "denoising": "strength", "styles": "style", "sizes": "size", "resolution": "size", "loras": LORA,
        "vary": "variation", "variations": "variation", "hr": "hires", "clipskip": "clip-skip",
        "clip_skip": "clip-skip", "skip": "clip-skip", "word": WORDS, "prompt": WORDS, "text": WORDS, "replace": WORDS,
    },
)  # fmt: skip
"""What a sweep may be about, and other words for it."""


def _shape(name: str) -> Option:
    meant = {"portrait": ("tall",), "landscape": ("wide",)}.get(name, ())
    return Option(
        name=name, kind=Constant(name), fields=("aspect",), meant=meant, word=True, commands=DRAWN, recorded=False,
        takes="nothing", does=f"the same as `--ar {name}`",
    )  # fmt: skip


OPTIONS = (
    Option(
        name="prompt", kind=Words(), fields=("prompt",), commands=DRAWN, label="Prompt",
        takes="words, up to the next flag",
        does="behind `!again` and `!vary`: these words instead of the picture's; see [below](#other-words)",
        wants="`--prompt` takes the words of the picture, such as {!again --prompt otter, red scarf}.",
    ),
    Option(
        name="structure", kind=StructureOf(), fields=("structure",), flag=False, sent=False,
    ),
    Option(
        name="changes", kind=Apart(), fields=("changes",), flag=False, commands=DRAWN, sent=False, recorded=False,
    ),
    Option(
        name="no", kind=Words(), fields=("negative_prompt",),
        meant=("negative", "neg", "not", "without"), label="Not in it",
        example="--no blurry, text", gives="what should not be in it",
        takes="words, up to the next flag",
        does='what should not be in the picture; said twice, both count; `--no ""` switches the usual ones off',
        wants="`--no` takes the words that should not be in the picture, such as `--no blurry, text`.",
    ),
    Option(
        name="steps", kind=STEPS, fields=("steps",), meant=("s",), label="Steps",
        example="--steps 30", gives=f"{STEPS.least} to {STEPS.most}; more is finer and slower",
        takes=f"{STEPS.least} to {STEPS.most}, or less where the model says so", does="more is finer and slower",
        wants=f"`--steps` takes a whole number from {STEPS.least} to {STEPS.most}, such as `--steps 30`.",
    ),
    Option(
        name="cfg", kind=CFG, fields=("guidance_scale",), meant=("guidance", "scale", "guidance_scale"), label="CFG",
        example="--cfg 7.5", gives=f"{CFG.least:g} to {CFG.most:g}; how closely it follows your words",
        takes=f"{CFG.least:g} to {CFG.most:g}, or less where the model says so",
        does="how closely it follows your words; if nobody says, with SDXL (`sdxl`, `sdxl-refined`) 7.5, and 13 where "
        "the prompt has [weights](#weights-and-prompts-of-several-parts)",
        wants=f"`--cfg` takes a number from {CFG.least:g} to {CFG.most:g}, such as `--cfg 7.5`.",
    ),
    Option(
        name="size", kind=Size(SIDE), fields=("width", "height"), commands=DRAWN, label="Size",
        meant=("width", "height", "resolution", "w", "h"),
        example="--size 768x768", gives="width x height",
        takes="`768x768`, `768×512`, `768`",
        does="width x height; rounded to what the model can, and the rounding is said",
        wants=f"`--size` takes width x height, each from {SIDE.least} to {SIDE.most} pixels, such as `--size 768x768`.",
    ),
    Option(
        name="ar", kind=Shape(), fields=("aspect",), aliases=("aspect",), commands=DRAWN,
        meant=("ratio", "aspect_ratio", "aspect-ratio", "shape", "format"),
        example="--ar 3:2", gives="its shape; or `--square`, `--portrait`, `--landscape`",
        takes=f"`3:2`, `square`, `portrait` (2:3), `landscape` (3:2); from 1:{SHAPE} to {SHAPE}:1",
        does="its shape, at the number of pixels that the model usually draws",
        wants=f"`--ar` takes width:height, from 1:{SHAPE} to {SHAPE}:1, such as `--ar 3:2`, or one of "
        f"{', '.join(f'`{word}`' for word in SHAPES)}.",
    ),
    *(_shape(name) for name in SHAPES),
    Option(
        name="seed", kind=Seed(), fields=("seed",), label="Seed",
        example="--seed 42", gives="the same number makes the same picture",
        takes=f"0 to {MAX_SEED}, or `random`", does="the same number makes the same picture",
        wants=f"`--seed` takes a whole number from 0 to {MAX_SEED}, `random`, or `same` to keep a picture's seed.",
    ),
    Option(
        name="variation", kind=VariationOf(Whole(0, MAX_SEED), STRENGTH), fields=("variation",), commands=DRAWN,
        meant=("vary", "subseed", "variations"), label="Varied",
        example="--variation 0.2", gives="above 0, up to 1; a picture that is near that of its seed",
        takes="above 0, up to 1, as `0.2`; or a seed and that, as `42:0.2`",
        does="begins near the picture of its seed, that far towards the other seed's; see `!vary`",
        wants="`--variation` takes a number above 0 and up to 1, such as `--variation 0.2`, and before it, if you "
        "like, the other seed: `--variation 42:0.2`.",
    ),
    Option(
        name="style", kind=StylesOf(), fields=("style",), commands=DRAWN, meant=("styles", "preset"), label="Style",
        example="--style watercolor", gives="how it looks; several with a comma: `--style watercolor,backlit`",
        takes="a name from `!styles`, or several: `watercolor,backlit`; `none`",
        does="how it looks: the words of a style around yours; several in order; see [below](#styles)",
        wants="`--style` takes the name of a style, or several with commas between them, such as `--style "
        "watercolor,backlit`, or `none`. {!styles} lists them.",
    ),
    Option(
        name="model", kind=Name(), fields=("model",), meant=("checkpoint",), label="Model",
        example="--model NAME", gives="another model",
        takes="a name from `!models`", does="another model for this picture",
        wants="`--model` takes the name of a model. {!models} lists them.",
    ),
    Option(
        name="sampler", kind=Sampler(), fields=("sampler",), meant=("scheduler",), label="Sampler",
        example="--sampler euler a", gives="another way to compute it",
        takes="`unipc`, `euler`, `euler a`, `dpm++ 2m karras` …, see `!models`", does="another way to compute it",
        wants="`--sampler` takes the name of a sampler, such as `--sampler unipc` or `--sampler euler a`.",
    ),
    Option(
        name="clip-skip", kind=CLIP_SKIP, fields=("clip_skip",), meant=("clipskip", "clip_skip", "skip"),
        label="Clip skip",
        example="--clip-skip 2", gives=f"{CLIP_SKIP.least} to {CLIP_SKIP.most}; reads the words less finely",
        takes=f"{CLIP_SKIP.least} to {CLIP_SKIP.most}; 1 is all of it",
        does="with models of Stable Diffusion 1 and 2: the words as they are before the last layers of the text "
        "encoder, as anime models want it (2)",
        wants=f"`--clip-skip` takes a whole number from {CLIP_SKIP.least} to {CLIP_SKIP.most}, such as "
        "`--clip-skip 2`.",
    ),
    Option(
        name="count", kind=COUNT, fields=("count",), meant=("n", "number", "amount", "images"),
        example="--count 4", gives=f"several at once, up to {COUNT.most}",
        takes=f"{COUNT.least} to {COUNT.most}",
        does="several at once, with the seeds that follow; three or more come on one [sheet](#sheets)",
        wants=f"`--count` takes a whole number from {COUNT.least} to {COUNT.most}, such as `--count 4`.",
    ),
    Option(
        name="sheet", kind=Bare(), fields=("sheet",), commands=DRAWN, sent=False, recorded=False,
        meant=("contact-sheet",),
        example="--sheet", gives="all of them on one numbered sheet; reply `2`, and that one comes in full",
        takes="nothing",
        does="all of its pictures on one numbered sheet, as three or more are anyway; see [below](#sheets)",
    ),
    Option(
        name="separate", kind=Constant(False), fields=("sheet",), commands=DRAWN, sent=False, recorded=False,
        meant=("no-sheet", "nosheet", "single", "singles"),
        takes="nothing", does="each of its pictures by itself",
    ),
    Option(
        name="strength", kind=STRENGTH, fields=("strength",), label="Strength",
        meant=("denoise", "denoising", "denoising_strength"),
        example="--strength 0.6", gives="above 0, up to 1; how much of the picture to start from changes",
        takes="above 0, up to 1 (0.6 if you say nothing)",
        does="from a picture only: how much of it changes; 0.94 replaces nearly all",
        wants="`--strength` takes a number above 0 and up to 1, such as `--strength 0.6`; 0.94 changes nearly all.",
    ),
    Option(
        name="hires", kind=HiresOf(HIRES, STRENGTH, STEPS), fields=("hires",), word=True, commands=DRAWN,
        meant=("hr", "highres", "hires_fix", "hires-fix", "upscale", "enlarge"), label="Drawn once more",
        example="--hires 2",
        gives=f"up to {HIRES.most:g}; drawn once more that many times as large, `2:0.4` with fewer changes",
        takes=f"{HIRES.least:g} to {HIRES.most:g}, as `2`; or that and how much changes, as `2:0.4`; and `latent` or "
        "`lanczos` behind it",
        does="drawn once more, that many times as large; see [below](#larger-pictures)",
        wants=f"`--hires` takes how many times as large, from {HIRES.least:g} to {HIRES.most:g}, as `--hires 2`; "
        f"behind it, if you like, how much changes, and {' or '.join(f'`{one}`' for one in UPSCALERS)}: "
        "`--hires 2:0.4:lanczos`.",
    ),
    Option(
        name="upscale", kind=Factor(FACTORS), fields=("upscale",), flag=False, commands=frozenset({"upscale"}),
        sent=False, label="Times as large",
        wants="A picture becomes 2 or 4 times as large, such as {!upscale 4}.",
    ),
    Option(
        name="inpaint", kind=Bare(), fields=("inpaint",), word=True, meant=("mask", "fill"), commands=DRAWN, sent=False,
        recorded=False,
        example="--inpaint", gives="only what is transparent in the picture to start from is drawn anew",
        takes="nothing", does="from a picture only: what is transparent in it is drawn anew, all else stays",
    ),
    Option(
        name="control", kind=ControlBy(CONTROL), fields=("control",), word=True, commands=DRAWN, sent=False,
        meant=("controlnet", "canny", "edges", "steer"), label="ControlNet",
        example="--control canny",
        gives="a new picture along the edges of the one replied to; `canny:0.5` follows them less",
        takes=f"`canny`, or the name of a ControlNet; `canny:0.7` ({CONTROL.least:g} to {CONTROL.most:g})",
        does="with a picture: it steers a new one, by its edges; see [below](#along-a-picture)",
        wants="`--control` takes `canny` or the name of a ControlNet, and behind it, if you like, how much it steers, "
        f"from {CONTROL.least:g} to {CONTROL.most:g}: `--control canny:0.7`.",
    ),
    Option(
        name="sweep", kind=SWEEP, fields=("sweep",), commands=DRAWN, sent=False, recorded=False,
        meant=("grid", "xy", "plot", "compare"),
        example="--sweep cfg=4..16", gives="a labelled sheet with a picture for each value; twice: of two settings",
        takes="`cfg=4..16`, `steps=10,20,40` …, up to the next flag",
        does="a labelled sheet with a picture for each value of a setting, or of two; see [`!sweep`](#sweep)",
        wants="A sweep takes a setting and its values, such as `--sweep cfg=4..16` or `--sweep steps=10,20,40`. "
        "{!help sweep} lists the settings.",
    ),
    Option(
        name="watch", kind=Bare(), fields=("watch",), word=True, sent=False, recorded=False, meant=("preview", "live"),
        example="--watch", gives="shows it while it is drawn",
        takes="nothing", does="shows it while it is drawn; see [below](#watching)",
    ),
    Option(
        name="unwatched", kind=Constant(False), fields=("watch",), sent=False, recorded=False,
        meant=("no-watch", "nowatch"),
        takes="nothing", does="not that, in a room where pictures are watched",
    ),
    Option(
        name="film", kind=Bare(), fields=("film",), word=True, sent=False, recorded=False, commands=DRAWN,
        meant=("video", "gif", "animation", "timelapse"),
        example="--film", gives="with a short film of how it was drawn",
        takes="nothing", does="with a short film of how it was drawn; see [below](#watching)",
    ),
    Option(
        name="expand", kind=Bare(), fields=("expand",), commands=DRAWN, recorded=False,
        meant=("enhance", "improve", "magic", "rewrite"),
        example="--expand", gives="a language model writes the prompt around your words",
        takes="nothing", does="a language model writes the prompt around your words; see [below](#written-prompts)",
    ),
    Option(
        name="verbatim", kind=Constant(False), fields=("expand",), commands=DRAWN, recorded=False,
        meant=("no-expand", "noexpand", "raw"),
        takes="nothing", does="just your words, in a room where prompts are expanded",
    ),
    Option(
        name="explain", kind=Bare(), fields=("explain",), sent=False, recorded=False,
        example="--explain", gives="how I read it, instead of a picture",
        takes="nothing",
        does="no picture; instead, how the prompt is read: its pieces with their weights, and what is not done as "
        "written",
    ),
)  # fmt: skip

FLAGS = {option.name: option for option in OPTIONS if option.flag}
"""By their names, without aliases."""
FIELDS = {name: option for option in reversed(OPTIONS) for name in option.fields}
"""The option that fills a field: the first one that does."""
