"""Pictures to start from: what people send is hostile until it has been decoded, and that happens in a small process
of its own (`check`), before anything is queued. `files.InputFiles` keeps what came out of it; `fit` says which size
is drawn from it, `masks` where. Free of torch. Nothing is imported here, so that `check` begins quickly.
"""
