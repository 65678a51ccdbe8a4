"""Values everything else speaks in: blocks, messages, events, errors. Knows no network, disk or screen."""
