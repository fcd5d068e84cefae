"""Rewards for verl's ``reward.custom_reward_function``.

- ``math.py``: what verl calls;
- ``extract.py``, ``normalise.py``, ``characters.py``, ``units.py``, ``words.py``: a response to one
  spelling of its answer;
- ``cheap_match.py``, ``numerals.py``, ``choice.py``, ``structure.py``, ``inequality.py``: two answers to a verdict, or
  to none. All of these are pure functions;
- ``judge.py``, ``numeric.py``: the same with math-verify, in a worker;
- ``worker.py``, ``process.py``, ``pool.py``: the worker's two ends, and who may use which;
- ``options.py``, ``tally.py``: what a user sets, and what is counted.
"""
