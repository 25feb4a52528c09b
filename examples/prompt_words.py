"""The words that prompts are read by: verbs, questions, and those that may mean anything."""

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VERBS = _words(
    """
    add analyse analyze answer act assess automate brainstorm build calculate check classify
    clean compare compose compute condense convert correct create critique debug define describe
    design determine develop devise diagnose discuss draft draw edit evaluate examine explain
    explore extract extend find fix generate give help identify implement improve invent investigate
    list make migrate name optimise optimize organise organize outline paraphrase plan port prepare
    produce propose proofread prove provide rank recommend refactor rephrase research review rewrite
    show simplify solve sort suggest summarise summarize teach tell test translate turn update
    write
    """
)
QUESTIONS = _words(
    "how what why when where which who whose is are do does did can could would should"
)

VAGUE: Mapping[str, str] = {
    "good": "what makes it good here",
    "great": "what makes it great here",
    "nice": "what makes it nice here",
    "better": "better in which respect",
    "best": "best by which measure",
    "interesting": "interesting to whom, and why",
    "engaging": "what keeps the reader's attention",
    "cool": "what is meant by it",
    "appropriate": "appropriate by which standard",
    "suitable": "suitable for what",
    "proper": "proper by which standard",
    "stuff": "which things exactly",
    "things": "which things exactly",
    "something": "what exactly",
    "somehow": "by which means",
    "various": "which ones",
    "several": "how many",
    "some": "which, and how many",
    "many": "how many",
    "few": "how many",
    "etc": "what else belongs to it",
    "soon": "by when",
    "quickly": "within which time",
    "fast": "how fast",
    "efficient": "efficient in which resource",
    "optimal": "optimal by which measure",
    "modern": "which traits or versions",
    "simple": "simple for whom",
    "short": "how short",
    "brief": "how brief",
    "long": "how long",
    "detailed": "which details",
    "professional": "which traits",
}
SETTLED_BY: Mapping[str, str] = {
    "short": "length",
    "brief": "length",
    "long": "length",
    "professional": "tone",
    "simple": "audience",
}
"""A vague word is plain enough where this aspect is given."""
