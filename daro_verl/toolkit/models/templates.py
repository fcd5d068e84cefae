"""Chat templates for base models that have none."""

# A base model has seen questions with answers, and no role names. It begins with the start token, which the template
# must write, because verl renders a prompt without adding special tokens; a finished answer ends with the end token.
PLAIN = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}\n\n"
    "{% elif message['role'] == 'user' %}Question: {{ message['content'] }}\n"
    "{% else %}Answer: {{ message['content'] }}{{ eos_token }}\n"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}Answer:{% endif %}"
)
