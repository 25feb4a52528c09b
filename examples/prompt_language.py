"""The language of a prompt, by its script or by its commonest words."""

import re
from collections.abc import Mapping

SAMPLE = 10_000
"""Characters that are looked at."""
SHARE = 0.3
"""Of the letters, for a script to decide: a prompt in Russian may have names in Latin letters."""

WORD = re.compile(r"[^\W\d_]{1,20}")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


STOPWORDS: Mapping[str, frozenset[str]] = {
    "English": _words(
        "the a an of to and in for with is are that this it on as be my me we our you your i no not"
        " have has will should can must what how why write"
    ),
    "German": _words("der die das und ein eine einen für mit ist nicht zu auf den dem von"),
    "French": _words("le la les un une des et pour avec est dans sur du que qui au aux moi"),
    "Spanish": _words("el la los las un una de y para con es en que del por sobre se al"),
    "Italian": _words("il lo la gli un una di e per con è che del della sono nel su"),
    "Portuguese": _words("o a os as um uma de e para com é em que do da não na por"),
    "Dutch": _words("de het een en van voor met is niet te op dat die zijn aan er"),
}
SCRIPTS: Mapping[str, re.Pattern[str]] = {
    "Japanese": re.compile(r"[\u3040-\u30ff]"),
    "Chinese": re.compile(r"[\u4e00-\u9fff]"),
    "Korean": re.compile(r"[\uac00-\ud7af]"),
    "Russian": re.compile(r"[\u0400-\u04ff]"),
    "Greek": re.compile(r"[\u0370-\u03ff]"),
    "Hebrew": re.compile(r"[\u0590-\u05ff]"),
    "Arabic": re.compile(r"[\u0600-\u06ff]"),
    "Hindi": re.compile(r"[\u0900-\u097f]"),
    "Thai": re.compile(r"[\u0e00-\u0e7f]"),
}


def language_of(text: str) -> str:
    """The language of a prompt, "English" if nothing speaks for another."""
    sample = text[:SAMPLE]
    letters = sum(map(str.isalpha, sample))
    for language, script in SCRIPTS.items():
        if len(script.findall(sample)) > letters * SHARE:
            return language
    words = [word.lower() for word in WORD.findall(sample)]
    hits = {name: sum(word in known for word in words) for name, known in STOPWORDS.items()}
    return max(hits, key=lambda name: hits[name])
