"""Which models there are, where their files lie, and a small one made here. Free of torch."""
