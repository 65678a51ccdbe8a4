"""What the transcript says was done to it."""

from __future__ import annotations

from textual.message import Message


class FollowChanged(Message):
    """The view follows the end or not; `new_lines` came below since it does not."""

    def __init__(self, following: bool, new_lines: int) -> None:
        super().__init__()
        self.following = following
        self.new_lines = new_lines


class BlockChosen(Message):
    """A block was chosen for inspection."""

    def __init__(self, block_id: int, kind: str) -> None:
        super().__init__()
        self.block_id = block_id
        self.kind = kind


class CopyRequested(Message):
    """The reader wants `text` on the clipboard; `what` names it."""

    def __init__(self, text: str, what: str) -> None:
        super().__init__()
        self.text = text
        self.what = what


class CodeAsked(Message):
    """There are `count` code blocks to copy; the next key is the number of one."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count


class LinkChosen(Message):
    """A link was clicked; show its target before anything is done with it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
