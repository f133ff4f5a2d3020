"""Patterns that are looked for in texts: which are taken, and that none searches for long."""

import time
from itertools import product

import pytest

from config.pattern import LONGEST, SHORTEST, Pattern

# Seconds of processor time that one search may take; it takes a tenth of it on a slow machine.
MOST = 0.25
TAKEN = [
    *(r"power: ([0-9.]+)", r"T:\s*(\d+\.\d+)", r"([+-]?\d+[.,]?\d*)", r"([+-]?\d+\.?\d*) W"),
    *(r"1-0:1\.7\.0\((\d+\.\d+)\*kW\)", r".*(\d+)", r".*,.*,(\d+)", r"[^,]*,[^,]*,([^,]+)", r"^(\d+),"),
    *(r"x(.*)y.*", r"([\d.]+)", r"([^\d]+)$", r"(\d{1,3}\d{1,3}\d{1,3})x", r"(\\)", r"\d*\d*(x)", r"(é)"),
    *(r"(\d+?)\.", r"([-+0-9]*)\t", r"^.*=(\d+)$", r"(\d{3})", r"(\d{2,})x"),
]


@pytest.mark.parametrize("text", TAKEN)
def test_no_text_keeps_a_pattern_busy(text: str) -> None:
    pattern = Pattern.parse(text)
    assert SHORTEST <= pattern.longest <= LONGEST
    signs = "1x.,=- \t"
    for pump, tail in product([*signs, "1.", "1,", ",x", "x1"], ["", "\0"]):
        searched = (pump * LONGEST)[: pattern.longest - 1] + tail
        begin = time.thread_time()
        pattern.compiled.search(searched)
        assert time.thread_time() - begin < MOST


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "()", "(a)(b)", "(a", "a)", ")a(", "((a))", r"(\d+)+", r"(\d+){2}", "(a|b)", "a|(b)"),
        *(r"(?:a)(b)", r"(?=a)(b)", r"(?P<n>a)", r"(a)\1", r"\b(a)", "[](1)", "[^](1)", "a**(1)", "a++(1)"),
        *(
            "a{3,1}(1)",
            "a{1000}(1)",
            "*(a)",
            "[[a](1)",
            "[a--b](1)",
            "[a&&b](1)",
            "[z-a](1)",
            "(a\n*",
            "{1}(a)",
        ),
    ],
)
def test_what_could_try_without_end_or_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be a regular expression with one group in parentheses"):
        Pattern.parse(text)


@pytest.mark.parametrize("text", [r".*a.*b.*c.*(d)", r"\d*\d*\d*\d*(x)", r".*.*.*(x)", r"\d*\d*(\d*)$"])
def test_too_many_ways_to_match_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must have fewer repeats"):
        Pattern.parse(text)


def test_the_more_ways_there_are_the_shorter_is_the_text() -> None:
    lengths = [Pattern.parse(text).longest for text in (r"(\d+)", r"\d*(\d+)x", r"\d*\d*(\d)x")]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == LONGEST
    assert len(set(lengths)) == 3


def test_what_it_finds_is_in_its_group() -> None:
    found = Pattern.parse(r"T=([0-9.]+)").compiled.search("H=40;T=21.5")
    assert found is not None
    assert found[1] == "21.5"
