"""How a model fits into a card's memory: device info, placements, what ran out of memory before. Free of torch."""
