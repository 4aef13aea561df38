"""Python functions that the model may call, without I/O."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from openai_realtime_client.conversation.build import Builders
from openai_realtime_client.conversation.items import FAILED_STATUSES
from openai_realtime_client.core.errors import ToolError
from openai_realtime_client.core.json_types import is_object, path_text
from openai_realtime_client.core.model import RealtimeModel

__all__ = ["FunctionTool", "Tools"]

Create = TypeVar("Create")
Tool = TypeVar("Tool")
OnError = Callable[[Exception], str]

_logger = logging.getLogger("openai_realtime_client")

# The names of functions that the service accepts.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Statuses of calls whose arguments may not be complete.
_INCOMPLETE = ("in_progress", *FAILED_STATUSES)


class FunctionTool(Generic[Create, Tool]):
    """A Python function that the model may call, in any protocol."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        on_error: OnError | None = None,
    ) -> None:
        """Describe a function to the model.

        Args:
            function: Any callable whose arguments have names, also a coroutine function.
            name: The name for the model; by default the function's own.
            description: The description for the model; by default the docstring.
            on_error: Returns what the model is told of an exception of the function. By default
                that is the text of a `ToolError`, and of others the name of the class.

        Raises:
            TypeError: The function has arguments without a name or with annotations that are not
                defined in its module, has no name itself, or is an asynchronous generator.
        """
        # The name, the docstring and the kind of function are those of the function in a partial.
        called: Any = function
        while isinstance(called, partial):
            called = cast(Any, called.func)
        own_name: str = getattr(called, "__name__", type(called).__name__)
        self.name = name or own_name
        if not _NAME.fullmatch(self.name):
            raise TypeError(
                f"{self.name!r} cannot be the name of a tool; pass name= with letters, digits, "
                f"'_' and '-'"
            )
        described = called
        if not (inspect.isroutine(called) or inspect.isclass(called)):
            called = called.__call__
            # Without a docstring there, `getdoc` would find that of `type.__call__`.
            if called.__doc__:
                described = called
        if description is None:
            description = inspect.getdoc(described) or ""
        if inspect.isasyncgenfunction(called):
            raise TypeError(f"{self.name} is an asynchronous generator; return a list instead")
        # A decorator may hide a coroutine function, which `run_async` finds by its result.
        is_coroutine = inspect.iscoroutinefunction
        self.is_async = is_coroutine(called) or is_coroutine(inspect.unwrap(called))
        self._function = function
        self._on_error = on_error
        self._adapter = TypeAdapter[Any](_arguments_of(function, self.name))
        definition: Any = {
            "type": "function",
            "name": self.name,
            "description": description,
            "parameters": self._adapter.json_schema(),
        }
        self.definition: Tool = definition

    def run(self, call: Any) -> Create:
        """Validate the arguments of a call, and call the function.

        What fails is logged, with its traceback.

        Args:
            call: The item of the call: of a `Conversation`, a model or a dictionary.

        Returns:
            The event with the output. The model reads `Error: …` if the call is of another
            function or was not finished, if arguments do not fit, or if the function raises.

        Raises:
            TypeError: It is a coroutine function or returns an awaitable: use `run_async`.
        """
        if self.is_async:
            raise TypeError(f"{self.name} is a coroutine function: use run_async")
        try:
            output = self._bound(call)()
            if not inspect.isawaitable(output):
                return self._output(call, output)
        except Exception as error:
            return self.failed(call, error)
        if inspect.iscoroutine(output):
            output.close()
        raise TypeError(f"{self.name} returned an awaitable: use run_async")

    async def run_async(self, call: Any) -> Create:
        """Do the same as `run`, also for a coroutine function.

        Other functions run in a thread of their own. Cancelling does not stop them, but their
        result is dropped.

        Args:
            call: The item of the call, as `run` takes it.

        Returns:
            The event with the output or the error.
        """
        try:
            function = self._bound(call)
            if self.is_async:
                output = function()
            else:  # It may block, and the loop must not.
                output = await _in_thread(function)
            if inspect.isawaitable(output):
                output = await output
            return self._output(call, output)
        except (SystemExit, KeyboardInterrupt) as error:
            # They end a program in its main thread alone; in another they would end the loop.
            if threading.current_thread() is threading.main_thread():
                raise
            return self.failed(call, RuntimeError(f"it raised {type(error).__name__}"))
        except Exception as error:
            return self.failed(call, error)

    def failed(self, call: Any, error: Exception) -> Create:
        """Make the event that tells the model of an exception, which is logged.

        Args:
            call: The item of the call.
            error: The exception of the function.
        """
        if isinstance(error, _CallError):
            _logger.warning("a call of %s failed: %s", self.name, error)
            text = f"Error: {error}"
        else:
            _logger.error("function %s failed", self.name, exc_info=error)
            # Not the message, which may hold what the model and the user must not know.
            text = f"Error: {type(error).__name__}"
            if self._on_error:
                text = self._on_error(error)
            elif isinstance(error, ToolError):
                text = f"Error: {error}"
        return self._output(call, text)

    def _bound(self, call: Any) -> Callable[[], Any]:
        """Return the function with the validated arguments of a call."""
        name = _field(call, "name")
        if name not in (None, self.name):
            raise _CallError(f"there is no function {name}")
        if _field(call, "status") in _INCOMPLETE:
            raise _CallError("the call is not complete")
        arguments: Any = _field(call, "arguments")
        if arguments in (None, "", "null"):
            arguments = {}
        try:
            if isinstance(arguments, str):
                bound = self._adapter.validate_json(arguments)
            else:
                bound = self._adapter.validate_python(arguments)
        except ValidationError as error:
            raise _CallError(_problems(error)) from None
        return partial(self._function, **bound)

    def _output(self, call: Any, output: object) -> Create:
        try:
            return Builders[Create]().function_output(_field(call, "call_id") or "", output)
        except ValueError as error:  # It is not JSON, and the message has the path.
            raise _CallError(str(error)) from None


