"""Cities the demo knows, with their countries and time zones."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class City:
    """A city with its country, and its IANA time zone."""

    name: str
    country: str
    zone: str


CITIES = tuple(
    City(*row.split("|"))
    for row in (
        "Paris|France|Europe/Paris",
        "London|the United Kingdom|Europe/London",
        "Berlin|Germany|Europe/Berlin",
        "Madrid|Spain|Europe/Madrid",
        "Rome|Italy|Europe/Rome",
        "Vienna|Austria|Europe/Vienna",
        "Bern|Switzerland|Europe/Zurich",
        "Amsterdam|the Netherlands|Europe/Amsterdam",
        "Lisbon|Portugal|Europe/Lisbon",
        "Oslo|Norway|Europe/Oslo",
        "Stockholm|Sweden|Europe/Stockholm",
        "Warsaw|Poland|Europe/Warsaw",
        "Athens|Greece|Europe/Athens",
        "Tokyo|Japan|Asia/Tokyo",
        "Seoul|South Korea|Asia/Seoul",
        "Beijing|China|Asia/Shanghai",
        "Delhi|India|Asia/Kolkata",
        "Singapore|Singapore|Asia/Singapore",
        "Canberra|Australia|Australia/Sydney",
        "Cairo|Egypt|Africa/Cairo",
        "Nairobi|Kenya|Africa/Nairobi",
        "Ottawa|Canada|America/Toronto",
        "Washington|the United States|America/New_York",
        "Brasilia|Brazil|America/Sao_Paulo",
        "Buenos Aires|Argentina|America/Argentina/Buenos_Aires",
    )
)
"""Capitals, most of them."""

OTHERS = tuple(
    City(*row.split("|"))
    for row in (
        "Zurich|Switzerland|Europe/Zurich",
        "Munich|Germany|Europe/Berlin",
        "Barcelona|Spain|Europe/Madrid",
        "New York|the United States|America/New_York",
        "San Francisco|the United States|America/Los_Angeles",
        "Sydney|Australia|Australia/Sydney",
        "Mumbai|India|Asia/Kolkata",
    )
)


def cities_in(text: str) -> tuple[City, ...]:
    """Return the cities named in `text`, in the order they are named."""
    found: list[tuple[int, City]] = []
    for city in CITIES + OTHERS:
        place = re.search(rf"\b{re.escape(city.name)}\b", text, re.IGNORECASE)
        if place is not None:
            found.append((place.start(), city))
    return tuple(city for _, city in sorted(found, key=lambda pair: pair[0]))


def capital_asked(text: str) -> City | None:
    """Return the capital a question asks for ("capital of Japan"), or None."""
    asked = re.search(r"capital (?:city )?of (?:the )?([A-Za-z ]+)", text, re.IGNORECASE)
    if asked is None:
        return None
    land = asked.group(1).strip().casefold()
    for city in CITIES:
        if land.startswith(city.country.removeprefix("the ").casefold()):
            return city
    return None
