"""Boolean networks of signalling: rules from a ``.bnet`` file, knock-downs, and all stable states.

A stable state (fixed point) is a state in which every node already has the value that its rule gives. It is found here
by trying every state of the nodes that feed back: exact, and quick for the small networks of the book. Rules use the
plain text format of BoolNet and PyBoolNet (``target, factors`` with ``!``, ``&``, ``|``).

The models are statements about models: a node that is on here need not be on in a tumour.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from . import tables

#: Most nodes that a network may have: each more doubles the states that are tried.
MOST_NODES = 22

_ALLOWED = (ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Name, ast.Load, ast.Constant)


class NetworkError(ValueError):
    """A network cannot be used: the message names the line or the node."""


def parse(text: str) -> dict[str, str]:
    """Rules by node, in the order of the file.

    Parameters
    ----------
    text : content of a ``.bnet`` file; ``#`` starts a comment, the line ``targets, factors`` is the head.

    Raises
    ------
    NetworkError for a line without a rule, a node with two rules, a rule that is no Boolean expression, or a rule
    that names a node without a rule of its own (an input has itself as its rule).
    """
    rules: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        node, comma, rule = (part.strip() for part in line.partition("#")[0].partition(","))
        if not node or (node, rule) == ("targets", "factors"):
            continue
        if not comma or not rule:
            raise NetworkError(f"line {number}: {line.strip()!r} is not 'node, rule'")
        if node in rules:
            raise NetworkError(f"line {number}: a second rule for {node!r}")
        rules[node] = rule
    for node, rule in rules.items():
        missing = sorted(factors(rule) - set(rules))
        if missing:
            raise NetworkError(f"the rule of {node!r} names {', '.join(missing)}, which has no rule")
    return rules


def _tree(rule: str) -> ast.Expression:
    python = rule.replace("!", " not ").replace("&", " and ").replace("|", " or ")
    try:
        tree = ast.parse(python.strip(), mode="eval")
    except SyntaxError as error:
        raise NetworkError(f"{rule!r} is not a Boolean rule of names, !, & and |") from error
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED) or (isinstance(node, ast.Constant) and node.value not in (0, 1)):
            raise NetworkError(f"{rule!r} is not a Boolean rule of names, !, & and |")
    return tree


def factors(rule: str) -> set[str]:
    """Names of the nodes that a rule reads."""
    return {node.id for node in ast.walk(_tree(rule)) if isinstance(node, ast.Name)}


def _value(node: ast.AST, states: Mapping[str, np.ndarray]) -> np.ndarray:
    match node:
        case ast.Expression(body=body):
            return _value(body, states)
        case ast.BoolOp(op=ast.And(), values=values):
            return np.logical_and.reduce(np.broadcast_arrays(*(_value(v, states) for v in values)))
        case ast.BoolOp(values=values):
            return np.logical_or.reduce(np.broadcast_arrays(*(_value(v, states) for v in values)))
        case ast.UnaryOp(operand=operand):
            return ~_value(operand, states)
        case ast.Name(id=name):
            return states[name]
        case ast.Constant(value=value):
            return np.bool_(value)
    raise AssertionError(ast.dump(node))  # _tree lets nothing else through


@cache
def load(name: str) -> dict[str, str]:
    """Rules of a network of the data package, for instance ``sahin2009``.

    Raises
    ------
    DataError for a network that is not there.
    """
    known = tables.models()
    if name not in known:
        raise tables.DataError(f"no network {name!r}; known: {', '.join(known)}")
    return parse((tables.package_root() / known[name]["path"]).read_text("utf-8"))


def stable_states(rules: Mapping[str, str], *, on: Iterable[str] = (), off: Iterable[str] = ()) -> list[frozenset[str]]:
    """All stable states of a network, each as the set of nodes that are on; smallest set first.

    Parameters
    ----------
    rules : rules by node, from :func:`load` or :func:`parse`.
    on, off : nodes held at 1 or at 0 (a knock-down holds its node off).

    Raises
    ------
    NetworkError for a node that is not in the network or is held both on and off, and for a network of more than
    ``MOST_NODES`` free nodes.

    Examples
    --------
    >>> [len(state) for state in stable_states(load("sahin2009"), on=["EGF"])]
    [17]
    """
    held = dict.fromkeys(on, True)
    for node in off:
        if held.setdefault(node, False):
            raise NetworkError(f"{node!r} is held both on and off")
    unknown = sorted(set(held) - set(rules))
    if unknown:
        raise NetworkError(f"no node {', '.join(map(repr, unknown))}; known: {', '.join(rules)}")
    free = [node for node in rules if node not in held]
    if len(free) > MOST_NODES:
        raise NetworkError(f"{len(free)} free nodes are too many for trying every state (at most {MOST_NODES})")
    numbers = np.arange(2 ** len(free), dtype=np.uint32)
    states = {node: np.bool_(value) for node, value in held.items()}
    states |= {node: (numbers >> place & 1).astype(bool) for place, node in enumerate(free)}
    stable = np.ones(len(numbers), dtype=bool)
    for node in free:
        stable &= _value(_tree(rules[node]), states) == states[node]
    found = [
        frozenset(node for node in rules if (states[node] if node in held else states[node][number]))
        for number in np.flatnonzero(stable)
    ]
    return sorted(found, key=lambda state: (len(state), sorted(state)))
