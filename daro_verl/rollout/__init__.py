"""What the trainer and the rollout servers tell each other about difficulty (``docs/exchange.md``).

Down: :mod:`snapshot` is the message, :mod:`exchange` sends it after every weight sync, :mod:`messages` says what became
of it, :mod:`holder` is what a server keeps of it, :mod:`server` puts that into verl's servers of both engines, with
:mod:`gauges` for Prometheus.
Up: :mod:`versions` lets each trajectory keep the version it was sampled under, :mod:`agent_loop` adds the pass rate of
its prompt (:mod:`source`), :mod:`sampling` counts and, if asked, selects by it (:mod:`balance`).
:mod:`seams` lists the places in verl where all of this is attached.

Nothing is imported here: the pure parts need neither verl nor an engine.
"""
