"""YAML text that a person wrote → a typed document, or an error that names line and key.

Only plain YAML is taken: mappings, lists and scalars. Anchors, aliases and tags are refused (they
are how a small file becomes a huge or an executable one), and so are duplicate keys, which
YAML parsers silently resolve in favour of the last. Every value is converted at its own node, so
the error knows its line.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from enum import EnumMeta
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec
import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

T = TypeVar("T", bound=msgspec.Struct)

_SCALAR_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp")
)
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}


class DocumentError(ValueError):
    """What is wrong with a text, where, and what would be right."""

    def __init__(self, name: str, line: int, key: str, problem: str) -> None:
        place = f"{name}:{line}: " + (f"{key}: " if key else "")
        super().__init__(place + problem)
        self.line = line
        self.key = key
        self.problem = problem


class _Refused(yaml.YAMLError):
    def __init__(self, mark: yaml.Mark, problem: str) -> None:
        super().__init__(problem)
        self.problem_mark = mark
        self.problem = problem


class _PlainLoader(yaml.SafeLoader):
    """Builds nodes; stops at the first thing that plain YAML does without."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refused(event.start_mark, "anchors and aliases are not used; write it out")
        if event.tag is not None:
            raise _Refused(event.start_mark, f"tags ({event.tag}) are not used; write the value")
        if self.depth >= MAX_DEPTH:
            raise _Refused(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def read_yaml(text: str, type_: type[T], *, name: str) -> T:
    """Read ``text`` as a ``type_``; ``name`` is the file's name, for messages.

    An empty text is an empty mapping. Raises :class:`DocumentError`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise DocumentError(name, 1, "", f"larger than {MAX_BYTES:,} bytes")
    node = _compose(text, name)
    if node is None:
        return _Reader(name).construct(type_, {}, 1, "")
    return cast(T, _Reader(name).read(node, type_, ""))


def line_of(text: str, key: Sequence[str | int]) -> int:
    """The line of the value to which ``key`` leads in a text that was read well, or of the nearest
    around it that is there."""
    node = _compose(text, "")
    for part in key:
        if isinstance(node, yaml.MappingNode):
            below = {str(name.value): value for name, value in node.value}.get(str(part))
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            below = node.value[part]
        else:
            below = None
        if below is None:
            break
        node = below
    return node.start_mark.line + 1 if node else 1


def _compose(text: str, name: str) -> yaml.Node | None:
    loader = None
    try:
        loader = _PlainLoader(text)
        return loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"character U+{error.character:04X} is not allowed"
        raise DocumentError(name, line, "", problem) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(
            name, mark.line + 1 if mark else 1, "", f"not YAML: {problem}"
        ) from None
    except _Refused as error:
        raise DocumentError(name, error.problem_mark.line + 1, "", error.problem) from None
    finally:
        if loader is not None:
            loader.dispose()


_NULL = "tag:yaml.org,2002:null"


class _Reader:
    """Walks a node tree and a type side by side."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scalars = yaml.constructor.SafeConstructor()

    def read(self, node: yaml.Node, type_: Any, key: str) -> Any:
        """The value of ``node`` as a ``type_``: a struct, mapping, tuple or scalar, or None."""
        origin = get_origin(type_)
        if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
            return self._struct(node, type_, key)
        if origin is Mapping:
            return self._mapping(node, get_args(type_), key)
        if origin is tuple:
            items = self._expect(node, yaml.SequenceNode, "a list", key).value
            item_type = get_args(type_)[0]
            return tuple(self.read(n, item_type, f"{key}[{i}]") for i, n in enumerate(items))
        if node.tag == _NULL and type(None) in get_args(type_):
            return None
        for part in get_args(type_):
            if isinstance(part, type) and issubclass(part, msgspec.Struct):
                return self._struct(node, part, key)
        return self._scalar(node, type_, key)

    def _struct(self, node: yaml.Node, type_: type[msgspec.Struct], key: str) -> Any:
        fields = {field.encode_name: field for field in msgspec.structs.fields(type_)}
        values: dict[str, Any] = {}
        for key_node, value_node in self._pairs(node, key):
            word = str(key_node.value)
            if word not in fields:
                raise self._error(key_node, key, _unknown_key(word, list(fields)))
            field = fields[word]
            values[field.name] = self.read(value_node, field.type, _join(key, word))
        for word, field in fields.items():
            if field.required and field.name not in values:
                raise self._error(node, key, f"`{word}` is missing; add it")
        return self.construct(type_, values, node.start_mark.line + 1, key)

    def _mapping(self, node: yaml.Node, types: tuple[Any, ...], key: str) -> dict[str, Any]:
        return {
            self._scalar(key_node, types[0], key): self.read(
                value_node, types[1], _join(key, str(key_node.value))
            )
            for key_node, value_node in self._pairs(node, key)
        }

    def _pairs(self, node: yaml.Node, key: str) -> list[tuple[yaml.Node, yaml.Node]]:
        seen: dict[str, int] = {}
        pairs = self._expect(node, yaml.MappingNode, "a mapping (`key: value`)", key).value
        for key_node, _ in pairs:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, key, "expected a word as the key")
            word = str(key_node.value)
            if word in seen:
                problem = f"`{word}` is there twice, first in line {seen[word]}; keep one"
                raise self._error(key_node, key, problem)
            seen[word] = key_node.start_mark.line + 1
        return cast("list[tuple[yaml.Node, yaml.Node]]", pairs)

    def _scalar(self, node: yaml.Node, type_: Any, key: str) -> Any:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _SCALAR_TAGS:
            raise self._error(node, key, f"expected {_describe(type_)}, found {_shape(node)}")
        try:
            return msgspec.convert(self.scalars.construct_object(node), type_)
        except (msgspec.ValidationError, yaml.YAMLError, ValueError):
            found = f"found {_quote(node.value)}"
            raise self._error(node, key, f"expected {_describe(type_)}, {found}") from None

    def _expect(self, node: yaml.Node, kind: type[yaml.Node], words: str, key: str) -> yaml.Node:
        if not isinstance(node, kind):
            raise self._error(node, key, f"expected {words}, found {_shape(node)}")
        return node

    def construct(self, type_: type[T], values: dict[str, Any], line: int, key: str) -> T:
        """Build a struct whose ``__post_init__`` may refuse a combination with ValueError."""
        try:
            return type_(**values)
        except ValueError as error:
            raise DocumentError(self.name, line, key, str(error)) from None

    def _error(self, node: yaml.Node, key: str, problem: str) -> DocumentError:
        return DocumentError(self.name, node.start_mark.line + 1, key, problem)


def _join(key: str, word: str) -> str:
    return f"{key}.{word}" if key else word


def _unknown_key(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known keys are {', '.join(known)}"
    return f"unknown key {_quote(word)}; {hint}"


def _describe(type_: Any) -> str:
    """What a person would write for this type; an alias's own description comes first."""
    for meta in getattr(type_, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.description:
            return meta.description
    if isinstance(type_, EnumMeta):
        return "one of " + ", ".join(map(str, type_))
    parts = [part for part in get_args(type_) if part is not type(None)]
    return " or ".join(_describe(part) for part in parts) if parts else _WORDS.get(type_, "text")


def _shape(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return _quote(str(node.value)) if node.value else "nothing"


def _quote(text: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return f"`{printable[:60]}…`" if len(printable) > 60 else f"`{printable}`"
