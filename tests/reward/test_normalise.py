"""One spelling for an answer: text, unit and percent sign."""

import pytest

from daro_verl.reward.normalise import LONGEST_ANSWER, Answer, normalise

SPELLINGS = {
    "e-notation": ("4.5e33", Answer(r"4.5 \times 10^{33}")),
    "e-notation with signs": ("-1.6E-19", Answer(r"-1.6 \times 10^{-19}")),
    "e-notation with a plus": ("2e+08", Answer(r"2 \times 10^{8}")),
    "a variable e is none": ("2e^3", Answer("2e^3")),
    "dollars": (r"\$18.90", Answer("18.90")),
    "mathematics between dollars": (r"$\frac{1}{2}$", Answer(r"\frac{1}{2}")),
    "inline mathematics": (r"\(x+1\)", Answer("x+1")),
    "sizes": (r"\left( 3, \frac{\pi}{2} \right)", Answer(r"( 3, \frac{\pi}{2} )")),
    "short fraction": (r"\frac12", Answer(r"\frac{1}{2}")),
    "half-short fraction": (r"\dfrac{3}4", Answer(r"\frac{3}{4}")),
    "thousands": ("1,234,567.5", Answer("1234567.5")),
    "thousands in LaTeX": (r"1{,}234\,567", Answer("1234567")),
    "a list is no number": ("1,2", Answer("1,2")),
    "unit in text": (r"5\text{ cm}", Answer("5", "cm")),
    "square unit": (r"12\text{ cm}^2", Answer("12", "cm^2")),
    "square unit in words": (r"12\text{ square centimeters}", Answer("12", "cm^2")),
    "speed": (r"3\mathrm{~m} / \mathrm{s}", Answer("3", "m /s")),
    "degrees": (r"90^\circ", Answer("90", "degree")),
    "degrees as a character": ("90°", Answer("90", "degree")),
    "degrees in a word": ("90 degrees", Answer("90", "degree")),
    "dollars in a word": ("12 dollars", Answer("12", "dollar")),
    "what is counted": ("7 red apples", Answer("7", None)),
    "what is counted, in text": (r"7\text{ apples}", Answer("7", None)),
    "a product is no unit": ("5m", Answer("5m")),
    "a product of letters is no count": ("2 xy", Answer("2 xy")),
    "unit per unit": (r"60\text{ miles per hour}", Answer("60", "mph")),
    "unit per unit in one text": (r"3\text{ m/s}^2", Answer("3", "m /s^2")),
    "unit per unit in plain letters": ("60 km/h", Answer("60", "kph")),
    "words that are no unit": (r"3\text{ or fewer}", Answer(r"3\text{ or fewer}")),
    "a number word is no unit": (r"3\text{ million}", Answer(r"3\text{ million}")),
    "a list of names": (r"\text{Alice}, \text{Bob}", Answer(r"\text{Alice}, \text{Bob}")),
    "imaginary unit": (r"3\mathrm{i}", Answer("3i")),
    "pi is not counted": ("2 pi", Answer(r"2 \pi")),
    "percent": (r"50\%", Answer("50", None, True)),
    "percent in a word": ("50 percent", Answer("50", None, True)),
    "choice": (r"\textbf{(C)}", Answer("(C)")),
    "word": (r"\text{Evelyn}.", Answer("Evelyn")),
    "minus sign": ("−3", Answer("-3")),
    "full-width digits": ("１２", Answer("12")),
    "superscript": ("x²", Answer("x^{2}")),
    "greek": ("π/2", Answer(r"\pi /2")),
    "python": ("np.sqrt(2)*np.arcsin(10/13)**2", Answer(r"\sqrt{2}*\arcsin (10/13)^2")),
    "rows of a matrix": (r"\begin{pmatrix}1\\[2pt]2\end{pmatrix}", Answer(r"\begin{pmatrix}1\\[2pt]2\end{pmatrix}")),
    "nul bytes": ("1\x002", Answer("12")),
    "an arrow is no size": (r"a\leftarrow b", Answer(r"a\leftarrow b")),
}


@pytest.mark.parametrize(("raw", "answer"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_spelling(raw, answer):
    assert normalise(raw) == answer


@pytest.mark.parametrize(("raw", "answer"), SPELLINGS.values(), ids=SPELLINGS.keys())
def test_a_normalised_text_stays_what_it_is(raw, answer):
    assert normalise(answer.text).text == answer.text


def test_a_text_that_is_too_long_is_left_alone():
    text = "1{,}" * LONGEST_ANSWER
    assert normalise(f" {text} ") == Answer(text)
