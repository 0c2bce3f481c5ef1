"""What a chat completion asks for, as a turn of chat."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ....schemas.requests import ChatRequest, Sampling
from ...problems import refuse


def _unset(value: Any) -> Any:
    """What is not done here may be there without a value, as many clients send it."""
    if value in (None, False, 0, "", [], {}, "none"):
        return value
    raise ValueError("expected nothing: this worker does not do it")


Undone = Annotated[Any, AfterValidator(_unset)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)


class TextPart(_Body):
    type: Literal["text"]
    text: str


class ImageUrl(_Body):
    url: str
    detail: str | None = None


class ImagePart(_Body):
    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ChatBodyMessage(_Body):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[Part], Field(max_length=64)]
    name: str | None = None
    refusal: Undone = None
    tool_calls: Undone = None
    audio: Undone = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def pictures(self) -> list[str]:
        if isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if isinstance(part, ImagePart)]


class StreamOptions(_Body):
    include_usage: bool | None = None
    include_obfuscation: Undone = None


class TextFormat(_Body):
    type: Literal["text"]


class ChatBody(_Body):
    """OpenAI's fields; what would change the answer and cannot be had is refused by name."""

    model: str | None = None
    messages: Annotated[list[ChatBodyMessage], Field(min_length=1, max_length=200)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: Literal[1] | None = None
    response_format: TextFormat | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    moderation: Undone = None
    metadata: dict[str, Any] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    parallel_tool_calls: bool | None = None
    service_tier: Literal["auto", "default"] | None = None
    stop: Undone = None
    tools: Undone = None
    functions: Undone = None
    function_call: Undone = None
    logprobs: Undone = None
    top_logprobs: Undone = None
    logit_bias: Undone = None
    modalities: Literal["text"] | list[Literal["text"]] | None = None
    audio: Undone = None
    prediction: Undone = None
    reasoning_effort: Undone = None
    verbosity: Undone = None
    store: Undone = None
    web_search_options: Undone = None

    @property
    def counts(self) -> bool:
        """The stream ends with how many tokens it took."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def request(self, pictures: list[tuple[str, ...]]) -> ChatRequest:
        """``pictures``: the ids of each message's. :raises ApiProblem: 422"""
        messages = [
            {"role": "system" if one.role == "developer" else one.role, "content": one.text, "pictures": shown}
            for one, shown in zip(self.messages, pictures, strict=True)
        ]
        try:
            return ChatRequest.model_validate({"model": self.model, "messages": messages, "sampling": self._sampling()})
        except ValidationError as error:
            refuse(error)

    def _sampling(self) -> Sampling:
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            presence_penalty=self.presence_penalty,
            frequency_penalty=self.frequency_penalty,
            seed=self.seed,
            tokens=self.max_completion_tokens or self.max_tokens,
        )
