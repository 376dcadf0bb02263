"""From a server's row to everything a driver needs: pure.

The environment is the one that JupyterHub hands to its single-user servers (its reference:
"Spawners", environment variables), so that those run here unmodified; any other program may
use it or not.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec import Struct

from apphub.kit.urls import Urls, segment
from apphub.runtimes.base import LaunchFailed, LaunchSpec, Ref
from apphub.runtimes.setup import Setup
from apphub.servers.model import Plan, Server, ServerKey
from apphub.servers.places import full_url, own_origin, root_of

_HOLE = re.compile(r"\{\{|\}\}|\{(option:)?([A-Za-z0-9_.-]+)\}")
#: Left as it is in an address that may hold a query and a fragment.
_URL = "/?#%:@!$&'()*+,;=~-._"
_HELLO = Path(__file__).parent.parent / "apps" / "hello.py"

#: What servers of the process runtime inherit of the hub's own environment.
INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")


class Surroundings(Struct, frozen=True):
    """What launches depend on beside the row."""

    urls: Urls
    #: The hub's own environment, of which servers inherit a little.
    environ: Mapping[str, str]
    #: Folder below which every server of run_as `same` has a home.
    homes: Path
    #: Whether servers run as the system account of their owner's name.
    system_users: bool
    #: Whether the hub's own account, as which they run otherwise, is root.
    root: bool


def client_id(key: ServerKey) -> str:
    """The OAuth client id of a server."""
    user = quote(key.user, safe="")
    return f"jupyterhub-user-{user}-{quote(key.name, safe='')}" if key.name else f"jupyterhub-user-{user}"


def oauth_callback(server: Server, urls: Urls) -> str:
    """Where the hub sends visitors back to who have signed in for an app that asks by itself."""
    return f"{own_origin(server, urls) or ''}{root_of(server, urls)}oauth_callback"


def launch_spec(server: Server, token: str, around: Surroundings, setup: Setup | None = None) -> LaunchSpec:
    """Everything needed to start the newest attempt. Raises `LaunchFailed` for a plan that cannot be filled in."""
    plan = server.plan
    if plan is None or server.address is None:
        raise LaunchFailed("The server has no plan or no address.")
    home = None if around.system_users else _home(around.homes, server.key)
    holes = _holes(server, around.urls)
    env = {name: around.environ[name] for name in INHERITED if name in around.environ}
    if home is not None:
        env |= {"HOME": str(home), "USER": server.key.user, "SHELL": around.environ.get("SHELL", "/bin/sh")}
    env |= _hub_environment(server, token, around.urls)
    if plan.default_url:
        env["JUPYTERHUB_DEFAULT_URL"] = filled(plan.default_url, holes, plan.options)
    env |= _limits(plan)
    env |= {name: filled(value, holes, plan.options) for name, value in plan.environment.items()}
    if plan.environment_path:
        env["PATH"] = f"{plan.environment_path}/bin{os.pathsep}{env.get('PATH', os.defpath)}"
        env["VIRTUAL_ENV"] = plan.environment_path
    cwd = filled(plan.working_dir, holes, plan.options)
    if setup is not None:
        # A folder of the container may be somewhere else here, which the runtime knows.
        setup, cwd = msgspec.structs.replace(setup, cwd=cwd), ""
    return LaunchSpec(
        ref=Ref(server.id, server.attempt),
        command=_command(plan, holes, root=around.root and not around.system_users),
        env=env,
        address=server.address,
        run_as=server.key.user if around.system_users else None,
        cwd=cwd or (str(home) if home else None),
        home=None if around.system_users else env.get("HOME") or None,
        memory_bytes=plan.memory_limit,
        cpus=plan.cpu_limit,
        setup=setup,
    )


def first_page(server: Server, urls: Urls) -> str:
    """Path of the page that opens the app: its `default_url`, or its root.

    `jupyterhub-singleuser` is given that address by its environment and leads there from its
    root, once its visitor has signed in.
    """
    root, plan = urls.server(*server.key), server.plan
    if plan is None or plan.kind == "jupyterhub-singleuser":
        return root
    try:
        page = filled(plan.default_url, _holes(server, urls), plan.options)
    except LaunchFailed:
        return root  # it has no address yet, and its launch will say so if that never comes
    return root + quote(page.lstrip("/"), safe=_URL)


def filled(text: str, holes: Mapping[str, str], options: Mapping[str, object]) -> str:
    """The text with `{user}`, `{option:NAME}` and the like filled in; `{{` and `}}` are braces."""

    def fill(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1]:
            if match[2] not in options:
                raise LaunchFailed(f"The profile uses the option {match[2]}, which was not given.")
            value = options[match[2]]
            return ("true" if value else "false") if isinstance(value, bool) else str(value)
        if match[2] not in holes:
            raise LaunchFailed(f"The profile uses {match[0]}, which does not exist.")
        return holes[match[2]]

    return _HOLE.sub(fill, text)


def _holes(server: Server, urls: Urls) -> dict[str, str]:
    prefix = root_of(server, urls)
    holes = {
        "user": server.key.user,
        "server": server.key.name,
        "prefix": prefix,
        "base": prefix.rstrip("/"),
    }
    if server.address is not None:
        holes |= {"ip": server.address.ip, "port": str(server.address.port)}
    return holes


def _command(plan: Plan, holes: Mapping[str, str], *, root: bool) -> tuple[str, ...]:
    if plan.kind == "hello":
        return (sys.executable, "-I", str(_HELLO))
    if plan.kind == "jupyterhub-singleuser":
        # It refuses to run as root unless told that this is meant; the hub has announced the trial.
        return ("jupyterhub-singleuser", *(("--allow-root",) if root else ()))
    return tuple(filled(word, holes, plan.options) for word in plan.command)


def _home(homes: Path, key: ServerKey) -> Path:
    # The name is encoded so that no name can lead out of the folder or mean another's.
    return homes / quote(key.user, safe="@").replace(".", "%2E")


def _limits(plan: Plan) -> dict[str, str]:
    limits = {
        "MEM_LIMIT": plan.memory_limit,
        "MEM_GUARANTEE": plan.memory_guarantee,
        "CPU_LIMIT": plan.cpu_limit,
        "CPU_GUARANTEE": plan.cpu_guarantee,
    }
    return {name: str(value) for name, value in limits.items() if value is not None}


def _hub_environment(server: Server, token: str, urls: Urls) -> dict[str, str]:
    plan, key, address = server.plan, server.key, server.address
    assert plan is not None
    assert address is not None
    prefix, own = root_of(server, urls), own_origin(server, urls)
    access = [f"access:servers!server={key}", f"access:servers!user={key.user}"]
    public = urls.public_origin or ""
    options = msgspec.json.encode(plan.options).decode()
    env = {
        "JUPYTERHUB_API_TOKEN": token,
        "JPY_API_TOKEN": token,
        "JUPYTERHUB_CLIENT_ID": client_id(key),
        "JUPYTERHUB_HOST": public if own is not None else "",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": oauth_callback(server, urls),
        "JUPYTERHUB_OAUTH_SCOPES": json.dumps(access),
        "JUPYTERHUB_OAUTH_ACCESS_SCOPES": json.dumps(access),
        "JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES": "[]",
        "JUPYTERHUB_USER": key.user,
        "JUPYTERHUB_SERVER_NAME": key.name,
        "JUPYTERHUB_API_URL": urls.server_api,
        "JUPYTERHUB_ACTIVITY_URL": f"{urls.server_api}/users/{segment(key.user)}/activity",
        "JUPYTERHUB_BASE_URL": urls.base,
        "JUPYTERHUB_SERVICE_PREFIX": prefix,
        "JUPYTERHUB_SERVICE_URL": f"http://{address}{prefix}",
        "JUPYTERHUB_PUBLIC_URL": full_url(server, urls) or "",
        "JUPYTERHUB_PUBLIC_HUB_URL": f"{public}{urls.hub}" if public else "",
        # Such cookies belong to a whole host: below the hub's path they would reach every other app.
        "JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED": "1" if (own or "").startswith("https:") else "0",
        "APPHUB_PROFILE": plan.profile,
        "APPHUB_USER_OPTIONS": options,
    }
    if plan.options_variable:
        env[plan.options_variable] = options
    return env
