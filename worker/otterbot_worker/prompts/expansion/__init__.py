"""A prompt that a language model writes: around the words that a person named, all of which stay.

The model is asked once (`asking`), and whatever it says is read with suspicion (`answers`): of its answer only plain
words are taken. The program puts both together (`weaving`), and what comes out means all that the person wrote, with
the same weights, LoRAs and embeddings, or it is not used. Pure, and free of torch.
"""

from .answers import plain_words, read_answers
from .asking import Form, question
from .named import Named, take_apart
from .weaving import weave

__all__ = ["Form", "Named", "plain_words", "question", "read_answers", "take_apart", "weave"]
