"""Words behind a value that are more than what is counted: they change it, deny it, or add another one."""

import re

_NUMBERS = """
zero one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty sixty seventy eighty
ninety hundred thousand million billion trillion dozen half halve third quarter fourth fifth sixth seventh eighth ninth
tenth hundredth thousandth millionth billionth once twice thrice pi infty infinity infinite
"""
_OPERATIONS = """
plus minus times over mod modulo squared cubed factorial sqrt ln log sin cos tan exp equal equals negative base binary
octal decimal hexadecimal
"""
_CONNECTIONS = """
and or nor xor but yet if unless else then when where while whereas because since as than to from until till through by
with without for in is are was were be isn vs versus either neither both instead rather except excluding including
given assuming
"""
_DENIALS = """
not no non none never cannot cant wont dont doesnt isnt false wrong incorrect mistaken mistake error invalid untrue
opposite anything nothing unknown unsure uncertain undefined impossible
"""
_DOUBTS = """
maybe perhaps might may could should would can will likely probable possible guess guessed guessing think believe
suppose assume hope about around approx approximate circa almost near some any something sometimes somehow whatever
otherwise ish idk hmm alternative alternate
"""
_COMPARISONS = """
more most less least fewer fewest greater greatest larger largest smaller smallest bigger higher lower above below
under beyond within between at max maximum minimum up down upto exceed exceeds exceeding before after am pm ad bc
"""
_NOT_COUNTED = frozenset((_NUMBERS + _OPERATIONS + _CONNECTIONS + _DENIALS + _DOUBTS + _COMPARISONS).split())
_WORD = re.compile(r"[a-z]{2,}")


def is_counted(word: str) -> bool:
    """Whether a word in lower case may be part of what is counted, as in ``7 red apples``: no number word, operation,
    conjunction, preposition, negation, doubt or comparison, and no adverb but ``only``.
    """
    if not _WORD.fullmatch(word) or (word.endswith("ly") and word != "only"):
        return False
    return word not in _NOT_COUNTED and word.removesuffix("s") not in _NOT_COUNTED
