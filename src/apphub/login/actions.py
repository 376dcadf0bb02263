"""Check a name and password, count failures, make accounts where the settings allow it.

The answer to a wrong name and to a wrong password is the same, and takes as long. Failures
are counted per account and, looser, per address, in the database; a success clears the
account.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from datetime import datetime
from typing import Literal
from weakref import WeakValueDictionary

from apphub.audit import HUB, By, insert_entry
from apphub.db import Database, Tx
from apphub.db.changes import RIGHTS
from apphub.db.lock import DECLARED, take_turns
from apphub.errors import Forbidden, Invalid, LimitReached
from apphub.kit import clock, metrics, secrets
from apphub.kit.names import is_name, user_name
from apphub.login import store
from apphub.login.passwords import LONGEST, Passwords
from apphub.people import store as people_store
from apphub.people.model import Source
from apphub.settings import Login as LoginSettings

#: How many failures, and until when they count, by key.
Failures = Mapping[str, tuple[int, datetime]]

#: Which door asks: each login method can be switched off for programs.
Door = Literal["page", "token"]


class SignInFailed(Forbidden):
    """Uniform for every reason."""

    def __init__(self) -> None:
        super().__init__("Invalid username or password")


class TooManyFailures(LimitReached):
    """Too many failed sign-ins; nothing was checked."""


def address_key(address: str | None) -> str:
    """What failures from an address are counted under: an IPv4 address, or an IPv6 /64."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return "address:unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return f"address:{ip.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((ip, 64), strict=False)}"
    return f"address:{ip}"


