"""Reads a calendar file from standard input with the package icalendar, strictly, and prints what is in it as JSON."""

import json
import sys

from icalendar import Calendar

data = sys.stdin.buffer.read()
assert data.endswith(b"END:VCALENDAR\r\n"), "the file does not end as RFC 5545 wants it"
assert all(len(line) <= 75 for line in data.split(b"\r\n")), "a line is longer than 75 octets"
assert b"\n" not in data.replace(b"\r\n", b""), "a line ends with a bare line feed"
calendar = Calendar.from_ical(data)
assert not calendar.errors, calendar.errors


def event(component):
    assert not component.errors, component.errors
    times = [component["DTSTART"].dt, component["DTEND"].dt]
    assert all(time.utcoffset().total_seconds() == 0 for time in times), times
    more = component.get("RDATE")
    return {
        "uid": str(component["UID"]),
        "sequence": int(component["SEQUENCE"]),
        "starts": times[0].isoformat(),
        "ends": times[1].isoformat(),
        "more": [date.dt.isoformat() for date in more.dts] if more else [],
        "summary": str(component["SUMMARY"]),
        "location": str(component.get("LOCATION", "")),
        "description": str(component.get("DESCRIPTION", "")),
        "url": str(component.get("URL", "")),
        "organizer": str(component.get("ORGANIZER", "")),
        "attendee": str(component.get("ATTENDEE", "")),
        "status": str(component["STATUS"]),
    }


print(json.dumps({
    "method": str(calendar["METHOD"]),
    "version": str(calendar["VERSION"]),
    "events": [event(component) for component in calendar.walk("VEVENT")],
}))
