"""Rewards for verl's ``reward.custom_reward_function``.

- ``math.py``: what verl calls; ``options.py``: what a user sets; ``outcomes.py``: what is counted and logged;
- ``extract.py``, ``normalise.py``, ``units.py``: from a response to one spelling of its answer;
- ``cheap_match.py``, ``numerals.py``, ``structure.py``: two answers to a verdict, or to none. All of these are pure
  functions;
- ``judge.py``, ``numeric.py``: the same with math-verify, in a worker;
- ``worker.py``, ``process.py``, ``pool.py``: the worker, the parent's end of it, and which thread uses which.
"""
