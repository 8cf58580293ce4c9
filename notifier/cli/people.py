"""user, token: who there is. Both need the state folder or the owner's database, and are audited."""

import json
from datetime import timedelta
from typing import Annotated

import typer

from notifier.cli.session import Config, local_user, opened, run
from notifier.services import access, people
from notifier.services.access import Role
from notifier.services.people import Reach

user = typer.Typer(no_args_is_help=True, help="People.")
token = typer.Typer(no_args_is_help=True, help="API tokens; a token is shown once.")

Org = Annotated[str, typer.Option("--org", help="Organisation id; without one, of the house itself.")]

Registry = Annotated[str | None, typer.Option("--registry", help="Registry id, for role registry.")]
Programs = Annotated[list[str] | None, typer.Option("--program", help="Only this program; may be repeated.")]
Permissions = Annotated[
    list[str] | None, typer.Option("--permission", help="Beside the role, such as deconflict; no role implies it.")
]


@user.callback()
def _user() -> None:
    pass


@token.callback()
def _token() -> None:
    pass


@user.command("add")
def user_add(
    name: str,
    role: Annotated[
        Role | None, typer.Option("--role", help="A seat: what they may do once they sign in. Without one, no sign-in.")
    ] = None,
    org: Org = "",
    registry: Registry = None,
    program: Programs = None,
    permission: Permissions = None,
    config: Config = None,
) -> None:
    """Add a person. With a role, print the link by which they set a password; it works once."""

    async def work() -> None:
        async with opened(config) as house:
            by = f"local:{local_user()}"
            if role is None:
                await access.add_person(house.ctx.db, name, organisation=org, by=by)
                print(f"{name} is known")
                return
            programs = frozenset(program) if program else None
            reach = Reach(role, org, registry, programs, frozenset(permission or ()))
            print(f"{house.settings.public_url}/welcome/{await people.add(house.ctx.db, name, reach, by=by)}")

    run(work())


@token.command("add")
def token_add(
    name: str,
    role: Annotated[Role, typer.Option("--role", help="What the token may do.")],
    org: Org = "",
    registry: Registry = None,
    program: Programs = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="Expires after so many days.")] = None,
    service: Annotated[bool, typer.Option("--service", help="For a program, not a person: may not decide.")] = False,
    permission: Permissions = None,
    as_json: Annotated[bool, typer.Option("--json", help='Print {"token": ...}.')] = False,
    config: Config = None,
) -> None:
    """Make a token for NAME and print it, once. Works beside a running `serve` on the same state folder."""

    async def work() -> None:
        async with opened(config) as house:
            now = await house.ctx.db.clock.now()
            made = await access.add_token(
                house.ctx.db,
                name,
                role,
                by=f"local:{local_user()}",
                organisation=org,
                registry=registry,
                programs=program,
                service=service,
                expires_at=now + timedelta(days=days) if days else None,
                permissions=permission or (),
            )
        print(json.dumps({"token": made.token}) if as_json else made.token)

    run(work())
