"""The worker's HTTP API: routes, tokens, problem documents and the event stream."""
