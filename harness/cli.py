"""The ``assay`` command. Each command's work is a module of its own, imported when it is called."""

from __future__ import annotations

import gc
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.errors import ASKED_WRONGLY, DONE, FAILED, UsageError
from harness.names import spelt
from harness.usage import sentence

app = typer.Typer(
    name="assay",
    help="Tests a version of a payment service, and says with evidence how far it meets a role.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

INTERRUPTED = 130
#: No answer of a machine is an answer of ours: as a shell reports a process ended by SIGTERM.
STOPPED = 143

ExerciseName = Annotated[
    str,
    typer.Option("--exercise", "-e", help="Which exercise it answers.", callback=spelt("exercise")),
]
Flaws = Annotated[
    list[str] | None,
    typer.Option("--flaw", help="A flaw's id; may be repeated.", callback=spelt("flaw")),
]
Role = typer.Option("--role", help="A role's id; may be repeated.", callback=spelt("role"))
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of all that the checks send.")]
Trusted = Annotated[
    bool, typer.Option("--trusted", help="Run it unconfined, where the system has no isolation.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for a script to read.")]
Load = Literal["off", "quick", "full"]
#: What a folder for results may be.
REPLACED = "a new or an empty folder, or one with nothing but an earlier result, which is replaced."
#: A probe for an example, as a report names it.
PROBE = "concurrency/transfers_never_overdraw#1"


def _show_version(wanted: bool) -> None:
    if wanted:
        from harness.version import assay_version

        sys.stdout.write(f"assay {assay_version()}\n")
        raise typer.Exit


@app.callback()
def assay(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show assay's version.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """What holds for every command."""


@app.command(epilog="Example: assay doctor --json")
def doctor(as_json: AsJson = False) -> None:
    """Say what this machine offers, and how to mend what is missing."""
    from harness import doctor as command

    _finish(lambda: command.doctor(as_json=as_json))


@app.command("list", epilog="Example: assay list flaws")
def list_(
    what: Annotated[Literal["exercises", "flaws", "roles"], typer.Argument(help="What to list.")],
    as_json: AsJson = False,
) -> None:
    """List the exercises, the flaws or the roles there are."""
    from harness import listing as command

    _finish(lambda: command.show(what, as_json=as_json))


@app.command(epilog="Example: assay start wallet-transfers ~/wallet")
def start(
    exercise: Annotated[str, typer.Argument(help="An exercise's id.", callback=spelt("exercise"))],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    seed: Annotated[
        int, typer.Option(min=0, help="Which of the exercise's forms; 0 is the usual one.")
    ] = 0,
    to: Annotated[
        str, typer.Option(help="Whom it is handed to: 'assay trace' can tell it from the kit.")
    ] = "",
) -> None:
    """Write a kit: service, brief and contract, in a git repository."""
    from harness import start as command

    _finish(lambda: command.start(exercise, folder, seed, to))


@app.command(epilog="Example: assay trace leaked.md")
def trace(
    text: Annotated[str, typer.Argument(metavar="FILE", help="A file; - is standard input.")],
) -> None:
    """Tell which kit a text has got out of."""
    from harness import trace as command

    _finish(lambda: command.trace(text))


@app.command(epilog="Example: assay check --only payment-idor --watch")
def check(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The kit's folder.")] = Path(),
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A flaw's or check's id; may be repeated.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Run again at each save.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the practice checks; status 1 while something is wrong."""
    from harness import practice as command

    _finish(lambda: command.practice(folder, only or [], watch=watch, as_json=as_json))


@app.command(epilog="Example: assay grade kit.tar.gz --exercise full-service --role somnio")
def grade(
    submission: Annotated[Path, typer.Argument(help="A folder, git repository or archive.")],
    *,
    exercise: ExerciseName,
    form: Annotated[
        int | None, typer.Option(min=0, help="The form that was handed out; else its kit says it.")
    ] = None,
    role: Annotated[list[str] | None, Role] = None,
    out: Annotated[Path, typer.Option(help=f"Where evidence and reports go: {REPLACED}")] = Path(
        "assay-out"
    ),
    seed: Seed = None,
    load: Annotated[Load, typer.Option(help="How long a load to drive.")] = "quick",
    trusted: Trusted = False,
    as_json: AsJson = False,
) -> None:
    """Grade a submission: checks, scores, reports."""
    from harness import grade as command

    request = command.Request(
        submission=submission,
        exercise=exercise,
        form=form,
        roles=tuple(dict.fromkeys(role or ())),
        out=out,
        seed=seed,
        load=load,
        trusted=trusted,
    )
    _finish(lambda: command.grade(request, as_json=as_json))


@app.command(epilog="Example: assay score assay-out/evidence.json --role techflow --out reports")
def score(
    evidence: Annotated[Path, typer.Argument(help="An evidence.json.")],
    role: Annotated[list[str], Role],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where reports go; without it, they are not written. A new or an empty folder, "
            "one with nothing but earlier reports, which are replaced, or that of this evidence, "
            "where reports for other roles stay."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read saved evidence against a role; start nothing."""
    from harness import score as command

    _finish(lambda: command.score(evidence, tuple(dict.fromkeys(role)), out, as_json=as_json))


@app.command(epilog=f"Example: assay replay assay-out/evidence.json {PROBE!r} kit.tar.gz")
def replay(
    evidence: Annotated[Path, typer.Argument(help="An evidence.json.")],
    probe: Annotated[str, typer.Argument(help="A probe's id (family/check#n) or a check's.")],
    submission: Annotated[Path, typer.Argument(help="What was graded, or its repair.")],
    trusted: Trusted = False,
    as_json: AsJson = False,
) -> None:
    """Run one probe again, and compare with what was recorded."""
    from harness import replay as command

    _finish(lambda: command.replay(evidence, probe, submission, trusted=trusted, as_json=as_json))


@app.command(epilog="Example: assay calibrate --flaw payment-idor --mode alone --repeat 3")
def calibrate(
    *,
    flaw: Flaws = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each cell is run.")] = 1,
    mode: Annotated[
        list[str] | None,
        typer.Option(
            help="alone: a variant with its flaw's checks; whole: held to the whole contract;"
            " bundled: that, beside as many others as can share a tree. May be repeated."
            " [default: alone and bundled]",
            show_default=False,
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this variant, such as fix:NAME; may be repeated.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Keep evidence and page here, and do not run again what is the same."),
    ] = None,
) -> None:
    """Measure the grader's own errors on flaws, fixes and decoys."""
    from harness import calibrate as command

    modes = mode or command.MODES
    _finish(lambda: command.calibrate(flaw or [], repeat, out, modes=modes, variants=variant or []))


@app.command(epilog="Example: assay serve --flaw payment-idor --port 8000")
def serve(
    flaw: Flaws = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Of replica 0.")] = None,
) -> None:
    """Run the service, sound or flawed, to explore by hand."""
    from harness import serve as command

    _finish(lambda: command.serve(flaw or [], port))


@app.command(epilog="Example: assay learn transfer-double-spend")
def learn(
    flaw: Annotated[str, typer.Argument(help="A flaw's id.", callback=spelt("flaw"))],
    variant: Annotated[
        str | None, typer.Option(help="A fix or a decoy to show at work instead: decoy:NAME.")
    ] = None,
) -> None:
    """Show a flaw live, then its lesson."""
    from harness import learn as command

    _finish(lambda: command.learn(flaw, variant))


@app.command(epilog="Example: assay hint transfer-double-spend --number 2")
def hint(
    name: Annotated[str, typer.Argument(metavar="FLAW", help="A flaw's or a check's id.")],
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The kit's folder.")] = Path(),
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, help="Which; the later, the plainer.")
    ] = 1,
) -> None:
    """Give one hint at a flaw, from a nudge to the line."""
    from harness import hint as command

    _finish(lambda: command.hint(name, folder, number))


@app.command(epilog="Example: assay explore tests/harness/explore/services/flask/withdrawals.toml")
def explore(
    spec: Annotated[
        Path, typer.Argument(metavar="SPEC.toml", help="What to explore; see docs/explore.md.")
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write what was found here.")
    ] = None,
    replay_file: Annotated[
        Path | None,
        typer.Option("--replay", metavar="FILE", help="Run the race in this file again, no other."),
    ] = None,
    deeper: Annotated[
        int, typer.Option(min=0, help="Schedules of two interruptions to run, besides all of one.")
    ] = 24,
) -> None:
    """Find the races of any service on PostgreSQL, by interrupting requests at their SQL.

    The service is yours: it is started as you would start it, unconfined. Status 1: a race, or
    nothing can be said (inconclusive) for the reason that is printed.
    """
    from harness.explore import command

    _finish(lambda: command.explore(command.Order(spec, deeper, json_file, replay_file)))


@app.command(epilog="Example: assay review work")
def review(
    *,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The kit's folder.")] = Path(),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of the page, on this machine alone.")
    ] = None,
    imported: Annotated[
        Path | None,
        typer.Option("--import", metavar="FILE", help="Take in a review from GitHub's API's JSON."),
    ] = None,
    set_aside: Annotated[
        bool, typer.Option("--set-aside", help="Move a review.json away that cannot be read.")
    ] = False,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the page's address.")
    ] = False,
) -> None:
    """Review a pull request in the browser; docs/reviews.md says how else."""
    from harness.review import command

    order = command.Order(
        folder=folder,
        port=port,
        imported=imported,
        set_aside=set_aside,
        open_browser=not no_browser,
    )
    _finish(lambda: command.review(order))


