"""report.md: the facts for git and pull requests. Foreign text stays text inside its table cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ftrun.evaluation.answers import Record
from ftrun.evaluation.showing.flips import Changes
from ftrun.language import localized, localized_part, phrase
from ftrun.redaction import hide
from ftrun.report.facts import Facts
from ftrun.report.localizing import in_language
from ftrun.report.score_tables import Cell, Confusion, Row, ScoreTables, score_tables
from ftrun.report.verdict import (
    AnsweredQuestion,
    ChangedQuestions,
    by_interest,
    changed_questions,
    changes_of,
    common_system,
    side_by_side,
    verdict_in,
)
from ftrun.report.words import (
    NOTHING,
    clipped,
    counted,
    duration,
    hyperparameters,
    loss,
    moment,
    number,
    percent,
    price_parts,
    signed,
)
from ftrun.targets.refusals import as_shown
from ftrun.text import visible

_SPECIAL = re.compile(r"([\\`*_\[\]~$])")
_START = re.compile(r"^([-+=#:]|\d+(?=[.)]))")  # would begin a heading or a list
Say = Callable[[str], str]
MARKS = {True: "✅", False: "❌", None: "▫️"}
MOST_CHANGES = 10  # questions of each kind: git and pull requests need no thousands
MOST_ANSWERED = 12  # questions with all answers
MOST_CHARACTERS = 700  # of one answer


def markdown_report(facts: Facts) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    facts = in_language(facts)
    blocks = [
        *_head(facts),
        *_evaluated(facts),
        *_training(facts),
        *_data(facts),
        *_cost(facts),
        *_provenance(facts),
    ]
    return "\n\n".join(blocks) + "\n"


def before_markdown(facts: Facts) -> str:
    """Return what was found before training: what would have to be beaten, scores, and some answers."""
    facts = in_language(facts)
    verdict = facts.scores.verdict
    first, *others = [localized(one, facts.language) for one in verdict.reasons] if verdict else [""]
    warnings = [localized(one, facts.language) for one in facts.scores.warnings]
    blocks = [f"# {inline(facts.experiment.name)}", f"**{inline(first)}**"]
    if others:
        blocks.append("\n".join(f"- {inline(one)}" for one in others))
    if warnings:
        blocks.append("\n".join(f"> ⚠️ {inline(one)}  " for one in warnings))
    return "\n\n".join([*blocks, *_evaluated(facts, reported=False)]) + "\n"


def inline(text: object) -> str:
    """Return foreign text for one line or table cell: no markup, mention, link or cell border survives."""
    plain = visible(hide(str(text)).strip(), keep_newlines=True)  # an escaped key would not be recognized
    plain = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    plain = re.sub(r"#(?=\d)", "#&#8203;", plain)  # before entities add a # of their own
    plain = _SPECIAL.sub(r"\\\1", plain).replace("|", "&#124;")
    plain = plain.replace("://", "&#58;//").replace("www.", "www&#46;").replace("@", "&#64;&#8203;")
    return _START.sub(_literal, plain).replace("\n", "<br>").replace("\t", " ")


def _literal(match: re.Match[str]) -> str:
    mark = match.group()
    return f"{mark}\\" if mark.isdigit() else f"\\{mark}"


def code(text: object) -> str:
    """Return an id or hash as inline code; as text if it could end the code or the cell."""
    plain = visible(hide(str(text)))
    return inline(plain) if not plain or set("`|\\") & set(plain) else f"`{plain}`"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """Return a table; cells are Markdown already. With `numbers` all columns but the first align right."""
    rule = ["---", *(["---:" if numbers else "---"] * (len(head) - 1))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def _said(language: str) -> Say:
    """Return the function that puts our own words into a language."""
    return lambda text: (
        localized_part(known, language) if (known := phrase(text, language)) == text else known
    )


def _head(facts: Facts) -> Iterator[str]:
    found, say = verdict_in(facts), _said(facts.language)
    yield f"# {inline(facts.experiment.name)}"
    if facts.experiment.description:
        yield inline(facts.experiment.description)
    yield f"**{inline(found.headline)}**"
    if found.reasons:
        yield "\n".join(f"- {inline(reason)}" for reason in found.reasons)
    if found.warnings:
        yield "\n".join(f"> ⚠️ {inline(warning)}  " for warning in found.warnings)
    if facts.scores.gates:
        yield "\n".join(_gates(facts, say))
    yield from map(inline, filter(None, (found.trained, found.fit)))


def _gates(facts: Facts, say: Say) -> Iterator[str]:
    for gate in facts.scores.gates:
        words = say("gate passed") if gate.passed else say("gate missed")
        value = "" if gate.value is None else f" ({say(f'left minus right: {signed(gate.value)}')})"
        yield f"- {MARKS[gate.passed]} {words}: {code(gate.gate)}{value}"


def _evaluated(facts: Facts, *, reported: bool = True) -> Iterator[str]:
    """Yield what changed, the scores, and some of the answers; `reported`: a report has all of them."""
    found = changes_of(facts)
    asked = side_by_side(facts.answers, found)
    if not facts.target.rehearses:
        yield from _changes(facts, found, asked)
        yield from _scores(facts)
    if asked:
        wanted = by_interest(asked, facts.scores.subject, found)[:MOST_ANSWERED]
        shown = tuple(one for one in asked if one in wanted)
        yield from answers_blocks(facts.answers, shown, facts.language)
        if len(asked) > len(shown):
            say = _said(facts.language)
            more = f"{len(shown)} of {len(asked):,} questions; report.html has all of them."
            less = f"{len(shown)} of {len(asked):,} questions."
            yield say(more if reported else less)


def _changes(facts: Facts, changes: Sequence[Changes], asked: Sequence[AnsweredQuestion]) -> Iterator[str]:
    say = _said(facts.language)
    if changes:
        yield f"## {say(changes[0].title)}"
    for one in changes:
        yield from _changed(facts, changed_questions(one, asked, MOST_CHANGES), say)


def _changed(facts: Facts, found: ChangedQuestions, say: Say) -> Iterator[str]:
    one = found.changes
    yield inline(localized(one.sentence, facts.language))
    rows = []
    for kind, some, every in (("fixed", found.fixed, one.fixed), ("broken", found.broken, one.broken)):
        label = f"{MARKS[kind == 'fixed']} {inline(say(one.label(kind)))}"
        for question in some:
            values = [one.values.get((question.id, name), NOTHING) for name in (one.a, one.b)]
            moved = f" ({values[0]} / {values[1]})" if one.values else ""
            text = inline(clipped(question.question, 100))
            rows.append([label + moved, f"{code(question.id)} {text}"])
        if len(every) > len(some):
            rows.append([label, say(f"… and {len(every) - len(some):,} more")])
    yield table(["", say("question")], rows)


def _scores(facts: Facts) -> Iterator[str]:
    return scores_blocks(score_tables(facts), facts.language)


def scores_blocks(found: ScoreTables, language: str) -> Iterator[str]:
    """Yield the section with the tables of an evaluation; nothing if it has no metric."""
    say = _said(language)
    if not found.rows:
        return
    yield f"## {say('Scores')}"
    names = list(map(inline, found.candidates))
    rows = [
        [_metric(row, found.metric), *(_score(one, say, found.n) for one in row.cells)] for row in found.rows
    ]
    title = "metric" if found.n is None else f"metric ({counted(found.n, 'question')})"
    yield table([say(title), *names], rows, numbers=True)
    if found.pairs:
        head = ["comparison", "difference", "95 % interval", "p", "n", "detectable"]
        rows = [
            [
                f"{inline(one.a)} – {inline(one.b)}, {code(one.metric)}",
                *(one.difference, one.interval, one.p.replace("<", "&lt;"), number(one.n), one.detectable),
            ]
            for one in found.pairs
        ]
        yield table([*map(say, head)], rows, numbers=True)
    if found.parts:
        rows = [[inline(row.name), *(_score(one, say) for one in row.cells)] for row in found.parts]
        yield table([say("questions"), *names], rows, numbers=True)
    yield from (_confusion(one, say) for one in found.confusions[:1])
    if found.break_even:
        yield "\n".join(f"- {inline(sentence)}" for sentence in found.break_even)


def _metric(row: Row, main: str | None) -> str:
    return f"**{code(row.name)}**" if row.name == main else code(row.name)


def _score(cell: Cell | None, say: Say, n: int | None = None) -> str:
    """Return a value with its interval, and with its number of answers if they aren't `n` everywhere."""
    if cell is None:
        return NOTHING
    value = f"**{cell.value}**" if cell.best else cell.value
    around = cell.interval or (say("too few") if cell.too_few else "")
    inside = "; ".join(filter(None, (around, "" if n is not None else f"n {number(cell.n)}")))
    return f"{value} ({inside})" if inside else value


