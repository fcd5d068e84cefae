"""Rewards for verl's ``reward.custom_reward_function``.

- ``math.py``: what verl calls;
- ``extract.py``, ``normalise.py``, ``characters.py``, ``units.py``, ``numbers.py``, ``cheap_match.py``: text to a
  verdict, pure functions;
- ``judge.py``: the same with math-verify, in a worker;
- ``worker.py``, ``process.py``, ``pool.py``: the worker's two ends, and who may use which.
"""
