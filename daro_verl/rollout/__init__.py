"""What the trainer and the rollout servers tell each other about difficulty (``docs/exchange.md``).

Down, after every weight sync: :mod:`snapshot` is the message, :mod:`exchange` the trainer's side, :mod:`store` what a
server keeps, :mod:`server` the part that verl's servers of both engines get (:mod:`vllm_server`, :mod:`sglang_server`),
:mod:`gauges` their Prometheus metrics, :mod:`replicas` the choice of these servers.
Up: :mod:`sampling` counts in verl's replay buffer what the rollout generates; :mod:`sampler_settings` puts it there.

Nothing is imported here: the pure parts need neither verl nor an engine.
"""
