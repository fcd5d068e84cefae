"""The final answer of a response: the content of the last balanced box after the thinking."""

import re

THINKING, END_OF_THINKING = "<think>", "</think>"
# An answer is at the end. Without a bound, megabytes of braces cost seconds; 200,000 characters are about 60k tokens.
LONGEST_SEARCHED = 200_000

_BRACE = re.compile(r"\\boxed\s{0,8}\{|\\.|[{}]", re.DOTALL)
_BOX = r"\\(?:boxed|fbox)\s{0,8}"
_SOLUTION_BRACE = re.compile(rf"{_BOX}\{{|{_BOX}([^\s$}}\\{{]*[^\s$}}\\{{.,])|\\.|[{{}}]", re.DOTALL)


def final_answer(response: object) -> str | None:
    r"""Content of the last balanced ``\boxed{}`` after the last ``</think>``.

    Args:
        response: the model's text. Anything but a string has no answer.

    Returns:
        The content without surrounding space; None if there is no such box.

    - Text after a ``<think>`` that is never closed is thinking too. Without either tag, the whole response is searched.
    - A box that is never closed is not an answer (the response was cut off). The box before it is.
    - Of nested boxes, the inner one counts.
    - Only the last :data:`LONGEST_SEARCHED` characters are searched.
    """
    if not isinstance(response, str):
        return None
    answer = response.rpartition(END_OF_THINKING)[2].partition(THINKING)[0]
    return last_box(answer[-LONGEST_SEARCHED:])


def last_box(text: str, in_solution: bool = False) -> str | None:
    r"""Content of the balanced ``\boxed{}`` that begins last, in one pass over the text; None without one.

    ``\{`` and ``\}`` are set braces and do not balance. In the worked solutions of data sets (``in_solution``),
    ``\fbox{5}`` and ``\boxed 5`` count as boxes, and an empty box does not. A model's response has no such exceptions.
    """
    if not in_solution and "\\boxed" not in text:
        return None
    open_braces: list[tuple[int, bool]] = []  # of each: where its content begins, whether it is a box
    last: tuple[int, int] | None = None
    for found in (_SOLUTION_BRACE if in_solution else _BRACE).finditer(text):
        token, end = found.group(), found.start()
        if in_solution and found[1]:  # \boxed 5, to the end of the word
            begin, end, is_box = found.start(1), found.end(1), True
        elif token.endswith("{") and token != "\\{":
            open_braces.append((found.end(), token != "{"))
            continue
        elif token == "}" and open_braces:
            begin, is_box = open_braces.pop()
        else:
            continue
        if is_box and (last is None or begin > last[0]) and not (in_solution and not text[begin:end].strip()):
            last = (begin, end)
    return None if last is None else text[slice(*last)].strip()