class Login:
    """The login methods of the settings."""

    def __init__(self, db: Database, settings: LoginSettings) -> None:
        self._db = db
        self._settings = settings
        self._passwords = Passwords()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def sign_in(self, name: object, password: object, by: By, door: Door) -> str:
        """The folded name of who signs in. Raises `SignInFailed` or `TooManyFailures`."""
        with metrics.judged(metrics.LOGINS):
            return await self._sign_in(name, password, by, door)

    async def _sign_in(self, name: object, password: object, by: By, door: Door) -> str:
        account = self._account(name)
        keys = [f"account:{secrets.digest(account or str(name)[:300])}", address_key(by.address)]
        async with self._turn(keys[0]):
            await self._check_failures(keys)
            if (
                account is not None
                and isinstance(password, str)
                and 0 < len(password) <= LONGEST
                and await self._proved(account, password, by, door)
            ):
                async with self._db.write() as tx:
                    # Again: of many tries at once, those behind the last that is allowed must not learn anything.
                    self._refuse_many(await store.find_failures(tx, keys, clock.now()), keys)
                    await store.delete_failures(tx, keys[0])
                    insert_entry(tx, by, "login", f"user:{account}", after={"door": door})
                return account
            now = clock.now()
            async with self._db.write() as tx:
                counts = await store.add_failure(tx, keys, now, now + self._settings.failure_window)
                await self._note_failure(tx, by, account, keys, counts, door)
            raise SignInFailed

    async def set_password(self, by: By, name: str, password: str) -> None:
        """Give a person a (new) password; their sign-ins elsewhere end. Raises `Invalid` for a poor one."""
        shortest = self._settings.password.minimum_length
        if not shortest <= len(password) <= LONGEST:
            raise Invalid(f"A password has {shortest} to {LONGEST} characters.")
        hashed = await self._passwords.hash(password)
        async with self._db.write() as tx:
            person = await people_store.get_person(tx, name)
            await people_store.update_person(tx, person.id, password=hashed)
            await people_store.end_sessions(tx, person.id)
            insert_entry(tx, by, "user.password", person.label)
            tx.changed(RIGHTS)

    async def change_password(self, by: By, name: str, old: str, new: str) -> None:
        """Give a person a new password who knows the present one; every sign-in of theirs ends.

        A wrong one counts as a failed sign-in. Raises `SignInFailed`, `TooManyFailures` and `Invalid`.
        """
        keys = [f"account:{secrets.digest(name)}", address_key(by.address)]
        async with self._turn(keys[0]):
            await self._check_failures(keys)
            async with self._db.read() as tx:
                hashed = await people_store.find_password(tx, name)
            if not 0 < len(old) <= LONGEST or not await self._passwords.verify(hashed, old):
                now = clock.now()
                async with self._db.write() as tx:
                    await store.add_failure(tx, keys, now, now + self._settings.failure_window)
                raise SignInFailed
        await self.set_password(by, name, new)

    async def has_password(self, name: str) -> bool:
        """Whether a person has a password that the hub keeps."""
        async with self._db.read() as tx:
            return await people_store.find_password(tx, name) is not None

    async def ensure_password(self, name: str) -> str | None:
        """Give an account that has no password a random one; the password, once, or None."""
        password = secrets.new_token()[:20]
        hashed = await self._passwords.hash(password)
        async with self._db.write() as tx:
            await take_turns(tx, DECLARED)  # hubs may start together, and each would tell another one
            person = await people_store.get_person(tx, name)
            if await people_store.find_password(tx, name) is not None:
                return None
            await people_store.update_person(tx, person.id, password=hashed)
            insert_entry(tx, HUB, "user.password", person.label)
        return password

    def close(self) -> None:
        """Let go of the threads."""
        self._passwords.close()

    def _account(self, name: object) -> str | None:
        if not isinstance(name, str) or not is_name(name):
            return None
        try:
            return user_name(name)
        except ValueError:
            return None

    async def _note_failure(
        self, tx: Tx, by: By, account: str | None, keys: list[str], counts: Mapping[str, int], door: Door
    ) -> None:
        """Note the first, second, fourth, eighth ... failure: guessing must not fill the log.

        A name that nobody has is not written down, for it may be a password typed into the wrong field;
        such failures are counted by address, whatever the names.
        """
        known = account is not None and await people_store.find_person(tx, account) is not None
        count = counts.get(keys[0] if known else keys[1], 1)
        if count & (count - 1) == 0:
            target = f"user:{account}" if known else "user:?"
            insert_entry(tx, by, "login.fail", target, after={"door": door, "failures": count})

    def _turn(self, key: str) -> asyncio.Lock:
        """Held by one try at a time: each is counted before the next is looked at, however busy the database is."""
        return self._turns.setdefault(key, asyncio.Lock())

    async def _check_failures(self, keys: list[str]) -> None:
        async with self._db.read() as tx:
            self._refuse_many(await store.find_failures(tx, keys, clock.now()), keys)

    def _refuse_many(self, failures: Failures, keys: list[str]) -> None:
        now = clock.now()
        bounds = (self._settings.failures_per_account, self._settings.failures_per_address)
        for key, bound in zip(keys, bounds, strict=True):
            count, until = failures.get(key, (0, now))
            if count >= bound:
                raise TooManyFailures(
                    "Too many failed sign-ins.", until - now, "Wait a while, then try again."
                )

    async def _proved(self, account: str, password: str, by: By, door: Door) -> bool:
        shared, own = self._settings.shared_password, self._settings.password
        if shared is not None and (door == "page" or shared.token_endpoint):
            right = secrets.same(password, shared.password.get_secret_value())
            if right and await self._exists(account, by, create=shared.create_users):
                return True
        if own.enabled and (door == "page" or own.token_endpoint):
            async with self._db.read() as tx:
                hashed = await people_store.find_password(tx, account)
            return await self._passwords.verify(hashed, password)
        return False

    async def _exists(self, account: str, by: By, *, create: bool) -> bool:
        async with self._db.read() as tx:
            if await people_store.find_person(tx, account) is not None:
                return True
        if not create:
            return False
        async with self._db.write() as tx:
            if await people_store.find_existing(tx, [account]):
                return False  # somebody of that name is just being deleted
            await people_store.insert_people(tx, [account], admin=False, source=Source.API, now=clock.now())
            insert_entry(tx, by, "user.create", f"user:{account}", after={"by": "login"})
            tx.changed(RIGHTS)
        return True