def _confusion(one: Confusion, say: Say) -> str:
    rows = [
        [inline(label), *(number(count) for count, _, _ in row)]
        for label, row in zip(one.labels, one.rows, strict=True)
    ]
    title = f"{say('true label')} ↓ {inline(one.candidate)} →"
    return table([title, *map(inline, one.predicted)], rows, numbers=True)


def answers_blocks(
    answers: Sequence[Record], asked: Sequence[AnsweredQuestion], language: str
) -> Iterator[str]:
    """Yield the section with a row per question and a column per candidate."""
    say = _said(language)
    yield say("## Answers side by side")
    system = common_system(asked)
    if system:
        yield f"{say('System prompt of every question')}: {inline(system)}"
    candidates = list(dict.fromkeys(answer.candidate for answer in answers))
    yield table(
        [say("question"), *map(inline, candidates)],
        [_asked_row(one, candidates, system, say) for one in asked],
    )


def _asked_row(asked: AnsweredQuestion, candidates: Sequence[str], system: str | None, say: Say) -> list[str]:
    answers = {answer.candidate: answer for answer in reversed(asked.answers)}  # the first of several
    own = [] if system or not asked.system else [f"system: {inline(asked.system)}"]
    turns = [f"{inline(role)}: {inline(content)}" for role, content in asked.turns]
    flip = [f"**{say(f'{asked.flip} by fine-tuning')}**"] if asked.flip else []
    recall = [f"*{say('recall: this question is in the training data')}*"] if asked.recall else []
    reference = [f"{say('reference')}: {inline(asked.reference)}"] if asked.reference else []
    head = "<br>".join([code(asked.id), *own, *turns, inline(asked.question), *reference, *recall, *flip])
    cells = (_cell(answers[candidate], say) if candidate in answers else "" for candidate in candidates)
    return [head, *cells]


