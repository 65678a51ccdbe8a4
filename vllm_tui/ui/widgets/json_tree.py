"""A JSON value as a tree that folds; only what is open is built, so that huge values cost nothing."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from vllm_tui.ui.content import shown_line

if TYPE_CHECKING:
    from vllm_tui.domain.values import JsonValue

_MOST_CHILDREN, _MOST_TEXT = 300, 2_000
_OPEN_DEPTH, _OPEN_CHILDREN = 2, 12


class JsonTree(Tree[object]):
    """Shows what `show` was given; Enter and Space fold, arrows move. Strings are escaped as in JSON."""

    DEFAULT_CSS = """
    JsonTree, JsonTree:focus { background: $background; background-tint: $background 0%; padding: 0 1; }
    JsonTree > .tree--guides, JsonTree > .tree--guides-hover, JsonTree > .tree--guides-selected { color: $line; }
    JsonTree > .tree--cursor { background: $line; color: $foreground; text-style: none; }
    JsonTree:focus > .tree--cursor { background: $input-selection-background; color: $foreground; text-style: none; }
    JsonTree > .tree--highlight { text-style: none; }
    JsonTree > .tree--highlight-line { background: $background; }
    JsonTree:ansi > .tree--cursor { background: ansi_default; text-style: bold underline; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "open_node", show=False),
        Binding("left,h", "close_node", show=False),
        Binding("j", "cursor_down", show=False),
        Binding("k", "cursor_up", show=False),
    ]
    ICON_NODE, ICON_NODE_EXPANDED = "▸ ", "▾ "

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__("", id=id)
        self.guide_depth = 2
        self.show_root = False
        self.auto_expand = True
        self._shown: object = self

    def show(self, value: JsonValue) -> None:
        """Show a value from its top; nothing happens when it is shown already."""
        if value is self._shown or value == self._shown:
            return
        self._shown = value
        self.clear()
        self.root.data = value
        self._fill(self.root, 0)
        self.root.expand()
        self.cursor_line = 0

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[object]) -> None:
        """Build what was opened."""
        event.stop()
        if not event.node.children:
            self._fill(event.node, _OPEN_DEPTH)

    def action_open_node(self) -> None:
        """Open the node under the cursor."""
        if self.cursor_node is not None and self.cursor_node.allow_expand:
            self.cursor_node.expand()

    def action_close_node(self) -> None:
        """Close the node under the cursor, or go to the one it is in."""
        node = self.cursor_node
        if node is None:
            return
        if node.allow_expand and node.is_expanded:
            node.collapse()
        elif node.parent is not None and node.parent is not self.root:
            self.move_cursor(node.parent)

    def _fill(self, node: TreeNode[object], depth: int) -> None:
        value = node.data
        if isinstance(value, dict):
            members = [(json.dumps(str(key), ensure_ascii=False)[1:-1], part) for key, part in _some(value.items())]
        elif isinstance(value, list):
            members = [(str(at), part) for at, part in _some(enumerate(value))]
        else:
            node.add_leaf(_label("", value), value)
            return
        for name, part in members:
            self._add(node, name, part, depth)
        if len(value) > _MOST_CHILDREN:
            node.add_leaf(Text(f"… {len(value) - _MOST_CHILDREN:,} more; y copies all", style="italic"))

    def _add(self, node: TreeNode[object], name: str, part: object, depth: int) -> None:
        if not isinstance(part, dict | list) or not part:
            node.add_leaf(_label(name, part), part)
            return
        child = node.add(_label(name, part), part)
        if depth < _OPEN_DEPTH and len(part) <= _OPEN_CHILDREN:
            self._fill(child, depth + 1)
            child.expand()


def _some(members: object) -> list[tuple[object, object]]:
    return list(islice(members, _MOST_CHILDREN))  # type: ignore[call-overload]


def _label(name: str, value: object) -> Text:
    head = f"{shown_line(name)}: " if name else ""
    match value:
        case dict():
            tail = "{}" if not value else f"{{{len(value):,}}}"
        case list():
            tail = "[]" if not value else f"[{len(value):,}]"
        case _:
            tail = shown_line(_short(json.dumps(value, ensure_ascii=False)))
    return Text.assemble((head, "bold"), tail)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[:_MOST_TEXT]}… {len(text):,} characters"
