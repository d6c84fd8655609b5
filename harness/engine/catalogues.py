"""List the implementations of the frameworks, each imported in a process of its own."""

from __future__ import annotations

from dataclasses import replace

from ...backends import FRAMEWORKS
from ...errors import InputError
from ..workers import Caller, Catalogue, Setup, why_no_start
from .plan import Plan, why_absent


def catalogues(plan: Plan) -> tuple[dict[str, Catalogue], dict[str, str]]:
    """Return the catalogues of the frameworks that start, and the reasons for the others.

    Args:
        plan: frameworks, device and a user's files.

    Raises:
        InputError: a file of implementations cannot be used.
    """
    offered: dict[str, Catalogue] = {}
    absent: dict[str, str] = {}
    for name in plan.frameworks:
        absent[name] = why_absent(FRAMEWORKS[name], plan)
        if absent[name]:
            continue
        setup = Setup(name, plan.device, plan.extra.get(name, ()), plan.learnt.get(name))
        setup = replace(setup, mode=plan.mode_of(name))
        with Caller(setup) as caller:
            try:
                offered[name] = caller.catalogue()
            except InputError:
                raise
            except Exception as error:  # noqa: BLE001 -- a framework may fail to import in any way
                absent[name] = why_no_start(error)
    return offered, {name: reason for name, reason in absent.items() if reason}
