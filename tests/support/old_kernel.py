"""Runs a program as on Linux 3.10: every call that came after it is answered with ENOSYS.

usage: old_kernel.py PROGRAM [ARGUMENT]...   exit code 99: this machine takes no filter.
"""

import ctypes
import os
import platform
import struct
import sys

# The newest call of 3.10 is finit_module.
NEWEST = {"x86_64": (313, 0xC000003E), "aarch64": (273, 0xC00000B7)}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
LOAD, EQUAL, GREATER, RETURN = 0x20, 0x15, 0x25, 0x06
ALLOW, ENOSYS = 0x7FFF0000, 0x00050000 | 38


def main():
    if platform.machine() not in NEWEST:
        return 99
    newest, machine = NEWEST[platform.machine()]
    steps = [
        (LOAD, 0, 0, 4),             # the machine that the call is of
        (EQUAL, 0, 3, machine),
        (LOAD, 0, 0, 0),             # its number
        (GREATER, 0, 1, newest),
        (RETURN, 0, 0, ENOSYS),
        (RETURN, 0, 0, ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    held = ctypes.create_string_buffer(program, len(program))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.addressof(held), 0, 0):
        return 99
    os.execv(sys.argv[1], sys.argv[1:])


sys.exit(main())
