"""How a word is written, as a small number: what an uncased encoder cannot see."""

CASES = 7


def word_case(word: str) -> int:
    """1 lower case, 2 a capital first, 3 capitals alone, 4 mixed, 5 with a digit, 6 anything else; 0 is no word."""
    if any(letter.isdigit() for letter in word):
        return 5
    if word.islower():
        return 1
    if word.isupper():
        return 3 if len(word) > 1 else 2
    if word[:1].isupper() and word[1:].islower():
        return 2
    return 4 if any(letter.isalpha() for letter in word) else 6
