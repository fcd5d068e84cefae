"""Rewards for verl's ``reward.custom_reward_function``.

- ``math.py``: the function that verl calls; ``options.py``: its options; ``outcomes.py``: counts and logs;
- ``extract.py``, ``normalise.py``, ``units.py``: from a response to one spelling of its answer;
- ``cheap_match.py``, ``choices.py``, ``numerals.py``, ``structure.py``: from two answers to a verdict, or to none. All
  of these are pure functions;
- ``judge.py``, ``symbols.py``, ``relations.py``, ``numeric.py``: the same with math-verify, in a worker;
- ``worker.py``, ``process.py``, ``pool.py``: the worker, its handle in the parent, and the pool that threads share.
"""
