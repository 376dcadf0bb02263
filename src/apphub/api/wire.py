"""From values to the JSON shapes of the contract, each part only for who may see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.access.model import Token
from apphub.admission import Spot
from apphub.api.schema.shapes import (
    GroupModel,
    ServerModel,
    ServerState,
    ServiceModel,
    SharedServer,
    TokenModel,
    UserModel,
)
from apphub.kit.urls import Urls
from apphub.people.model import Group, ListedGroup, Person, Service
from apphub.servers.model import Server
from apphub.servers.places import full_url
from apphub.servers.views import Account, default_server

#: The line in which nobody waits.
NOBODY: Mapping[int, Spot] = MappingProxyType({})
#: Scopes that let a user be seen at all.
SEE_USER = (
    "read:users",
    "read:users:name",
    "read:users:groups",
    "read:users:activity",
    "read:servers",
    "read:roles:users",
    "admin:auth_state",
)
#: The scopes that show a key of a user model; kind and name are for all who see the user.
USER_KEYS: Mapping[str, frozenset[str]] = {
    "server": frozenset({"read:users"}),
    "pending": frozenset({"read:users"}),
    "created": frozenset({"read:users"}),
    "admin": frozenset({"read:users", "read:users:name", "read:servers", "read:roles:users"}),
    "roles": frozenset({"read:users", "read:roles:users"}),
    "groups": frozenset({"read:users", "read:users:groups"}),
    "last_activity": frozenset({"read:users", "read:users:activity"}),
    "user_info": frozenset({"read:users", "read:users:name", "read:servers"}),
    "auth_state": frozenset({"admin:auth_state"}),
    "servers": frozenset({"read:servers"}),
}


def roles_of(person: Person) -> list[str]:
    """All roles of a person, with those that follow by themselves."""
    own = ["admin", "user"] if person.admin else ["user"]
    return sorted({*own, *person.roles}) if person.roles else own


def user_target(person: Person) -> Target:
    """The person, for questions of reach."""
    return Target(user=person.name, groups=frozenset(person.groups))


def sees_everywhere(actor: Actor) -> frozenset[str] | None:
    """The keys that the actor may see of every user alike; None when that differs from one to the other."""
    return actor.once("sees everywhere", lambda: _sees_everywhere(actor))


def _sees_everywhere(actor: Actor) -> frozenset[str] | None:
    held = [scope for scope in SEE_USER if actor.holds(scope)]
    return None if any(actor.reach(scope).clauses for scope in held) else _keys(held)


def _sees(actor: Actor, person: Person) -> frozenset[str]:
    """The keys that the actor may see of this one user."""
    if (alike := sees_everywhere(actor)) is not None:
        return alike
    target = user_target(person)
    if actor.user_id == person.id:
        return actor.once(target, lambda: _seen(actor, target))
    return _seen(actor, target)


def _seen(actor: Actor, target: Target) -> frozenset[str]:
    return _keys(scope for scope in SEE_USER if actor.may(scope, target))


def _keys(scopes: Iterable[str]) -> frozenset[str]:
    held = set(scopes)
    return frozenset(key for key, shown_by in USER_KEYS.items() if held & shown_by)


def user_json(
    account: Account,
    actor: Actor,
    urls: Urls,
    *,
    stopped: bool = False,
    line: Mapping[int, Spot] = NOBODY,
) -> UserModel:
    """A user model with the fields that the actor may see; `stopped` includes servers that are stopped.

    `line` is where those of the servers stand that have to wait.
    """
    person = account.person
    default = account.server("")
    sees = _sees(actor, person)
    model: UserModel = {"kind": "user", "name": person.name}
    if "server" in sees:
        ready = default is not None and default.ready
        model["server"] = urls.server(person.name, "") if ready else None
    if "pending" in sees:
        model["pending"] = default.pending if default is not None else None
    if "created" in sees:
        model["created"] = person.created
    if "admin" in sees:
        model["admin"] = person.admin
    if "roles" in sees:
        model["roles"] = roles_of(person)
    if "groups" in sees:
        model["groups"] = list(person.groups)
    if "last_activity" in sees:
        model["last_activity"] = person.last_activity
    if "user_info" in sees:
        model["user_info"] = person.info
    if "auth_state" in sees:
        model["auth_state"] = None
    if "servers" in sees:
        model["servers"] = servers_json(account, actor, urls, stopped=stopped, line=line)
    return model


def servers_json(
    account: Account, actor: Actor, urls: Urls, *, stopped: bool, line: Mapping[int, Spot]
) -> dict[str, ServerModel]:
    """The servers that the actor may see, by name."""
    servers = list(account.servers)
    if stopped and account.server("") is None:
        servers.append(default_server(account.person))
    if not servers:
        return {}
    groups = frozenset(account.person.groups)
    models = {}
    for server in servers:
        if not (server.active or stopped):
            continue
        target = server_target(server, groups)
        if actor.may("read:servers", target):
            state = actor.may("admin:server_state", target)
            models[server.key.name] = server_json(server, urls, state=state, spot=line.get(server.id))
    return models


def server_target(server: Server, groups: frozenset[str]) -> Target:
    """The server, for questions of reach."""
    return Target(user=server.key.user, groups=groups, server=str(server.key))


def server_json(server: Server, urls: Urls, *, state: bool = False, spot: Spot | None = None) -> ServerModel:
    """A server model."""
    user, name = server.key
    url, progress = urls.server(user, name), urls.progress(user, name)
    public = urls.public_origin
    model: ServerModel = {
        "name": name,
        "display_name": server.display_name or name,
        "full_name": str(server.key),
        "last_activity": server.last_activity,
        "started": server.requested if server.active else None,
        "pending": server.pending,
        "ready": server.ready,
        "stopped": not server.active,
        "url": url,
        "user_options": server.shown_options,
        "progress_url": progress,
        "full_url": full_url(server, urls),
        "full_progress_url": f"{public}{progress}" if public else None,
    }
    if spot is not None:
        model["queue"] = {
            "position": spot.position,
            "estimate": spot.estimate,
            "waits_for": spot.waits_for,
        }
    if state:
        model["state"] = _state(server)
    return model


def own_server_keys(server: Server) -> ServerModel:
    """What JupyterHub does not tell of a server, for whoever may read it."""
    plan = server.plan
    return {  # type: ignore[typeddict-item]  # the rest is beside it
        "reason": server.reason if not server.active else None,
        "profile": plan.profile if plan is not None else None,
        "profile_version": plan.profile_version if plan is not None else None,
        "options": dict(plan.options) if plan is not None else {},
    }


def server_share_json(server: Server, urls: Urls) -> SharedServer:
    """A server as shares show it: enough to find it."""
    return {
        "user": {"name": server.key.user},
        "name": server.key.name,
        "url": urls.server(*server.key),
        "full_url": full_url(server, urls),
        "ready": server.ready,
    }


def _state(server: Server) -> ServerState:
    if not server.active:
        return {"reason": server.reason} if server.reason else {}
    return {
        "phase": server.phase,
        "attempt": server.attempt,
        "address": str(server.address) if server.address else None,
        "profile": server.plan.profile if server.plan else None,
    }


def group_json(group: Group | ListedGroup, actor: Actor) -> GroupModel:
    """A group model with the fields that the actor may see."""
    model: GroupModel = {"kind": "group", "name": group.name}
    if _sees_of_group(actor, "read:groups", group):
        model["users"] = group.members  # type: ignore[typeddict-item]  # JSON already, or a tuple: it reads the same
        model["properties"] = group.properties
    if _sees_of_group(actor, "read:roles:groups", group):
        model["roles"] = list(group.roles)
    return model


def _sees_of_group(actor: Actor, scope: str, group: Group | ListedGroup) -> bool:
    return actor.everywhere((scope,)) or actor.may(scope, Target(group=group.name))


def service_json(service: Service, actor: Actor) -> ServiceModel:
    """A service model with the fields that the actor may see."""
    target = Target(service=service.name)
    model: ServiceModel = {"kind": "service", "name": service.name, "admin": service.admin}
    if actor.may("read:services", target):
        model |= {
            "url": service.url or "",
            "prefix": f"/services/{service.name}/" if service.url else "",
            "command": list(service.command),
            "info": service.info,
            "display": service.display,
            "pid": 0,
        }
    if actor.may("read:roles:services", target):
        model["roles"] = list(service.roles)
    return model


def token_json(token: Token, scopes: list[str]) -> TokenModel:
    """A token model; `scopes` is what it can do in effect."""
    model: TokenModel = {
        "id": token.wire_id,
        "kind": "api_token",
        "roles": [],
        "scopes": scopes,
        "created": token.created,
        "last_activity": token.last_used,
        "expires_at": token.expires,
        "note": token.note,
        "session_id": token.session_public_id,
        "oauth_client": token.client or "JupyterHub",
    }
    model[token.kind] = token.owner
    return model
