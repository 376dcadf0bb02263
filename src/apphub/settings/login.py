"""How people sign in."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from apphub.settings.values import Duration, Secret, Section, UserName


class PasswordLogin(Section):
    """Accounts with a password kept by the hub (argon2id)."""

    enabled: bool = Field(default=True, description="Let people sign in this way.")
    minimum_length: int = Field(default=10, ge=1, le=128, description="Shortest new password.")
    token_endpoint: bool = Field(
        default=True,
        description="Let programs trade a name and password for a token at /authorizations/token.",
    )


class SharedPasswordLogin(Section):
    """Any name with one password: for trials and tests on a closed network only."""

    password: Secret = Field(min_length=1, description="The one password.")
    create_users: bool = Field(default=True, description="A first sign-in makes the account.")
    token_endpoint: bool = Field(
        default=True,
        description="Let programs trade a name and the password for a token at /authorizations/token.",
    )


class Login(Section):
    """How people prove who they are, and what follows from it."""

    password: PasswordLogin = Field(default=PasswordLogin(), description="Accounts with a password.")
    shared_password: SharedPasswordLogin | None = Field(
        default=None, description="One password for every name; for trials only."
    )
    admins: tuple[UserName, ...] = Field(
        default=(), description="Accounts that exist from the start and are administrators."
    )
    session_life: Duration = Field(default=timedelta(days=14), description="A sign-in lasts this long.")
    failures_per_account: int = Field(
        default=10, ge=1, description="Failed sign-ins per account and window before a pause (429)."
    )
    failures_per_address: int = Field(
        default=100,
        ge=1,
        description="The same per client address (IPv6: per /64), looser: many people share one.",
    )
    failure_window: Duration = Field(
        default=timedelta(minutes=15), description="Failures are counted over this time."
    )
