"""The kinds of prompts: the words that give them away, and what a good one of each kind needs."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """`words` decide for this kind when they come first in a task; `needs` are aspects."""

    words: str
    role: str
    needs: tuple[str, ...]
    defaults: tuple[str, ...]
    format: str


# No default may hold a word that the checks would call vague, and none states a fact.
KINDS: Mapping[str, Kind] = {
    "write": Kind(
        words="""article articles blog post essay email e-mail letter story poem haiku speech song
        tweet caption newsletter report biography bio headline copy text description announcement
        review script-for dialogue message press release draft compose schreibe schreib verfasse
        écris rédige escribe redacta scrivi escreva schrijf napisz напиши""",
        role="You are an experienced writer and editor.",
        needs=("audience", "tone", "length"),
        defaults=(
            "Open with the main point, and give each paragraph one idea.",
            "Do not make up facts, names, numbers or quotations.",
        ),
        format="The finished text only, without remarks about it.",
    ),
    "code": Kind(
        words="""function script code class program programs api endpoint regex regexp query sql
        component module library app application website webpage cli bot parser algorithm test
        tests dockerfile makefile schema implement refactor port automate programmiere implementiere
        code-review implémente programme implementa programa""",
        role="You are a senior software engineer.",
        needs=("programming language",),
        defaults=(
            "Handle invalid input and errors, and name the edge cases that are covered.",
            "Use only interfaces that exist; say which versions are assumed.",
        ),
        format="The complete code in one fenced block, then how to run it, in one paragraph.",
    ),
    "debug": Kind(
        words="""debug fix repair troubleshoot bug error exception crash crashes traceback failing
        broken behebe repariere corrige arregla""",
        role="You are a senior software engineer who finds the causes of faults.",
        needs=("expected behaviour", "actual behaviour"),
        defaults=(
            "Name the cause before the correction.",
            "Change no more than the correction needs.",
        ),
        format="The cause, the corrected part in a fenced block, and how to check that it works.",
    ),
    "summarise": Kind(
        words="""summarise summarize summary summaries condense tldr tl;dr recap abridge
        zusammenfassen zusammen zusammenfassung résume résumer résumé resume resumir resumen
        riassumi""",
        role="You are a careful editor who summarises without changing the meaning.",
        needs=("audience", "length"),
        defaults=(
            "Keep to what the source says; add no facts and no opinion.",
            "Keep names, numbers and dates exactly as they are.",
        ),
        format="The summary only, with the most important point first.",
    ),
    "translate": Kind(
        words="""translate translation translates localise localize übersetze übersetzen übersetzung
        traduis traduire traduction traduce traducir traducción traduci traduza vertaal переведи""",
        role="You are an experienced translator.",
        needs=("target language", "tone"),
        defaults=(
            "Keep names, numbers, code and markup as they are.",
            "Translate the meaning, not word by word; mark what has no equivalent.",
        ),
        format="The translation only, laid out as the source is.",
    ),
    "analyse": Kind(
        words="""analyse analyze analysis evaluate assess compare comparison contrast critique
        examine investigate review-of audit interpret diagnose analysiere vergleiche bewerte
        analyser comparer compara analiza analizza""",
        role="You are an analyst who separates evidence from opinion.",
        needs=("criteria", "audience"),
        defaults=(
            "Give the evidence for each finding, and say how certain it is.",
            "Name what the material does not tell.",
        ),
        format="The conclusion first, then the findings, each with its evidence.",
    ),
    "explain": Kind(
        words="""explain explains explanation describe teach clarify define tutorial guide lesson
        introduction erkläre erklär beschreibe explique expliquer explica describe spiega""",
        role="You are a patient teacher of the subject.",
        needs=("audience", "length"),
        defaults=(
            "Explain each term where it is first used.",
            "Give a worked example for each main idea.",
        ),
        format="An explanation in steps, each of which builds on the one before.",
    ),
    "plan": Kind(
        words="""plan planning roadmap schedule itinerary strategy agenda timetable curriculum
        syllabus workout budget checklist organise organize prepare plane planifie planifier
        planifica planear organiza""",
        role="You are an experienced planner.",
        needs=("deadline", "resources"),
        defaults=(
            "Put the steps in order, each with its result and what it depends on.",
            "Name the main risks, and what to do about each of them.",
        ),
        format="A numbered list of steps, each with its time and its result.",
    ),
    "brainstorm": Kind(
        words="""brainstorm ideas idea names slogans suggestions suggest titles taglines topics
        alternatives invent ideen vorschläge idées idee sugiere""",
        role="You are a creative partner who knows the field.",
        needs=("audience", "number of ideas"),
        defaults=(
            "Make the ideas differ from each other in kind, not in wording.",
            "Say for each of them in one sentence why it fits.",
        ),
        format="A numbered list, one idea in each item.",
    ),
    "rewrite": Kind(
        words="""rewrite rephrase paraphrase proofread edit polish shorten improve reword simplify
        correct umformuliere überarbeite verbessere reformule améliore corregir mejora""",
        role="You are an experienced editor.",
        needs=("audience", "tone"),
        defaults=(
            "Keep the meaning and every fact of the original.",
            "Keep the language of the original.",
        ),
        format="The new version, then a list of what was changed.",
    ),
    "extract": Kind(
        words="""extract classify categorise categorize label tag list identify count parse sort
        filter find convert extrahiere klassifiziere extrais classe extrae clasifica""",
        role="You are a careful data analyst.",
        needs=("fields",),
        defaults=(
            "Take values from the source as they are written; leave out what is not there.",
            "Treat every item in the same way.",
        ),
        format="One entry for each item, with the same fields in the same order.",
    ),
    "answer": Kind(
        words="",
        role="You are an expert in the subject of the question.",
        needs=("audience",),
        defaults=(
            "Answer the question itself first, then give the reasons.",
            "Say what is certain, what is likely and what is not known.",
        ),
        format="The answer in one paragraph, then the reasons as a list.",
    ),
}

DECISIVE: Mapping[str, str] = {
    word: name for name, kind in KINDS.items() for word in kind.words.split()
}
"""Which kind of prompt a word gives away."""

PLACEHOLDERS: Mapping[str, str] = {
    "audience": "Audience: [who it is for, and what they know already]",
    "tone": "Tone: [such as neutral, friendly or formal]",
    "length": "Length: [such as 300 words]",
    "programming language": "Programming language: [language and version]",
    "target language": "Target language: [the language to translate into]",
    "expected behaviour": "Expected behaviour: [what should happen]",
    "actual behaviour": "Actual behaviour: [what happens, with the exact error message]",
    "criteria": "Criteria: [what to judge by, the most important first]",
    "deadline": "Deadline: [when it has to be done]",
    "resources": "Resources: [people, budget and tools at hand]",
    "number of ideas": "Number of ideas: [such as 10]",
    "fields": "Fields: [what to take from each item]",
}

SIGNS: Mapping[str, str] = {
    "翻译": "translate",
    "翻訳": "translate",
    "总结": "summarise",
    "要約": "summarise",
    "解释": "explain",
    "説明": "explain",
    "分析": "analyse",
    "计划": "plan",
    "計画": "plan",
    "代码": "code",
    "コード": "code",
    "写": "write",
    "書": "write",
}
"""The same for languages that put no spaces between words, the more telling ones first."""

GAPS = "If information that you need is missing or unclear, ask for it before you start."
OWN_LINES = frozenset(
    {GAPS, *(line for kind in KINDS.values() for line in (*kind.defaults, kind.format))}
)
"""What the optimizer adds is not read again as the user's wishes."""
