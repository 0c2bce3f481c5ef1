"""Loading models and the files beside them."""
