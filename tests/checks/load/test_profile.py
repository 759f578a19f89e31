import random

from checks.load.profile import card_token


def test_no_token_can_be_taken_for_a_card_number() -> None:
    tokens = {card_token(random.Random(seed)) for seed in range(50)}
    assert len(tokens) == 50
    assert all(token[:4] == "tok_" and token[4:].isalpha() for token in tokens)
