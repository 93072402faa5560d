"""The order in which the workflows do what a history records, read from their source.

Activities, timers, waits, search attributes and tasks are listed per method, with the branches and loops around them.
Comments, docstrings, layout, annotations, messages and the names of local variables leave no trace.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
COMMITTED = Path(__file__).with_name("fingerprint.json")
INDENT = "  "

# What turns into an event of the history, or decides the order in which other things do.
COMMANDS = {
    f"workflow.{name}"
    for name in (
        *("execute_activity", "execute_activity_method", "execute_activity_class", "execute_local_activity"),
        *("start_activity", "start_activity_method", "start_local_activity"),
        *("execute_child_workflow", "start_child_workflow", "get_external_workflow_handle", "create_nexus_client"),
        *("sleep", "wait_condition", "wait", "as_completed"),
        *("upsert_search_attributes", "upsert_memo", "continue_as_new", "patched", "deprecate_patch"),
    )
} | {f"asyncio.{name}" for name in ("sleep", "create_task", "gather", "timeout", "timeout_at", "wait_for", "shield")}
COMMAND_METHODS = {"cancel"}
# Waits, and which of their positional arguments is the time after which they give up; a wait without has no timer.
WAITS = {"wait_condition": 2, "until": 1, "block": 2}
# Named arguments that change what follows a call; others change what is sent, which replay does not compare.
STEERING_ARGUMENTS = {"final", "timeout"}
HANDLERS = ("workflow.signal", "workflow.update", "workflow.query", "workflow.run")
# A local variable between these marks is numbered once the whole function is written down.
LOCAL = re.compile("«(.+?)»")

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Fingerprint:
    """The command sequence of every method that has one.

    `generation` numbers the folder of histories that this sequence has recorded; 0 while there is none.
    """

    generation: int
    methods: dict[str, list[str]]


def committed() -> Fingerprint:
    """The fingerprint of the code by which the newest histories were recorded."""
    if not COMMITTED.exists():
        return Fingerprint(generation=0, methods={})
    return Fingerprint(**json.loads(COMMITTED.read_text()))


def commit(fingerprint: Fingerprint) -> None:
    """Writes the fingerprint that later versions are compared with."""
    content = {"generation": fingerprint.generation, "methods": fingerprint.methods}
    COMMITTED.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def of_today() -> dict[str, list[str]]:
    """The command sequence of the workflows as they stand in the source."""
    return of_sources({path.stem: path.read_text() for path in sorted(WORKFLOWS.glob("*.py"))})


def of_sources(sources: dict[str, str]) -> dict[str, list[str]]:
    """The command sequences of modules, by `module.Class.method`.

    Args:
        sources: Python source by module name.
    """
    functions = {
        name: node for module, source in sources.items() for name, node in _functions(ast.parse(source), module)
    }
    issuing = _issuing(functions)
    return {
        name: _Sequence(node, issuing).lines
        for name, node in functions.items()
        if _name(name) in issuing or _is_handler(node)
    }


def _functions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, FunctionNode]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}.{node.name}")
        elif isinstance(node, FunctionNode):
            yield f"{prefix}.{node.name}", node


def _issuing(functions: dict[str, FunctionNode]) -> set[str]:
    """The names of functions that issue a command, be it through others."""
    issuing: set[str] = set()
    while True:
        found = {
            _name(name)
            for name, node in functions.items()
            if any(isinstance(part, ast.Call) and _is_command(part, issuing) for part in ast.walk(node))
        }
        if found == issuing:
            return issuing
        issuing = found


def _is_command(call: ast.Call, issuing: set[str]) -> bool:
    called = ast.unparse(call.func)
    return called in COMMANDS or _name(called) in COMMAND_METHODS | issuing


def _is_handler(function: FunctionNode) -> bool:
    return any(ast.unparse(decorator).startswith(HANDLERS) for decorator in function.decorator_list)


def _name(path: str) -> str:
    return path.rpartition(".")[2]


class _Sequence:
    """Writes down one function: its commands in the order of evaluation, inside the branches that lead to them."""

    def __init__(self, function: FunctionNode, issuing: set[str]) -> None:
        self._issuing = issuing
        self._locals = _local_names(function)
        lines = [_handler(decorator) for decorator in function.decorator_list if _is_handler(function)]
        self.lines = _numbered(lines + self._block(function.body))

    def _block(self, statements: list[ast.stmt]) -> list[str]:
        return [line for statement in statements for line in self._statement(statement)]

    def _statement(self, statement: ast.stmt) -> list[str]:
        match statement:
            case ast.If():
                return self._branches(statement)
            case ast.While():
                return self._around(f"while {self._text(statement.test)}", statement.test, statement.body)
            case ast.For() | ast.AsyncFor():
                return self._around(f"for each of {self._text(statement.iter)}", statement.iter, statement.body)
            case ast.With() | ast.AsyncWith():
                entered = [line for item in statement.items for line in self._commands(item.context_expr)]
                return entered + self._block(statement.body)
            case ast.Try():
                return self._attempts(statement)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return self._nested(f"define «{statement.name}»", self._block(statement.body))
            case ast.Return():
                return [*self._commands(statement.value), "return"]
            case ast.Raise():
                return [*self._commands(statement.exc), f"raise {self._raised(statement.exc)}".strip()]
            case ast.Break() | ast.Continue():
                return [type(statement).__name__.lower()]
            case _:
                return self._commands(statement)

    def _branches(self, statement: ast.If) -> list[str]:
        condition = self._text(statement.test)
        body, otherwise = self._block(statement.body), self._block(statement.orelse)
        lines = self._nested(f"if {condition}", body)
        if otherwise:
            lines += self._nested("else" if body else f"unless {condition}", otherwise)
        return self._commands(statement.test) + lines

    def _around(self, header: str, tested: ast.expr, body: list[ast.stmt]) -> list[str]:
        return self._commands(tested) + self._nested(header, self._block(body))

    def _attempts(self, statement: ast.Try) -> list[str]:
        body = self._block(statement.body)
        if not body:
            return self._block(statement.finalbody)
        lines = self._nested("try", body)
        for handler in statement.handlers:
            caught = ast.unparse(handler.type) if handler.type else "everything"
            lines += [f"except {caught}", *(INDENT + line for line in self._block(handler.body))]
        lines += self._nested("else", self._block(statement.orelse))
        return lines + self._nested("finally", self._block(statement.finalbody))

    def _nested(self, header: str, body: list[str]) -> list[str]:
        return [header, *(INDENT + line for line in body)] if body else []

    def _commands(self, node: ast.AST | None) -> list[str]:
        """The commands inside an expression; an argument is evaluated before the call that takes it."""
        if node is None or isinstance(node, ast.Lambda):
            return []
        lines = [line for child in ast.iter_child_nodes(node) for line in self._commands(child)]
        if isinstance(node, ast.Call) and _is_command(node, self._issuing):
            lines.append(self._call(node))
        return lines

    def _call(self, call: ast.Call) -> str:
        name = _name(ast.unparse(call.func))
        steering = [self._text(argument) for argument in call.args[:1] if self._steers(argument, name)]
        if any(not _is_none(argument) for argument in call.args[WAITS.get(name, len(call.args)) :]):
            steering.append("timeout=…")
        steering += [
            f"{keyword.arg}={'…' if keyword.arg == 'timeout' else self._text(keyword.value)}"
            for keyword in call.keywords
            if keyword.arg in STEERING_ARGUMENTS and not _is_none(keyword.value)
        ]
        return f"{name}({', '.join(steering)})"

    def _steers(self, argument: ast.expr, called: str) -> bool:
        """Whether an argument says what is done or waited for: an activity, a gate, a cause, a condition."""
        if isinstance(argument, ast.Attribute):
            return called in WAITS or ast.unparse(argument)[0].isupper()
        return isinstance(argument, ast.Lambda | ast.Constant | ast.Name) and not _is_none(argument)

    def _raised(self, raised: ast.expr | None) -> str:
        while isinstance(raised, ast.Await | ast.Call):
            raised = raised.value if isinstance(raised, ast.Await) else raised.func
        return "" if raised is None else self._text(raised)

    def _text(self, node: ast.expr) -> str:
        """The source of an expression, with its local variables marked."""
        return ast.unparse(_Marked(self._locals).visit(ast.parse(ast.unparse(node), mode="eval")))


class _Marked(ast.NodeTransformer):
    def __init__(self, names: set[str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id=f"«{node.id}»", ctx=node.ctx) if node.id in self._names else node


def _numbered(lines: list[str]) -> list[str]:
    """The lines with local variables numbered as they appear, so that a renamed one leaves no trace."""
    numbers: dict[str, str] = {}
    return [LOCAL.sub(lambda m: numbers.setdefault(m[1], f"_{len(numbers) + 1}"), line) for line in lines]


def _handler(decorator: ast.expr) -> str:
    """The decorator of a handler with the one argument that callers know: its name."""
    if not isinstance(decorator, ast.Call):
        return f"@{ast.unparse(decorator)}"
    names = [ast.unparse(keyword.value) for keyword in decorator.keywords if keyword.arg == "name"]
    return f"@{ast.unparse(decorator.func)}({', '.join(names)})"


def _local_names(function: FunctionNode) -> set[str]:
    names = {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
    names |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names |= {h.name for h in ast.walk(function) if isinstance(h, ast.ExceptHandler) and h.name}
    names |= {n.name for n in ast.walk(function) if isinstance(n, FunctionNode) and n is not function}
    return names - {"self", "cls"}


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
