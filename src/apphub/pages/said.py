"""What the rest of the hub says in English, said in the language of a page's visitor.

Progress, reasons and refusals are written into rows and errors where they happen, by parts that
know no visitor, and programs read them as they are. Here is every such sentence that people meet,
with names for what is filled in; a text is taken apart by them, translated, and put together
again. What is not among them, an app's output above all, stays as it is.
"""

from __future__ import annotations

import re
from functools import cache

from apphub.access.scopes import SCOPES, parse
from apphub.pages.locale import SOURCE, gettext
from apphub.servers.model import REQUESTED

#: Sentences, as message ids of the catalogues.
SENTENCES = (
    REQUESTED,
    "Spawning server...",
    "The program ended before it answered.",
    "The program did not answer in time. It may listen at another address than it was told to, "
    "or need longer than its profile allows.",
    "The program is gone.",
    "Exit status unknown.",
    "Exit status %(code)s.",
    "It ended by itself with status %(code)s.",
    "It was killed by %(signal)s.",
    "It was killed by %(signal)s: it used more memory than its limit.",
    "It ended; its exit status is unknown, for it was started by an earlier run of the hub.",
    "Stopped after %(number)s hours without use.",
    "Stopped after 1 hour without use.",
    "Stopped after %(number)s minutes without use.",
    "Stopped after 1 minute without use.",
    "Stopped after %(number)s seconds without use.",
    "Stopped after 1 second without use.",
    "Stopped: %(user)s may no longer start %(app)s.",
    "Will be stopped at %(moment)s: %(user)s may no longer start %(app)s.",
    "The server was stopped.",
    "The server's folder cannot be made: %(why)s.",
    "The working folder %(folder)s does not exist.",
    "The program %(program)s was not found.",
    "The program %(program)s may not be executed.",
    "Is it installed, and its folder on the PATH of the profile? If it is a script: does the interpreter of "
    "its first line exist?",
    "There is no system account %(name)s on this machine.",
    "The memory limit is not enforced on this machine.",
    "The option %(name)s is missing.",
    "The option %(name)s cannot be %(value)s: it %(misfit)s.",
    "The option %(name)s cannot be %(value)s for this user.",
    "It is fixed to %(value)s.",
    "Choices: %(choices)s.",
    "This hub may run %(number)s servers and does.",
    "Try again later, or stop a server that you do not need.",
    "User %(user)s already has the maximum of %(number)s named servers.",
    "One must be deleted before a new server can be created.",
    "User %(user)s already has server %(server)s",
    "A name has up to 30 of the characters a-z, 0-9 and -, begins with a letter, "
    "and has no - at its end or twice in a row.",
    "Ask an administrator to add you to one of these groups.",
    "This share code is not valid (any more).",
    "Ask for a new one.",
    "This server is yours already.",
    "Number %(position)s in the line. It waits for %(waits)s.",
    "Number %(position)s in the line, ready in about %(estimate)s s. It waits for %(waits)s.",
    "This start can never have %(what)s: it asks for %(asked)s, and the limit of %(who)s is %(limit)s.",
    "Choose a profile that asks for less, or have the limit raised.",
)
#: What stands in holes of sentences, and is none by itself.
PARTS = (
    "must be %(number)s or more",
    "must be %(number)s or less",
    "must be one of the choices: %(choices)s",
    "must have at most %(number)s characters",
    "must match the pattern %(pattern)s",
    "its turn: %(used)s of %(limit)s starts at the same time are under way",
    "a server to stop: %(who)s uses %(used)s of %(limit)s",
    "processors: %(who)s uses %(used)s of %(limit)s",
    "memory: %(who)s uses %(used)s of %(limit)s",
    "a server to stop",
    "processors",
    "memory",
    "the hub",
    "user %(name)s",
    "group %(name)s",
    "profile %(name)s",
)
#: Characters of a line that is looked at; longer ones are no sentences of ours.
LONGEST = 1000
#: Holes that hold one of the parts.
_NESTED = frozenset({"misfit", "waits", "what", "who"})
_HOLE = re.compile(r"%\\\((\w+)\\\)s")


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every sentence as a pattern; those with more words of their own are tried first."""
    return _compiled(SENTENCES, r"(?= |$)")


@cache
def _parts() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every part as a pattern of the whole of a text."""
    return _compiled(PARTS, "$")


def _compiled(texts: tuple[str, ...], end: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    ordered = sorted(texts, key=lambda one: -len(re.sub(r"%\(\w+\)s", "", one)))
    return tuple((re.compile(_HOLE.sub(r"(?P<\1>.+?)", re.escape(one)) + end), one) for one in ordered)


def say(language: str, text: str) -> str:
    """The text in this language, line by line, as far as its sentences are known."""
    if language == SOURCE or not text:
        return text
    first, mark, rest = text.partition("\n")
    return f"{_line(language, first)}{mark}{rest}"


def _line(language: str, line: str) -> str:
    if len(line) > LONGEST:
        return line
    said, left = [], line
    while left:
        found = next(((match, one) for pattern, one in _patterns() if (match := pattern.match(left))), None)
        if found is None:
            said.append(left)
            break
        match, sentence = found
        said.append(_filled(language, match, sentence))
        left = left[match.end() :].lstrip(" ")
    return " ".join(said)


def say_part(language: str, text: str) -> str:
    """What stands in a hole of a sentence (what a start waits for), in this language; as it is when unknown."""
    if language == SOURCE or len(text) > LONGEST:
        return text
    found = ((match, one) for pattern, one in _parts() if (match := pattern.match(text)))
    return next((_filled(language, match, one) for match, one in found), text)


def _filled(language: str, match: re.Match[str], text: str) -> str:
    holes = {
        name: say_part(language, value) if name in _NESTED else value
        for name, value in match.groupdict().items()
    }
    translated = gettext(language, text)
    return translated % holes if holes else translated


def scope_words(language: str, scope: str) -> str:
    """What a scope lets its holder do, in words."""
    name, kind, value = parse(scope)
    if name == "inherit":
        return gettext(language, "Do everything that you may do.")
    if name == "self":
        return gettext(language, "Read and change what is yours.")
    what = gettext(language, SCOPES[name][0])
    if kind is None:
        return what
    what = what.rstrip(".")
    if value is None:
        return gettext(language, "%(what)s: only yours.") % {"what": what}
    kinds = {
        "user": gettext(language, "user"),
        "group": gettext(language, "group"),
        "server": gettext(language, "server"),
        "service": gettext(language, "service"),
    }
    return gettext(language, "%(what)s: only of %(kind)s %(name)s.") % {
        "what": what,
        "kind": kinds[kind],
        "name": value,
    }


def sources() -> tuple[str, ...]:
    """Message ids that stand in tables and not in calls, for the test of the catalogues."""
    return (*SENTENCES, *PARTS, *(words for words, _ in SCOPES.values()))
