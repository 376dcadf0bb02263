"""`apphub profiles`: profiles of a running hub, by its API. Nothing of the hub itself is needed for it.

The token comes from the environment, never from the command line, where other accounts of
the machine could read it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apphub.cli.outcome import FAILED, ending
from apphub.errors import HubError, Invalid, Unavailable

if TYPE_CHECKING:
    import httpx

#: Holds the token; needs `admin:profiles` to apply, `list:profiles` and `read:profiles` to look.
TOKEN = "APPHUB_TOKEN"  # noqa: S105 - the name of a variable

profiles = typer.Typer(no_args_is_help=True, help="Look at and change profiles of a running hub.")

Url = Annotated[str, typer.Option("--url", help="Address of the hub, with its base URL.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the API answers.")]
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The profile.")]
_LOCAL = "http://127.0.0.1:8000/"


class Refused(HubError):
    """The hub said no; the message is the hub's."""


@profiles.command("list")
def list_profiles(
    url: Url = _LOCAL,
    as_json: AsJson = False,
    every: Annotated[bool, typer.Option("--all", help="Also those that are not open to you.")] = False,
) -> None:
    """List profiles: those that you may launch, or all."""

    def work(client: httpx.Client) -> int:
        found = _asked(client, "GET", "profiles", params={"all": "1"} if every else {})
        if as_json:
            return _printed(found)
        for one in found:
            version = f"  version {one['version']}, {one['source']}" if every else ""
            typer.echo(f"{one['slug']:30} {one['display_name']}{version}")
        return 0

    _with_client(url, work)


@profiles.command("show")
def show(slug: Slug, url: Url = _LOCAL) -> None:
    """Show one profile as JSON."""
    _with_client(url, lambda client: _printed(_asked(client, "GET", f"profiles/{_segment(slug)}")))


@profiles.command("apply")
def apply(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="YAML with `profiles:` as in the settings, or one profile."),
    ],
    url: Url = _LOCAL,
) -> None:
    """Make profiles be as files say: those of the settings' kind, or of EOEPCA's Application Hub. Others are left alone."""

    def work(client: httpx.Client) -> int:
        # All files are read before anything is changed.
        for slug, body in [one for file in files for one in _read(file)]:
            before = _version(client, slug)
            after = _asked(client, "PUT", f"profiles/{_segment(slug)}", json=body)["version"]
            done = "created" if before is None else "unchanged" if before == after else "changed"
            typer.echo(f"{slug}: {done}, version {after}")
        return 0

    _with_client(url, work)


@profiles.command("validate")
def validate(
    slug: Slug,
    url: Url = _LOCAL,
    user: Annotated[str, typer.Option("--user", help="Whose start; your own, when left out.")] = "",
    server: Annotated[str, typer.Option("--server", help="Name of the server.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("--option", metavar="NAME=VALUE", help="An option; JSON or text.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Try a start without starting anything. Exits 1 when it would be refused."""

    def work(client: httpx.Client) -> int:
        body = {"options": dict(map(_option, option or ())), "user": user or None, "server": server or None}
        verdict = _asked(client, "POST", f"profiles/{_segment(slug)}/validate", json=body)
        if as_json:
            _printed(verdict)
        else:
            typer.echo("It would start." if verdict["ok"] else "It would not start:")
            for one in verdict["problems"]:
                typer.echo(f"- {one['message']}{' ' + one['advice'] if one['advice'] else ''}")
            for note in verdict["notes"]:
                typer.echo(f"note: {note}")
        return 0 if verdict["ok"] else FAILED

    _with_client(url, work)


def _with_client(url: str, work: Callable[[httpx.Client], int]) -> None:
    def run() -> int:
        import httpx

        token = os.environ.get(TOKEN)
        if not token:
            raise Invalid(f"There is no token in ${TOKEN}.", "Make one on the token page of the hub.")
        try:
            with httpx.Client(
                base_url=f"{url.rstrip('/')}/hub/api/",
                headers={"authorization": f"Bearer {token}"},
                timeout=60,
            ) as client:
                return work(client)
        except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise Unavailable(f"The hub at {url} cannot be reached: {error}.") from None

    raise typer.Exit(ending(run))


def _asked(client: httpx.Client, method: str, path: str, **more: Any) -> Any:
    answer = client.request(method, path, **more)
    try:
        body = answer.json()
    except ValueError:
        raise Unavailable(
            f"What answers at {client.base_url} is no hub (status {answer.status_code})."
        ) from None
    if answer.is_success:
        return body
    message = body.get("message") if isinstance(body, dict) else None
    raise Refused(message or f"The hub refused it with status {answer.status_code}.")


def _version(client: httpx.Client, slug: str) -> int | None:
    found = client.get(f"profiles/{_segment(slug)}")
    return found.json().get("version") if found.is_success else None


def _read(file: Path) -> list[tuple[str, dict[str, Any]]]:
    from apphub.importer import convert_file
    from apphub.settings.definition import definition_of
    from apphub.settings.document import read_document

    values = read_document(file).values
    listed = [values] if "slug" in values else values.get("profiles")
    if not isinstance(listed, list):
        raise Invalid(f"{file}: has no list `profiles`, and is no profile itself: it has no `slug`")
    if any(isinstance(one, Mapping) and "definition" in one for one in listed):
        offered = convert_file(file, {}, {})
        for note in offered.notes:
            typer.echo(f"warning: {note}", err=True)
        return [(one.slug, {**definition_of(one), "groups": _plain(one.groups)}) for one in offered.profiles]
    return [(_slug(file, position, one), one) for position, one in enumerate(listed)]


def _plain(groups: Any) -> Any:
    return groups if isinstance(groups, str) else list(groups)


def _slug(file: Path, position: int, one: Any) -> str:
    if not isinstance(one, dict) or not isinstance(one.get("slug"), str):
        raise Invalid(f"{file}: profiles[{position}] has no slug")
    slug: str = one["slug"]
    return slug


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Invalid(f"--option {text}: write NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _segment(slug: str) -> str:
    from urllib.parse import quote

    return quote(slug, safe="")


def _printed(value: Any) -> int:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    typer.echo()
    return 0
