"""Where training happens: the learned difficulty weights, DARO's loss, and the actor worker that holds both.

This file imports nothing. ``difficulty_weights`` needs only torch; the other modules need verl.
"""
