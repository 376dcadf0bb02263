"""What can be done to a hub's data while no hub runs on it; the caller holds the folder's lock."""

from __future__ import annotations

from apphub.audit import By
from apphub.db import open_database
from apphub.login import Login
from apphub.people.model import parse_user_name
from apphub.settings import Settings


async def set_password(settings: Settings, name: str, secret: str) -> None:
    """Give an account a password; its sign-ins end. Raises `HubError` in words."""
    db = await open_database(settings.database, settings.data_dir)
    login = Login(db, settings.login)
    try:
        await login.set_password(By("command line"), parse_user_name(name), secret)
    finally:
        login.close()
        await db.close()
