"""Runs a program on a host that denies what owner and mode permit, by Landlock, as SELinux and AppArmor do.

usage: denies.py DIR PROGRAM [ARGUMENT]...   below DIR no file can be read or written; exit code 99: this machine cannot.
"""

import ctypes
import os
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
WRITE_FILE, READ_FILE, MAKE_DIR, MAKE_REG = 1 << 1, 1 << 2, 1 << 7, 1 << 8
HANDLED = WRITE_FILE | READ_FILE | MAKE_DIR | MAKE_REG
PR_SET_NO_NEW_PRIVS = 38


def main():
    denied = os.path.realpath(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    handled = struct.pack("Q", HANDLED)
    ruleset = libc.syscall(CREATE_RULESET, handled, len(handled), 0)
    if ruleset < 0 or libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return 99
    # Everything beside the way down to DIR is permitted; what is permitted holds for all below it.
    at = "/"
    for part in denied.strip("/").split("/"):
        for entry in os.scandir(at):
            if entry.name != part and not entry.is_symlink():
                try:
                    handle = os.open(entry.path, os.O_PATH)
                except FileNotFoundError:
                    continue  # another test's, gone meanwhile
                rights = HANDLED if entry.is_dir() else WRITE_FILE | READ_FILE
                rule = struct.pack("=Qi", rights, handle)
                libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
                os.close(handle)
        at = os.path.join(at, part)
    if libc.syscall(RESTRICT_SELF, ruleset, 0):
        return 99
    os.execv(sys.argv[2], sys.argv[2:])


sys.exit(main())