@app.command(epilog="Example: assay demo --out assay-demo")
def demo(
    out: Annotated[Path, typer.Option(help=f"Where the reports go: {REPLACED}")] = Path(
        "assay-demo"
    ),
) -> None:
    """Grade three submissions, and set them side by side."""
    from harness import demo as command

    _finish(lambda: command.demo(out))


def main() -> None:
    """The ``assay`` command; its exit statuses are those of ``harness.errors``."""
    # What a command imports stays: looking for garbage in it takes a fifth of the start.
    gc.set_threshold(50_000, 20, 50)
    arguments = sys.argv[1:] or ["--help"]
    try:
        status = app(arguments, standalone_mode=False)
    except typer.Exit as finished:
        status = finished.exit_code
    except typer.Abort:
        status = INTERRUPTED
    except UsageError as failure:
        _complain(str(failure))
        status = ASKED_WRONGLY
    except Exception as failure:
        said = sentence(failure, arguments, _commands())
        if said is None:
            raise
        _complain(said)
        status = ASKED_WRONGLY
    sys.exit(status if isinstance(status, int) else DONE)


def _commands() -> list[str]:
    return [one.name or one.callback.__name__ for one in app.registered_commands if one.callback]


def _finish(command: Callable[[], int]) -> None:
    """Runs a command, and ends the process with the status that its outcome has."""
    try:
        status = command()
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as after '| head'
        sys.stderr.close()
        status = DONE
    except Exception as failure:
        status = _failed(failure)
    raise typer.Exit(status)


def _failed(failure: Exception) -> int:
    from harness.errors import exit_status, is_plain
    from harness.loop import StoppedError

    if isinstance(failure, StoppedError):
        return STOPPED
    status = exit_status(failure)
    if status == ASKED_WRONGLY:
        _complain(str(failure))
        return status
    with tempfile.NamedTemporaryFile(
        "w", prefix="assay-failure-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        traceback.print_exception(failure, file=file)
    what = str(failure) if is_plain(failure) else f"{type(failure).__name__}: {failure}"
    _complain(f"The harness itself failed: {what}\nThe particulars are in {file.name}")
    return FAILED


def _complain(text: str) -> None:
    sys.stderr.write(f"assay: {text}\n")
