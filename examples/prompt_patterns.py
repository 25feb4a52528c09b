"""What prompts are read by: tables of named patterns.

Every repetition in them is bounded, so that reading stays linear in the length of the text.
"""

import re
from collections.abc import Mapping

from .prompt_words import QUESTIONS, VERBS

ADDRESS = (
    r"(?:(?:please|hi|hello|hey|now|then|first|next|finally|also|kindly),? "
    r"|(?:can|could|would|will) you (?:please )?"
    r"|(?:i|we) (?:need|want|would like|'d like)(?: you)? to "
    r"|(?:i'd|we'd) like(?: you)? to |help me (?:to )?|your task is to |let's ){0,3}"
)


def _starts(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{words})(?!\w)", re.IGNORECASE)


def _has(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


# The first that matches the start of a sentence says which section the sentence belongs to.
SENTENCE_STARTS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "courtesy": ("Task", _starts(r"(?:hi|hello|hey|thanks|thank you|cheers)\b[^.!?]{0,30}[.!]")),
    "role": (
        "Role",
        _starts(r"you are an?|you're an?|act as|pretend|imagine you are|as an? expert"),
    ),
    "labelled context": ("Context", _starts(r"context:|background:|situation:")),
    "labelled rule": ("Requirements", _starts(r"requirements?:|constraints?:|rules?:|notes?:")),
    "example": (
        "Examples",
        _starts(r"for example|examples?:|for instance|here is an example|e\.g\."),
    ),
    "rule": (
        "Requirements",
        _starts(
            r"keep|use|avoid|make sure|ensure|include|exclude|don't|do not|never|always|must|limit"
            r"|no|only|omit|focus on|stick to|be|remember|target|assume|aim|prefer"
            r"|it (?:must|should)"
        ),
    ),
    "form": (
        "Output format",
        _starts(r"return|respond|reply|output|format|answer (?:in|as|with)|present (?:it|the)"),
    ),
    "task": ("Task", re.compile(rf"{ADDRESS}(?:{'|'.join(sorted(VERBS))})\b", re.IGNORECASE)),
    "wish": (
        "Task",
        _starts(r"i need|i want|i would like|i'd like|we need|we want|help|goal:|task:"),
    ),
    "situation": (
        "Context",
        _starts(r"i am|i'm|i have|i've|i run|i work|we are|we're|we have|we|my|our|currently|i"),
    ),
    "question": ("Task", _starts("|".join(sorted(QUESTIONS)))),
}
MODAL = _has(r"must|should|shouldn't|mustn't|needs? to|has to|have to|required|at most|at least")

# A line such as "Summarise the following article:" after which all is material.
LEAD_IN = re.compile(
    r"\b(?:following|below|this|these|here is|here's|here are)\b[^\n:]{0,80}"
    r"\b(?:text|article|code|e-?mails?|passage|documents?|transcript|data|content|messages?"
    r"|paragraphs?|story|reviews?|logs?|errors?|function|snippet|query|report|essay|sentences?"
    r"|notes|conversation|table|json|csv|letter|contract|abstract|paper|poem|recipe|script"
    r"|program|tickets?|comments?|words|phrases?)\b[^\n:]{0,40}:[ \t]{0,8}$",
    re.IGNORECASE,
)

