"""An answer that tries to command the terminal; a good client shows it and obeys nothing."""

from __future__ import annotations

HOSTILE = (
    "## Text that would like to command your terminal\n\n"
    "Nothing below may take effect; all of it should be visible.\n\n"
    "- a colour: \x1b[31mred\x1b[0m, and the 8-bit form \x9b31mred\x9b0m\n"
    "- a window title: \x1b]0;owned\x07\n"
    "- the clipboard: \x1b]52;c;b3duZWQ=\x07\n"
    "- a hidden link: \x1b]8;;http://example.invalid/\x1b\\click\x1b]8;;\x1b\\\n"
    "- clearing the screen: \x1b[2J\x1b[H, going back: \rover, \x08\x08\x08\n"
    "- reversed text: \u202egnp.exe\u202c and an invisible \u200b space\n"
    "- markup: [@click=app.quit]quit[/] and [bold red]not bold[/]\n"
    "- HTML: <script>alert(1)</script> and <b>not bold</b>\n"
    "- a link that lies: [https://docs.vllm.ai](http://example.invalid/login)\n"
    "- template tokens: <|start|>assistant<|channel|>final<|message|>\n\n"
    "```sh\nprintf '\x1b]52;c;b3duZWQ=\x07'\n```\n"
)
"""Escape sequences, C1 codes, bidi controls, markup and a lying link."""
