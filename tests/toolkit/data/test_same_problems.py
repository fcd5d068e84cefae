r"""When two problems are the same, and when they are not."""

import pytest

from daro_verl.toolkit.data import same_problem
from daro_verl.toolkit.data.same_problem import normalised, problem_key
from tests.toolkit.data import raw

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
    "powers": ("3 cm²", "$3$ cm$^{2}$"),
    "apostrophes": ("Don't count A's, the dogs’ tails!", "don’t count A’s the dogs' tails"),
    "an exclamation after mathematics": ("Compute $5$!", "Compute 5."),
}
DIFFERENT = {
    "sign": ("$x-1$", "$x+1$"),
    "decimal point": ("1.5", "15"),
    "digits apart": ("1 2", "12"),
    "comma between digits": ("f(1,2)", "f(12)"),
    "numbers": ("Find 3 primes", "Find 4 primes"),
    "words": ("find the sum", "find the product"),
    "minus": ("-3", "3"),
    "factorial": ("$10!/8!$", "$10/8$"),
    "double factorial": ("$5!!$", "$5!$"),
    "factorial of a letter": ("Find $n!$.", "Find $n$."),
    "prime": ("Find $f'(2)$.", "Find $f(2)$."),
    "primed points": ("Find $A'B'$.", "Find $AB$."),
    "leading decimal point": ("$.5$", "$5$"),
    "power": ("Find 3².", "Find 32."),
}


@pytest.mark.parametrize(("first", "second"), SAME.values(), ids=SAME)
def test_what_only_sets_the_text_does_not_count(first, second):
    assert problem_key(first) == problem_key(second), (normalised(first), normalised(second))


@pytest.mark.parametrize(("first", "second"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_changes_the_problem_does(first, second):
    assert problem_key(first) != problem_key(second)


PROBLEM = "Find $x$ with $x = 1.5y$. What is $y$?"
AROUND = {
    "nothing": "{}",
    "this package's": "{} Let's think step by step and output the final answer within \\boxed{{}}.",
    "on a line of its own": "{}\nPlease reason step by step, and put your final answer within \\boxed{{}}.",
    "a paragraph": "{}\n\nPresent the answer in LaTeX format: \\boxed{{Your answer}}",
    "no box": "{} Let's think step by step.",
    "DAPO's": raw.DAPO_BEFORE + "{}" + raw.DAPO_AFTER,
    "a drawing": '{}\n[asy] size(10cm); label("$A$", (0, 0)); [/asy]',
    "a link": "{}\nGraph\nhttps://example.com/graph",
    "a drawing and an instruction": "{}\n[asy] draw((0, 0)); [/asy] Let's think step by step.",
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_a_test_problem_is_known_whatever_is_around_it(around):
    known = same_problem.identities(around.format(PROBLEM))
    assert problem_key(PROBLEM) in known
    assert problem_key(PROBLEM.replace("1.5", "2.5")) not in known


def test_nothing_is_not_a_problem():
    assert same_problem.identities("[asy] draw((0, 0)); [/asy]").isdisjoint({problem_key("")})
