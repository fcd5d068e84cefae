"""Names of what travels with a trajectory, in verl's ``extra_fields`` (the version) and in its tags (all)."""

VERSION_FIELD = "daro_weight_version"
"""Version of the difficulty weights that the server held at the end of generation; None if it held none."""
PASS_RATE_TAG = "daro_pass_rate"
"""Pass rate of the prompt, None if none of its responses is valid."""
NUM_RESPONSES_TAG = "daro_num_responses"
"""Valid responses of the prompt: with tokens and a finite reward; a session of several outputs is one."""
