"""Makes ``worker/otterbot_worker/models/configs/clip/merges.txt.gz`` from the file that CLIP's authors published.

Usage: ``python scripts/clip_merges.py bpe_simple_vocab_16e6.txt.gz``, a file of OpenAI's CLIP that the package
``open_clip_torch`` carries. CLIP reads the merges of the first 48,894 lines after the heading: with 256 bytes, the same
256 at the end of a word, and two marks they are its 49,408 tokens.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

MERGES = 49152 - 256 - 2
TARGET = Path(__file__).parents[1] / "worker" / "otterbot_worker" / "models" / "configs" / "clip" / "merges.txt.gz"


def main(source: Path) -> None:
    lines = gzip.decompress(source.read_bytes()).decode("utf-8").split("\n")[1 : MERGES + 1]
    text = "\n".join(lines) + "\n"
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
