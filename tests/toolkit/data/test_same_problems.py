r"""When two problems are the same, and when they are not."""

import pytest

from daro_verl.toolkit.data.cleaning import normalised, problem_key

SAME = {
    "case": ("Find The Sum", "find the sum"),
    "whitespace": ("Find  the\nsum ", "Find the sum"),
    "punctuation": ("Find the sum, please!", "Find the sum please."),
    "quotes": ("the “sum”", 'the "sum"'),
    "dollars": ("Find $x$.", "Find x"),
    "display": (r"Find \[x\]", r"Find \(x\)"),
    "LaTeX spacing": (r"$a\,b \; c\quad d$", "$a b c d$"),
    "spaces around operators": ("$x ^ 2+1$", "$x^2 + 1$"),
    "braces around one letter": ("$x^{2}$", "$x^2$"),
    "left and right": (r"$\left(x\right)$", "$(x)$"),
    "fractions": (r"$\dfrac{1}{2}$", r"$\frac12$"),
    "comparisons": (r"$x\leq 2$", r"$x \le 2$"),
    "Unicode forms": ("Ｆind x − 1", "Find x-1"),
}
DIFFERENT = {
    "sign": ("$x-1$", "$x+1$"),
    "decimal point": ("1.5", "15"),
    "digits apart": ("1 2", "12"),
    "comma between digits": ("f(1,2)", "f(12)"),
    "numbers": ("Find 3 primes", "Find 4 primes"),
    "words": ("find the sum", "find the product"),
    "minus": ("-3", "3"),
    "factorial is punctuation in words only": ("n = 3", "m = 3"),
}


@pytest.mark.parametrize(("first", "second"), SAME.values(), ids=SAME)
def test_what_only_sets_the_text_does_not_count(first, second):
    assert problem_key(first) == problem_key(second), (normalised(first), normalised(second))


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_changes_the_problem_does(first, second):
    assert problem_key(first) != problem_key(second)
