"""Small real programs that stand for other people's servers."""
