"""Readers that other processes import by name."""

import os
import time


def calm(_: bytes) -> str:
    return "calm"


def busy(_: bytes) -> str:
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    return "busy"


def large(_: bytes) -> str:
    return str(len(b"\x01" * int("200000000")))


def dying(_: bytes) -> str:
    os._exit(7)


def asleep(_: bytes) -> str:
    time.sleep(30)
    return "awake"