class Tools(Generic[Create, Tool]):
    """The tools of a session, whose functions `connect(tools=…)` runs."""

    _tool_class: type[FunctionTool[Any, Any]] = FunctionTool

    def __init__(
        self,
        *tools: Any,
        timeout: float | None = None,
        on_error: OnError | None = None,
        follow_up: bool = True,
    ) -> None:
        """Collect tools.

        Args:
            *tools: Functions, `FunctionTool`s, and definitions of tools that are not run here: MCP
                servers, and functions whose calls the program answers itself.
            timeout: The maximum duration of a call in seconds.
            on_error: As for `FunctionTool`, for all functions.
            follow_up: Whether to ask for a response after the outputs of a response's calls. It
                may be set at any time; without it, the program sends `response.create`.

        Raises:
            TypeError: One cannot be a tool.
            ValueError: Two have the same name.
        """
        self.timeout = timeout
        self.follow_up = follow_up
        self.params: list[Tool] = []
        self._functions: dict[str, FunctionTool[Create, Tool]] = {}
        self._left_to_program: set[str] = set()
        for tool in tools:
            self._add(tool, on_error)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._functions)})"

    def is_run_here(self, call: Any) -> bool:
        """Return whether a call is answered by `run_async`, and not by the program.

        Args:
            call: The item of the call.
        """
        return _field(call, "name") not in self._left_to_program

    def run(self, call: Any) -> Create:
        """Call the function of a call, as `FunctionTool.run` does.

        Args:
            call: The item of the call: of a `Conversation`, a model or a dictionary.

        Returns:
            The event with the output. An unknown function is an error that the model reads.
        """
        tool = self._functions.get(_field(call, "name"))
        if tool is None:
            return self._unknown(call)
        return tool.run(call)

    async def run_async(self, call: Any) -> Create:
        """Do the same as `run`, for at most `timeout` seconds, also for a coroutine function.

        Args:
            call: The item of the call.

        Returns:
            The event with the output. An unknown function is an error that the model reads.
        """
        tool = self._functions.get(_field(call, "name"))
        if tool is None:
            return self._unknown(call)
        # A task of its own, because what it waits for may be cancelled, and not this call.
        running = asyncio.ensure_future(tool.run_async(call))
        try:
            done, _ = await asyncio.wait([running], timeout=self.timeout)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if not done:
            error: Exception = ToolError(f"{tool.name} took longer than {self.timeout:g} s")
        elif running.cancelled():
            error = RuntimeError("what it waited for was cancelled")
        else:
            return running.result()
        return tool.failed(call, error)

    def _add(self, tool: Any, on_error: OnError | None) -> None:
        if not (is_object(tool) or isinstance(tool, (RealtimeModel, FunctionTool))):
            tool = self._tool_class(tool, on_error=on_error)
        name = _field(tool, "name")
        if name and (name in self._functions or name in self._left_to_program):
            raise ValueError(f"two tools are called {name}")
        if isinstance(tool, FunctionTool):
            function = cast(FunctionTool[Create, Tool], tool)
            self._functions[name] = function
            self.params.append(function.definition)
        else:
            # A definition without a function: the program, or the server, does the rest.
            if name:  # MCP servers have none.
                self._left_to_program.add(name)
            self.params.append(cast(Tool, tool))

    def _unknown(self, call: Any) -> Create:
        name = _field(call, "name")
        _logger.warning("the model called a function that is unknown: %.100s", name)
        text = f"Error: there is no function {name}"
        return Builders[Create]().function_output(_field(call, "call_id") or "", text)