NUMBER = r"\d{1,7}(?:[,.]\d{3})?(?:\s{0,2}(?:-|–|to|and)\s{0,2}\d{1,7})?"
TONES = (
    r"friendly|formal|informal|casual|professional|humorous|funny|witty|serious|neutral|warm"
    r"|enthusiastic|persuasive|conversational|academic|playful|polite|respectful|empathetic"
    r"|authoritative|confident|inspiring|firm|direct|sincere|gentle|encouraging|optimistic|sarcastic|dramatic|calm|upbeat"
    r"|poetic|objective|diplomatic|technical|scientific|sachlich|freundlich|amical|formel"
)
PEOPLE = (
    r"beginners?|newbies|novices|experts?|professionals|children|kids|teenagers|teens|adults"
    r"|seniors|students?|pupils|teachers?|parents|developers?|engineers?|programmers|designers"
    r"|managers?|executives?|investors?|customers?|clients?|users?|readers|employees|colleagues"
    r"|team|boss|doctors|patients|scientists|researchers|lawyers|non-?technical people|laypeople"
    r"|layman|general public|audience|stakeholders|marketers|founders|owners|tourists|newcomers"
    r"|startups?|companies|landlord|neighbou?rs?|friends?|anfänger"
    r"|kinder|schüler|débutants|enfants|principiantes|niños"
)
CODE_LANGUAGES = (
    r"python|javascript|typescript|java|kotlin|swift|rust|golang|ruby|php|perl|scala|haskell|bash"
    r"|powershell|sql|html|css|c\+\+|c#|matlab|julia|lua|elixir|dart|react|node(?:\.js)?"
)
LANGUAGES = (
    r"english|german|french|spanish|italian|portuguese|dutch|polish|russian|ukrainian|chinese"
    r"|japanese|korean|arabic|turkish|hindi|swedish|danish|norwegian|finnish|greek|czech|hebrew"
    r"|deutsch|englisch|französisch|spanisch|anglais|allemand|inglés|alemán"
)
DAYS = (
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow|january|february|march"
    r"|april|may|june|july|august|september|october|november|december|end of|week|month|year"
)
SPANS = r"day|week|month|year|hour|quarter"

# Group 1 is the value. A second way to give an aspect has its name and a remark in parentheses.
ASPECTS: Mapping[str, re.Pattern[str]] = {
    "audience": re.compile(
        rf"\b(?:for|to|at|für|pour|para)\s{{1,3}}"
        rf"((?:[\w'-]{{1,30}}\s){{0,3}}?(?:{PEOPLE})"
        rf"|an? \d{{1,2}}[- ]year[- ]olds?"
        rf"|someone (?:who|without|with|new)\b[^.,\n]{{0,60}})(?!\w)",
        re.IGNORECASE,
    ),
    "tone": re.compile(
        rf"\b((?:{TONES})(?:(?:, | and | but | yet |, and )(?:{TONES})){{0,3}}),?\s{{1,3}}"
        rf"(?:tone|style|voice|manner|language|ton|stil)\b",
        re.IGNORECASE,
    ),
    "tone (named)": re.compile(
        rf"\b(?:tone|style|voice|sound|keep it|be)\b[^.\n\w]{{0,3}}(?:\w{{1,12}}\s){{0,3}}?"
        rf"((?:{TONES})(?:(?:, | and | but ){{1}}(?:{TONES})){{0,3}})\b",
        re.IGNORECASE,
    ),
    "length": re.compile(
        rf"\b((?:(?:about|around|roughly|at most|at least|under|over|max(?:imum)?|up to|exactly"
        rf"|no more than|less than|fewer than|more than|within|between|minimum)\s{{1,3}})?"
        rf"{NUMBER}[\s-]{{0,3}}(?:words?|characters?|sentences?|paragraphs?|pages?|lines?"
        rf"|bullet points?|bullets?|minutes?(?! per| an? | each)|slides?|tokens|stanzas?|verses?"
        rf"|wörtern?|wörter|sätzen?|mots|palabras|parole))\b",
        re.IGNORECASE,
    ),
    "length (spelled out)": re.compile(
        r"\b((?:in |one |a |two |three |four |five |single ){1,3}"
        r"(?:words?|sentences?|paragraphs?|pages?|tweets?))\b",
        re.IGNORECASE,
    ),
    "number of ideas": re.compile(
        r"\b(\d{1,4}|two|three|four|five|six|seven|eight|nine|ten|twenty)\s{1,3}"
        r"(?:[\w-]{1,20}\s){0,2}?(?:ideas|names|slogans|suggestions|titles|taglines|topics|options"
        r"|alternatives|variants|examples)\b",
        re.IGNORECASE,
    ),
    "programming language": re.compile(rf"(?<!\w)({CODE_LANGUAGES})(?!\w)", re.IGNORECASE),
    "target language": re.compile(
        rf"\b(?:in|into|to|ins|auf|en|al)\s({LANGUAGES})\b", re.IGNORECASE
    ),
    "deadline": re.compile(
        rf"\b((?:by|until|before|within|in|over|next|for)\s(?:the\s)?(?:next\s)?"
        rf"(?:{DAYS}|(?:\d{{1,4}}|an?|one|two|three)[\s-](?:{SPANS})s?)"
        rf"|\d{{1,3}}[\s-](?:{SPANS})s?)\b",
        re.IGNORECASE,
    ),
    "resources": re.compile(
        r"([$€£]\s?\d[\d,.]{0,12}|\b(?:budget|team|people|staff|tools)\b[^.\n]{0,40})",
        re.IGNORECASE,
    ),
    "criteria": re.compile(
        r"\b((?:consider(?:ing)?|in terms of|based on|according to|regarding|with respect to"
        r"|criteria|judged by)"
        r"\s[^.\n]{1,80})",
        re.IGNORECASE,
    ),
    "fields": re.compile(
        r"\b(?:extract|list|find|identify|columns?|fields?)\s([^.:\n]{3,80})", re.I
    ),
    "expected behaviour": re.compile(
        r"\b((?:should|expected to|supposed to)\s[^.\n]{2,80})", re.IGNORECASE
    ),
    "actual behaviour": re.compile(
        r"\b((?:raises?|throws?|crash(?:es)?|fails?|returns?|prints?|but|instead|error:?)\s[^.\n]{2,80})",
        re.IGNORECASE,
    ),
}
FORMATS: Mapping[str, str] = {
    "Markdown": r"mark ?down|\.md",
    "JSON": "json",
    "YAML": "yaml",
    "CSV": "csv",
    "HTML": "html",
    "XML": "xml",
    "LaTeX": "latex",
    "a table": "tables?|tabelle|tableau|tabla",
    "a bulleted list": r"bullet(?:ed)?[ -]?(?:points?|lists?)?|bullets|stichpunkten|stichpunkte",
    "a numbered list": "numbered list|ordered list",
    "plain text": "plain text|plaintext",
}
FORMAT_CUE = (
    r"\b(?:as|in|into|return|output|respond with|reply with|formatted|format|produce|give me|using"
    r"|provide|use|als|en|make|create|mit)\b[ :]{1,3}(?:[\w-]{1,20}\s){0,3}?"
)
FORMAT_PATTERNS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(rf"{FORMAT_CUE}(?:{words})(?!\w)", re.IGNORECASE)
    for name, words in FORMATS.items()
}

