"""Where training happens: the learned difficulty weights, DARO's loss, and the actor worker that holds both.

Nothing is imported here: ``difficulty_weights`` needs torch only, the other modules need verl.
"""
