"""The exchange between the trainer and the rollout servers about difficulty (``docs/exchange.md``).

Down, after every weight sync:

- :mod:`snapshot` is the message;
- :mod:`exchange` is the trainer's side;
- :mod:`store` is what a server keeps;
- :mod:`server` is the part that verl's servers of both engines get (:mod:`vllm_server`, :mod:`sglang_server`);
- :mod:`gauges` are their Prometheus metrics;
- :mod:`replicas` chooses these servers.

Up: :mod:`sampling` counts in verl's replay buffer what the rollout generates. :mod:`sampler_settings` lets verl build
this buffer.

This file imports nothing, because the pure parts need neither verl nor an engine.
"""