EXAMPLE = _has(r"for example|for instance|examples?|e\.g|such as|sample|like this|beispiel|exemple")
AVOID = _has(
    r"don't|do not|avoid|never|without|exclude|omit|not use|no more than|must not|kein|nicht"
)
MUST = _has(r"must|should|always|ensure|make sure|include|required|needs? to|has to|only|muss|doit")
REFERENCE = _has(
    r"(?:the following|this|these|attached|given|below)\s(?:\w{1,20}\s){0,2}?"
    r"(?:text|article|code|e-?mail|passage|document|transcript|data|file|function|snippet|table|report)"
)
MENTION = re.compile(r"“[^”\n]{1,40}”")
PLACEHOLDER = re.compile(r"\[[^\[\]\n]{1,200}\]")
LABEL = re.compile(
    r"^[ \t]{0,4}(?:[-*+][ \t]{1,3})?\**([A-Za-z][A-Za-z ]{1,30})\**:\**[ \t]?(.*)$", re.M
)

CONTRADICTIONS: Mapping[tuple[str, str], tuple[re.Pattern[str], re.Pattern[str]]] = {
    ("brief", "detailed"): (
        _has("short|brief|concise|succinct"),
        _has("detailed|comprehensive|in-depth|exhaustive|thorough"),
    ),
    ("formal", "casual"): (_has("formal"), _has("casual|informal|relaxed|colloquial")),
    ("simple", "technical"): (_has("simple|non-technical"), _has("highly technical|advanced")),
}