class _CallError(Exception):
    """A call that cannot be run. The model reads the text."""


def _arguments_of(function: Callable[..., Any], name: str) -> Any:
    """Return a function with the same arguments, which returns them by name.

    So what is wrong with the arguments is told from what the function raises. Its annotations are
    evaluated here, because pydantic does not evaluate those of methods.
    """

    def arguments(**values: Any) -> Any:
        return values

    try:
        signature = inspect.signature(function, eval_str=True)
    except (NameError, ValueError) as error:
        raise TypeError(f"{name}: {error}") from None
    annotations: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise TypeError(
                f"{name}: the model passes arguments by name only, and {parameter.name} has none"
            )
        if parameter.annotation is not signature.empty:
            annotations[parameter.name] = parameter.annotation
    arguments.__annotations__ = annotations
    # A schema of what is returned would convert the arguments back.
    arguments.__signature__ = signature.replace(  # type: ignore[attr-defined]
        return_annotation=signature.empty
    )
    return arguments


def _field(call: Any, name: str) -> Any:
    if is_object(call):
        return call.get(name)
    return getattr(call, name, None)


def _problems(error: ValidationError) -> str:
    problems: list[str] = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        path = path_text(detail["loc"])
        if path:
            problems.append(f"{path}: {detail['msg']}")
        else:
            problems.append(detail["msg"])
    return "; ".join(problems)


async def _in_thread(function: Callable[[], Any]) -> Any:
    """Run a function in a thread that does not keep the program from ending.

    The threads of `asyncio.to_thread` do, and are few.
    """
    # The result or the error: asyncio's futures do not take a `StopIteration` as an exception.
    done = Future[tuple[Any, BaseException | None]]()
    context = contextvars.copy_context()

    def work() -> None:
        result, error = None, None
        try:
            result = context.run(function)
        except BaseException as caught:
            error = caught
        with suppress(InvalidStateError):  # Nobody waits for it any more.
            done.set_result((result, error))

    threading.Thread(target=work, name="openai_realtime_client function", daemon=True).start()
    result, error = await asyncio.wrap_future(done)
    if error:
        raise error
    return result
