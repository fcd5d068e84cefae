r"""Gold answers in the formats of six benchmarks, each with spellings that are right and answers that are wrong.

Labels are known by construction: a right spelling is made from the same values, a wrong one from other values. No text
is taken from the benchmarks.
"""

from collections.abc import Callable
from random import Random
from typing import NamedTuple


class Item(NamedTuple):
    """One gold answer."""

    gold: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


def _integer(rng: Random) -> Item:
    value = rng.randint(1, 999)
    return Item(f"{value:03d}", (str(value), f"{value:03d}", rf"\text{{{value}}}", f"{value}."), _near(rng, value))


def _near(rng: Random, value: int) -> tuple[str, ...]:
    return str(value + rng.choice((-10, -1, 1, 10))), str(-value), f"{value}0"


def _amc_number(rng: Random) -> Item:
    value = rng.randint(2, 400)
    return Item(f"{value}.0", (str(value), f"{value}.0", rf"{value}\text{{ cm}}"), _near(rng, value))


def _amc_choice(rng: Random) -> Item:
    letter, other = rng.sample("ABCDE", 2)
    spellings = (
        letter,
        rf"\text{{({letter})}}",
        rf"\textbf{{({letter})}}",
        rf"\textbf{{({letter})}}\ {rng.randint(1, 9)}",
    )
    return Item(rf"\text{{({letter})}}", spellings, (other, rf"\textbf{{({other})}}"))


def _fraction(rng: Random) -> Item:
    under = rng.choice((3, 7, 9, 11, 13))
    over = rng.randint(1, 40) * under + rng.randint(1, under - 1)
    right = (rf"\dfrac{{{over}}}{{{under}}}", f"{over}/{under}", rf"{over // under}\frac{{{over % under}}}{{{under}}}")
    wrong = (rf"\frac{{{under}}}{{{over}}}", rf"\frac{{{over + 1}}}{{{under}}}", rf"-\frac{{{over}}}{{{under}}}")
    return Item(rf"\frac{{{over}}}{{{under}}}", (*right, rf"\frac{{{2 * over}}}{{{2 * under}}}"), wrong)


def _root(rng: Random) -> Item:
    factor, under = rng.randint(2, 12), rng.choice((2, 3, 5, 6, 7, 13))
    right = (rf"{factor} \sqrt{{{under}}}", rf"\sqrt{{{factor**2 * under}}}", rf"{factor}\cdot\sqrt{{{under}}}")
    return Item(rf"{factor}\sqrt{{{under}}}", right, (rf"{factor + 1}\sqrt{{{under}}}", rf"\sqrt{{{factor * under}}}"))


def _pi(rng: Random) -> Item:
    over, under = rng.choice((3, 5, 7, 11)), rng.choice((4, 6, 8))
    right = (rf"\frac{{{over}}}{{{under}}}\pi", rf"{over}\pi/{under}", f"{over}π/{under}")
    return Item(rf"\frac{{{over}\pi}}{{{under}}}", right, (rf"\frac{{{over}}}{{{under}}}", rf"\frac{{{over}\pi}}{{5}}"))


def _interval(rng: Random) -> Item:
    low, high = rng.randint(-9, 3), rng.randint(4, 20)
    right = (rf"\left[{low},{high}\right)", rf"{low} \le x < {high}", f"[{low}, {high})")
    return Item(f"[{low},{high})", right, (f"({low},{high})", f"[{low},{high}]", f"[{low},{high + 1})"))


def _pair(rng: Random) -> Item:
    first, second = rng.sample(range(-20, 20), 2)
    right = (rf"\left({first}, {second}\right)", f"({first},{second})")
    return Item(f"({first},{second})", right, (f"({second},{first})", f"({first},{second + 1})"))


def _several(rng: Random) -> Item:
    one, two, three, other = rng.sample(range(1, 60), 4)
    right = (f"{three}, {one}, {two}", rf"\{{{two},{one},{three}\}}", rf"{one},{two}\text{{ and }}{three}")
    return Item(f"{one},{two},{three}", right, (f"{one},{two}", f"{one},{two},{other}"))


def _polynomial(rng: Random) -> Item:
    a, b = rng.randint(2, 9), rng.randint(1, 9)
    right = (f"{b}+{a}x+x^2", f"x^{{2}} + {a}x + {b}", f"x(x+{a})+{b}")
    return Item(f"x^2+{a}x+{b}", right, (f"x^2-{a}x+{b}", f"x^2+{a}x-{b}", f"x^2+{a + 1}x+{b}"))


def _money(rng: Random) -> Item:
    whole, cents = rng.randint(1, 99), rng.randint(1, 9)
    right = (f"{whole}.{cents}", rf"\${whole}.{cents}0", rf"{whole}.{cents}0\text{{ dollars}}")
    return Item(rf"\${whole}.{cents}0", right, (f"{whole}", rf"\${whole}.0{cents}", f"{whole}.{cents}1"))


def _thousands(rng: Random) -> Item:
    value = rng.randint(1_000, 9_999_999)
    return Item(f"{value:,}", (str(value), f"{value:,}", f"{value:,}".replace(",", "{,}")), _near(rng, value))


def _angle(rng: Random) -> Item:
    value = rng.randint(1, 179)
    right = (rf"{value}^\circ", str(value), f"{value}°", rf"{value}\text{{ degrees}}")
    return Item(rf"{value}^\circ", right, (rf"{180 - value + 1}^\circ", f"-{value}"))


