"""All routes of the administrators' pages."""

from __future__ import annotations

from litestar.handlers import HTTPRouteHandler

from apphub.pages import (
    admin_add,
    admin_audit,
    admin_groups,
    admin_jobs,
    admin_profile,
    admin_profiles,
    admin_servers,
    admin_services,
    admin_status,
    admin_tokens,
    admin_user,
    admin_users,
)

ROUTES: list[HTTPRouteHandler] = [
    *admin_users.ROUTES,
    *admin_user.ROUTES,
    *admin_add.ROUTES,
    *admin_groups.ROUTES,
    *admin_servers.ROUTES,
    *admin_profiles.ROUTES,
    *admin_profile.ROUTES,
    *admin_services.ROUTES,
    *admin_tokens.ROUTES,
    *admin_audit.ROUTES,
    *admin_status.ROUTES,
    *admin_jobs.ROUTES,
]
