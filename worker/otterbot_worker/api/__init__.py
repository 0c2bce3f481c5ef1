"""The worker's HTTP face: routes, tokens, problems and the event stream."""