def _percent(rng: Random) -> Item:
    value = rng.randint(2, 99)
    return Item(rf"{value}\%", (f"{value}", rf"{value}\%", f"{value / 100}"), (rf"{value + 1}\%", f"{value / 1000}"))


def _matrix(rng: Random) -> Item:
    a, b, c, d = (rng.randint(-9, 9) for _ in range(4))
    body = rf"{a} & {b} \\ {c} & {d}"
    wrong = (rf"\begin{{pmatrix}} {a} & {b} \\ {c} & {d + 1} \end{{pmatrix}}", rf"({a},{b},{c},{d})")
    right = (rf"\begin{{bmatrix}} {body} \end{{bmatrix}}", rf"\begin{{pmatrix}}{a}&{b}\\{c}&{d}\end{{pmatrix}}")
    return Item(rf"\begin{{pmatrix}} {body} \end{{pmatrix}}", right, wrong)


def _word(rng: Random) -> Item:
    name, other = rng.sample(("Evelyn", "Briana", "even", "ellipse", "parabola", "Wednesday", "neither"), 2)
    return Item(rf"\text{{{name}}}", (name, rf"\text{{{name}}}", name.lower()), (other, rf"\text{{{other}}}"))


def _base(rng: Random) -> Item:
    value = rng.randint(100, 777)
    return Item(f"{value}_8", (f"{value}_{{8}}", f"{value}_8"), (f"{value + 1}_8", f"{value}_9"))


def _complex(rng: Random) -> Item:
    real, imaginary = rng.randint(1, 9), rng.randint(2, 9)
    right = (f"{real} - {imaginary}i", f"-{imaginary}i+{real}")
    return Item(f"{real}-{imaginary}i", right, (f"{real}+{imaginary}i", f"{real + 1}-{imaginary}i"))


def _e_notation(rng: Random) -> Item:
    digits, power = rng.randint(11, 99), rng.choice((-34, -19, -9, -3, 4, 11, 33))
    factor = f"{digits // 10}.{digits % 10}"
    right = (rf"{factor} \times 10^{{{power}}}", rf"{factor}\cdot 10^{{{power}}}\text{{ m}}", f"{factor}e{power}")
    return Item(f"{factor}e{power}", right, (rf"{factor} \times 10^{{{power + 1}}}", f"{digits // 10 + 1}.0e{power}"))


def _physics(rng: Random) -> Item:
    power, factor = rng.choice((2, 3, 4)), rng.randint(2, 9)
    right = (rf"\frac{{1}}{{{factor}}} m v^{power}", rf"m v^{power}/{factor}", rf"\dfrac{{v^{power} m}}{{{factor}}}")
    wrong = (rf"\frac{{m v^{power}}}{{{factor + 1}}}", rf"\frac{{m v}}{{{factor}}}")
    return Item(rf"\frac{{m v^{power}}}{{{factor}}}", right, wrong)


def _arcsine(rng: Random) -> Item:
    over, under = rng.randint(1, 10), rng.randint(11, 19)
    right = (rf"\arcsin\frac{{{over}}}{{{under}}}", rf"\arcsin({over}/{under})")
    wrong = (rf"\arccos({over}/{under})", rf"\arcsin({over}/{under + 1})")
    return Item(f"np.arcsin({over}/{under})", right, wrong)


def _formula(rng: Random) -> Item:
    step = rng.randint(1, 9)
    right = (rf"\frac{{1}}{{2}}n(n+{step})", rf"\frac{{n^2+{step}n}}{{2}}", rf"\frac{{(n+{step})n}}{{2}}")
    return Item(rf"$\frac{{n(n+{step})}}{{2}}$", right, (rf"\frac{{n(n-{step})}}{{2}}", rf"n(n+{step})"))


def _assignment(rng: Random) -> Item:
    value = rng.randint(2, 99)
    return Item(f"$n={value}$", (f"n={value}", f"n = {value}", str(value)), (f"m={value}", f"n={value + 1}"))


def _inequality(rng: Random) -> Item:
    bound = rng.randint(2, 30)
    right = (rf"x \geq {bound}", rf"[{bound}, \infty)", rf"{bound} \le x")
    return Item(rf"$x \geq {bound}$", right, (rf"x > {bound}", rf"x \leq {bound}", rf"({bound}, \infty)"))


def _points(rng: Random) -> Item:
    a, b, c, d = rng.sample(range(1, 30), 4)
    right = (f"({c},{d}),({a},{b})", f"({a}, {b}), ({c}, {d})")
    return Item(f"$({a},{b}),({c},{d})$", right, (f"({b},{a}),({c},{d})", f"({a},{b})"))


def _power(rng: Random) -> Item:
    base, exponent = rng.choice((2, 3, 5)), rng.randint(60, 2024)
    right = (rf"{base}^{{{exponent}}}", rf"{base}\cdot {base}^{{{exponent - 1}}}")
    return Item(f"{base}^{{{exponent}}}", right, (rf"{base}^{{{exponent + 1}}}", rf"{exponent}^{{{base}}}"))


FORMATS: dict[str, tuple[Callable[[Random], Item], ...]] = {
    "aime24": (_integer,),
    "aime25": (_integer,),
    "amc": (_amc_number, _amc_choice, _fraction),
    "math500": (_integer, _integer, _integer, _fraction, _root, _pi, _interval, _pair, _several, _polynomial, _money)
    + (_thousands, _angle, _percent, _matrix, _word, _base, _complex),
    "minerva": (_e_notation, _e_notation, _e_notation, _amc_number, _physics, _arcsine, _angle),
    "olympiadbench": (_integer, _fraction, _formula, _assignment, _inequality, _points, _power, _root),
}