def _cell(answer: Record, say: Say) -> str:
    whole = as_shown(answer.answer, answer.refusal)
    short = whole if len(whole) <= MOST_CHARACTERS else f"{whole[:MOST_CHARACTERS].rstrip()}…"
    said = inline(short) or say("(an empty answer)")
    return "<br>".join([f"{MARKS[answer.passed]} {said}", *(f"*{inline(why)}*" for why in answer.failures)])


def _training(facts: Facts) -> Iterator[str]:
    job, fit = facts.job, facts.fit
    if job is None:
        return
    say = _said(facts.language)
    yield f"## {say('Training')}"
    rows = [
        ["job", code(job.id) + (f" ({inline(say(job.status))})" if job.status else "")],
        ["base model", code(job.model)],
        ["fine-tuned model", code(job.fine_tuned_model) if job.fine_tuned_model else NOTHING],
        ["target", f"{inline(facts.target.name)} ({inline(facts.target.provider)})"],
        ["seed", str(job.seed) if job.seed is not None else NOTHING],
        ["created", moment(job.created_at)],
        ["finished", moment(job.finished_at)],
        ["took", say(duration(job.seconds))],
        ["trained tokens", number(job.trained_tokens) if not facts.target.rehearses else "0"],
    ]
    if fit and not facts.target.rehearses:
        rows.append(["loss", say(f"training {loss(fit.train_loss)}, validation {loss(fit.valid_loss)}")])
        accuracy = f"training {percent(fit.train_accuracy)}, validation {percent(fit.valid_accuracy)}"
        rows.append(["token accuracy", say(accuracy)])
    yield table(["", ""], [[say(name), value] for name, value in rows if value != NOTHING])
    settings = hyperparameters(job.requested, job.resolved)
    if settings:
        cells = [[code(name), inline(requested), inline(used)] for name, requested, used in settings]
        yield table([*map(say, ("hyperparameter", "requested", "used"))], cells, numbers=True)
    if facts.checkpoints:
        titles = [*map(say, ("checkpoint", "step", "epoch", "validation loss"))]
        yield table(titles, [*_checkpoints(facts, say)], numbers=True)


