"""The fixed texts cover every verdict."""

from nbsrc.claims.schema import VERDICTS
from nbsrc.claims.wording import MEANINGS


def test_every_verdict_is_explained():
    assert list(MEANINGS) == list(VERDICTS)
