"""Samplers, steps, tiles and masks as numbers. Pure and free of torch."""