def _checkpoints(facts: Facts, say: Say) -> Iterator[list[str]]:
    for one in facts.checkpoints:
        measured = f"**{loss(one.valid_loss)} ({say('best')})**" if one.best else loss(one.valid_loss)
        yield [code(one.model) if one.model else NOTHING, str(one.step), number(one.epoch), measured]


def _data(facts: Facts) -> Iterator[str]:
    if not facts.data.splits:
        return
    say = _said(facts.language)
    yield f"## {say('Data')}"
    rows = []
    for name, split in facts.data.splits.items():
        values = map((split.tokens or {}).get, ("sum", "min", "median", "p95", "max"))
        rows.append([inline(name), number(split.examples), *map(number, values)])
    head = ["split", "examples", "tokens", "min", "median", "95 %", "max"]
    yield table([*map(say, head)], rows, numbers=True)
    if facts.data.duplicates:
        yield say(f"{counted(facts.data.duplicates, 'duplicate')} left out.")
    if facts.data.problems:
        lines = []
        for one in facts.data.problems:
            place = f"{one.file}{'' if one.line is None else f':{one.line}'}: " if one.file else ""
            lines.append(f"- {inline(place + one.message)}")
        yield "\n".join(lines)


def _cost(facts: Facts) -> Iterator[str]:
    cost = facts.cost
    say = _said(facts.language)
    yield f"## {say('Cost')}"
    billed = ""
    if cost.billable_tokens is not None:
        billed = f" {say(f'{number(cost.billable_tokens)} tokens that a provider would bill.')}"
    yield f"{say(price_parts(cost))}{billed}"


def _provenance(facts: Facts) -> Iterator[str]:
    origin, say = facts.provenance, _said(facts.language)
    rows = [["experiment file", code(facts.experiment.file)]]
    if origin.config_sha256:
        rows.append(["its SHA-256", code(origin.config_sha256)])
    rows += [[inline(file), code(sha)] for file, sha in origin.data.items()]
    if origin.git_commit:
        dirty = f" {say('with uncommitted changes')}" if origin.git_dirty else ""
        rows.append(["git commit", code(origin.git_commit) + dirty])
    rows.append(["ftrun", inline(origin.ftrun)])
    rows.append(["Python", say(f"{inline(origin.python)} on {inline(origin.platform)}")])
    if origin.libraries:
        named = ", ".join(f"{name} {version}" for name, version in origin.libraries.items())
        rows.append(["libraries", inline(named)])
    if origin.store:
        rows.append(["engine's store", code(origin.store)])
    if origin.dtype:
        rows.append(["base model's number format", inline(origin.dtype)])
    if origin.time:
        rows.append(["trained", inline(origin.time)])
    yield f"## {say('Provenance')}"
    yield table(["", ""], [[say(name), value] for name, value in rows])
